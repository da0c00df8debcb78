package filter

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gopkts/gopkts/common/link"
)

// DefaultBudget is how many instructions a program may run again in one packet
// because it jumped back, unless [VMOptions] says otherwise.
const DefaultBudget = 1 << 16

// VMOptions changes how a [VM] runs a program. The zero value runs it as
// libpcap does.
type VMOptions struct {
	// Linux selects the rules of the Linux kernel where it and libpcap differ:
	//
	//   - A shift by X takes the lowest five bits of X. libpcap shifts by all
	//     of it, so that the result is 0 from 32 on.
	//   - The offset of a load relative to X wraps around, so that [x + -2] is
	//     two bytes before X. libpcap adds without limit, and rejects the
	//     packet.
	Linux bool
	// Budget is how many instructions the program may run again in one packet
	// because it jumped back; a packet that wants more is rejected. 0 stands
	// for [DefaultBudget]. Programs that do not jump back have no need of it:
	// they run each instruction once at most.
	Budget int
}

// VM runs one program. It does not change, so that any number of goroutines can
// use it at once, and running it allocates nothing. Do not copy one. The zero
// value rejects every packet.
//
// A load that reaches behind the last byte of the packet rejects the packet,
// and so does a division by zero.
type VM struct {
	code   Program
	linux  bool
	budget int
	// What the engines have made of the program.
	only    only
	first   atomic.Pointer[test]
	sums    []sum
	steps   []step
	start   *step     // before the first
	offsets uint64    // the bits that an offset from X has
	shifts  uint32    // the bits of X that say by how much to shift
	once    sync.Once // for all
}

// NewVM prepares a program for being run. It keeps no reference to it. The
// error is that of [Program.Validate].
func NewVM(p Program, o VMOptions) (*VM, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	v := new(VM)
	v.init(slices.Clone(p), o)
	v.prepare()
	return v, nil
}

// unprepared is the first test of a program for which the direct engine has no
// tests yet.
var unprepared = test{kind: testPrepare}

// init sets a valid program. The direct engine is prepared for it when it first
// runs.
func (v *VM) init(p Program, o VMOptions) {
	v.code, v.linux, v.budget = p, o.Linux, o.Budget
	if v.budget <= 0 {
		v.budget = DefaultBudget
	}
	v.only.at.Store(nowhere)
	v.first.Store(&unprepared)
}

// prepare makes the tests of the program, if they are not there, and returns the
// first.
func (v *VM) prepare() *test {
	v.once.Do(func() {
		first, sums := v.code.trace(v.linux)
		v.sums = sums
		v.steps = v.code.translate()
		v.start = &v.steps[len(v.code)]
		v.offsets, v.shifts = math.MaxUint64, math.MaxUint32
		if v.linux {
			v.offsets, v.shifts = math.MaxUint32, 31
		}
		v.only.set(first)
		v.first.Store(first)
	})
	return v.first.Load()
}

// Run returns what the program returns for a packet: how many of its bytes to
// keep, which can be more than there are, and 0 for none of it. data is what
// was captured of the packet, from the first byte of the link header, and
// wireLen the length that it had, which the program may ask for.
//
// What the program asks about the packet besides, SKF_AD_OFF of
// linux/filter.h, is not known, and rejects the packet; see [VM.RunFrame].
func (v *VM) Run(data []byte, wireLen int) uint32 {
	return v.run(v.first.Load(), data, wireLen, nil)
}

// RunFrame is [VM.Run] for a captured frame, whose Info answers what the
// program asks besides: packet type (of the direction), interface, VLAN tag
// (as far as it was taken off the frame), flow hash (0 without), protocol (the
// EtherType, as the kernel finds it) and hardware type, for the link types
// where these are known. What is not known rejects the frame. There are no
// offsets from the network header, SKF_NET_OFF: a load from one is out of the
// packet.
func (v *VM) RunFrame(f *link.Frame) uint32 {
	return v.run(v.first.Load(), f.Data, f.WireLen, &f.Info)
}

// RunInfo is [VM.RunFrame] for a packet in parts. info may be nil; its WireLen
// is not looked at.
func (v *VM) RunInfo(data []byte, wireLen int, info *link.Info) uint32 {
	return v.run(v.first.Load(), data, wireLen, info)
}
