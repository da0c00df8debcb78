package pkts_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gopkts/gopkts/pkts"
)

// chat is a protocol of another module, with a say in the summary. Its payload
// is notes, side by side.
type chat struct {
	Version uint8
	Op      chatOp
	Flags   chatFlags
	Length  pkts.Auto[uint16]
	Peer    netip.Addr
	Parts   []chatPart
	Extra   *chatPart
	Attrs   chatAttrs
	Text    string
}

// chatPart is a part of a chat header.
type chatPart struct {
	ID    uint16
	Score float64
	Sub   []chatPart
}

type chatOp uint8

func (o chatOp) String() string { return [...]string{"say \"hi\"\n", "leave", "", "3"}[o&3] }

type chatFlags uint8

func (f chatFlags) Has(x chatFlags) bool { return f&x == x }

func (f chatFlags) String() string { return []string{"none", "LOUD", "FAR", "LOUD+FAR"}[f&3] }

// chatAttrs are one byte each.
type chatAttrs []byte

// chatAttr is one of them.
type chatAttr struct{ Value uint8 }

func (a chatAttr) String() string { return fmt.Sprintf("attr %d", a.Value) }

func (a chatAttrs) All() iter.Seq[chatAttr] {
	return func(yield func(chatAttr) bool) {
		for _, b := range a {
			if !yield(chatAttr{b}) {
				return
			}
		}
	}
}

var chatProtocol = &pkts.Protocol{
	Name:  "Chat 2",
	New:   pkts.New[chat],
	Clone: pkts.Clone[chat],
	Index: func(b []byte, r *pkts.Registry) (pkts.Span, error) {
		if len(b) < 4 {
			return pkts.Span{}, pkts.Truncated("Chat 2", 4, len(b))
		}
		return pkts.Span{Header: 4, Payload: len(b) - 4}, nil
	},
	Split: func(b []byte, r *pkts.Registry, w *pkts.Splitter) error {
		for len(b) >= 2 && w.Add(r.KindOf(noteProtocol), 2) {
			b = b[2:]
		}
		return nil
	},
	At:     []pkts.Selector{pkts.ByUDPPort(7777)},
	Fields: []pkts.Field{{Name: "Version", Bit: 0, Bits: 8}, {Name: "Op", Bit: 8, Bits: 8}, {Name: "Length", Bit: 16, Bits: 16}},
}

func (*chat) Proto() *pkts.Protocol { return chatProtocol }

func (c *chat) Decode(b []byte) (int, error) {
	if len(b) < 4 {
		return 0, pkts.Truncated("Chat 2", 4, len(b))
	}
	c.Version, c.Op, c.Flags = b[0], chatOp(b[1]>>4), chatFlags(b[1]&3)
	c.Length = pkts.Seen(uint16(b[2])<<8 | uint16(b[3]))
	c.Peer = netip.AddrFrom4([4]byte{10, 0, 0, b[0]})
	c.Parts = []chatPart{{ID: 1, Score: 0.5, Sub: []chatPart{{ID: 2}}}}
	c.Extra = &chatPart{ID: 9}
	c.Attrs = b[:2:2]
	c.Text = "a \"quote\"\x01\xff"
	return 4, nil
}

func (c *chat) AppendBinary(b []byte) ([]byte, error) {
	n := c.Length.Value()
	return append(b, c.Version, uint8(c.Op)<<4|uint8(c.Flags), uint8(n>>8), uint8(n)), nil
}

func (c *chat) Complete(x *pkts.Completion) error {
	if x.Wants("Length", 2, c.Length.Mode()) {
		return x.PutLength(x.Len())
	}
	return nil
}

func (c *chat) AppendSummary(b []byte, n pkts.Node) []byte {
	return fmt.Appendf(b, "chat version %d, %d bytes at %d", c.Version, len(n.Bytes()), n.Offset())
}

// note is a protocol without a say in anything.
type note struct {
	Kind  chatOp
	Value []byte
}

var noteProtocol = &pkts.Protocol{
	Name:  "note",
	New:   pkts.New[note],
	Clone: pkts.Clone[note],
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return pkts.Span{Header: len(b)}, nil },
}

func (*note) Proto() *pkts.Protocol { return noteProtocol }

func (n *note) Decode(b []byte) (int, error) {
	n.Kind, n.Value = chatOp(b[0]), b[1:]
	return len(b), nil
}

func (n *note) AppendBinary(b []byte) ([]byte, error) {
	return append(append(b, uint8(n.Kind)), n.Value...), nil
}

// foreign returns a packet with layers of another module.
func foreign(t *testing.T) *pkts.Packet {
	t.Helper()
	r := pkts.Default.With(pkts.Bind(chatProtocol)...).With(pkts.Binding{At: pkts.Selector{Table: pkts.NewTable("notes")}, Protocol: noteProtocol})
	a := netip.MustParseAddr("192.0.2.1")
	b, err := pkts.Stack(&pkts.IPv4{TTL: 1, Src: a, Dst: a}, &pkts.UDP{SrcPort: 7777, DstPort: 7777}, &pkts.Raw{Data: []byte{2, 0x13, 0, 9, 1, 'x', 3, 'y', 'z'}}).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &pkts.Packet{Registry: r}
	if err := p.DecodeAs((*pkts.IPv4)(nil).Proto(), b); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPrintForeignLayers(t *testing.T) {
	p := foreign(t)
	const line = "IP 192.0.2.1.7777 > 192.0.2.1.7777: UDP, length 9: chat version 2, 9 bytes at 28 " +
		"[note kind=leave (1) value=78] [note kind=3 value=79] [data, length 1]"
	if got := p.String(); got != line {
		t.Errorf("summary:\n got %s\nwant %s", got, line)
	}
	tree := string(p.AppendTree(nil, nil))
	for _, want := range []string{
		"Chat 2, bytes 28-31\n    Version: 2\n    Op: leave (1)\n    Flags: LOUD+FAR (0x03)\n    Length: 9 [good]\n    Peer: 10.0.0.2\n",
		"    Parts:\n        -\n            ID: 1\n            Score: 0.5\n            Sub:\n",
		"    Attrs:\n        - attr 2\n        - attr 19\n",
		"    note, bytes 32-33\n        Kind: leave (1)\n        Value: 78\n",
		"    Raw, bytes 36-36\n",
	} {
		if !strings.Contains(tree, want) {
			t.Errorf("no %q in\n%s", want, tree)
		}
	}
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`{"name":"chat_2","offset":28,"len":4,"fields":{"version":2,"op":1,"op_name":"leave","flags":3,"flags_names":["LOUD","FAR"],"length":9,"peer":"10.0.0.2",` +
			`"parts":[{"id":1,"score":0.5,"sub":[{"id":2,"score":0,"sub":[]}]}],"extra":{"id":9,"score":0,"sub":[]},"attrs":[{"value":2,"text":"attr 2"},{"value":19,"text":"attr 19"}],` +
			`"text":"a \"quote\"\u0001�"},"checks":{"length":"good"}}`,
		`{"name":"note","offset":32,"len":2,"fields":{"kind":1,"kind_name":"leave","value":"78"}}`,
		`{"name":"note","offset":34,"len":2,"parent":2,"fields":{"kind":3,"kind_name":"3","value":"79"}}`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in\n%s", want, b)
		}
	}
	r := p.Registry
	for path, want := range map[string]string{
		"chat_2.op_name": "leave", "chat_2.flags_names": "LOUD+FAR", "chat_2.parts.id": "1", "chat_2.parts.sub.id": "2", "chat_2.extra.id": "9",
		"chat_2.attrs.value": "2,19", "chat_2.attrs": "attr 2,attr 19", "note.value": "78,79", "note[1].kind": "3", "chat_2.parts": `{"id":1,"score":0.5,"sub":[{"id":2,"score":0,"sub":[]}]}`,
	} {
		f, err := r.ParseField(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, _ := f.AppendValues(nil, p, ","); string(got) != want {
			t.Errorf("%s = %s, want %s", path, got, want)
		}
	}
	if _, err := r.ParseField("chat_2.parts.idd"); err == nil || !strings.Contains(err.Error(), "did you mean id?") {
		t.Errorf("ParseField: %v", err)
	}
	if !slices.Contains(r.FieldPaths(), "note.kind_name") {
		t.Error("FieldPaths does not have note.kind_name")
	}
	src := p.GoString()
	for _, want := range []string{"func() *pkts.Packet {", "&pkts_test.chat{Version: 2, Op: 1, Flags: 3, Peer: netip.MustParseAddr(\"10.0.0.2\"), Parts: []pkts_test.chatPart{pkts_test.chatPart{ID: 1, Score: 0.5,",
		"_ = p.AddChild(l2, l4)", "&pkts_test.note{Kind: 3, Value: []byte(\"y\")}"} {
		if !strings.Contains(src, want) {
			t.Errorf("no %q in\n%s", want, src)
		}
	}
	dump := string(p.AppendFieldDump(nil))
	if !strings.Contains(dump, "Chat 2, bytes 28-31\n  001c         02                       Version = 2\n  001d         13                       Op = leave (1)\n  001e         00 09                    Length = 9\n") {
		t.Errorf("field dump:\n%s", dump)
	}
}

// TestPrintBuilt prints what was built, with what the library fills in.
func TestPrintBuilt(t *testing.T) {
	p := pkts.Stack(&pkts.Ethernet{}, &chat{Version: 1, Length: pkts.Pin[uint16](3)}, &note{Kind: 1})
	tree := string(p.AppendTree(nil, nil))
	for _, want := range []string{"Type: experimental (0x88b5) [computed]\n", "Length: 3 [pinned] [bad, want 5]\n", "note, bytes 18-18\n"} {
		if !strings.Contains(tree, want) {
			t.Errorf("no %q in\n%s", want, tree)
		}
	}
}

func ExamplePacket_String() {
	src, dst := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	p := pkts.Stack(
		&pkts.IPv4{TTL: 64, Src: src, Dst: dst},
		&pkts.TCP{SrcPort: 1234, DstPort: 80, Seq: 1, Flags: pkts.TCPSyn, Window: 65535, Options: pkts.TCPOptions("\x02\x04\x05\xb4")},
	)
	fmt.Println(p)
	// Output:
	// IP 10.0.0.1.1234 > 10.0.0.2.80: Flags [S], seq 1, win 65535, options [mss 1460], length 0
}

func ExamplePacket_Format() {
	p := pkts.Stack(&pkts.UDP{SrcPort: 53, DstPort: 1053, Checksum: pkts.Pin[uint16](0)}, &pkts.Raw{Data: []byte("hi")})
	fmt.Printf("%v\n%+v%#v\n", p, p, p)
	// Output:
	// 53 > 1053: UDP, length 2
	// UDP, bytes 0-7
	//     SrcPort: 53
	//     DstPort: 1053
	//     Length: 10 [computed]
	//     Checksum: 0x0000 [pinned]
	// Raw, bytes 8-9
	//     0000  68 69                                             hi
	// pkts.Stack(
	// 	&pkts.UDP{SrcPort: 53, DstPort: 1053, Checksum: pkts.Pin[uint16](0)},
	// 	&pkts.Raw{Data: []byte("hi")},
	// )
}

func ExampleRegistry_ParseField() {
	f, err := pkts.Default.ParseField("udp.dst_port")
	if err != nil {
		fmt.Println(err)
		return
	}
	p := pkts.Stack(&pkts.IPv4{TTL: 1}, &pkts.UDP{DstPort: 53})
	b, n := f.AppendValues(nil, p, ",")
	fmt.Println(string(b), n)

	_, err = pkts.Default.ParseField("udp.dstport")
	fmt.Println(err)
	// Output:
	// 53 1
	// pkts: field "udp.dstport": no such field: udp has no "dstport": did you mean dst_port?
}
