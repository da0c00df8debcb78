package filter

import (
	"context"
	"iter"

	"github.com/gopkts/gopkts/common/link"
)

// with returns the filter with what the expression was compiled to. The engine
// is prepared for the first packet: many filters go to a kernel and never see
// one.
func (f *Filter) with(p Program) (*Filter, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	f.program = p
	f.vm.init(p, VMOptions{Linux: f.opts.Target == TargetLinux})
	return f, nil
}

// Match reports whether the filter accepts a packet of the filter's link type.
// data is what was captured of it, from the first byte of the link header, and
// wireLen the length that it had. info says what else is known, which only
// filters for [TargetLinux] ask; it may be nil, and its WireLen and Link are not
// looked at otherwise. See [VM.RunFrame]. Packets that are taken apart, and those
// that are built or edited, have a method for it:
// [github.com/gopkts/gopkts/pkts.Packet.Matches].
//
// Match allocates nothing, but for the first packet.
func (f *Filter) Match(data []byte, wireLen int, info *link.Info) bool {
	return f.vm.run(f.vm.first.Load(), data, wireLen, info) != 0
}

// MatchFrame is [Filter.Match] for a captured frame. A frame of another link
// type than the filter's is not accepted.
func (f *Filter) MatchFrame(frame *link.Frame) bool {
	return frame.Link == f.opts.Link && f.vm.RunFrame(frame) != 0
}

// PerLink is an expression for frames of several link types, as a pcapng file
// can have them: it is compiled for each of them when the first such frame
// comes. It is for one goroutine at a time.
type PerLink struct {
	expr    string
	opts    Options
	last    *Filter // that was asked for
	filters map[link.Type]*Filter
}

// NewPerLink returns the expression for frames of any link type; opts.Link does
// not count. The error is an [*Error] for an expression that does not follow the
// grammar, for whatever link type.
func NewPerLink(expr string, opts Options) (*PerLink, error) {
	if _, err := parseDialect(expr, opts.Dialect); err != nil {
		return nil, err
	}
	return &PerLink{expr: expr, opts: opts, filters: make(map[link.Type]*Filter)}, nil
}

// Filter returns the filter for a link type, compiled at the first call for it.
// ctx is for the resolver. The error is that of [CompileContext]: the expression
// may have no meaning on the link type.
func (p *PerLink) Filter(ctx context.Context, t link.Type) (*Filter, error) {
	if p.last != nil && p.last.Link() == t {
		return p.last, nil
	}
	f := p.filters[t]
	if f == nil {
		opts := p.opts
		opts.Link = t
		var err error
		if f, err = CompileContext(ctx, p.expr, opts); err != nil {
			return nil, err
		}
		p.filters[t] = f
	}
	p.last = f
	return f, nil
}

// Match reports whether the expression accepts a frame, read by the rules of its
// link type. The error is that of [PerLink.Filter].
func (p *PerLink) Match(ctx context.Context, frame *link.Frame) (bool, error) {
	f, err := p.Filter(ctx, frame.Link)
	if err != nil {
		return false, err
	}
	return f.vm.RunFrame(frame) != 0, nil
}

// Frames returns those of the frames that the expression accepts, and the errors
// among them, such as those of [github.com/gopkts/gopkts/common/pcap.Reader].
// It ends after the first error of its own, which is that of [PerLink.Filter].
func (p *PerLink) Frames(ctx context.Context, frames iter.Seq2[link.Frame, error]) iter.Seq2[link.Frame, error] {
	return func(yield func(link.Frame, error) bool) {
		for frame, err := range frames {
			if err == nil {
				ok, bad := p.Match(ctx, &frame)
				if bad != nil {
					yield(link.Frame{}, bad)
					return
				}
				if !ok {
					continue
				}
			}
			if !yield(frame, err) {
				return
			}
		}
	}
}
