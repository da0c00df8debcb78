package afpacket_test

import (
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture/afpacket"
	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
)

// typePTP is the EtherType of the precision time protocol, IEEE 1588-2008, annex
// F, and groupPTP the address that its messages go to.
const typePTP afpacket.EtherType = 0x88f7

var groupPTP = link.MacAddr{0x01, 0x1b, 0x19, 0, 0, 0}

// syncMessage is a Sync message of PTPv2 in an Ethernet frame, IEEE 1588-2008,
// 13.3 and annex F, with a sequence number.
func syncMessage(n uint16) []byte {
	b := ether(groupPTP, link.MacAddr{2, 0, 0, 0, 0, 3}, typePTP, make([]byte, 46))
	b[14], b[15] = 0, 2 // messageType Sync, versionPTP
	binary.BigEndian.PutUint16(b[16:], 44)
	binary.BigEndian.PutUint16(b[14+30:], n)
	return b
}

// syncNumber returns the number of a Sync message.
func syncNumber(b []byte) (uint16, bool) {
	if len(b) < 58 || b[14]&15 != 0 || b[15] != 2 {
		return 0, false
	}
	return binary.BigEndian.Uint16(b[14+30:]), true
}

// clockCards returns two cards that have clocks and are joined by a cable, as
// .ci/vm/run puts them into guests: QEMU's igb, which is an Intel 82576.
func clockCards(t *testing.T) (here, there string) {
	t.Helper()
	here, there, ok := strings.Cut(os.Getenv("GOPKTS_VM_STAMPS"), ",")
	if !ok {
		t.Skip("GOPKTS_VM_STAMPS does not name two cards that stamp frames: .ci/vm/run does in its guests")
	}
	return here, there
}

// onCard opens a socket on a card, with rings when they are asked for, and has
// the card stamp what it can.
func onCard(t *testing.T, name string, cfg afpacket.Config, rings *afpacket.RingConfig, typ afpacket.EtherType) (*afpacket.Socket, *afpacket.Ring) {
	t.Helper()
	cfg.Memberships = []afpacket.Membership{{Type: afpacket.Multicast, Addr: afpacket.HardwareAddrFromMAC(groupPTP)}}
	s, err := afpacket.Open(afpacket.KindL2, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	var r *afpacket.Ring
	if rings != nil {
		if r, err = s.Ring(*rings); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Bind(name, typ); err != nil {
		t.Fatal(err)
	}
	want := afpacket.DeviceStamps{Receive: afpacket.StampPTPv2, Transmit: true}
	if got, err := s.SetDeviceStamps(want); err != nil || got != want {
		t.Fatalf("SetDeviceStamps(%+v) = %+v, %v", want, got, err)
	}
	if got, err := s.DeviceStamps(); err != nil || got != want {
		t.Fatalf("DeviceStamps = %+v, %v, want %+v", got, err, want)
	}
	return s, r
}

// soonOn gives what waits for a socket a deadline.
func soonOn(t *testing.T, d time.Duration, socks ...*afpacket.Socket) {
	t.Helper()
	for _, s := range socks {
		if err := s.SetDeadline(time.Now().Add(d)); err != nil {
			t.Fatal(err)
		}
	}
}

// A tick is what the clock of a card and that of the kernel said at about the
// same time.
type tick struct{ card, kernel time.Time }

// checkRate wants the clock of a card to advance about as the kernel's does,
// between which and the card's lies what the emulation of a busy machine does.
func checkRate(t *testing.T, what string, ticks []tick) {
	t.Helper()
	a, b := ticks[0], ticks[len(ticks)-1]
	card, kernel := b.card.Sub(a.card), b.kernel.Sub(a.kernel)
	t.Logf("%s: %v by the card's clock, %v by the kernel's", what, card, kernel)
	const slack = 300 * time.Millisecond
	if card <= 0 || card < kernel*3/4-slack || card > kernel*5/4+slack {
		t.Errorf("%s: %v by the card's clock, %v by the kernel's", what, card, kernel)
	}
	for i := range ticks[1:] {
		if !ticks[i+1].card.After(ticks[i].card) {
			t.Errorf("%s: %v and then %v by the card's clock", what, ticks[i].card, ticks[i+1].card)
		}
	}
}

// resetCard takes a card down and up again. QEMU's igb stamps only one received
// message until it is reset: the register that the driver reads to have the next
// one stamped does nothing there.
func resetCard(t *testing.T, name string) {
	t.Helper()
	r, err := sys.OpenRtnl()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	l, err := r.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.SetUp(l.Index, false), r.SetUp(l.Index, true)); err != nil {
		t.Fatal(err)
	}
	const operUp = 6 // IF_OPER_UP of linux/if.h
	for end := time.Now().Add(patience); l.OperState != operUp; time.Sleep(10 * time.Millisecond) {
		if l, err = r.Link(l.Index); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not come up: %+v", name, l)
		}
	}
}

// recvSync receives Sync message n, and false when it does not come.
func recvSync(t *testing.T, s *afpacket.Socket, n uint16) (afpacket.Message, bool) {
	t.Helper()
	for {
		m, err := s.Recv(make([]byte, 2048))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return m, false
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := syncNumber(m.Data); ok && got == n {
			return m, true
		}
	}
}

// TestVMStampsReceived sends PTP messages from card to card, which the second
// stamps by its own clock, and takes the stamps from messages and from a ring.
func TestVMStampsReceived(t *testing.T) {
	here, there := clockCards(t)
	sender, _ := onCard(t, here, afpacket.Config{}, nil, afpacket.EtherTypeNone)
	for n := range uint16(2) {
		for end := time.Now().Add(3 * patience); !receiveStamped(t, sender, there, n); {
			// The emulated cable may lose a frame.
			if time.Now().After(end) {
				t.Fatalf("message %d does not come", n)
			}
		}
	}

	// What is no PTP is not stamped, and says so.
	other, _ := onCard(t, there, afpacket.Config{HardwareTime: true}, nil, testType)
	for end := time.Now().Add(patience); ; {
		if time.Now().After(end) {
			t.Fatal("a frame that is no PTP does not come")
		}
		if err := sender.Send(ether(groupPTP, link.MacAddr{2, 0, 0, 0, 0, 3}, testType, nil)); err != nil {
			t.Fatal(err)
		}
		soonOn(t, 2*time.Second, other)
		m, err := other.Recv(make([]byte, 2048))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil || m.TimeSource != link.TimeSoftware || time.Since(m.Time) > time.Minute {
			t.Errorf("a frame that is no PTP: %v, time %v, %v", err, m.Time, m.TimeSource)
		}
		break
	}
	// This card cannot stamp everything.
	_, err := other.SetDeviceStamps(afpacket.DeviceStamps{Receive: afpacket.StampAll})
	wantErr(t, "stamps of everything", err, syscall.ERANGE)
}

// receiveStamped sends message n, and reports whether it came.
func receiveStamped(t *testing.T, sender *afpacket.Socket, card string, n uint16) bool {
	t.Helper()
	resetCard(t, card)
	plain, _ := onCard(t, card, afpacket.Config{HardwareTime: true}, nil, typePTP)
	defer plain.Close()
	host, _ := onCard(t, card, afpacket.Config{}, nil, typePTP)
	defer host.Close()
	ringSocket, ring := onCard(t, card, afpacket.Config{HardwareTime: true}, &afpacket.RingConfig{Rx: new(afpacket.RxConfig)}, typePTP)
	defer ringSocket.Close()
	if err := sender.Send(syncMessage(n)); err != nil {
		t.Fatal(err)
	}
	soonOn(t, 5*time.Second, plain, host, ringSocket)
	m, ok := recvSync(t, plain, n)
	if !ok {
		return false
	}
	k, ok := recvSync(t, host, n)
	if !ok || k.TimeSource != link.TimeSoftware {
		t.Fatalf("message %d without HardwareTime: %t, time %v, %v", n, ok, k.Time, k.TimeSource)
	}
	// The driver sets the clock by the kernel's when the card is reset.
	if d := m.Time.Sub(k.Time); m.TimeSource != link.TimeHardware || d == 0 || d.Abs() > patience {
		t.Errorf("message %d: time %v, %v, want the card's, about %v", n, m.Time, m.TimeSource, k.Time)
	}
	t.Logf("message %d: %v by the card's clock, %v by the kernel's", n, m.Time, k.Time)
	for {
		var f afpacket.RingFrame
		if err := ring.Next(&f); err != nil {
			t.Fatalf("message %d from the ring: %v", n, err)
		}
		if got, ok := syncNumber(f.Data); !ok || got != n {
			continue
		}
		if f.TimeSource != link.TimeHardware || !f.Time.Equal(m.Time) {
			t.Errorf("message %d from the ring: time %v, %v, want %v of the card", n, f.Time, f.TimeSource, m.Time)
		}
		return true
	}
}

// sentStamps takes the three stamps of the message that was sent as number n of a
// socket, and returns false when they do not all come: the emulated card loses a
// message now and then.
func sentStamps(t *testing.T, s *afpacket.Socket, n int) (map[afpacket.TxStage]time.Time, bool) {
	t.Helper()
	stamps := map[afpacket.TxStage]time.Time{}
	soonOn(t, 5*time.Second, s)
	for len(stamps) < 3 {
		ts, err := s.TxTimestamp()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Logf("message %d: lost, stamps %v", n, stamps)
			return stamps, false
		}
		if err == nil && ts.ID < uint32(n) {
			continue // of one that was thought lost
		}
		if err != nil || ts.ID != uint32(n) || !stamps[ts.Stage].IsZero() {
			t.Fatalf("message %d: %+v, %v, after %v", n, ts, err, stamps)
		}
		stamps[ts.Stage] = ts.Time
	}
	if stamps[afpacket.TxSoftware].Before(stamps[afpacket.TxSched]) {
		t.Errorf("message %d: at the driver at %v, and in the queue at %v", n, stamps[afpacket.TxSoftware], stamps[afpacket.TxSched])
	}
	return stamps, true
}

// sendStamped has send send messages, numbered from 0, until four of them have
// all their stamps, and wants those of the card to make sense. check looks at
// the message that was sent last and its stamp of the card, if it has one.
func sendStamped(t *testing.T, s *afpacket.Socket, send func(b []byte) error, check func(n int, at time.Time)) {
	t.Helper()
	var sent []tick
	end := time.Now().Add(3 * patience)
	for n := 0; len(sent) < 4; n++ {
		if time.Now().After(end) {
			t.Fatalf("of %d messages %d have stamps", n, len(sent))
		}
		soonOn(t, patience, s)
		if err := send(syncMessage(uint16(n))); err != nil {
			t.Fatal(err)
		}
		stamps, ok := sentStamps(t, s, n)
		check(n, stamps[afpacket.TxHardware])
		if ok {
			sent = append(sent, tick{stamps[afpacket.TxHardware], stamps[afpacket.TxSched]})
		}
		time.Sleep(300 * time.Millisecond)
	}
	checkRate(t, "sent", sent)
}

// TestVMStampsSent takes the stamps of PTP messages that a card sends from the
// error queue: all three of each.
func TestVMStampsSent(t *testing.T) {
	here, _ := clockCards(t)
	s, _ := onCard(t, here, afpacket.Config{TxStamps: afpacket.TxSched | afpacket.TxSoftware | afpacket.TxHardware}, nil, afpacket.EtherTypeNone)
	sendStamped(t, s, s.Send, func(int, time.Time) {})
}

// TestVMStampsSentRing takes the card's stamps of PTP messages that it sends
// from the slots of a transmit ring, and from the error queue as well. Linux 6.12
// has the stamp when it gives the slot back; 7.3 has not, with this card.
func TestVMStampsSentRing(t *testing.T) {
	here, _ := clockCards(t)
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	inSlot := release[0] < '7'
	s, r := onCard(t, here, afpacket.Config{HardwareTime: true, TxStamps: afpacket.TxSched | afpacket.TxSoftware | afpacket.TxHardware},
		&afpacket.RingConfig{Tx: &afpacket.TxConfig{Status: true}}, afpacket.EtherTypeNone)
	sendStamped(t, s, func(b []byte) error {
		if err := r.Commit(copy(r.Reserve(), b)); err != nil {
			return err
		}
		return r.Flush()
	}, func(n int, at time.Time) {
		st := r.TxStatus()
		want := link.TimeHardware
		if at.IsZero() || !inSlot && st.TimeSource == link.TimeUnknown {
			want, at = link.TimeUnknown, time.Time{}
		}
		if st.State != afpacket.TxSent || st.TimeSource != want || !st.Time.Equal(at) {
			t.Errorf("message %d: %v at %v, %v, want it sent at %v, %v", n, st.State, st.Time, st.TimeSource, at, want)
		}
	})
}
