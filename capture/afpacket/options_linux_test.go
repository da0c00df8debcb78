package afpacket_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/afpacket"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/checksum"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// assemble is for programs that are right.
func assemble(in ...bpf.Instruction) []bpf.RawInstruction {
	prog, err := bpf.Assemble(in)
	if err != nil {
		panic(err)
	}
	return prog
}

// accept keeps n bytes of everything.
func accept(n uint32) []bpf.RawInstruction { return assemble(bpf.RetConstant{Val: n}) }

// only accepts frames whose number is n.
func only(n uint32) []bpf.RawInstruction {
	return assemble(
		bpf.LoadAbsolute{Off: 14, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: n, SkipFalse: 1},
		bpf.RetConstant{Val: 1 << 16},
		bpf.RetConstant{},
	)
}

func numbers(ms []afpacket.Message) []int {
	var all []int
	for i := range ms {
		all = append(all, number(&ms[i]))
	}
	return all
}

func TestFilter(t *testing.T) {
	p := newPair(t)
	a := bind(t, p.a, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeNone)
	frames := numbered(5, p.frame)
	for _, d := range []capture.Direction{capture.Both, capture.In} {
		b := bind(t, p.b, afpacket.KindL2, &afpacket.Config{Filter: only(3), Direction: d}, "veth0", testType)
		send(t, a, frames...)
		if got := numbers(rest(t, 1, b)); !slices.Equal(got, []int{3}) {
			t.Errorf("the filter of the Config let %v through, want 3", got)
		}
		if prog, err := b.Filter(); err != nil || !slices.Equal(prog, only(3)) {
			t.Errorf("Filter = %v, %v, want %v", prog, err, only(3))
		}
		// In place of the other one. What it returns is how many bytes to keep.
		if err := b.SetFilter(accept(18)); err != nil {
			t.Fatal(err)
		}
		send(t, a, frames[1])
		if m := recv(t, b); !bytes.Equal(m.Data, frames[1][:18]) || m.WireLen != 60 || !m.Truncated() {
			t.Errorf("% x of %d bytes, want 18 of 60", m.Data, m.WireLen)
		}
		if err := b.ClearFilter(); err != nil {
			t.Fatal(err)
		}
		send(t, a, frames...)
		if got := rest(t, 5, b); len(got) != 5 || len(got[0].Data) != 60 {
			t.Errorf("%d frames without a filter, want 5", len(got))
		}
		wantErr(t, "ClearFilter without one", b.ClearFilter(), fs.ErrNotExist)
		_, err := b.Filter()
		wantErr(t, "Filter without one", err, fs.ErrNotExist)

		wantErr(t, "an empty filter", b.SetFilter(nil), capture.ErrFilter)
		wantErr(t, "a filter that does not return", b.SetFilter([]bpf.RawInstruction{{Op: 0x30}}), capture.ErrFilter, syscall.EINVAL)
		wantErr(t, "a filter that is too long", b.SetFilter(slices.Repeat(accept(1), 4097)), capture.ErrFilter)
		long := append(slices.Repeat(assemble(bpf.LoadConstant{}), 4095), accept(9)...)
		if err := b.SetFilter(long); err != nil {
			t.Errorf("the longest filter: %v", err)
		}
		if prog, err := b.Filter(); err != nil || !slices.Equal(prog, long) {
			t.Errorf("the longest filter comes back with %d instructions, %v", len(prog), err)
		}

		if err := b.SetFilter(only(2)); err != nil {
			t.Fatal(err)
		}
		if err := b.LockFilter(); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"SetFilter": b.SetFilter(accept(1)), "ClearFilter": b.ClearFilter(), "Flush": b.Flush(),
		} {
			wantErr(t, what+" when locked", err, capture.ErrLocked, fs.ErrPermission)
		}
		send(t, a, frames...)
		if got := numbers(rest(t, 1, b)); !slices.Equal(got, []int{2}) {
			t.Errorf("the locked filter let %v through, want 2", got)
		}
		b.Close()
	}
}

// TestFilterFromTheStart has a raw IP socket, which receives before it has a
// filter.
func TestFilterFromTheStart(t *testing.T) {
	p := newPair(t).withIP(t)
	a := open(t, p.a, afpacket.KindIPv4, &afpacket.Config{Protocol: 253})
	stop := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
				if err := a.SendTo([]byte("no"), afpacket.Addr{IP: addrB}); err != nil {
					done <- err
					return
				}
			}
		}
	}()
	prog := assemble( // the first byte of the payload is 'y'
		bpf.LoadAbsolute{Off: 20, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 'y', SkipFalse: 1},
		bpf.RetConstant{Val: 1 << 16},
		bpf.RetConstant{},
	)
	var socks []*afpacket.Socket
	for range 30 {
		socks = append(socks, open(t, p.b, afpacket.KindIPv4, &afpacket.Config{Protocol: 253, Filter: prog}))
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := a.SendTo([]byte("yes"), afpacket.Addr{IP: addrB}); err != nil {
		t.Fatal(err)
	}
	for i, s := range socks {
		if m := recv(t, s); string(m.Data[20:]) != "yes" {
			t.Errorf("socket %d received %q first", i, m.Data[20:])
		}
	}
}

func TestFlush(t *testing.T) {
	p := newPair(t)
	a := bind(t, p.a, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeNone)
	b := bind(t, p.b, afpacket.KindL2, nil, "veth0", testType)
	send(t, a, numbered(20, p.frame)...)
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	send(t, a, p.frame(50))
	if got := rest(t, 0, b); len(got) != 0 {
		t.Errorf("%d frames after Flush", len(got))
	}
	if err := b.ClearFilter(); err != nil {
		t.Fatal(err)
	}
	send(t, a, p.frame(51))
	if got := numbers(rest(t, 1, b)); !slices.Equal(got, []int{51}) {
		t.Errorf("%v after ClearFilter, want 51", got)
	}
}

func TestDirection(t *testing.T) {
	p := newPair(t)
	a := bind(t, p.a, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeNone)
	b := bind(t, p.b, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeNone)
	back := ether(p.aMAC, p.bMAC, testType, []byte{0, 0, 0, 9})
	for _, c := range []struct {
		d    capture.Direction
		typ  afpacket.EtherType
		want []int
	}{
		{capture.Both, afpacket.EtherTypeAll, []int{1, 9}},
		{capture.Both, testType, []int{1}},
		{capture.In, afpacket.EtherTypeAll, []int{1}},
		{capture.Out, afpacket.EtherTypeAll, []int{9}},
	} {
		s := bind(t, p.b, afpacket.KindL2, &afpacket.Config{Direction: c.d}, "veth0", c.typ)
		send(t, a, p.frame(1))
		send(t, b, back)
		send(t, s, ether(p.aMAC, p.bMAC, testType, []byte{0, 0, 0, 77})) // not shown to its sender
		got := rest(t, len(c.want), s)
		if !slices.Equal(numbers(got), c.want) {
			t.Errorf("%v of %v: %v, want %v", c.d, c.typ, numbers(got), c.want)
		}
		for _, m := range got {
			if out := number(&m) == 9; out != (m.Direction == link.DirectionOut) {
				t.Errorf("%v: frame %d went %v", c.d, number(&m), m.Direction)
			}
		}
		if c.d == capture.Out {
			// The program of the package goes before the one of the caller, whose
			// accumulator is 0.
			if err := s.SetFilter(assemble(bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 50}, bpf.RetA{})); err != nil {
				t.Fatal(err)
			}
			send(t, a, p.frame(1))
			send(t, b, back)
			if got := rest(t, 1, s); len(got) != 1 || len(got[0].Data) != 50 || number(&got[0]) != 9 {
				t.Errorf("with a filter: %d frames", len(got))
			}
			wantErr(t, "SetProgram", s.SetProgram(0), capture.ErrConfig)
		}
		s.Close()
	}
}

// TestDirectionFilters has the programs that do what the kernel does not: see
// only one direction.
func TestDirectionFilters(t *testing.T) {
	p := newPair(t)
	a := bind(t, p.a, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeNone)
	b := bind(t, p.b, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeNone)
	for d, want := range map[capture.Direction]int{capture.In: 1, capture.Out: 9} {
		prog := append(afpacket.DirectionFilter(d), assemble(bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 50}, bpf.RetA{})...)
		s := bind(t, p.b, afpacket.KindL2, &afpacket.Config{Filter: prog}, "veth0", afpacket.EtherTypeAll)
		send(t, a, p.frame(1))
		send(t, b, ether(p.aMAC, p.bMAC, testType, []byte{0, 0, 0, 9}))
		if got := rest(t, 1, s); len(got) != 1 || number(&got[0]) != want || len(got[0].Data) != 50 {
			t.Errorf("%v: %d frames", d, len(got))
		}
	}
}

// TestVLAN compares what is received with the bytes that were sent.
func TestVLAN(t *testing.T) {
	p := newPair(t)
	a := bind(t, p.a, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeNone)
	keep := bind(t, p.b, afpacket.KindL2, &afpacket.Config{VLANInData: true}, "veth0", afpacket.EtherTypeAll)
	info := bind(t, p.b, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeAll)
	tag := func(tpids ...uint16) []byte {
		b := slices.Concat(p.bMAC[:], p.aMAC[:])
		for i, tpid := range tpids {
			b = binary.BigEndian.AppendUint16(b, tpid)
			b = binary.BigEndian.AppendUint16(b, uint16(i+1)<<13|0x1000|uint16(100+i)) // PCP, DEI, VID
		}
		b = binary.BigEndian.AppendUint16(b, uint16(testType))
		return append(b, bytes.Repeat([]byte{0xa5}, 60)...)
	}
	for _, c := range []struct {
		name     string
		frame    []byte
		stripped bool
		tpid     uint16
	}{
		{"no tag", tag(), false, 0},
		{"802.1Q", tag(0x8100), true, 0x8100},
		{"802.1ad", tag(0x88a8), true, 0x88a8},
		{"QinQ", tag(0x88a8, 0x8100), true, 0x88a8},
		{"802.1Q twice", tag(0x8100, 0x8100), true, 0x8100},
		{"an older QinQ", tag(0x9100, 0x8100), false, 0},
	} {
		send(t, a, c.frame)
		m := recv(t, keep)
		if !bytes.Equal(m.Data, c.frame) || m.WireLen != len(c.frame) || m.Flags.Has(link.InfoVLAN) || m.VLANTCI != 0 {
			t.Errorf("%s, put back: % x\nof %d bytes, want % x", c.name, m.Data, m.WireLen, c.frame)
		}
		m = recv(t, info)
		want := link.Info{}
		data := c.frame
		if c.stripped {
			want.Flags, want.VLANTPID, want.VLANTCI = link.InfoVLAN, c.tpid, 1<<13|0x1000|100
			data = slices.Concat(c.frame[:12], c.frame[16:])
		}
		if !bytes.Equal(m.Data, data) || m.WireLen != len(data) || m.Flags != want.Flags || m.VLANTPID != want.VLANTPID || m.VLANTCI != want.VLANTCI {
			t.Errorf("%s, not put back: % x, tag %#x %#x (%b) of %d bytes, want % x, %#x %#x", c.name, m.Data, m.VLANTPID, m.VLANTCI, m.Flags, m.WireLen, data, want.VLANTPID, want.VLANTCI)
		}
	}
	// Buffers of every length: nothing may go outside, and what is there is
	// right.
	whole := tag(0x88a8, 0x8100)
	for n := range len(whole) + 4 {
		send(t, a, whole)
		buf := bytes.Repeat([]byte{0xee}, n+8)
		m, err := keep.Recv(buf[:n:n])
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(buf[n:], bytes.Repeat([]byte{0xee}, 8)) {
			t.Fatalf("%d bytes: wrote behind the buffer", n)
		}
		if m.Flags.Has(link.InfoVLAN) { // no room for the two addresses
			if n >= 16 || !bytes.Equal(m.Data, whole[:max(0, n-4)]) {
				t.Errorf("%d bytes: % x without its tag", n, m.Data)
			}
		} else if !bytes.Equal(m.Data, whole[:min(n, len(whole))]) || m.WireLen != len(whole) {
			t.Errorf("%d bytes: % x of %d, want % x", n, m.Data, m.WireLen, whole[:min(n, len(whole))])
		}
	}
}

// TestMembership asks a macvlan interface, which receives no groups that
// nobody asked for, and the interface's counters where frames show nothing.
func TestMembership(t *testing.T) {
	p := newPair(t)
	a := bind(t, p.a, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeNone)
	p.b.Run(t, "ip", "link", "add", "mv0", "link", "veth0", "type", "macvlan", "mode", "private")
	p.b.Run(t, "ip", "link", "set", "mv0", "up")
	s := bind(t, p.b, afpacket.KindL2, nil, "mv0", testType)
	group, ok := afpacket.HardwareAddrFrom([]byte{1, 0, 0x5e, 1, 2, 3})
	if !ok {
		t.Fatal("six bytes are no hardware address")
	}
	mac, _ := group.MAC()
	frame := ether(mac, p.aMAC, testType, nil)
	// How many copies arrive: macvlan delivers groups from a work queue, so the
	// test waits for the broadcast behind.
	arrives := func() int {
		t.Helper()
		send(t, a, frame, ether(link.BroadcastMac(), p.aMAC, testType, []byte("end")))
		n := 0
		for {
			m := recv(t, s)
			if string(m.Data[14:17]) == "end" {
				return n
			}
			n++
		}
	}
	if n := arrives(); n != 0 {
		t.Fatalf("%d frames to a group nobody has joined", n)
	}
	for _, m := range []afpacket.Membership{
		{Type: afpacket.Multicast, Addr: group}, {Type: afpacket.AllMulticast}, {Type: afpacket.Promiscuous},
	} {
		if err := s.Join(m); err != nil {
			t.Fatal(err)
		}
		if n := arrives(); n != 1 {
			t.Errorf("joined %v: %d frames, want 1", m.Type, n)
		}
		if err := s.Leave(m); err != nil {
			t.Fatal(err)
		}
		if m.Type == afpacket.Multicast {
			// macvlan goes on to deliver a group that was left until another
			// membership changes.
			if list := p.b.Run(t, "ip", "maddr", "show", "dev", "mv0"); strings.Contains(list, group.String()) {
				t.Errorf("left %v: %s", m.Type, list)
			}
		} else if n := arrives(); n != 0 {
			t.Errorf("left %v: %d frames, want 0", m.Type, n)
		}
		if err := s.Leave(m); err != nil {
			t.Errorf("leave %v again: %v", m.Type, err)
		}
	}
	// One that the Config asks for, and that ends with the socket.
	cfg := &afpacket.Config{Memberships: []afpacket.Membership{{Type: afpacket.Promiscuous}, {Type: afpacket.AllMulticast}, {Type: afpacket.Multicast, Addr: group}}}
	other := bind(t, p.b, afpacket.KindL3, cfg, "veth0", testType)
	count := func(what string) string {
		return regexp.MustCompile(what + ` (\d+)`).FindString(p.b.Run(t, "ip", "-d", "link", "show", "dev", "veth0"))
	}
	before := count("promiscuity")
	maddr := func() bool {
		return strings.Contains(p.b.Run(t, "ip", "maddr", "show", "dev", "veth0"), group.String())
	}
	if !maddr() {
		t.Error("the group of the Config was not joined")
	}
	other.Close()
	if after := count("promiscuity"); after == before || maddr() {
		t.Errorf("%q before Close and %q after, group %t", before, after, maddr())
	}
	// An interface that cannot filter by address goes promiscuous for a second
	// one, and a virtual one need not.
	unicast, _ := afpacket.HardwareAddrFrom([]byte{2, 0, 0, 0, 0, 0x55})
	u := afpacket.Membership{Type: afpacket.Unicast, Addr: unicast}
	if err := s.Join(u); err != nil {
		t.Fatal(err)
	}
	if err := s.Leave(u); err != nil {
		t.Fatal(err)
	}
	long, _ := afpacket.HardwareAddrFrom(make([]byte, 20))
	wantErr(t, "an InfiniBand address", s.Join(afpacket.Membership{Type: afpacket.Multicast, Addr: long}), syscall.EINVAL)
	wantErr(t, "not bound", open(t, p.b, afpacket.KindL2, nil).Join(u), capture.ErrConfig)
}

// TestOriginalInterface has frames go through two interfaces.
func TestOriginalInterface(t *testing.T) {
	p := newPair(t)
	a := bind(t, p.a, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeNone)
	p.b.Run(t, "ip", "link", "add", "mv0", "link", "veth0", "type", "macvlan", "mode", "private")
	p.b.Run(t, "ip", "link", "set", "mv0", "up")
	mv := p.b.Interface(t, "mv0")
	for _, c := range []struct {
		orig bool
		want int
	}{{false, mv.Index}, {true, p.b.Interface(t, "veth0").Index}} {
		s := bind(t, p.b, afpacket.KindL2, &afpacket.Config{OriginalInterface: c.orig}, "mv0", testType)
		send(t, a, ether(mv.MAC, p.aMAC, testType, nil))
		if m := recv(t, s); m.Interface != c.want || m.Addr.Interface != c.want {
			t.Errorf("OriginalInterface %t: %d, want %d", c.orig, m.Interface, c.want)
		}
		s.Close()
	}
}

// kernelModes are PACKET_FANOUT_ of linux/if_packet.h.
var kernelModes = map[string]int{"hash": 0, "round robin": 1, "cpu": 2, "rollover": 3, "random": 4, "queue": 5, "filter": 6, "program": 7}

func TestFanout(t *testing.T) {
	p := newPair(t)
	a := bind(t, p.a, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeNone)
	const n = 200
	// Flows that differ in the source port; the number goes where frame puts it.
	flows := numbered(n, func(i int) []byte {
		return ether(p.bMAC, p.aMAC, afpacket.EtherTypeIPv4, udp(addrA, addrB, uint16(5000+i%20), 9, true, binary.BigEndian.AppendUint32(nil, uint32(i))))
	})
	for _, c := range []struct {
		f     afpacket.Fanout
		check func(a, b []int) error
	}{
		{afpacket.Fanout{Mode: afpacket.FanoutHash}, func(a, b []int) error {
			home := map[int]int{}
			for who, all := range [][]int{a, b} {
				for _, i := range all {
					if last, ok := home[i%20]; ok && last != who {
						return fmt.Errorf("flow %d went to both", i%20)
					}
					home[i%20] = who
				}
			}
			return nil
		}},
		{afpacket.Fanout{Mode: afpacket.FanoutRoundRobin}, func(a, b []int) error {
			if len(a) != len(b) {
				return errors.New("want as many each")
			}
			return nil
		}},
		{afpacket.Fanout{Mode: afpacket.FanoutCPU}, nil},
		{afpacket.Fanout{Mode: afpacket.FanoutRollover}, func(a, b []int) error {
			if len(a) > 0 && len(b) > 0 {
				return errors.New("want all with the first, which has room")
			}
			return nil
		}},
		{afpacket.Fanout{Mode: afpacket.FanoutRandom}, func(a, b []int) error {
			if len(a) == 0 || len(b) == 0 {
				return errors.New("want some each")
			}
			return nil
		}},
		{afpacket.Fanout{Mode: afpacket.FanoutQueue}, func(a, b []int) error {
			if len(a) > 0 && len(b) > 0 {
				return errors.New("want all with one: there is one queue")
			}
			return nil
		}},
		{afpacket.Fanout{Mode: afpacket.FanoutFilter, Filter: assemble(
			// The program sees what a KindL3 socket does: it is the last byte of the payload.
			bpf.LoadAbsolute{Off: 20 + 8 + 3, Size: 1}, bpf.RetA{})}, parity},
		{afpacket.Fanout{Mode: afpacket.FanoutFilter}, func(a, b []int) error {
			if len(a) != n {
				return errors.New("want all with the first")
			}
			return nil
		}},
		{afpacket.Fanout{Mode: afpacket.FanoutHash, Defrag: true, Rollover: true, IgnoreOutgoing: true, Members: 300}, nil},
	} {
		c.f.Group = 7
		if err := a.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		cfg := &afpacket.Config{Fanout: &c.f, ReadBuffer: 1 << 20}
		m1 := bind(t, p.b, afpacket.KindL2, cfg, "veth0", afpacket.EtherTypeIPv4)
		m2 := bind(t, p.b, afpacket.KindL2, cfg, "veth0", afpacket.EtherTypeIPv4)
		send(t, a, flows...)
		var got [2][]int
		both := drain(t, n, m1, m2)
		for i, s := range []*afpacket.Socket{m1, m2} {
			for _, m := range both[i] {
				got[i] = append(got[i], int(binary.BigEndian.Uint32(m.Data[14+28:])))
			}
			if g, err := s.FanoutGroup(); g != 7 || err != nil {
				t.Errorf("%v: FanoutGroup = %d, %v", c.f.Mode, g, err)
			}
			const solPacket, packetFanout = 263, 18
			if v := intOption(t, s, solPacket, packetFanout) >> 16 & 0xff; v != kernelModes[c.f.Mode.String()] {
				t.Errorf("%v: the kernel has mode %d", c.f.Mode, v)
			}
		}
		all := slices.Sorted(slices.Values(slices.Concat(got[0], got[1])))
		if len(all) != n || all[0] != 0 || all[n-1] != n-1 || len(slices.Compact(all)) != n {
			t.Errorf("%v: %d and %d frames, want each of %d once", c.f.Mode, len(got[0]), len(got[1]), n)
		}
		if c.check != nil {
			if err := c.check(got[0], got[1]); err != nil {
				t.Errorf("%v: %d and %d frames: %v", c.f.Mode, len(got[0]), len(got[1]), err)
			}
		}
		m1.Close()
		m2.Close()
	}
}

// parity wants even numbers with the first and odd ones with the second.
func parity(a, b []int) error {
	for who, all := range [][]int{a, b} {
		for _, i := range all {
			if i%2 != who {
				return fmt.Errorf("frame %d went to member %d", i, who)
			}
		}
	}
	return nil
}

func TestFanoutFlags(t *testing.T) {
	p := newPair(t)
	a := bind(t, p.a, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeNone)
	b := bind(t, p.b, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeNone)
	join := func(f afpacket.Fanout, buffer int) *afpacket.Socket {
		t.Helper()
		return bind(t, p.b, afpacket.KindL2, &afpacket.Config{Fanout: &f, ReadBuffer: buffer}, "veth0", afpacket.EtherTypeAll)
	}

	// Two groups that the kernel numbers.
	u1, u2 := join(afpacket.Fanout{UniqueID: true}, 0), join(afpacket.Fanout{UniqueID: true}, 0)
	g1, err1 := u1.FanoutGroup()
	g2, err2 := u2.FanoutGroup()
	if err1 != nil || err2 != nil || g1 == g2 {
		t.Errorf("unique groups %d and %d, %v, %v", g1, g2, err1, err2)
	}
	u3 := join(afpacket.Fanout{Group: g1}, 0)
	if g, err := u3.FanoutGroup(); g != g1 || err != nil {
		t.Errorf("joined group %d, %v, want %d", g, err, g1)
	}
	_, err := a.FanoutGroup()
	wantErr(t, "no group", err, syscall.ENOENT)

	// Another mode than the group's, and a group that is full.
	s := open(t, p.b, afpacket.KindL2, &afpacket.Config{Fanout: &afpacket.Fanout{Group: g1, Mode: afpacket.FanoutCPU}})
	wantErr(t, "another mode", s.Bind("veth0", afpacket.EtherTypeAll), syscall.EINVAL)
	for _, u := range []*afpacket.Socket{u1, u2, u3} {
		u.Close() // theirs may be the numbers below
	}
	for range 2 {
		join(afpacket.Fanout{Group: 99, Members: 2}, 0)
	}
	s = open(t, p.b, afpacket.KindL2, &afpacket.Config{Fanout: &afpacket.Fanout{Group: 99, Members: 2}})
	wantErr(t, "a full group", s.Bind("veth0", afpacket.EtherTypeAll), syscall.ENOSPC)

	// An interface that is down, of which older kernels have no group.
	down := newPair(t)
	down.a.SetUp(t, "veth0", false)
	s = open(t, down.a, afpacket.KindL2, &afpacket.Config{Fanout: &afpacket.Fanout{UniqueID: true}})
	if err := s.Bind("veth0", afpacket.EtherTypeAll); err != nil {
		wantErr(t, "an interface that is down", err, capture.ErrInterfaceDown)
		wantErr(t, "an interface that is down", err, syscall.EINVAL)
	}

	// What the host sends.
	for _, ignore := range []bool{false, true} {
		s := join(afpacket.Fanout{Group: 20, IgnoreOutgoing: ignore}, 0)
		send(t, b, ether(p.aMAC, p.bMAC, testType, nil))
		want := 1
		if ignore {
			want = 0
		}
		if n := len(rest(t, want, s)); n != want {
			t.Errorf("IgnoreOutgoing %t: %d frames", ignore, n)
		}
		s.Close()
	}

	// Where the chosen member has no room.
	for _, roll := range []bool{false, true} {
		f := afpacket.Fanout{Group: 30, Mode: afpacket.FanoutFilter, Rollover: roll, Filter: assemble(bpf.RetConstant{Val: 0})}
		small, large := join(f, 1), join(f, 1<<20)
		send(t, a, numbered(100, p.frame)...)
		least := 0
		if roll {
			least = 1
		}
		if n := len(rest(t, least, large)); (n > 0) != roll {
			t.Errorf("Rollover %t: %d frames for the member that was not chosen", roll, n)
		}
		small.Close()
		large.Close()
	}

	// Fragments of one datagram have no ports but in the first: put together,
	// they are one packet.
	for _, defrag := range []bool{false, true} {
		s := join(afpacket.Fanout{Group: 40, Defrag: defrag}, 0)
		whole := udp(addrA, addrB, 1000, 2000, true, bytes.Repeat([]byte{'x'}, 800))
		for off := 0; off < 808; off += 400 {
			h := slices.Clone(whole[:20])
			piece := whole[20+off : min(20+off+400, len(whole))]
			frag := uint16(off / 8)
			if off+400 < 808 {
				frag |= 0x2000
			}
			binary.BigEndian.PutUint16(h[2:], uint16(20+len(piece)))
			binary.BigEndian.PutUint16(h[6:], frag)
			binary.BigEndian.PutUint16(h[10:], 0)
			binary.BigEndian.PutUint16(h[10:], checksum.Internet(h, 0))
			send(t, a, ether(p.bMAC, p.aMAC, afpacket.EtherTypeIPv4, slices.Concat(h, piece)))
		}
		want := 3
		if defrag {
			want = 1
		}
		got := rest(t, want, s)
		if defrag && (len(got) != 1 || len(got[0].Data) != 14+len(whole)) || !defrag && len(got) != want {
			t.Errorf("Defrag %t: %d packets", defrag, len(got))
		}
		s.Close()
	}
}

func TestTxTimestamp(t *testing.T) {
	p := newPair(t).withIP(t)
	for _, c := range []struct {
		kind   afpacket.Kind
		stages afpacket.TxStage
	}{
		{afpacket.KindL2, afpacket.TxSched | afpacket.TxSoftware},
		{afpacket.KindL2, afpacket.TxSoftware},
		{afpacket.KindL3, afpacket.TxSched},
		{afpacket.KindIPv4, afpacket.TxSched | afpacket.TxSoftware},
	} {
		cfg := &afpacket.Config{TxStamps: c.stages}
		to := afpacket.Addr{EtherType: testType, Hardware: afpacket.HardwareAddrFromMAC(p.bMAC), Interface: p.a.Interface(t, "veth0").Index}
		if c.kind == afpacket.KindIPv4 {
			cfg.Protocol = 253
			to = afpacket.Addr{IP: addrB}
		}
		s := open(t, p.a, c.kind, cfg)
		before := time.Now()
		const n = 5
		for i := range n {
			if err := s.SendTo(p.frame(i), to); err != nil {
				t.Fatal(err)
			}
		}
		want := map[afpacket.TxTimestamp]int{}
		for i := range n {
			for _, stage := range []afpacket.TxStage{afpacket.TxSched, afpacket.TxSoftware} {
				if c.stages&stage != 0 {
					want[afpacket.TxTimestamp{ID: uint32(i), Stage: stage}] = 1
				}
			}
		}
		for range len(want) {
			ts, err := s.TxTimestamp()
			if err != nil {
				t.Fatalf("%v %v: %v", c.kind, c.stages, err)
			}
			if ts.Time.Before(before.Add(-time.Second)) || ts.Time.After(time.Now().Add(time.Second)) {
				t.Errorf("%v %v: frame %d left at %v, sent after %v", c.kind, c.stages, ts.ID, ts.Time, before)
			}
			ts.Time = time.Time{}
			if want[ts] != 1 {
				t.Errorf("%v %v: unexpected %+v", c.kind, c.stages, ts)
			}
			want[ts]--
		}
		if err := s.SetReadDeadline(time.Now().Add(silence)); err != nil {
			t.Fatal(err)
		}
		_, err := s.TxTimestamp()
		wantErr(t, "one too many", err, os.ErrDeadlineExceeded)
		s.Close()
	}
	// Which frames count.
	p.a.Run(t, "tc", "qdisc", "replace", "dev", "veth0", "root", "tbf", "rate", "8kbit", "burst", "200", "limit", "60")
	count := bind(t, p.a, afpacket.KindL2, &afpacket.Config{TxStamps: afpacket.TxSched}, "veth0", afpacket.EtherTypeNone)
	wantErr(t, "too long", count.Send(make([]byte, 3000)), capture.ErrFrameSize)
	id, full := uint32(0), 0
	for ; full < 2 && id < 1000; id++ {
		switch err := count.Send(p.frame(0)); {
		case errors.Is(err, syscall.ENOBUFS):
			full++
		case err != nil:
			t.Fatal(err)
		}
		ts, err := count.TxTimestamp()
		if err != nil || ts.ID != id {
			t.Fatalf("timestamp %+v, %v, want that of frame %d", ts, err, id)
		}
	}
	if full == 0 {
		t.Error("the queue was never full")
	}
	p.a.Run(t, "tc", "qdisc", "del", "dev", "veth0", "root")

	s := bind(t, p.a, afpacket.KindL2, nil, "veth0", testType)
	_, err := s.TxTimestamp()
	wantErr(t, "not asked for", err, capture.ErrConfig)
	// A cable that is none has no clock.
	_, err = s.SetDeviceStamps(afpacket.DeviceStamps{Receive: afpacket.StampAll, Transmit: true})
	wantErr(t, "SetDeviceStamps", err, errors.ErrUnsupported)
	_, err = s.DeviceStamps()
	wantErr(t, "DeviceStamps", err, errors.ErrUnsupported)
	_, err = open(t, p.a, afpacket.KindL2, nil).DeviceStamps()
	wantErr(t, "DeviceStamps of nothing", err, capture.ErrConfig)
	// Frames that the device does not stamp have the kernel's time.
	h := bind(t, p.a, afpacket.KindL2, &afpacket.Config{HardwareTime: true, TxStamps: afpacket.TxHardware}, "veth0", testType)
	send(t, bind(t, p.b, afpacket.KindL2, nil, "veth0", 0), ether(p.aMAC, p.bMAC, testType, nil))
	if m := recv(t, h); m.TimeSource != link.TimeSoftware || time.Since(m.Time) > time.Minute {
		t.Errorf("time %v, %v", m.Time, m.TimeSource)
	}
}

// TestQdiscBypass has a queueing discipline that lets a trickle through.
func TestQdiscBypass(t *testing.T) {
	p := newPair(t)
	p.a.Run(t, "tc", "qdisc", "replace", "dev", "veth0", "root", "tbf", "rate", "8kbit", "burst", "200", "limit", "200")
	b := bind(t, p.b, afpacket.KindL2, nil, "veth0", testType)
	for _, bypass := range []bool{true, false} { // what waits in the queue comes later
		a := bind(t, p.a, afpacket.KindL2, &afpacket.Config{QdiscBypass: bypass}, "veth0", 0)
		full := false
		for i := range 50 {
			switch err := a.Send(p.frame(i)); {
			case errors.Is(err, syscall.ENOBUFS):
				full = true
			case err != nil:
				t.Fatal(err)
			}
		}
		want := 0
		if bypass {
			want = 50
		}
		if n := len(rest(t, want, b)); (n == 50) != bypass || full == bypass {
			t.Errorf("QdiscBypass %t: %d frames of 50, full %t", bypass, n, full)
		}
		a.Close()
	}
}

// TestSendWaits has a queueing discipline that takes its time, and a small
// buffer.
func TestSendWaits(t *testing.T) {
	p := newPair(t)
	p.a.Run(t, "tc", "qdisc", "replace", "dev", "veth0", "root", "tbf", "rate", "1mbit", "burst", "2000", "limit", "1000000")
	a := bind(t, p.a, afpacket.KindL2, &afpacket.Config{WriteBuffer: 5000}, "veth0", afpacket.EtherTypeNone)
	b := bind(t, p.b, afpacket.KindL2, nil, "veth0", testType)
	ms := make([]afpacket.Message, 40) // 0.3 s on the wire
	for i := range ms {
		ms[i].Data = append(p.frame(i), make([]byte, 1000)...)
	}
	if n, err := a.SendBatch(ms); n != len(ms) || err != nil {
		t.Errorf("SendBatch = %d, %v", n, err)
	}
	if got := numbers(rest(t, len(ms), b)); len(got) != len(ms) || !slices.IsSorted(got) {
		t.Errorf("received %v", got)
	}
	// With a deadline that passes meanwhile.
	p.a.Run(t, "tc", "qdisc", "replace", "dev", "veth0", "root", "tbf", "rate", "8kbit", "burst", "2000", "limit", "1000000")
	if err := a.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	n, err := a.SendBatch(ms)
	if n == 0 || n == len(ms) {
		t.Errorf("SendBatch sent %d of %d in a hurry", n, len(ms))
	}
	wantErr(t, "SendBatch", err, os.ErrDeadlineExceeded)
}

// TestMarkAndPriority has a filter that looks at the mark, and a queueing
// discipline that looks at the priority.
func TestMarkAndPriority(t *testing.T) {
	ns := netns.New(t)
	marked := assemble(
		bpf.RawInstruction{Op: 0x20, K: 0xfffff000 + 20}, // SKF_AD_MARK
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x80000007, SkipFalse: 1},
		bpf.RetConstant{Val: 1 << 16},
		bpf.RetConstant{},
	)
	in := bind(t, ns, afpacket.KindL2, &afpacket.Config{Filter: marked, Direction: capture.In}, "lo", afpacket.EtherTypeAll)
	for _, mark := range []uint32{0, 0x80000007} {
		s := bind(t, ns, afpacket.KindL2, &afpacket.Config{Mark: mark}, "lo", 0)
		send(t, s, make([]byte, 60))
		want := 0
		if mark != 0 {
			want = 1
		}
		if n := len(rest(t, want, in)); n != want {
			t.Errorf("mark %#x: %d frames", mark, n)
		}
	}

	p := newPair(t)
	p.a.Run(t, "tc", "qdisc", "replace", "dev", "veth0", "root", "handle", "1:", "htb", "default", "20")
	p.a.Run(t, "tc", "class", "add", "dev", "veth0", "parent", "1:", "classid", "1:10", "htb", "rate", "1gbit")
	p.a.Run(t, "tc", "class", "add", "dev", "veth0", "parent", "1:", "classid", "1:20", "htb", "rate", "1gbit")
	s := bind(t, p.a, afpacket.KindL2, &afpacket.Config{Priority: 0x10010}, "veth0", 0)
	send(t, s, numbered(7, p.frame)...)
	out := p.a.Run(t, "tc", "-s", "class", "show", "dev", "veth0", "classid", "1:10")
	if !strings.Contains(out, "Sent 420 bytes 7 pkt") {
		t.Errorf("the class of the priority has not 7 frames:\n%s", out)
	}
}

// TestBuffers loses frames for want of room, and says so.
func TestBuffers(t *testing.T) {
	p := newPair(t)
	a := bind(t, p.a, afpacket.KindL2, nil, "veth0", 0)
	small := bind(t, p.b, afpacket.KindL2, &afpacket.Config{ReadBuffer: 16 << 10}, "veth0", testType)
	large := bind(t, p.b, afpacket.KindL2, &afpacket.Config{ReadBuffer: 8 << 20, WriteBuffer: 1 << 20}, "veth0", testType)
	const n = 2000
	send(t, a, numbered(n, p.frame)...)
	if got := len(rest(t, n, large)); got != n {
		t.Errorf("a buffer of 8 MiB held %d frames, want %d", got, n)
	}
	got := rest(t, 1, small)
	st, err := small.Stats() // all have come: large has them
	if err != nil || st.Dropped == 0 || st.Received != uint64(len(got)) || st.Received+st.Dropped != n {
		t.Errorf("a buffer of 16 KiB held %d frames; Stats = %+v, %v", len(got), st, err)
	}
	for i, m := range got {
		if m.Flags.Has(link.InfoLossBefore) {
			t.Errorf("frame %d is behind a loss", i)
		}
	}
	send(t, a, p.frame(1), p.frame(2))
	if m := recv(t, small); !m.Flags.Has(link.InfoLossBefore) {
		t.Error("the frame after the loss does not say so")
	}
	if m := recv(t, small); m.Flags.Has(link.InfoLossBefore) {
		t.Error("the loss is told twice")
	}
	// The counters add up.
	if again, err := small.Stats(); err != nil || again.Dropped != st.Dropped || again.Received != st.Received+2 {
		t.Errorf("Stats = %+v, %v, before %+v", again, err, st)
	}
	for _, c := range []struct {
		opt, want int
	}{{syscall.SO_RCVBUF, 8 << 20}, {syscall.SO_SNDBUF, 1 << 20}} {
		if v := intOption(t, large, syscall.SOL_SOCKET, c.opt); v != c.want {
			t.Errorf("option %d is %d, want %d", c.opt, v, c.want)
		}
	}
}

// TestIPDrops has a raw IP socket without room.
func TestIPDrops(t *testing.T) {
	p := newPair(t).withIP(t)
	a := open(t, p.a, afpacket.KindIPv4, &afpacket.Config{Protocol: 253})
	b := open(t, p.b, afpacket.KindIPv4, &afpacket.Config{Protocol: 253, ReadBuffer: 8 << 10})
	const n = 500
	for range n {
		if err := a.SendTo([]byte("x"), afpacket.Addr{IP: addrB}); err != nil {
			t.Fatal(err)
		}
	}
	got := 0
	for end := time.Now().Add(patience); ; {
		got += len(rest(t, 0, b))
		st, err := b.Stats()
		if err == nil && got > 0 && st.Dropped > 0 && uint64(got)+st.Dropped == n {
			break
		}
		if err != nil || time.Now().After(end) {
			t.Fatalf("%d of %d packets, Stats = %+v, %v", got, n, st, err)
		}
	}
}

func intOption(t *testing.T, s *afpacket.Socket, level, opt int) int {
	t.Helper()
	c, err := s.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var v int
	if cerr := c.Control(func(fd uintptr) { v, err = syscall.GetsockoptInt(int(fd), level, opt) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return v
}

// TestBusyPoll can show no more than that the kernel has taken the settings:
// virtual interfaces have no queue to poll.
func TestBusyPoll(t *testing.T) {
	ns := netns.New(t)
	s := bind(t, ns, afpacket.KindL2, &afpacket.Config{BusyPoll: 50 * time.Microsecond, PreferBusyPoll: true, BusyPollBudget: 16}, "lo", afpacket.EtherTypeAll)
	for name, c := range map[string]struct{ opt, want int }{
		"SO_BUSY_POLL": {46, 50}, "SO_PREFER_BUSY_POLL": {69, 1},
	} {
		if got := intOption(t, s, syscall.SOL_SOCKET, c.opt); got != c.want {
			t.Errorf("%s is %d, want %d", name, got, c.want)
		}
	}
	send(t, bind(t, ns, afpacket.KindL2, nil, "lo", 0), make([]byte, 60))
	recv(t, s)
}

// TestVnetHeaderReceive has the kernel's own TCP send more than a segment at
// once, and leave the checksum to a device.
func TestVnetHeaderReceive(t *testing.T) {
	p := newPair(t).withIP(t)
	s := bind(t, p.b, afpacket.KindL2, &afpacket.Config{VnetHeader: true, ReadBuffer: 8 << 20}, "veth0", afpacket.EtherTypeIPv4)
	plain := bind(t, p.b, afpacket.KindL2, nil, "veth0", afpacket.EtherTypeIPv4)
	var l net.Listener
	if err := p.b.Do(func() (err error) {
		l, err = net.Listen("tcp4", addrB.String()+":0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var c net.Conn
	if err := p.a.Do(func() (err error) {
		c, err = net.DialTimeout("tcp4", l.Addr().String(), patience)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(make([]byte, 30000)); err != nil {
		t.Fatal(err)
	}
	for {
		m := recv(t, s)
		if m.Vnet.GSO == afpacket.GSONone {
			continue
		}
		v := m.Vnet
		tcp := 14 + 20
		header := tcp + int(m.Data[tcp+12]>>4)*4
		if v.GSO != afpacket.GSOTCPv4 || !v.Flags.Has(afpacket.VnetNeedsChecksum) || int(v.ChecksumStart) != tcp || v.ChecksumOffset != 16 ||
			v.SegmentSize == 0 || int(v.SegmentSize) > 1460 || int(v.HeaderLen) < header {
			t.Errorf("%+v, want segments of TCP over IPv4 with headers of at least %d bytes", v, header)
		}
		if len(m.Data) <= 1514 || m.WireLen != len(m.Data) || m.Checksum != link.ChecksumPartial {
			t.Errorf("%d of %d bytes, checksum %v, want more than a segment", len(m.Data), m.WireLen, m.Checksum)
		}
		break
	}
	if m := recv(t, plain); m.Vnet != (afpacket.VnetHeader{}) || m.Checksum != link.ChecksumPartial {
		t.Errorf("without VnetHeader: %+v, %v", m.Vnet, m.Checksum)
	}
}

// TestVnetHeaderSend has the kernel finish what is sent: the host that receives
// it drops what is not right.
func TestVnetHeaderSend(t *testing.T) {
	p := newPair(t).withIP(t)
	a := bind(t, p.a, afpacket.KindL2, &afpacket.Config{VnetHeader: true}, "veth0", 0)
	see := bind(t, p.b, afpacket.KindL2, &afpacket.Config{VnetHeader: true}, "veth0", afpacket.EtherTypeIPv4)
	var server *net.UDPConn
	if err := p.b.Do(func() (err error) {
		server, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addrB, 0)))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	port := server.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	payload := bytes.Repeat([]byte("0123456789"), 25) // 250 bytes
	frame := ether(p.bMAC, p.aMAC, afpacket.EtherTypeIPv4, udp(addrA, addrB, 999, port, false, payload))
	needs := afpacket.VnetHeader{Flags: afpacket.VnetNeedsChecksum, ChecksumStart: 34, ChecksumOffset: 6}
	cut := needs
	cut.GSO, cut.HeaderLen, cut.SegmentSize = afpacket.GSOUDPL4, 42, 100
	for _, c := range []struct {
		name string
		vnet afpacket.VnetHeader
		want []int // lengths of the datagrams
	}{
		{"nothing", afpacket.VnetHeader{}, nil},
		{"a checksum", needs, []int{250}},
		{"segments", cut, []int{100, 100, 50}},
	} {
		if n, err := a.SendBatch([]afpacket.Message{{Frame: link.Frame{Data: frame}, Vnet: c.vnet}}); n != 1 || err != nil {
			t.Fatalf("%s: %d, %v", c.name, n, err)
		}
		m := recv(t, see)
		if m.Vnet.HeaderLen > c.vnet.HeaderLen { // no more than a hint
			m.Vnet.HeaderLen = c.vnet.HeaderLen
		}
		if m.Vnet != c.vnet {
			t.Errorf("%s: the other side sees %+v, want %+v", c.name, m.Vnet, c.vnet)
		}
		var got []int
		for range max(1, len(c.want)) {
			wait := patience
			if c.want == nil {
				wait = silence
			}
			if err := server.SetReadDeadline(time.Now().Add(wait)); err != nil {
				t.Fatal(err)
			}
			n, err := server.Read(make([]byte, 2000))
			if err != nil {
				break
			}
			got = append(got, n)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: datagrams of %v bytes, want %v", c.name, got, c.want)
		}
	}
	bad := afpacket.VnetHeader{Flags: afpacket.VnetNeedsChecksum, ChecksumStart: 60000}
	_, err := a.SendBatch([]afpacket.Message{{Frame: link.Frame{Data: frame}, Vnet: bad}})
	wantErr(t, "a checksum outside of the frame", err, syscall.EINVAL)
}
