package afpacket

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/internal/sys"
	"golang.org/x/net/bpf"
)

// Parts of classic BPF, linux/filter.h.
const (
	opLoadByte = 0x30 // BPF_LD | BPF_B | BPF_ABS
	opLoadImm  = 0x00 // BPF_LD | BPF_IMM
	opJumpEq   = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
	opRet      = 0x06 // BPF_RET | BPF_K

	extPacketType  = 0xfffff000 + 4 // SKF_AD_OFF + SKF_AD_PKTTYPE
	packetOutgoing = 4              // PACKET_OUTGOING
	keepAll        = 0xffffffff     // bytes
)

// directionFilter returns the start of a filter that drops what the host
// received, or what it sent. The accumulator is 0 behind it, as at the start of
// a filter.
func directionFilter(d capture.Direction) []bpf.RawInstruction {
	test := bpf.RawInstruction{Op: opJumpEq, Jf: 1, K: packetOutgoing}
	if d == capture.Out {
		test.Jt, test.Jf = 1, 0
	}
	return []bpf.RawInstruction{
		{Op: opLoadByte, K: extPacketType},
		test,
		{Op: opRet},
		{Op: opLoadImm},
	}
}

// attach sets prog behind the prefix; an empty one accepts everything.
func (s *Socket) attach(prog []bpf.RawInstruction) error {
	if most := maxFilter - len(s.prefix); len(prog) > most {
		return fmt.Errorf("%w: %d instructions, limit %d", capture.ErrFilter, len(prog), most)
	}
	if len(prog) == 0 {
		prog = []bpf.RawInstruction{{Op: opRet, K: keepAll}}
	}
	return explainFilter(s.ps.AttachFilter(append(s.prefix[:len(s.prefix):len(s.prefix)], prog...)))
}

// SetFilter receives, from now on, what prog accepts, in place of the filter or
// program that was set before. What was received before stays to be read; to
// be rid of that, call [Socket.Flush] first.
//
// The error wraps [capture.ErrFilter] when the kernel does not accept prog, and
// [capture.ErrLocked] after LockFilter.
func (s *Socket) SetFilter(prog []bpf.RawInstruction) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(prog) == 0 {
		return s.fail("filter", fmt.Errorf("%w: no instructions: use ClearFilter", capture.ErrFilter))
	}
	if err := s.attach(prog); err != nil {
		return s.fail("filter", err)
	}
	s.filtered = true
	return nil
}

// SetProgram receives what an eBPF program of type BPF_PROG_TYPE_SOCKET_FILTER
// accepts, in place of what was set before: SO_ATTACH_BPF. The socket keeps
// the program, so that fd can be closed.
//
// It is refused where Direction is capture.Out, which a filter of the package's
// own takes care of.
func (s *Socket) SetProgram(fd int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.prefix) > 0 {
		return s.fail("filter", illegal("SetProgram with Direction %v: the program would replace the filter that sees to it", s.cfg.Direction))
	}
	if err := explainFilter(s.ps.AttachBPF(fd)); err != nil {
		return s.fail("filter", err)
	}
	s.filtered = true
	return nil
}

// ClearFilter receives everything again. The error is an [fs.ErrNotExist] when
// no filter or program is set, and wraps [capture.ErrLocked] after LockFilter.
//
// [fs.ErrNotExist]: https://pkg.go.dev/io/fs#ErrNotExist
func (s *Socket) ClearFilter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	switch {
	case len(s.prefix) == 0:
		err = explainFilter(s.ps.DetachFilter())
	case !s.filtered:
		err = explainFilter(syscall.ENOENT)
	default:
		err = s.attach(nil)
	}
	if err == nil {
		s.filtered = false
	}
	return s.fail("filter", err)
}

// Filter returns the filter that is set, as the kernel has it. The error is an
// [fs.ErrNotExist] when there is none, and wraps [errors.ErrUnsupported] for an
// eBPF program.
//
// [fs.ErrNotExist]: https://pkg.go.dev/io/fs#ErrNotExist
func (s *Socket) Filter() ([]bpf.RawInstruction, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	prog, err := s.ps.Filter()
	switch {
	case errors.Is(err, syscall.EACCES):
		err = fmt.Errorf("%w: the filter is an eBPF program: %w", errors.ErrUnsupported, err)
	case err == nil && (len(prog) == 0 || len(s.prefix) > 0 && !s.filtered):
		err = explainFilter(syscall.ENOENT)
	}
	if err != nil {
		return nil, s.fail("filter", err)
	}
	return prog[min(len(s.prefix), len(prog)):], nil
}

// LockFilter makes what is set now final: SO_LOCK_FILTER. SetFilter, SetProgram
// and ClearFilter fail with [capture.ErrLocked] from now on, whoever has the
// socket.
func (s *Socket) LockFilter() error { return s.fail("lock", s.ps.LockFilter()) }

// Flush throws away everything that was received and not read, and receives
// nothing any more until SetFilter or ClearFilter is called: what is read then
// has passed the new filter. With a ring, [Ring.Discard] comes next.
func (s *Socket) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.attach([]bpf.RawInstruction{{Op: opRet}}); err != nil {
		return s.fail("flush", err)
	}
	s.filtered = true
	sys.Barrier()
	return s.fail("flush", s.ps.Drain())
}
