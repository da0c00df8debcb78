package pkts

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/common/link"
)

// TestRegistryTables holds what the protocols say of themselves against the
// lookups, for every number.
func TestRegistryTables(t *testing.T) {
	for _, table := range []*Table{LinkTypes, EtherTypes, IPProtos, TCPPorts, UDPPorts} {
		said := map[uint64]*Protocol{}
		for p := range Default.Protocols() {
			for _, s := range p.At {
				if s.Table != table {
					continue
				}
				if q := said[s.Number]; q != nil {
					t.Errorf("%v announces %v and %v", s, q, p)
				}
				said[s.Number] = p
			}
		}
		if table == TCPPorts || table == UDPPorts {
			clear(said) // a port is a guess: programs bind what says that it is found there
		}
		for n := range uint64(1 << 16) {
			k := Default.Next(table, n)
			var got *Protocol
			if k != KindRaw {
				got = Default.protocol(k)
			}
			if n > table.max && got != nil && said[n] == nil {
				continue // a number that the table's field cannot hold
			}
			if got != said[n] {
				t.Errorf("%v announces %v, and %v says that it is found there", Selector{table, n}, got, said[n])
			}
		}
	}
}

// TestRegistryProtocols checks the descriptors.
func TestRegistryProtocols(t *testing.T) {
	names := map[string]bool{}
	k := Kind(0)
	for p := range Default.Protocols() {
		if p.kind != k {
			t.Errorf("%v has kind %d, want %d", p, p.kind, k)
		}
		k++
		if p.Name == "" || names[p.Name] {
			t.Errorf("the name %q is empty or there twice", p.Name)
		}
		names[p.Name] = true
		l := p.New()
		if l.Proto() != p || p.Clone(l).Proto() != p || p.Clone(l) == l {
			t.Errorf("%v: New, Clone and Proto do not agree", p)
		}
		end := 0
		for i, f := range p.Fields {
			if f.Name == "" || f.Bit < end || f.Bits < 0 || f.Bits == 0 && i != len(p.Fields)-1 {
				t.Errorf("%v: field %+v behind bit %d", p, f, end)
			}
			end = f.Bit + f.Bits
		}
	}
	if k != builtinKinds {
		t.Errorf("%d protocols, want %d", k, builtinKinds)
	}
}

func TestRegistryWith(t *testing.T) {
	b := coreBuild(t, &Ethernet{}, &IPv6{}, &UDP{SrcPort: 53, DstPort: 4789}, &Raw{Data: coreBuild(t, &Ethernet{}, &IPv4{}, &TCP{})})
	decode := func(r *Registry) string {
		t.Helper()
		p := &Packet{Registry: r}
		if err := p.DecodeAs(&ethernetProtocol, b); err != nil {
			t.Fatal(err)
		}
		return coreShape(p)
	}
	const plain = "Ethernet .IPv6 ..UDP ...Raw"
	vxlan := Default.With(Binding{ByUDPPort(4789), &ethernetProtocol})
	for _, test := range []struct {
		name string
		r    *Registry
		want string
	}{
		{"default", Default, plain},
		{"nil", nil, plain},
		{"zero", &Registry{}, plain},
		{"nothing added", Default.With(), plain},
		{"a port", vxlan, "Ethernet .IPv6 ..UDP ...Ethernet ....IPv4 .....TCP"},
		{"the source port", Default.With(Binding{ByUDPPort(53), &ethernetProtocol}), "Ethernet .IPv6 ..UDP ...Ethernet ....IPv4 .....TCP"},
		{"the destination port first", vxlan.With(Binding{ByUDPPort(53), &ipv4Protocol}), "Ethernet .IPv6 ..UDP ...Ethernet ....IPv4 .....TCP"},
		{"another transport's port", Default.With(Binding{ByTCPPort(4789), &ethernetProtocol}), plain},
		{"a port taken away", vxlan.With(Binding{ByUDPPort(4789), nil}), plain},
		{"an EtherType taken away", Default.With(Binding{ByEtherType(EtherTypeIPv6), nil}), "Ethernet .Raw"},
		{"an IP protocol taken away", Default.With(Binding{ByIPProto(IPProtoUDP), nil}), "Ethernet .IPv6 ..Raw"},
		{"taken away and put back", Default.With(Binding{ByIPProto(IPProtoUDP), nil}).With(Bind(&udpProtocol)...), plain},
	} {
		if got := decode(test.r); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	var p Packet
	p.Registry = Default.With(Binding{ByLinkType(link.TypeEthernet), nil})
	if err := p.Decode(link.TypeEthernet, b); err != nil || coreShape(&p) != "Raw" {
		t.Errorf("a link type taken away: %q, %v", coreShape(&p), err)
	}
	// What has no number stays what it was told to be.
	p.Registry = Default.With(Binding{ByUDPPort(7), &ethernetProtocol})
	p.Append(&UDP{}, &Ethernet{})
	if n, ok := p.Registry.Number(UDPPorts, &ethernetProtocol); !ok || n != 7 {
		t.Errorf("Number = %d, %v, want 7", n, ok)
	}
	if _, ok := Default.Number(UDPPorts, &ethernetProtocol); ok {
		t.Error("Number of a protocol without a port: true")
	}
	if n, ok := Default.Number(IPProtos, &ipv6Protocol); !ok || n != 41 {
		t.Errorf("Number = %d, %v, want 41", n, ok)
	}
}

func TestRegistryBindings(t *testing.T) {
	var all []string
	for s, p := range Default.Bindings() {
		all = append(all, s.String()+" "+p.Name)
	}
	for _, want := range []string{"EtherType 0x0800 IPv4", "IP protocol 6 TCP", "link type 1 Ethernet"} {
		if !slices.Contains(all, want) {
			t.Errorf("Bindings do not have %q: %q", want, all)
		}
	}
	r := Default.With(Binding{ByTCPPort(80), &rawTest}, Binding{ByIPProto(IPProtoTCP), nil})
	var more []string
	for s, p := range r.Bindings() {
		more = append(more, s.String()+" "+p.Name)
	}
	if len(more) != len(all) || !slices.Contains(more, "TCP port 80 test") || slices.Contains(more, "IP protocol 6 TCP") {
		t.Errorf("Bindings after With: %d, were %d: %q", len(more), len(all), more)
	}
	for range r.Bindings() {
		break
	}
	for range r.Protocols() {
		break
	}
	if r.KindOf(&rawTest) < builtinKinds || Default.KindOf(&rawTest) != KindRaw {
		t.Errorf("KindOf = %d, and %d in Default", r.KindOf(&rawTest), Default.KindOf(&rawTest))
	}
	if err := new(Packet).DecodeAs(&rawTest, []byte{1}); err == nil || !strings.Contains(err.Error(), "test") {
		t.Errorf("DecodeAs of a protocol that is not bound: %v", err)
	}
}

// rawTest is a protocol that is not built in.
var rawTest = Protocol{Name: "test", New: New[Raw], Clone: Clone[Raw], Index: indexAll}

// TestNoInit checks that importing the package costs nothing at start: the
// runtime's own account of it.
func TestNoInit(t *testing.T) {
	program := filepath.Join(t.TempDir(), "noinit")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", program, "./testdata/noinit").CombinedOutput(); err != nil {
		t.Skipf("no go command to build a program with: %v\n%s", err, out)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil && strings.Contains(err.Error(), "exec format error") {
		t.Skipf("this machine runs %s programs by an emulator only: %v", runtime.GOARCH, err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "init runtime") {
		t.Fatalf("the runtime does not trace initialization:\n%s", out)
	}
	for line := range strings.Lines(string(out)) {
		// init pkts @1.2 ms, 0.01 ms clock, 0 bytes, 0 allocs
		if strings.HasPrefix(line, "init github.com/gopkts/") && !strings.HasSuffix(line, " 0 allocs\n") {
			t.Errorf("initialization allocates: %s", line)
		}
	}
}

// TestCloneSharesNothing changes every byte that a layer's slices hold.
func TestCloneSharesNothing(t *testing.T) {
	slices := 0
	for p := range Default.Protocols() {
		l := p.New()
		v := reflect.ValueOf(l).Elem()
		for i := range v.NumField() {
			switch f := v.Field(i); f.Kind() {
			case reflect.Slice:
				f.SetBytes([]byte{1, 2, 3})
				slices++
			case reflect.Map, reflect.Pointer, reflect.Interface, reflect.Chan, reflect.Func:
				t.Errorf("%v.%s: this test does not know what its clone is to share", p, v.Type().Field(i).Name)
			default: // values are copied
			}
		}
		c := p.Clone(l)
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.Slice {
				f.Bytes()[0] = 9
				if got := reflect.ValueOf(c).Elem().Field(i).Bytes(); !bytes.Equal(got, []byte{1, 2, 3}) {
					t.Errorf("%v.%s of the clone is % x after a change to the original", p, v.Type().Field(i).Name, got)
				}
			}
		}
	}
	if slices == 0 {
		t.Error("no layer has a slice")
	}
}
