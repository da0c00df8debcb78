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
		return func() (process, error) { return &reader{own{name: name, size: bufferSize}}, nil }
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
// without the kernel's part and without waiting.
func (b *bench) walk() error {
	fmt.Print("\n## Reading what is in the buffer\n\n")
	type walkCase struct {
		title, name string
		frames      int
		xdp         bool
	}
	cases := rows(b, []walkCase{
		{"gopacket/afpacket, zero copy", "gopacket", 10000, false},
		{"the same, and TCP's ports and sequence number by DecodingLayerParser", "gopacket+fields", 10000, false},
		{"gopkts, ring", "ring", 10000, false},
		{"the same, and TCP's ports and sequence number by views", "ring+fields", 10000, false},
		{"gopkts, ring, NextBatch 64", "ring/64", 10000, false},
		{"gopkts/afpacket, Ring.Next", "afpacket", 10000, false},
		{"gopkts, messages", "messages", 1000, false},
		{"gopkts, messages, NextBatch 64", "messages/64", 1000, false},
		{"gopkts, XDP", "xdp", 1000, true},
		{"gopkts, XDP, NextBatch 64", "xdp/64", 1000, true},
		{"the same, and TCP's ports and sequence number by views", "xdp+fields", 1000, true},
		{"gopkts/afxdp, Receive 64", "afxdp", 1000, true},
	}, func(c walkCase) string { return c.title })
	g, err := newGenerator(b.inject)
	if err != nil {
		return err
	}
	defer g.close()
	var t table
	t.row("frame", "reader", "frames", "ns a frame", "allocations a frame")
	for _, size := range b.sizes {
		ns := make([][]float64, len(cases))
		mallocs := make([][]float64, len(cases))
		errs := make([]error, len(cases))
		for range b.rounds {
			for i, c := range cases {
				if errs[i] != nil {
					continue
				}
				a, err := b.walkOne(g, c.name, size, c.frames, c.xdp)
				if errs[i] = err; err == nil {
					ns[i] = append(ns[i], float64(a.Nanoseconds)/float64(c.frames))
					mallocs[i] = append(mallocs[i], float64(a.Mallocs)/float64(c.frames))
				}
			}
		}
		for i, c := range cases {
			if errs[i] != nil {
				t.row(fmt.Sprint(size), c.title, b.sorry(errs[i]))
				continue
			}
			t.row(fmt.Sprint(size), c.title, number(float64(c.frames)), spreadOf(ns[i]).String(), number(spreadOf(mallocs[i]).median))
		}
	}
	fmt.Print(t.String())
	return nil
}

// walkOne measures one reader once.
func (b *bench) walkOne(g *generator, name string, size, frames int, xdp bool) (answer, error) {
	if !xdp {
		if err := g.attach(); err != nil {
			return answer{}, err
		}
		defer g.detach()
	}
	p := &own{name: name, size: 64 << 20}
	if err := p.start(b.cpus[1]); err != nil {
		return answer{}, err
	}
	defer p.kill()
	var a answer
	for range 2 { // once to warm up
		err := pinned(b.cpus[0], func() error { return g.burst(tcpFrame(size), frames) })
		if err != nil {
			return a, err
		}
		time.Sleep(5 * retire) // until the last block is handed over
		if a, err = p.ask(fmt.Sprintf("walk %d", frames)); err != nil {
			return a, err
		}
	}
	return a, nil
}
