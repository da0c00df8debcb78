package afpacket

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/gopkts/gopkts/capture/internal/sys"
)

// TxStage is where a frame that is sent is stamped. Those of a [Config] can be
// combined with |.
type TxStage uint8

const (
	// TxSched is when the frame enters the queueing discipline.
	TxSched TxStage = 1 << iota
	// TxSoftware is when the driver gets it. Before Linux 4.13, a frame that has
	// a TxHardware stamp does not have this one.
	TxSoftware
	// TxHardware is when the device puts it on the wire, by the device's clock.
	TxHardware
)

// String returns the names with bars between them, such as "sched|software",
// and "0" for none.
func (s TxStage) String() string {
	var set []string
	for i, name := range [...]string{"sched", "software", "hardware"} {
		if s&(1<<i) != 0 {
			set = append(set, name)
		}
	}
	if rest := s &^ (TxSched | TxSoftware | TxHardware); rest != 0 {
		set = append(set, fmt.Sprintf("%#x", uint8(rest)))
	}
	if set == nil {
		return "0"
	}
	return strings.Join(set, "|")
}

// TxTimestamp says when a frame passed a stage on its way out.
type TxTimestamp struct {
	// ID says which frame: they are counted from 0, in the order in which they
	// were sent. Those that found the interface's queue full count, those that
	// the kernel refused for their size or address do not.
	ID uint32
	// Stage is TxSched, TxSoftware or TxHardware.
	Stage TxStage
	// Time is the kernel's clock, and the device's own for TxHardware.
	Time time.Time
}

// Values of sock_extended_err.ee_info for timestamps, linux/errqueue.h.
const (
	stampSent  = 0 // SCM_TSTAMP_SND
	stampSched = 1 // SCM_TSTAMP_SCHED
)

// TxTimestamp waits for the next of the timestamps that [Config.TxStamps] asks
// for, as Recv waits for frames, and independently of it. They wait in the
// socket's read buffer; when that is full, they are lost.
func (s *Socket) TxTimestamp() (TxTimestamp, error) {
	if s.stamps == nil {
		return TxTimestamp{}, s.fail("timestamp", illegal("TxStamps is 0: the socket was not opened for timestamps"))
	}
	s.stamps.mu.Lock()
	defer s.stamps.mu.Unlock()
	m, c := s.stamps.m, &s.stamps.control
	for {
		m.SetRecv(0, 0, nil)
		if _, err := m.Recv(s.errq, 1, sys.MsgErrQueue); err != nil {
			return TxTimestamp{}, s.fail("timestamp", err)
		}
		c.Parse(m.Control(0))
		if !c.HasErr || !c.Err.IsTimestamp() {
			continue // an error that somebody asked for through SyscallConn
		}
		t := TxTimestamp{ID: c.Err.Data, Time: c.Time}
		switch {
		case c.Err.Info == stampSched:
			t.Stage = TxSched
		case c.Err.Info != stampSent:
			continue
		case !c.Hardware.IsZero():
			t.Stage, t.Time = TxHardware, c.Hardware
		default:
			t.Stage = TxSoftware
		}
		return t, nil
	}
}

// ReceiveStamps is which received frames a device stamps: HWTSTAMP_FILTER_ of
// linux/net_tstamp.h, whose other values can be given as well.
type ReceiveStamps int32

const (
	StampNone  ReceiveStamps = 0
	StampAll   ReceiveStamps = 1
	StampPTPv2 ReceiveStamps = 12 // event messages of IEEE 1588-2008, over any transport
	StampNTP   ReceiveStamps = 15
)

// DeviceStamps is what a device stamps.
type DeviceStamps struct {
	Receive  ReceiveStamps
	Transmit bool // frames whose sockets ask for it
}

// SetDeviceStamps tells the device of the interface that the socket is bound to
// what to stamp, and returns what it does, which may be more: SIOCSHWTSTAMP.
// The setting is one for all users of the device and outlives the socket. It
// needs CAP_NET_ADMIN.
//
// The error wraps [errors.ErrUnsupported] when the device has no clock, and
// [syscall.ERANGE] when it cannot stamp what Receive asks for.
func (s *Socket) SetDeviceStamps(d DeviceStamps) (DeviceStamps, error) {
	name := s.device()
	if name == "" {
		return DeviceStamps{}, s.fail("timestamp", illegal("SetDeviceStamps needs one device: Bind to an interface first"))
	}
	h := sys.HardwareStamps{Rx: int32(d.Receive)}
	if d.Transmit {
		h.Tx = 1 // HWTSTAMP_TX_ON
	}
	h, err := s.ps.SetHardwareStamps(name, h)
	switch {
	case errors.Is(err, syscall.ERANGE):
		err = &advice{err, "the device cannot stamp that: ask for StampPTPv2 or for less"}
	default:
		err = needAdmin(err)
	}
	if err != nil {
		return DeviceStamps{}, s.fail("timestamp", err)
	}
	return DeviceStamps{Receive: ReceiveStamps(h.Rx), Transmit: h.Tx != 0}, nil
}

// DeviceStamps returns what the device of the interface that the socket is
// bound to stamps: SIOCGHWTSTAMP. The error wraps [errors.ErrUnsupported] when
// the device has no clock.
func (s *Socket) DeviceStamps() (DeviceStamps, error) {
	name := s.device()
	if name == "" {
		return DeviceStamps{}, s.fail("timestamp", illegal("DeviceStamps needs one device: Bind to an interface first"))
	}
	h, err := s.ps.HardwareStamps(name)
	if err != nil {
		return DeviceStamps{}, s.fail("timestamp", err)
	}
	return DeviceStamps{Receive: ReceiveStamps(h.Rx), Transmit: h.Tx != 0}, nil
}
