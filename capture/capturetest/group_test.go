package capturetest_test

import (
	"encoding/binary"
	"errors"
	"net"
	"testing"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// udp4 is an IPv4 frame with UDP ports, in an Ethernet header.
func udp4(src, dst byte, srcPort, dstPort uint16) []byte {
	b := make([]byte, 60)
	b[12] = 0x08             // EtherType of IPv4
	ip := b[14:]             // RFC 791, section 3.1
	ip[0], ip[9] = 0x45, 17  // header of five words, UDP
	ip[12], ip[15] = 10, src // source address
	ip[16], ip[19] = 10, dst // destination address
	binary.BigEndian.PutUint16(ip[20:], srcPort)
	binary.BigEndian.PutUint16(ip[22:], dstPort)
	return b
}

// read returns what every Sniffer of g has captured.
func read(t *testing.T, g *capture.Group) (all [][]link.Frame) {
	t.Helper()
	if err := g.Deactivate(); err != nil {
		t.Fatal(err)
	}
	for _, s := range g.Sniffers() {
		var frames []link.Frame
		for f, err := range s.Frames(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			frames = append(frames, f.Clone())
		}
		all = append(all, frames)
	}
	return all
}

func TestGroup(t *testing.T) {
	ifc := capturetest.New(link.Interface{Name: "fake0"})
	g, err := ifc.OpenGroup(4, nil)
	if err != nil {
		t.Fatal(err)
	}
	if g.Interface().Name != "fake0" || g.Link() != link.TypeEthernet || len(g.Sniffers()) != 4 {
		t.Errorf("group of %d on %v, %v", len(g.Sniffers()), g.Interface(), g.Link())
	}
	if err := g.Activate(nil); err != nil {
		t.Fatal(err)
	}
	const flows = 50
	for i := range uint16(flows) {
		ifc.Inject(udp4(1, 2, 1000+i, 53))
		ifc.Inject(udp4(2, 1, 53, 1000+i))
	}
	ifc.Inject(make([]byte, 14))
	used, total := 0, 0
	where := map[uint16]int{}
	for member, frames := range read(t, g) {
		if len(frames) > 0 {
			used++
		}
		total += len(frames)
		for _, f := range frames {
			if len(f.Data) < 60 {
				continue
			}
			port := max(binary.BigEndian.Uint16(f.Data[34:]), binary.BigEndian.Uint16(f.Data[36:]))
			if at, ok := where[port]; ok && at != member {
				t.Errorf("flow of port %d is in Sniffers %d and %d", port, at, member)
			}
			where[port] = member
		}
	}
	if total != 2*flows+1 || used < 2 {
		t.Errorf("%d frames in %d Sniffers, want %d in several", total, used, 2*flows+1)
	}
	if st, err := g.Stats(); err != nil || st.Received != 2*flows+1 {
		t.Errorf("Stats = %+v, %v", st, err)
	}

	// What goes wrong leaves all of them alike.
	if err := g.Activate(nil); err != nil {
		t.Fatal(err)
	}
	if err := g.Activate([]bpf.RawInstruction{{Op: 0}}); !errors.Is(err, capture.ErrFilter) {
		t.Errorf("Activate = %v, want ErrFilter", err)
	}
	ifc.Inject(make([]byte, 14))
	if st, err := g.Stats(); err != nil || st.Received != 2*flows+2 {
		t.Errorf("Stats = %+v, %v, want one frame more: a malformed filter changes nothing", st, err)
	}
	if err := g.Activate([]bpf.RawInstruction{{Op: 0xffff}, {Op: 6}}); !errors.Is(err, capture.ErrFilter) {
		t.Errorf("Activate = %v, want ErrFilter", err)
	}
	var f link.Frame
	for i, s := range g.Sniffers() {
		if err := s.Next(&f); !errors.Is(err, capture.ErrNotActive) {
			t.Errorf("Sniffer %d: Next = %v, want ErrNotActive", i, err)
		}
	}
	if err := g.Lock(); err != nil {
		t.Fatal(err)
	}
	if err := g.Activate(nil); !errors.Is(err, capture.ErrLocked) {
		t.Errorf("Activate = %v, want ErrLocked", err)
	}

	// A member that was closed leaves its flows to the others.
	if err := g.Sniffers()[0].Close(); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if err := g.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close = %v, want net.ErrClosed", err)
	}
	for op, err := range map[string]error{"activate": g.Activate(nil), "deactivate": g.Deactivate(), "lock": g.Lock()} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s = %v, want net.ErrClosed", op, err)
		}
	}
}

// TestGroupTurns shares frame by frame.
func TestGroupTurns(t *testing.T) {
	ifc := capturetest.New(link.Interface{Name: "fake0"})
	g, err := ifc.OpenGroup(0, &capture.Config{Fanout: capture.FanoutRoundRobin})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	alone, err := ifc.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	if err := errors.Join(g.Activate(nil), alone.Activate(nil)); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		ifc.Inject(make([]byte, 14))
	}
	for i, frames := range read(t, g) {
		if len(frames) != 5 {
			t.Errorf("Sniffer %d has %d frames, want 5", i, len(frames))
		}
	}
	if st, err := alone.Stats(); err != nil || st.Received != 10 {
		t.Errorf("Stats = %+v, %v, want 10 received by who shares with nobody", st, err)
	}
	if _, err := ifc.OpenGroup(-1, nil); !errors.Is(err, capture.ErrConfig) {
		t.Errorf("OpenGroup = %v, want ErrConfig", err)
	}
	ifc.Remove()
	if _, err := ifc.OpenGroup(2, nil); !errors.Is(err, capture.ErrNoInterface) {
		t.Errorf("OpenGroup = %v, want ErrNoInterface", err)
	}
}

// TestEmptyGroup has nothing to do, and does it.
func TestEmptyGroup(t *testing.T) {
	g := capture.NewGroup()
	if g.Interface().Name != "" || g.Link() != 0 || g.Backend().Type != 0 || len(g.Sniffers()) != 0 {
		t.Errorf("group of nobody on %v", g.Interface())
	}
	if st, err := g.Stats(); err != nil || st != (capture.Stats{}) {
		t.Errorf("Stats = %+v, %v", st, err)
	}
	if err := errors.Join(g.Activate(nil), g.Deactivate(), g.Close()); err != nil {
		t.Error(err)
	}
}
