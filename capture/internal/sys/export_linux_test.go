package sys

import (
	"os"

	"github.com/gopkts/gopkts/common/filter"
	"golang.org/x/sys/unix"
)

// OnlyIncomingByFilter makes s leave outgoing frames out as it does on a kernel
// without PACKET_IGNORE_OUTGOING.
func (s *Socket) OnlyIncomingByFilter() { s.prefix = onlyIncoming() }

// OpenTxV2 makes a transmit ring of TPACKET_V2, to compare with.
func OpenTxV2(control func(f func(fd int) error) error, g *TxGeometry) (*Rings, error) {
	r := &Rings{HasTx: true}
	err := control(func(fd int) (err error) {
		if err := setInt(fd, unix.PACKET_VERSION, unix.TPACKET_V2, "PACKET_VERSION"); err != nil {
			return err
		}
		if err := setInt(fd, unix.PACKET_TX_HAS_OFF, 1, "PACKET_TX_HAS_OFF"); err != nil {
			return err
		}
		req := unix.TpacketReq{
			Block_size: uint32(g.BlockSize),
			Block_nr:   uint32(g.BlockCount),
			Frame_size: uint32(g.FrameSize),
			Frame_nr:   uint32(g.Slots()),
		}
		if err := unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_TX_RING, &req); err != nil {
			return os.NewSyscallError("setsockopt PACKET_TX_RING", err)
		}
		r.m, err = newMapping(fd, g.Len())
		return err
	})
	if err != nil {
		return nil, err
	}
	layout := txLayout{sec: 16, nsec: 20, snapLen: 8, length: 4, status: 0, mac: 12, net: 14, data: 32}
	r.Tx.init(r.m.bytes(), g, layout, 0)
	return r, nil
}

// Program returns the program that is translated for the kernel.
func (f *XDPFilter) Program() filter.Program { return f.prog }

// Watches reports whether something tells x of changes of the interfaces.
func (x *XDP) Watches() bool { return x.mtu.watch != nil }

// ForgetWatch makes x ask for the MTU each time, as it does where it must not load
// programs.
func (x *XDP) ForgetWatch() {
	_ = x.mtu.watch.close()
	x.mtu.watch = nil
}
