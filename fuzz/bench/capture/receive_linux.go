package main

import (
	"fmt"
	"time"
)

// sample is one round of a receiver.
type sample struct {
	offered, received, dropped float64
	seconds                    float64
	cpu                        float64 // nanoseconds altogether
}

// receiveCase is a row: who receives.
type receiveCase struct {
	name string
	make func() (process, error)
	xdp  bool // it attaches a program of its own
}

func (b *bench) receiveCases() []receiveCase {
	mine := func(name string) func() (process, error) {
		return func() (process, error) { return &reader{own{name: name, set: settings{bufferSize, b.timeout}}}, nil }
	}
	return []receiveCase{
		{name: "gopacket/afpacket, zero copy", make: mine("gopacket")},
		{name: "gopkts, ring", make: mine("ring")},
		{name: "gopkts, ring, NextBatch 64", make: mine("ring/64")},
		{name: "gopkts, as Open chooses, NextBatch 64", make: mine("open")},
		{name: "gopkts, messages", make: mine("messages")},
		{name: "gopkts, messages, NextBatch 64", make: mine("messages/64")},
		{name: "gopkts, XDP", make: mine("xdp"), xdp: true},
		{name: "gopkts, XDP, NextBatch 64", make: mine("xdp/64"), xdp: true},
		{name: "gopkts/afpacket, Ring.Next", make: mine("afpacket")},
		{name: "gopkts/afxdp, Receive 64", make: mine("afxdp"), xdp: true},
		{name: "tcpdump -w /dev/null", make: func() (process, error) { return tcpdump("/dev/null"), nil }},
		{name: "dumpcap -w /dev/null", make: func() (process, error) { return dumpcap("/dev/null"), nil }},
	}
}

// receive offers each receiver the same frames at the same rates.
func (b *bench) receive() error {
	fmt.Print("\n## Receiving\n\n")
	cases := rows(b, b.receiveCases(), func(c receiveCase) string { return c.name })
	return b.offerTo(cases, func(size, rate int, samples [][]sample, errs []error) {
		base := spreadOf(perFrame(samples[0])).median
		for i, c := range cases {
			if errs[i] != nil {
				fmt.Printf("| %d | %s | %s | %s |\n", size, rateName(rate), c.name, b.sorry(errs[i]))
				continue
			}
			cpu := spreadOf(perFrame(samples[i]))
			fmt.Printf("| %d | %s | %s | %s | %s | %s | %s | %s | %s |\n", size, rateName(rate), c.name,
				each1(samples[i], func(s sample) float64 { return s.offered / s.seconds }),
				each1(samples[i], func(s sample) float64 { return s.received / s.seconds }),
				each1(samples[i], func(s sample) float64 { return 100 * (s.offered - s.received) / s.offered }),
				each1(samples[i], func(s sample) float64 { return s.dropped }),
				cpu, ratio(cpu.median, base))
		}
	}, "| frame | asked for, 1/s | receiver | offered, 1/s | received, 1/s | lost, % | dropped by its own count | CPU, ns a frame | x gopacket |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
}

// perFrame is the processor time a received frame.
func perFrame(samples []sample) []float64 {
	var out []float64
	for _, s := range samples {
		if s.received > 0 {
			out = append(out, s.cpu/s.received)
		}
	}
	return out
}

// each1 is the spread of what f makes of the samples.
func each1(samples []sample, f func(sample) float64) spread {
	var v []float64
	for _, s := range samples {
		v = append(v, f(s))
	}
	return spreadOf(v)
}

// offerTo measures the cases at each size and rate, in turn round by round, and
// has the rows of each printed.
func (b *bench) offerTo(cases []receiveCase, print func(size, rate int, samples [][]sample, errs []error), head string) error {
	g, err := newGenerator(b.inject)
	if err != nil {
		return err
	}
	defer g.close()
	if len(cases) == 0 {
		return nil
	}
	fmt.Print(head)
	for _, size := range b.sizes {
		for _, rate := range b.rates {
			samples := make([][]sample, len(cases))
			errs := make([]error, len(cases))
			for range b.rounds {
				for i, c := range cases {
					if errs[i] != nil {
						continue
					}
					s, err := b.offerOne(g, c, size, rate)
					if err != nil {
						errs[i] = err
						continue
					}
					samples[i] = append(samples[i], s)
				}
			}
			print(size, rate, samples, errs)
		}
	}
	return nil
}

// offerOne measures one receiver once.
func (b *bench) offerOne(g *generator, c receiveCase, size, rate int) (sample, error) {
	p, err := c.make()
	if err != nil {
		return sample{}, err
	}
	if !c.xdp {
		if err := g.attach(); err != nil {
			return sample{}, err
		}
		defer g.detach()
	}
	if err := p.start(b.cpus[1]); err != nil {
		return sample{}, err
	}
	var s sample
	idle, err := p.settled()
	if err == nil {
		err = pinned(b.cpus[0], func() error {
			alone()
			n, took, err := g.offer(tcpFrame(size), rate, b.time)
			s.offered, s.seconds = float64(n), took.Seconds()
			return err
		})
	}
	var busy time.Duration
	if err == nil {
		busy, err = p.settled()
	}
	a, err2 := p.end()
	if err == nil {
		err = err2
	}
	switch _, mine := p.(*reader); {
	case err != nil:
	case a.Frames == 0:
		err = fmt.Errorf("no frame of %.0f came", s.offered)
	case mine && a.Frames+a.Dropped != uint64(s.offered):
		err = fmt.Errorf("of %.0f frames %d came and %d were dropped", s.offered, a.Frames, a.Dropped)
	}
	s.received, s.dropped, s.cpu = float64(a.Frames), float64(a.Dropped), float64(busy-idle)
	return s, err
}

// walk times the reading of frames that lie in the buffer already: the library
// without the kernel's part and without waiting. It is measured in stretches of
// some microseconds, which alternate between walking alone and reading fields
// besides; what the fields cost is the median of the differences of neighbours.
func (b *bench) walk() error {
	fmt.Printf("\n## Reading what is in the buffer\n\nMedians of stretches of %d frames, and in parentheses the quartiles.\n\n", stretchLen)
	const many, few = 36 * stretchLen, 6 * stretchLen
	type walkCase struct {
		title, name string
		frames      int
		fields, xdp bool
	}
	cases := rows(b, []walkCase{
		{"gopacket/afpacket, zero copy", "gopacket", many, true, false},
		{"gopkts, ring", "ring", many, true, false},
		{"gopkts, ring, NextBatch 64", "ring/64", many, true, false},
		{"gopkts/afpacket, Ring.Next", "afpacket", many, false, false},
		{"gopkts, messages", "messages", few, false, false},
		{"gopkts, messages, NextBatch 64", "messages/64", few, false, false},
		{"gopkts, XDP", "xdp", many, true, true},
		{"gopkts, XDP, NextBatch 64", "xdp/64", many, true, true},
		{"gopkts/afxdp, Receive 64", "afxdp", few, false, true},
	}, func(c walkCase) string { return c.title })
	g, err := newGenerator(b.inject)
	if err != nil {
		return err
	}
	defer g.close()
	var t table
	t.row("frame", "reader", "ns a frame", "least", "TCP's ports and sequence number as well, ns more", "allocations a frame")
	for _, size := range b.sizes {
		got := make([]answer, len(cases)) // summed up
		errs := make([]error, len(cases))
		for range b.rounds {
			for i, c := range cases {
				if errs[i] != nil {
					continue
				}
				errs[i] = b.walkOne(g, c.name, c.frames, c.fields, c.xdp, size, &got[i])
			}
		}
		for i, c := range cases {
			if errs[i] != nil {
				t.row(fmt.Sprint(size), c.title, b.sorry(errs[i]))
				continue
			}
			mallocs := number(float64(got[i].Mallocs) / float64(got[i].Frames))
			for j, way := range got[i].Ways {
				title, more := c.title, ""
				if way != "" {
					title = c.title + ", fields " + way
					more = perFrameOf(got[i].Stretches, func(s stretch) int64 { return s[j] - s[0] }).quartiles()
				}
				ns := perFrameOf(got[i].Stretches, func(s stretch) int64 { return s[j] })
				t.row(fmt.Sprint(size), title, ns.quartiles(), number(ns.min), more, mallocs)
			}
		}
	}
	fmt.Print(t.String())
	return nil
}

// perFrameOf is the spread of what f makes of stretches, a frame.
func perFrameOf(all []stretch, f func(stretch) int64) spread {
	var v []float64
	for _, s := range all {
		v = append(v, float64(f(s))/stretchLen)
	}
	return spreadOf(v)
}

// walkOne measures one reader in several walks, and adds them to sum.
func (b *bench) walkOne(g *generator, name string, frames int, fields, xdp bool, size int, sum *answer) error {
	command := "walk"
	if fields {
		command = "fields"
	}
	if !xdp {
		if err := g.attach(); err != nil {
			return err
		}
		defer g.detach()
	}
	p := &own{name: name, set: settings{64 << 20, b.timeout}}
	if err := p.start(b.cpus[1]); err != nil {
		return err
	}
	defer p.kill()
	for i := range 1 + 4 { // once to warm up
		err := pinned(b.cpus[0], func() error { return g.burst(tcpFrame(size), frames) })
		if err != nil {
			return err
		}
		time.Sleep(p.set.late()) // until the last block is handed over
		a, err := p.ask(fmt.Sprintf("%s %d", command, frames))
		if err != nil {
			return err
		}
		if i > 0 {
			sum.Ways = a.Ways
			sum.Frames += a.Frames
			sum.Mallocs += a.Mallocs
			sum.Stretches = append(sum.Stretches, a.Stretches...)
		}
	}
	return nil
}
