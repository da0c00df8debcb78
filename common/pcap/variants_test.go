package pcap_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

var (
	le = binary.LittleEndian
	be = binary.BigEndian
)

// join concatenates parts of a file.
func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

type variant struct {
	name   string
	file   []byte
	format pcap.Format
	count  int       // frames before the end
	time   time.Time // of the first
	err    string    // how it ends, see checkError
	offset int64     // of the error
}

// variants are files good, odd and damaged, with what a reader is to make of
// each. The numbers are those of the format's definitions, and Wireshark agrees
// on all but what TestForeignVariants lists.
func variants() []variant {
	us, ns := utc(testSec, testMicro*1000), utc(testSec, testNano)
	d := frameData()
	r0 := rec(le, testSec, testMicro, 60, 60, nil, d[0])
	r1 := rec(le, testSec, testMicro, 67, 67, nil, d[1])
	good := records(le, testMicro, nil)
	kernelLE := join(le.AppendUint32(nil, 2), le.AppendUint16(nil, 0x800), []byte{4, 0})
	kernelBE := join(be.AppendUint32(nil, 2), be.AppendUint16(nil, 0x800), []byte{4, 0})
	smp := make([]byte, 4)
	classic := func(magic uint32, major, minor uint16) []byte {
		return fileHead(le, magic, major, minor, 0, 262144, 1)
	}
	withLink := func(l uint32) []byte { return fileHead(le, 0xa1b2c3d4, 2, 4, 0, 262144, l) }
	withSnap := func(n uint32) []byte { return fileHead(le, 0xa1b2c3d4, 2, 4, 0, n, 1) }
	swapped := join(
		rec(le, testSec, testMicro, 60, 50, nil, d[0][:50]),
		rec(le, testSec, testMicro, 67, 50, nil, d[1][:50]),
		rec(le, testSec, testMicro, 74, 50, nil, d[2][:50]))
	out := []variant{
		{"micro LE", join(head(), good), pcap.FormatPcap, 3, us, "", 0},
		{"micro BE", join(fileHead(be, 0xa1b2c3d4, 2, 4, 0, 262144, 1), records(be, testMicro, nil)), pcap.FormatPcap, 3, us, "", 0},
		{"nano LE", join(classic(0xa1b23c4d, 2, 4), records(le, testNano, nil)), pcap.FormatPcapNano, 3, ns, "", 0},
		{"nano BE", join(fileHead(be, 0xa1b23c4d, 2, 4, 0, 262144, 1), records(be, testNano, nil)), pcap.FormatPcapNano, 3, ns, "", 0},
		{"modified LE", join(classic(0xa1b2cd34, 2, 4), records(le, testMicro, kernelLE)), pcap.FormatPcapModified, 3, us, "", 0},
		{"modified BE", join(fileHead(be, 0xa1b2cd34, 2, 4, 0, 262144, 1), records(be, testMicro, kernelBE)), pcap.FormatPcapModified, 3, us, "", 0},
		{"modified SMP LE", join(classic(0xa1b2cd34, 2, 4), records(le, testMicro, join(kernelLE, smp))), pcap.FormatPcapModifiedSMP, 3, us, "", 0},
		{"modified SMP BE", join(fileHead(be, 0xa1b2cd34, 2, 4, 0, 262144, 1), records(be, testMicro, join(kernelBE, smp))), pcap.FormatPcapModifiedSMP, 3, us, "", 0},
		{"patched", join(head(), records(le, testMicro, kernelLE)), pcap.FormatPcapPatched, 3, us, "", 0},
		{"nokia", join(head(), records(le, testMicro, smp)), pcap.FormatPcapNokia, 3, us, "", 0},
		{"ixia hw", join(classic(0x1c0001ac, 2, 4), le.AppendUint32(nil, 249), records(le, testNano, nil)), pcap.FormatIxiaHardware, 3, ns, "", 0},
		{"ixia sw", join(classic(0x1c0001ab, 2, 4), le.AppendUint32(nil, 249), good), pcap.FormatIxiaSoftware, 3, us, "", 0},
		{"version 2.2", join(classic(0xa1b2c3d4, 2, 2), swapped), pcap.FormatPcap, 3, us, "", 0},
		{"version 543.0", join(classic(0xa1b2c3d4, 543, 0), swapped), pcap.FormatPcap, 3, us, "", 0},
		{"version 2.3, first as 2.2", join(classic(0xa1b2c3d4, 2, 3),
			rec(le, testSec, testMicro, 60, 50, nil, d[0][:50]), rec(le, testSec, testMicro, 50, 67, nil, d[1][:50])),
			pcap.FormatPcap, 2, us, "", 0},
		{"version 2.5", join(classic(0xa1b2c3d4, 2, 5), good), pcap.FormatPcap, 3, us, "", 0},
		{"version 3.0", join(classic(0xa1b2c3d4, 3, 0), good), pcap.FormatPcap, 3, us, "", 0},
		{"version 1.0", join(classic(0xa1b2c3d4, 1, 0), good), 0, 0, us, "unsupported", 0},
		{"aix", join(fileHead(le, 0xa1b2c3d4, 2, 2, 0, 262144, 6), records(le, testNano, nil)), pcap.FormatPcapAIX, 3, ns, "", 0},
		{"FCS bits", join(withLink(1|0x24000000), good), pcap.FormatPcap, 3, us, "", 0},
		{"reserved link bits", join(withLink(1|0x10000), good), 0, 0, us, "unsupported", 0},
		{"unknown link type", join(withLink(60000), good), pcap.FormatPcap, 3, us, "", 0},
		{"thiszone", join(fileHead(le, 0xa1b2c3d4, 2, 4, 3600, 262144, 1), good), pcap.FormatPcap, 3, us, "", 0},
		{"snap 0", join(withSnap(0), good), pcap.FormatPcap, 3, us, "", 0},
		{"snap huge", join(withSnap(0xffffffff), good), pcap.FormatPcap, 3, us, "", 0},
		{"snap 50, frames longer", join(withSnap(50), good), pcap.FormatPcap, 3, us, "", 0},
		{"longest frame", join(head(), rec(le, testSec, testMicro, 262144, 262144, nil, make([]byte, 262144)), r0), pcap.FormatPcap, 2, us, "", 0},
		{"frame one too long", join(head(), r0, rec(le, testSec, testMicro, 262145, 262145, nil, make([]byte, 262145)), r0), pcap.FormatPcap, 1, us, "malformed", 100},
		{"captured more than wire", join(head(), rec(le, testSec, testMicro, 60, 10, nil, d[0]), r1), pcap.FormatPcap, 2, us, "", 0},
		{"captured nothing", join(head(), rec(le, testSec, testMicro, 0, 60, nil, nil), r1), pcap.FormatPcap, 2, us, "", 0},
		{"captured 2 GiB", join(head(), r0, rec(le, testSec, testMicro, 0x7fffffff, 67, nil, d[1]), r0), pcap.FormatPcap, 1, us, "malformed", 100},
		{"captured 4 GiB", join(head(), r0, rec(le, testSec, testMicro, 0xffffffff, 67, nil, d[1])), pcap.FormatPcap, 1, us, "malformed", 100},
		{"wire length 0", join(head(), rec(le, testSec, testMicro, 60, 0, nil, d[0]), r1), pcap.FormatPcap, 2, us, "", 0},
		{"no frames", head(), pcap.FormatPcap, 0, us, "", 0},
		{"cut in file header", head()[:20], 0, 0, us, "truncated", 0},
		{"cut in magic", head()[:3], 0, 0, us, "truncated", 0},
		{"nothing", nil, 0, 0, us, "truncated", 0},
		{"magic only", head()[:4], 0, 0, us, "truncated", 0},
		{"cut in record header", join(head(), good, r0[:9]), pcap.FormatPcap, 3, us, "truncated", int64(24 + len(good))},
		{"cut in frame", join(head(), good, r0[:40]), pcap.FormatPcap, 3, us, "truncated", int64(24 + len(good))},
		{"zeros behind", join(head(), good, make([]byte, 64)), pcap.FormatPcap, 7, us, "", 0},
		{"microseconds above a million", join(head(), records(le, 1500000, nil)), pcap.FormatPcap, 3, utc(testSec+1, 500000000), "", 0},
		{"time after 2038", join(head(), rec(le, 4000000000, 5, 60, 60, nil, d[0])), pcap.FormatPcap, 1, utc(4000000000, 5000), "", 0},
		{"time at the end", join(head(), rec(le, math.MaxUint32, 0, 60, 60, nil, d[0])), pcap.FormatPcap, 1, utc(math.MaxUint32, 0), "", 0},
		{"two files in one", join(head(), good, head(), good), pcap.FormatPcap, 3, us, "malformed", int64(24 + len(good))},
		{"two big-endian files in one", join(fileHead(be, 0xa1b2c3d4, 2, 4, 0, 262144, 1), records(be, testMicro, nil), fileHead(be, 0xa1b2c3d4, 2, 4, 0, 262144, 1)), pcap.FormatPcap, 3, us, "malformed", int64(24 + len(good))},
		{"empty frame at the magic number's time", join(head(), rec(le, 0xa1b2c3d4, 5, 0, 60, nil, nil)), pcap.FormatPcap, 1, utc(0xa1b2c3d4, 5000), "", 0},
		{"text", bytes.Repeat([]byte("hello world\n"), 4), 0, 0, us, "unknown", 0},
		{"reserved magic a1b234cd", join(classic(0xa1b234cd, 2, 4), good), 0, 0, us, "unknown", 0},
		{"reserved magic a12b3c4d", join(classic(0xa12b3c4d, 2, 4), good), 0, 0, us, "unknown", 0},
		{"snoop", join([]byte("snoop\x00\x00\x00"), be.AppendUint32(nil, 2), be.AppendUint32(nil, 4), snoopRecord(d[0], 60, 24+60+4, 0), snoopRecord(d[1], 100, 24+67, 3)), pcap.FormatSnoop, 2, utc(testSec, 5000), "", 0},
		{"snoop, record too short", join([]byte("snoop\x00\x00\x00"), be.AppendUint32(nil, 2), be.AppendUint32(nil, 4), snoopRecord(d[0], 60, 24+60, 0), snoopRecord(d[1], 67, 24+60, 0)), pcap.FormatSnoop, 1, utc(testSec, 5000), "malformed", 100},
		{"snoop, version 3", join([]byte("snoop\x00\x00\x00"), be.AppendUint32(nil, 3), be.AppendUint32(nil, 4)), 0, 0, us, "unsupported", 0},
		{"snoop, unknown link", join([]byte("snoop\x00\x00\x00"), be.AppendUint32(nil, 2), be.AppendUint32(nil, 6)), 0, 0, us, "unsupported", 0},
	}
	return append(out, ngVariants()...)
}

func snoopRecord(data []byte, wireLen, size, drops uint32) []byte {
	b := be.AppendUint32(nil, wireLen)
	b = be.AppendUint32(b, uint32(len(data)))
	b = be.AppendUint32(b, size)
	b = be.AppendUint32(b, drops)
	b = be.AppendUint32(b, testSec)
	b = be.AppendUint32(b, 5)
	b = append(b, data...)
	return append(b, make([]byte, max(0, int(size)-len(b)))...)
}

func ngVariants() []variant {
	us, ns := utc(testSec, testMicro*1000), utc(testSec, testNano)
	d := frameData()
	ng := pcap.FormatPcapng
	one := join(shb(le), idb(le, 1, 262144), epb(le, 0, microTS, d[0]))
	resolution := func(raw byte, ts uint64) []byte {
		return join(shb(le), idb(le, 1, 0, opts(opt(le, 9, []byte{raw}))), epbs(le, ts))
	}
	offset := func(sec int64) []byte {
		return idb(le, 1, 0, opts(opt(le, 14, le.AppendUint64(nil, uint64(sec)))))
	}
	// alter returns the block with one byte of its length fields changed.
	alter := func(b []byte, at int, v uint32) []byte {
		b = bytes.Clone(b)
		if at < 0 {
			at += len(b)
		}
		le.PutUint32(b[at:], v)
		return b
	}
	version := func(major, minor uint16) []byte {
		b := shb(le)
		le.PutUint16(b[12:], major)
		le.PutUint16(b[14:], minor)
		return b
	}
	e1 := epb(le, 0, microTS, d[1])
	e2 := epb(le, 0, microTS, d[2])
	at := int64(len(one))
	// The padding of a block left out of the file, and out of its length.
	e1Short := join(e1[:len(e1)-5], e1[len(e1)-4:])
	e1Short = alter(alter(e1Short, 4, uint32(len(e1Short))), -4, uint32(len(e1Short)))
	spb := func(wireLen uint32, data []byte) []byte { return blk(le, 3, le.AppendUint32(nil, wireLen), data) }
	pb := func(drops uint16, data []byte) []byte {
		b := le.AppendUint16(nil, 0)
		b = le.AppendUint16(b, drops)
		b = le.AppendUint32(b, uint32(microTS>>32))
		b = le.AppendUint32(b, uint32(microTS&math.MaxUint32))
		b = le.AppendUint32(b, uint32(len(data)))
		b = le.AppendUint32(b, uint32(len(data)))
		return blk(le, 2, b, data)
	}
	return []variant{
		{"ng LE", join(shb(le), idb(le, 1, 262144), epbs(le, microTS)), ng, 3, us, "", 0},
		{"ng BE", join(shb(be), idb(be, 1, 262144), epbs(be, microTS)), ng, 3, us, "", 0},
		{"ng simple", join(shb(le), idb(le, 1, 0), spb(60, d[0]), spb(67, d[1])), ng, 2, time.Time{}, "", 0},
		{"ng simple, snap 50", join(shb(le), idb(le, 1, 50), spb(60, d[0][:50]), spb(67, d[1][:50])), ng, 2, time.Time{}, "", 0},
		{"ng simple, cut", join(shb(le), idb(le, 1, 0), spb(70, d[0])), ng, 0, us, "malformed", 48},
		{"ng obsolete", join(shb(le), idb(le, 1, 0), pb(0, d[0]), pb(5, d[1])), ng, 2, us, "", 0},
		{"ng resolution 10^0", resolution(0, testSec), ng, 3, utc(testSec, 0), "", 0},
		{"ng resolution 10^-3", resolution(3, testSec*1e3+123), ng, 3, utc(testSec, 123e6), "", 0},
		{"ng resolution 10^-7", resolution(7, testSec*1e7+1234567), ng, 3, utc(testSec, 123456700), "", 0},
		{"ng resolution 10^-9", resolution(9, testSec*1e9+testNano), ng, 3, ns, "", 0},
		{"ng resolution 10^-10", resolution(10, testSec*1e10+testNano*10+7), ng, 3, ns, "", 0},
		{"ng resolution 10^-12", resolution(12, 15000000_123456789_999), ng, 3, utc(15000000, testNano), "", 0},
		{"ng resolution 10^-19", resolution(19, 1_2345678901234567890), ng, 3, utc(1, 234567890), "", 0},
		{"ng resolution 10^-20", resolution(20, 1_2345678901234567890), ng, 3, utc(0, 123456789), "", 0},
		{"ng resolution 10^-127", resolution(127, math.MaxUint64), ng, 3, utc(0, 0), "", 0},
		{"ng resolution 2^0", resolution(0x80, testSec), ng, 3, utc(testSec, 0), "", 0},
		{"ng resolution 2^-10", resolution(0x8a, testSec<<10|512), ng, 3, utc(testSec, 5e8), "", 0},
		{"ng resolution 2^-32", resolution(0xa0, testSec<<32|1<<30), ng, 3, utc(testSec, 25e7), "", 0},
		{"ng resolution 2^-63", resolution(0xbf, 3<<62), ng, 3, utc(1, 5e8), "", 0},
		{"ng resolution 2^-64", resolution(0xc0, 3<<62), ng, 3, utc(0, 75e7), "", 0},
		{"ng resolution 2^-65", resolution(0xc1, 3<<62), ng, 3, utc(0, 375e6), "", 0},
		{"ng resolution 2^-127", resolution(0xff, math.MaxUint64), ng, 3, utc(0, 0), "", 0},
		{"ng resolution of two bytes", join(shb(le), idb(le, 1, 0, opts(opt(le, 9, []byte{9, 0}))), epbs(le, microTS)), ng, 3, us, "", 0},
		{"ng resolution of no byte", join(shb(le), idb(le, 1, 0, opts(opt(le, 2, []byte("\x09")), opt(le, 9, nil))), epbs(le, microTS)), ng, 3, us, "", 0},
		{"ng resolution twice", join(shb(le), idb(le, 1, 0, opts(opt(le, 9, []byte{6}), opt(le, 9, []byte{9}))), epbs(le, microTS)), ng, 3, us, "", 0},
		{"ng offset forward", join(shb(le), offset(1e9), epbs(le, microTS)), ng, 3, utc(testSec+1e9, testMicro*1000), "", 0},
		{"ng offset back", join(shb(le), offset(-3600), epbs(le, microTS)), ng, 3, utc(testSec-3600, testMicro*1000), "", 0},
		{"ng two interfaces", join(shb(le), idb(le, 1, 0), idb(le, 101, 50, opts(opt(le, 9, []byte{9}))), epb(le, 0, microTS, d[0]), epb(le, 1, testSec*1e9, d[1])), ng, 2, us, "", 0},
		{"ng interface after packets", join(one, idb(le, 1, 0), epb(le, 1, microTS, d[1])), ng, 2, us, "", 0},
		{"ng two sections", join(one, one), ng, 2, us, "", 0},
		{"ng two sections, two orders", join(one, shb(be), idb(be, 101, 0), epbs(be, microTS)), ng, 4, us, "", 0},
		{"ng section forgets interfaces", join(one, shb(le), e1), ng, 1, us, "malformed", at + 28},
		{"ng wrong section length", join(alter(alter(shb(le), 16, 8), 20, 0), idb(le, 1, 0), epbs(le, microTS)), ng, 3, us, "", 0},
		{"ng snap 50, frames longer", join(shb(le), idb(le, 1, 50), epbs(le, microTS)), ng, 3, us, "", 0},
		{"ng link type unknown", join(shb(le), idb(le, 60000, 0), epbs(le, microTS)), ng, 3, us, "", 0},
		{"ng version 1.2", join(version(1, 2), idb(le, 1, 0), epbs(le, microTS)), ng, 3, us, "", 0},
		{"ng version 1.1", join(version(1, 1), idb(le, 1, 0), epbs(le, microTS)), 0, 0, us, "unsupported", 0},
		{"ng version 2.0", join(version(2, 0), idb(le, 1, 0), epbs(le, microTS)), 0, 0, us, "unsupported", 0},
		{"ng no interface", join(shb(le), epbs(le, microTS)), ng, 0, us, "malformed", 28},
		{"ng no packets", join(shb(le), idb(le, 1, 0)), ng, 0, us, "", 0},
		{"ng section header only", shb(le), ng, 0, us, "", 0},
		{"ng bad byte-order magic", alter(shb(le), 8, 0x11223344), 0, 0, us, "unknown", 0},
		{"ng unknown interface", join(one, epb(le, 7, microTS, d[1]), e2), ng, 1, us, "malformed", at},
		{"ng captured more than the block", join(one, epbLen(le, 0, microTS, 5000, 67, d[1]), e2), ng, 1, us, "malformed", at},
		{"ng captured 4 GiB", join(one, epbLen(le, 0, microTS, 0xfffffffd, 67, d[1]), e2), ng, 1, us, "malformed", at},
		{"ng captured more than wire", join(one, epbLen(le, 0, microTS, 67, 10, d[1])), ng, 2, us, "", 0},
		{"ng frame too long", join(one, epb(le, 0, microTS, make([]byte, 262145)), e2), ng, 1, us, "malformed", at},
		{"ng other length at the end", join(one, alter(e1, -4, 99), e2), ng, 3, us, "", 0},
		{"ng padding not in the length", join(one, alter(e1, 4, uint32(len(e1)-1)), e2), ng, 3, us, "", 0},
		{"ng padding not in the length twice", join(one, alter(alter(e1, 4, uint32(len(e1)-1)), -4, uint32(len(e1)-1)), e2), ng, 3, us, "", 0},
		{"ng padding not in the file", join(one, e1Short, e2), ng, 3, us, "", 0},
		{"ng block length 8", join(one, alter(e1, 4, 8), e2), ng, 1, us, "malformed", at},
		{"ng block length 0", join(one, alter(e1, 4, 0), e2), ng, 1, us, "malformed", at},
		{"ng block length 24", join(one, alter(e1, 4, 24), e2), ng, 1, us, "malformed", at},
		{"ng block length 2 GiB", join(one, alter(e1, 4, 0x7ffffffc), e2), ng, 1, us, "malformed", at},
		{"ng block length 100 MiB", join(one, alter(e1, 4, 100<<20), e2), ng, 1, us, "truncated", at},
		{"ng big unknown block", join(one, blk(le, 0x77777777, make([]byte, 3<<20)), e1), ng, 2, us, "", 0},
		{"ng unknown block cut", join(one, blk(le, 0x77777777, make([]byte, 3<<20))[:2<<20]), ng, 1, us, "truncated", at},
		{"ng big comments", join(shb(le), idb(le, 1, 0), epbs(le, microTS, opts(opt(le, 1, bytes.Repeat([]byte("x"), 60000)), opt(le, 1, bytes.Repeat([]byte("y"), 60000))))), ng, 3, us, "", 0},
		{"ng cut in block", join(one, e1[:50]), ng, 1, us, "truncated", at},
		{"ng cut in block header", join(one, e1[:6]), ng, 1, us, "truncated", at},
		{"ng no end of options", join(shb(le), idb(le, 1, 0, opt(le, 2, []byte("eth0"))), epbs(le, microTS)), ng, 3, us, "", 0},
		{"ng interface option overruns", join(shb(le), idb(le, 1, 0, le.AppendUint16(le.AppendUint16(nil, 2), 400), []byte("eth0")), epbs(le, microTS)), ng, 0, us, "malformed", 28},
		{"ng packet option overruns", join(shb(le), idb(le, 1, 0), epbs(le, microTS, le.AppendUint16(le.AppendUint16(nil, 1), 4000), []byte("abcd"))), ng, 3, us, "", 0},
		{"ng one byte behind", join(one, []byte{0}), ng, 1, us, "truncated", at},
	}
}

func TestVariants(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) { checkVariant(t, v, bytes.NewReader(v.file).Read) })
	}
}

// guessed reports whether the beginning of a file alone does not tell its
// layout.
func guessed(f pcap.Format) bool {
	return f == pcap.FormatPcapModifiedSMP || f == pcap.FormatPcapPatched || f == pcap.FormatPcapNokia
}

// TestVariantsInPieces reads every file byte by byte where the layout does not
// have to be guessed.
func TestVariantsInPieces(t *testing.T) {
	for _, v := range variants() {
		if guessed(v.format) {
			continue
		}
		if len(v.file) > 1<<20 {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			checkVariant(t, v, iotest.DataErrReader(iotest.OneByteReader(bytes.NewReader(v.file))).Read)
		})
	}
}

// TestPrefixes reads every prefix of the smaller files: the frames are the first
// of the whole file, and the end is clean or a typed error.
func TestPrefixes(t *testing.T) {
	for _, v := range variants() {
		if guessed(v.format) {
			continue
		}
		if len(v.file) > 1024 {
			continue
		}
		whole, _ := readAll(bytes.NewReader(v.file))
		for n := range v.file {
			if raceEnabled && n%8 != 0 {
				continue
			}
			frames, err := readAll(bytes.NewReader(v.file[:n]))
			if len(frames) > len(whole) {
				t.Fatalf("%s: %d frames in the first %d bytes, %d in all", v.name, len(frames), n, len(whole))
			}
			for i := range frames {
				if frames[i].Info != whole[i].Info || !bytes.Equal(frames[i].Data, whole[i].Data) {
					t.Errorf("%s: frame %d differs in the first %d bytes", v.name, i, n)
				}
			}
			if _, ok := err.(*pcap.FormatError); err != nil && !ok {
				t.Errorf("%s: the first %d bytes end with a %T: %v", v.name, n, err, err)
			}
		}
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func checkVariant(t *testing.T, v variant, read readFunc) {
	t.Helper()
	r, err := pcap.NewReader(read)
	var frames []link.Frame
	if err == nil {
		if r.Format() != v.format {
			t.Errorf("format is %v, want %v", r.Format(), v.format)
		}
		frames, err = drain(r)
	}
	if e := checkError(err, v.err); e != nil {
		t.Fatal(e)
	}
	if fe, ok := err.(*pcap.FormatError); ok && fe.Offset != v.offset {
		t.Errorf("offset of %v is %d, want %d", err, fe.Offset, v.offset)
	}
	if len(frames) != v.count {
		t.Fatalf("read %d frames, want %d (end: %v)", len(frames), v.count, err)
	}
	if v.count > 0 && !frames[0].Time.Equal(v.time) {
		t.Errorf("first time is %v, want %v", frames[0].Time, v.time)
	}
	// The data of the first frame begin as they were made.
	if v.count > 0 && len(frames[0].Data) > 0 && len(frames[0].Data) <= 60 {
		if want := frameData()[0][:len(frames[0].Data)]; !bytes.Equal(frames[0].Data, want) {
			t.Errorf("first frame is % x, want % x", frames[0].Data, want)
		}
	}
	if err != nil && r != nil {
		var f link.Frame
		if again := r.Next(&f); again != err {
			t.Errorf("Next after the error = %v, want the error again", again)
		}
	}
}

func TestSwappedLengths(t *testing.T) {
	for _, v := range variants() {
		if v.name != "version 2.2" && v.name != "version 543.0" && v.name != "version 2.3, first as 2.2" {
			continue
		}
		frames, err := readAll(bytes.NewReader(v.file))
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range frames {
			if want := len(frameData()[i]); len(f.Data) != 50 || f.WireLen != want || !f.Truncated() {
				t.Errorf("%s: frame %d has %d of %d bytes, want 50 of %d", v.name, i, len(f.Data), f.WireLen, want)
			}
		}
	}
}

// TestKernelFields checks what only the patched formats say.
func TestKernelFields(t *testing.T) {
	for _, v := range variants() {
		switch v.format {
		case pcap.FormatPcapModified, pcap.FormatPcapModifiedSMP, pcap.FormatPcapPatched:
		default:
			continue
		}
		frames, err := readAll(bytes.NewReader(v.file))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range frames {
			if f.Interface != 2 || f.Direction != link.DirectionOut {
				t.Errorf("%s: interface %d, direction %v, want 2, out", v.name, f.Interface, f.Direction)
			}
		}
	}
}

func TestHeader(t *testing.T) {
	r, err := pcap.NewReader(bytes.NewReader(fileHead(be, 0xa1b23c4d, 2, 4, -3600, 96, 113|0x24000000)))
	if err != nil {
		t.Fatal(err)
	}
	want := pcap.Header{Format: pcap.FormatPcapNano, Order: pcap.BigEndian, Major: 2, Minor: 4,
		Zone: -3600, SnapLen: 96, Link: link.TypeLinuxSLL, FCSLen: 4}
	if got := r.Header(); got != want {
		t.Errorf("header is %+v, want %+v", got, want)
	}
	if r.Link() != link.TypeLinuxSLL {
		t.Errorf("link is %v", r.Link())
	}
}

// TestRawNumbers checks that the systems' own numbers for raw IP are read as
// the registered one.
func TestRawNumbers(t *testing.T) {
	for _, n := range []uint32{12, 14, 101} {
		r, err := pcap.NewReader(bytes.NewReader(fileHead(le, 0xa1b2c3d4, 2, 4, 0, 96, n)))
		if err != nil {
			t.Fatal(err)
		}
		if r.Link() != link.TypeRaw {
			t.Errorf("link type %d is read as %v", n, r.Link())
		}
	}
}

// TestAIXPadding checks the three bytes in front of AIX's FDDI frames.
func TestAIXPadding(t *testing.T) {
	file := join(fileHead(le, 0xa1b2c3d4, 2, 2, 0, 4096, 15), records(le, testNano, nil))
	frames, err := readAll(bytes.NewReader(file))
	if err != nil || len(frames) != 3 {
		t.Fatal(frames, err)
	}
	if f := frames[0]; f.Link != 10 || f.WireLen != 57 || !bytes.Equal(f.Data, frameData()[0][3:]) {
		t.Errorf("link %d, %d of %d bytes", f.Link, len(f.Data), f.WireLen)
	}
}
