package pcap_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

// sharedDir returns a directory that lies beside the repository, or skips the
// test.
func sharedDir(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("../shared/%s is not beside the repository", name)
	}
	return dir
}

// fileHead builds a classic file header.
func fileHead(o binary.AppendByteOrder, magic uint32, major, minor uint16, zone int32, snapLen, linkType uint32) []byte {
	b := o.AppendUint32(nil, magic)
	b = o.AppendUint16(b, major)
	b = o.AppendUint16(b, minor)
	b = o.AppendUint32(b, uint32(zone))
	b = o.AppendUint32(b, 0)
	b = o.AppendUint32(b, snapLen)
	return o.AppendUint32(b, linkType)
}

// head is the header of an ordinary little-endian Ethernet file.
func head() []byte {
	return fileHead(binary.LittleEndian, 0xa1b2c3d4, 2, 4, 0, 262144, 1)
}

// rec builds a classic record.
func rec(o binary.AppendByteOrder, sec, frac, capLen, wireLen uint32, extra, data []byte) []byte {
	b := o.AppendUint32(nil, sec)
	b = o.AppendUint32(b, frac)
	b = o.AppendUint32(b, capLen)
	b = o.AppendUint32(b, wireLen)
	b = append(b, extra...)
	return append(b, data...)
}

// frames are the data of three frames of different lengths.
func frameData() [][]byte {
	var out [][]byte
	for _, n := range []int{60, 67, 74} {
		d := make([]byte, n)
		for i := range d {
			d[i] = byte(i + n)
		}
		out = append(out, d)
	}
	return out
}

const (
	testSec   = 1700000000
	testMicro = 123456
	testNano  = 123456789
)

// records builds the three frames as records with the same extra bytes.
func records(o binary.AppendByteOrder, frac uint32, extra []byte) []byte {
	var b []byte
	for _, d := range frameData() {
		b = append(b, rec(o, testSec, frac, uint32(len(d)), uint32(len(d)), extra, d)...)
	}
	return b
}

// blk builds a pcapng block.
func blk(o binary.AppendByteOrder, typ uint32, body ...[]byte) []byte {
	b := pad4(bytes.Join(body, nil))
	n := uint32(len(b) + 12)
	out := o.AppendUint32(nil, typ)
	out = o.AppendUint32(out, n)
	out = append(out, b...)
	return o.AppendUint32(out, n)
}

func pad4(b []byte) []byte {
	return append(bytes.Clone(b), make([]byte, -len(b)&3)...)
}

// opt builds one option with padding.
func opt(o binary.AppendByteOrder, code uint16, value []byte, more ...byte) []byte {
	value = append(bytes.Clone(value), more...)
	b := o.AppendUint16(nil, code)
	b = o.AppendUint16(b, uint16(len(value)))
	return append(b, pad4(value)...)
}

// opts joins options and ends them.
func opts(list ...[]byte) []byte {
	return append(bytes.Join(list, nil), 0, 0, 0, 0)
}

func shb(o binary.AppendByteOrder, options ...[]byte) []byte {
	b := o.AppendUint32(nil, 0x1a2b3c4d)
	b = o.AppendUint16(b, 1)
	b = o.AppendUint16(b, 0)
	b = o.AppendUint64(b, 1<<64-1)
	return blk(o, 0x0a0d0d0a, append([][]byte{b}, options...)...)
}

func idb(o binary.AppendByteOrder, linkType uint16, snapLen uint32, options ...[]byte) []byte {
	b := o.AppendUint16(nil, linkType)
	b = o.AppendUint16(b, 0)
	b = o.AppendUint32(b, snapLen)
	return blk(o, 1, append([][]byte{b}, options...)...)
}

func epb(o binary.AppendByteOrder, iface uint32, ts uint64, data []byte, options ...[]byte) []byte {
	return epbLen(o, iface, ts, uint32(len(data)), uint32(len(data)), data, options...)
}

func epbLen(o binary.AppendByteOrder, iface uint32, ts uint64, capLen, wireLen uint32, data []byte, options ...[]byte) []byte {
	b := o.AppendUint32(nil, iface)
	b = o.AppendUint32(b, uint32(ts>>32))
	b = o.AppendUint32(b, uint32(ts))
	b = o.AppendUint32(b, capLen)
	b = o.AppendUint32(b, wireLen)
	b = append(b, pad4(data)...)
	return blk(o, 6, append([][]byte{b}, options...)...)
}

// microTS is the time of the test frames in microseconds.
const microTS = testSec*1_000_000 + testMicro

// epbs builds the three frames as enhanced packet blocks.
func epbs(o binary.AppendByteOrder, ts uint64, options ...[]byte) []byte {
	var b []byte
	for _, d := range frameData() {
		b = append(b, epb(o, 0, ts, d, options...)...)
	}
	return b
}

// readAll returns copies of all frames and the error that ended them, nil for
// a clean end.
func readAll(src io.Reader, options ...pcap.ReaderOption) ([]link.Frame, error) {
	r, err := pcap.NewReader(src, options...)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return drain(r)
}

func drain(r *pcap.Reader) ([]link.Frame, error) {
	var out []link.Frame
	for f, err := range r.Frames() {
		if err != nil {
			return out, err
		}
		out = append(out, f.Clone())
	}
	return out, nil
}

// checkError compares an error with the text of what is wanted, one of
// "truncated", "malformed", "unsupported", "unknown" and "" for none, and
// returns what is wrong.
func checkError(err error, want string) error {
	sentinel := map[string]error{
		"":            nil,
		"truncated":   pcap.ErrTruncated,
		"malformed":   pcap.ErrMalformed,
		"unsupported": errors.ErrUnsupported,
		"unknown":     pcap.ErrUnknownFormat,
	}[want]
	if !errors.Is(err, sentinel) {
		return fmt.Errorf("error is %w, want %q", err, want)
	}
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*pcap.FormatError](err); !ok {
		return fmt.Errorf("error is a %T, want a FormatError", err)
	}
	if want == "truncated" && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("error %w is not io.ErrUnexpectedEOF", err)
	}
	return nil
}

func utc(sec, nsec int64) time.Time { return time.Unix(sec, nsec).UTC() }
