package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/afpacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
)

// What all receivers use: the kernel's buffer, and the size of a block of those
// that have blocks.
const (
	bufferSize = 8 << 20
	blockSize  = 256 << 10
)

// settings are those of a receiver's process.
type settings struct {
	size    int           // of the kernel's buffer, in bytes
	timeout time.Duration // how long frames may gather
}

// args are the settings as arguments of a process.
func (s settings) args() []string { return []string{strconv.Itoa(s.size), s.timeout.String()} }

// parse reads what args has made.
func (s *settings) parse(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("settings of a receiver are SIZE TIMEOUT, not %q", args)
	}
	var err, err2 error
	s.size, err = strconv.Atoi(args[0])
	s.timeout, err2 = time.ParseDuration(args[1])
	return errors.Join(err, err2)
}

// late is how long after the end of the frames a receiver has all of them. The
// kernel may take twice as long as it was told to hand over a block.
func (s settings) late() time.Duration { return 2*s.timeout + 50*time.Millisecond }

// A receiver reads from an interface. Its loops over frames are its own, so
// that a frame costs nothing but what the library does.
type receiver interface {
	// read adds frames to t until there are n of them. When stop was called, it
	// returns as soon as nothing is left.
	read(n int, t *tally) error
	// stop ends the capture, and the wait of read. Another goroutine calls it.
	stop() error
	// dropped is how many frames the kernel had no room for.
	dropped() (uint64, error)
	// detail says how the frames come, in a line.
	detail() string
}

// A fielder is a receiver that reads of each frame, besides, what it is told to.
type fielder interface {
	// fields are the ways that there are.
	fields() []string
	// readFields says which; empty for none of them.
	readFields(way string)
}

// Ways to read TCP's ports and sequence number.
const (
	byViews   = "by views"
	byParser  = "by DecodingLayerParser"
	atOffsets = "at fixed offsets" // unchecked: what memory costs
)

// tally is what a receiver adds up of the frames: enough that they are looked
// at, and nothing is left out by the compiler.
type tally struct {
	Frames uint64
	Bytes  uint64
	Sum    uint64
}

// receivers are those that run in a process of this program. The benchmark
// starts one as "capture receive NAME SIZE TIMEOUT".
func receivers() map[string]func(ifi string, set settings) (receiver, error) {
	m := map[string]func(string, settings) (receiver, error){
		"ring":        ours(capture.BackendRing, 1),
		"ring/64":     ours(capture.BackendRing, batch),
		"open":        ours(capture.BackendAuto, batch),
		"messages":    ours(capture.BackendMessages, 1),
		"messages/64": ours(capture.BackendMessages, batch),
		"xdp":         ours(capture.BackendXDP, 1),
		"xdp/64":      ours(capture.BackendXDP, batch),
		"gopacket":    peer,
	}
	addRingReceiver(m)
	addXDPReceiver(m)
	return m
}

// sniffer receives by a [capture.Sniffer].
type sniffer struct {
	*capture.Sniffer
	way    string
	frames []link.Frame // that are read at once
	packet pkts.Packet
}

// ours reads one frame at a time, or up to so many.
func ours(backend capture.BackendType, many int) func(string, settings) (receiver, error) {
	return func(ifi string, set settings) (receiver, error) {
		cfg := &capture.Config{Backend: backend, BufferSize: set.size, Timeout: set.timeout}
		if backend == capture.BackendRing {
			cfg.BufferSize, cfg.Ring = 0, &capture.Ring{BlockSize: blockSize, BlockCount: set.size / blockSize}
		}
		s, err := capture.Open(ifi, cfg)
		if err != nil {
			return nil, err
		}
		return &sniffer{Sniffer: s, frames: make([]link.Frame, many)}, s.Activate(nil)
	}
}

func (s *sniffer) fields() []string { return []string{byViews, atOffsets} }

func (s *sniffer) readFields(way string) { s.way = way }

func (s *sniffer) read(n int, t *tally) error {
	loop := s.one
	if len(s.frames) > 1 {
		loop = s.many
	}
	err := loop(n, t)
	if errors.Is(err, capture.ErrNotActive) {
		return nil
	}
	return err
}

// one reads with Next.
func (s *sniffer) one(n int, t *tally) error {
	f := &s.frames[0]
	switch s.way {
	case byViews:
		for range n {
			if err := s.Next(f); err != nil {
				return err
			}
			if err := s.addViews(f, t); err != nil {
				return err
			}
		}
	case atOffsets:
		for range n {
			if err := s.Next(f); err != nil {
				return err
			}
			addOffsets(f, t)
		}
	default:
		for range n {
			if err := s.Next(f); err != nil {
				return err
			}
			t.add(len(f.Data), uint64(f.Data[12])+uint64(f.Time.Nanosecond()))
		}
	}
	return nil
}

// many reads with NextBatch.
func (s *sniffer) many(n int, t *tally) error {
	for n > 0 {
		got, err := s.NextBatch(s.frames[:min(n, len(s.frames))])
		if err != nil {
			return err
		}
		frames := s.frames[:got]
		switch s.way {
		case byViews:
			for i := range frames {
				if err := s.addViews(&frames[i], t); err != nil {
					return err
				}
			}
		case atOffsets:
			for i := range frames {
				addOffsets(&frames[i], t)
			}
		default:
			for i := range frames {
				f := &frames[i]
				t.add(len(f.Data), uint64(f.Data[12])+uint64(f.Time.Nanosecond()))
			}
		}
		n -= got
	}
	return nil
}

// addViews adds the fields as package pkts finds them.
func (s *sniffer) addViews(f *link.Frame, t *tally) error {
	p := &s.packet
	if err := p.Decode(f.Link, f.Data); err != nil {
		return err
	}
	tcp, ok := pkts.View[pkts.TCPView](p)
	if !ok {
		return errors.New("a frame without TCP")
	}
	t.add(len(f.Data), uint64(tcp.SrcPort())+uint64(tcp.DstPort())+uint64(tcp.Seq()))
	return nil
}

// addOffsets adds the fields of a frame that is known to be [tcpFrame]'s.
func addOffsets(f *link.Frame, t *tally) {
	tcp := f.Data[34:42]
	t.add(len(f.Data), uint64(binary.BigEndian.Uint16(tcp))+uint64(binary.BigEndian.Uint16(tcp[2:]))+uint64(binary.BigEndian.Uint32(tcp[4:])))
}

func (t *tally) add(n int, sum uint64) {
	t.Frames++
	t.Bytes += uint64(n)
	t.Sum += sum
}

func (s *sniffer) stop() error { return s.Deactivate() }

func (s *sniffer) dropped() (uint64, error) {
	st, err := s.Stats()
	return st.Dropped, err
}

func (s *sniffer) detail() string { return s.Backend().String() }

// tpacket receives by gopacket's afpacket.
type tpacket struct {
	*afpacket.TPacket
	way     string
	stopped atomic.Bool

	eth     layers.Ethernet
	ip      layers.IPv4
	tcp     layers.TCP
	load    gopacket.Payload
	parser  *gopacket.DecodingLayerParser
	decoded []gopacket.LayerType
}

func peer(ifi string, set settings) (receiver, error) {
	h, err := afpacket.NewTPacket(afpacket.OptInterface(ifi), afpacket.TPacketVersion3,
		afpacket.OptFrameSize(4096), afpacket.OptBlockSize(blockSize), afpacket.OptNumBlocks(set.size/blockSize),
		afpacket.OptBlockTimeout(set.timeout), afpacket.OptPollTimeout(set.late()))
	if err != nil {
		return nil, err
	}
	t := &tpacket{TPacket: h}
	t.parser = gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &t.eth, &t.ip, &t.tcp, &t.load)
	return t, h.InitSocketStats()
}

func (h *tpacket) fields() []string { return []string{byParser} }

func (h *tpacket) readFields(way string) { h.way = way }

func (h *tpacket) read(n int, t *tally) error {
	for range n {
		data, ci, err := h.ZeroCopyReadPacketData()
		for err == afpacket.ErrTimeout {
			// A wait that began after the stop has shown that nothing is left.
			last := h.stopped.Load()
			data, ci, err = h.ZeroCopyReadPacketData()
			if err == afpacket.ErrTimeout && last {
				return nil
			}
		}
		if err != nil {
			return err
		}
		if h.way == "" {
			t.add(len(data), uint64(data[12])+uint64(ci.Timestamp.Nanosecond()))
			continue
		}
		if err := h.parser.DecodeLayers(data, &h.decoded); err != nil {
			return err
		}
		t.add(len(data), uint64(h.tcp.SrcPort)+uint64(h.tcp.DstPort)+uint64(h.tcp.Seq))
	}
	return nil
}

func (h *tpacket) stop() error {
	h.stopped.Store(true)
	return nil
}

func (h *tpacket) dropped() (uint64, error) {
	_, st, err := h.SocketStats()
	return uint64(st.Drops()), err
}

func (h *tpacket) detail() string {
	return fmt.Sprintf("TPACKET_V3, blocks of %d KiB, ZeroCopyReadPacketData", blockSize>>10)
}

// answer is what the process of a receiver or a sender writes on its standard
// output, a line of JSON each time.
type answer struct {
	tally
	Detail      string
	Dropped     uint64
	Warm        uint64    // frames sent before the time began; senders only
	Nanoseconds int64     // that the loop took
	Ways        []string  // to read fields, that a walk has measured
	Stretches   []stretch // of it
	CPU         int64     // of them on the processor; senders only
	Mallocs     uint64
	Error       string
	Unsupported bool
}

func say(a answer, err error) {
	if err != nil {
		a.Error, a.Unsupported = err.Error(), errors.Is(err, errors.ErrUnsupported)
	}
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		os.Exit(1) // nobody listens
	}
}

// receiveMain is the process of a receiver: "receive NAME SIZE TIMEOUT". It answers
// when it is ready, and then obeys a line each on its standard input:
//
//	read      read until the line stop, and whatever is left then
//	walk N    read N frames that are there already, in stretches
//	fields N  the same, and the fields as well in some of them
func receiveMain(args []string) {
	open, ok := receivers()[args[0]]
	var set settings
	switch err := set.parse(args[1:]); {
	case err != nil:
		say(answer{}, err)
		return
	case !ok:
		say(answer{}, fmt.Errorf("%w: not in this version", errors.ErrUnsupported))
		return
	}
	r, err := open(near, set)
	if err != nil {
		say(answer{}, err)
		return
	}
	say(answer{Detail: r.detail()}, nil)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		if command, arg, _ := strings.Cut(in.Text(), " "); command != "read" {
			n, err := strconv.Atoi(arg)
			if err != nil {
				say(answer{}, err)
				return
			}
			ways := []string{""}
			if f, ok := r.(fielder); ok && command == "fields" {
				ways = append(ways, f.fields()...)
			}
			late := time.AfterFunc(5*time.Second, func() { _ = r.stop() }) // what lacks then is an error
			a, err := timed(r, n, ways)
			late.Stop()
			if err == nil && a.Frames < uint64(n) {
				err = fmt.Errorf("only %d of %d frames are there", a.Frames, n)
			}
			say(a, err)
			continue
		}
		stopped := make(chan error, 1)
		go func() {
			in.Scan()
			stopped <- r.stop()
		}()
		a, err := timed(r, math.MaxInt, nil)
		if err == nil {
			err = <-stopped
		}
		say(a, err)
	}
}

// timed reads n frames, with ways in stretches.
func timed(r receiver, n int, ways []string) (answer, error) {
	a := answer{Ways: ways}
	if ways != nil {
		a.Stretches = make([]stretch, n/stretchLen/len(ways))
		for i := range a.Stretches {
			a.Stretches[i] = make(stretch, len(ways))
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	var err error
	if ways == nil {
		err = r.read(n, &a.tally)
	} else {
		err = readStretches(r, ways, a.Stretches, &a.tally)
	}
	a.Nanoseconds = time.Since(start).Nanoseconds()
	runtime.ReadMemStats(&after)
	a.Mallocs = after.Mallocs - before.Mallocs
	if err == nil {
		a.Dropped, err = r.dropped()
	}
	return a, err
}

// stretchLen is how many frames are read between two looks at the clock: so few
// that most stretches are over before anything interrupts them, and many enough
// for the clock not to matter.
const stretchLen = 256

// stretch is what reading so many frames takes, in nanoseconds, with each of the
// ways to read fields.
type stretch []int64

// readStretches reads the frames of all stretches. The ways take turns, and in
// going first: what other jobs do to the caches, and which speed the processor
// has, hits all of them alike.
func readStretches(r receiver, ways []string, parts []stretch, t *tally) error {
	f, _ := r.(fielder)
	for i, part := range parts {
		for j := range ways {
			at := (i + j) % len(ways)
			if f != nil {
				f.readFields(ways[at])
			}
			start := time.Now()
			if err := r.read(stretchLen, t); err != nil {
				return err
			}
			part[at] = time.Since(start).Nanoseconds()
		}
	}
	return nil
}
