package fuzz

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
	"github.com/gopkts/gopkts/pkts"
)

// The layers of package pkts against tshark, field by field, over all captures
// at hand. tshark is told to dissect just these protocols, so that both see the
// same layers: all values of a field in a packet are compared, in order.
//
// A difference fails the test unless deviations lists it, with the reason.

// A field is one that tshark names, and how the same is read from our layers.
type field struct {
	name string
	// kind is how tshark prints it.
	kind valueKind
	// of appends the field's values in one layer, as numbers or text.
	of func(v *values, n pkts.Node, l pkts.Layer)
}

type valueKind uint8

const (
	number valueKind = iota // decimal or hexadecimal
	text                    // as it is
)

// values collects what our layers say, in the form that tshark's is brought to.
type values struct {
	data   []byte // the packet
	list   []string
	status map[checkKey]pkts.CheckStatus
}

// checkKey is the place of a checksum.
type checkKey struct {
	offset int
	field  string
}

func (v *values) num(n uint64)       { v.list = append(v.list, strconv.FormatUint(n, 10)) }
func (v *values) str(s string)       { v.list = append(v.list, s) }
func (v *values) mac(m link.MacAddr) { v.str(m.String()) }
func (v *values) addr(a netip.Addr)  { v.str(a.String()) }

func (v *values) flag(b bool) {
	if b {
		v.num(1)
	} else {
		v.num(0)
	}
}

// check says what tshark's "checksum.status" says: 0 bad, 1 good, 2
// unverified, 3 not present.
func (v *values) check(n pkts.Node) {
	for k, s := range v.status {
		if k.offset >= n.Offset() && k.offset < n.Offset()+n.HeaderLen() && k.field == "Checksum" {
			v.num(map[pkts.CheckStatus]uint64{pkts.CheckBad: 0, pkts.CheckGood: 1, pkts.CheckUnknown: 2, pkts.CheckAbsent: 3}[s])
			return
		}
	}
	v.num(2)
}

// on returns a field of one type of layer.
func on[T any, P pkts.LayerPtr[T]](name string, kind valueKind, of func(v *values, l P)) field {
	return onNode(name, kind, func(v *values, _ pkts.Node, l P) { of(v, l) })
}

func onNode[T any, P pkts.LayerPtr[T]](name string, kind valueKind, of func(v *values, n pkts.Node, l P)) field {
	return field{name, kind, func(v *values, n pkts.Node, l pkts.Layer) {
		if x, ok := l.(P); ok {
			of(v, n, x)
		}
	}}
}

// either returns a field that more than one type of layer has.
func either(a, b field) field {
	return field{a.name, a.kind, func(v *values, n pkts.Node, l pkts.Layer) {
		a.of(v, n, l)
		b.of(v, n, l)
	}}
}

// sharkPacket is one packet as tshark sees it: the values of each field.
type sharkPacket [][]string

// sharkConfig makes tshark a configuration folder in which every protocol but
// those given is disabled.
func sharkConfig(t *testing.T, enabled []string) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("tshark", "-G", "protocols").Output()
	if err != nil {
		t.Fatalf("tshark -G protocols: %v", err)
	}
	var disabled strings.Builder
	for line := range strings.Lines(string(out)) {
		cols := strings.Split(strings.TrimSpace(line), "\t")
		if len(cols) >= 3 && !slices.Contains(enabled, cols[2]) {
			fmt.Fprintln(&disabled, cols[2])
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "disabled_protos"), []byte(disabled.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// shark runs tshark over a file and calls f for each packet.
func shark(t *testing.T, config, file string, fields []field, f func(n int, p sharkPacket)) {
	t.Helper()
	args := []string{"-n", "-r", file, "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=|"}
	for _, o := range []string{
		"ip.check_checksum:TRUE", "tcp.check_checksum:TRUE", "udp.check_checksum:TRUE", "ip.defragment:FALSE", "ipv6.defragment:FALSE", "ipv6.tso_support:TRUE",
		"tcp.desegment_tcp_streams:FALSE", "tcp.relative_sequence_numbers:FALSE", "tcp.analyze_sequence_numbers:FALSE", "eth.check_fcs:FALSE", "eth.fcs:Never",
	} {
		args = append(args, "-o", o)
	}
	for _, x := range fields {
		args = append(args, "-e", x.name)
	}
	cmd := exec.Command("tshark", args...)
	cmd.Env = append(os.Environ(), "WIRESHARK_CONFIG_DIR="+config)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(out)
	s.Buffer(nil, 1<<24)
	for n := 0; s.Scan(); n++ {
		cols := strings.Split(s.Text(), "\t")
		p := make(sharkPacket, len(fields))
		for i := range fields {
			if i < len(cols) && cols[i] != "" {
				p[i] = strings.Split(cols[i], "|")
			}
		}
		f(n, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("tshark: %v\n%s", err, stderr.String())
	}
}

// normal brings a value of tshark's to the form of values.
func normal(k valueKind, s string) string {
	if k == text {
		return s
	}
	switch s {
	case "True":
		return "1"
	case "False":
		return "0"
	}
	if n, err := strconv.ParseUint(s, 0, 64); err == nil {
		return strconv.FormatUint(n, 10)
	}
	return s
}

// place is where a frame of the merged file comes from.
type place struct {
	file string
	n    int
	link link.Type
	data []byte
}

// merged writes the frames of the link types that pkts knows into one file, at
// most limit of each file if it is not 0.
func merged(t *testing.T, files []string, limit int) (string, []place) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "all.pcapng")
	w, err := pcap.Create(path, pcap.WriterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var places []place
	for _, file := range files {
		eachFrame(t, file, func(n int, frame *link.Frame) {
			if limit > 0 && n > limit || !known(frame.Link) || len(frame.Data) == 0 || len(frame.Data) > 65535 {
				return
			}
			f := frame.Clone()
			f.Time = time.Unix(int64(len(places)), 0)
			f.Interface = int(f.Link)
			f.WireLen = max(f.WireLen, len(f.Data))
			if err := w.WriteFrame(&f); err != nil {
				t.Fatalf("%s, frame %d: %v", file, n, err)
			}
			places = append(places, place{file, n, f.Link, f.Data})
		})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path, places
}

func known(t link.Type) bool {
	switch t {
	case link.TypeEthernet, link.TypeRaw, link.TypeIPv4, link.TypeIPv6, link.TypeNull, link.TypeLoop, link.TypeLinuxSLL, link.TypeLinuxSLL2:
		return true
	}
	return false
}

func TestAgainstTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	fields := sharkFields()
	for _, folder := range []string{"captures", "corpus"} {
		t.Run(folder, func(t *testing.T) {
			files := captures(t, folder)
			if raceEnabled { // some of them
				files = slices.DeleteFunc(files, func(path string) bool { return crc32.ChecksumIEEE([]byte(path))%8 != 0 })
			}
			config := sharkConfig(t, sharkProtocols)
			path, places := merged(t, files, 0)
			p := pkts.Packet{Registry: pkts.Default.With(pkts.UDPTunnels()...)} // as tshark does
			compared, packets, excused := map[string]int{}, 0, map[string]int{}
			differ := map[string]int{}
			var examples []string
			shark(t, config, path, fields, func(n int, sp sharkPacket) {
				if n >= len(places) {
					t.Fatalf("tshark found more than the %d packets written", len(places))
				}
				packets++
				at := places[n]
				derr := p.Decode(at.link, at.data)
				v := values{data: at.data, status: map[checkKey]pkts.CheckStatus{}}
				for c := range p.Checks() {
					v.status[checkKey{c.Offset, c.Field}] = c.Status
				}
				lists := make([][]string, len(fields))
				for node := range p.Nodes() {
					l, err := node.Layer()
					if err != nil {
						continue
					}
					for i := range fields {
						v.list = lists[i]
						fields[i].of(&v, node, l)
						lists[i] = v.list
					}
				}
				for i, x := range fields {
					want := make([]string, len(sp[i]))
					for j, s := range sp[i] {
						want[j] = normal(x.kind, s)
					}
					if slices.Equal(lists[i], want) {
						compared[x.name] += len(want)
						continue
					}
					d := difference{field: x.name, ours: lists[i], theirs: want, packet: &p, err: derr, at: at, all: sp, fields: fields}
					if reason := d.excuse(); reason != "" {
						excused[reason]++
						continue
					}
					differ[x.name]++
					if differ[x.name] <= 3 {
						examples = append(examples, fmt.Sprintf("%s frame %d: %s: ours %v, tshark %v (%v)", filepath.Base(at.file), at.n, x.name, lists[i], want, derr))
					}
				}
			})
			if packets != len(places) {
				t.Errorf("tshark found %d packets, %d were written", packets, len(places))
			}
			total := 0
			for _, n := range compared {
				total += n
			}
			t.Logf("%d packets of %d files: %d values of %d fields are the same", packets, len(files), total, len(compared))
			for _, r := range slices.Sorted(maps.Keys(excused)) {
				t.Logf("explained, %d times: %s", excused[r], r)
			}
			for _, name := range slices.Sorted(maps.Keys(differ)) {
				t.Errorf("%s: %d packets differ", name, differ[name])
			}
			for _, e := range examples {
				t.Error(e)
			}
		})
	}
}
