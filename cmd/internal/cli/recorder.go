package cli

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

// recorder carries frames from the interfaces to the output. A goroutine for
// each interface copies what its Sniffer has into chunks, and one goroutine
// puts out whole chunks: between them there is one hand-over for many frames.
//
// Where all that the output does is to write one file, the chunks hold what goes
// into the file: each frame is encoded where it is read, from memory that is in
// the processor's cache, and copied once. Otherwise they hold frames.
//
// The memory for chunks is limited. When the output is so slow that all of it is
// full, a recorder that stores packets goes on reading and counts what it has no
// room for; one that prints leaves them in the kernel's buffer, where they are
// counted when that is full.
type recorder struct {
	app     *app
	out     *output
	sources []*source
	lossy   bool // loses frames rather than let the kernel wait
	eager   bool // hands over every frame as soon as the output is idle

	stream io.Writer   // where encoded chunks go; nil when chunks hold frames
	full   chan *chunk // to the output
	free   chan *chunk // from the output
	made   atomic.Int64
	limit  int64 // of made

	ended   atomic.Bool // nothing more is put out
	written atomic.Int64
	failed  atomic.Bool // an interface failed, and it was reported
}

// source is an interface that is recorded.
type source struct {
	s     *capture.Sniffer
	name  string
	index int            // in the output
	only  filter.Program // which every frame has to pass as well, or nil
	match *filter.Filter // of what the kernel does not filter, or nil

	enc  *pcap.Writer // encodes for the recorder's stream
	sink sink         // takes what enc writes that is no frame

	// What was read so far, and what there was no room for, as of the last
	// hand-over.
	packets, bytes, lost atomic.Uint64
}

// chunk is a number of frames with their bytes, or a piece of a file.
type chunk struct {
	frames  []link.Frame
	data    []byte
	encoded int // frames in a piece of a file
}

func (c *chunk) reset() { c.frames, c.data, c.encoded = c.frames[:0], c.data[:0], 0 }

// sink takes what an encoder writes into a chunk.
type sink struct{ c *chunk }

func (s *sink) Write(b []byte) (int, error) {
	s.c.data = append(s.c.data, b...)
	return len(b), nil
}

// Sizes of a chunk. A frame that is longer makes its data grow.
const (
	chunkData   = 512 << 10
	chunkFrames = 2048
	frameSize   = 112 // of link.Frame in memory, roughly
	// encodedRoom is more than a file takes for a frame besides its bytes.
	encodedRoom = 256
	// defaultMemory is how much chunks may take altogether when nobody says.
	defaultMemory = 64 << 20
)

// newRecorder returns a recorder whose chunks take about so many bytes.
func newRecorder(a *app, out *output, sources []*source, memory, snapLen int) *recorder {
	r := &recorder{app: a, out: out, sources: sources}
	size := max(chunkData, snapLen)
	if sources[0].enc != nil {
		r.stream = out.stream
	} else {
		size += chunkFrames * frameSize
	}
	// Each source fills one chunk while the output empties another.
	r.limit = max(int64(memory/size), int64(len(sources)+1))
	r.full = make(chan *chunk, r.limit)
	r.free = make(chan *chunk, r.limit)
	return r
}

// run records until every source has ended or the output has enough, and calls
// stop in the second case. It returns the first error.
func (r *recorder) run(stop func()) error {
	errs := make([]error, len(r.sources))
	var readers sync.WaitGroup
	for i, src := range r.sources {
		readers.Go(func() {
			err := r.read(src)
			if err == nil {
				return
			}
			if len(r.sources) == 1 {
				errs[i] = err
				return
			}
			// The others go on.
			r.app.warn(err)
			r.failed.Store(true)
		})
	}
	go func() {
		readers.Wait()
		close(r.full)
	}()
	err := r.write(stop)
	for _, e := range errs {
		if err == nil {
			err = e
		}
	}
	return err
}

// read carries the frames of one source into chunks.
func (r *recorder) read(src *source) error {
	var frames [readFrames]link.Frame
	in := intake{r: r, src: src}
	defer in.handOver()
	for !r.ended.Load() {
		n, err := src.s.NextBatch(frames[:])
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			in.handOver()
			in.waiting = false
			if err := src.s.SetReadDeadline(time.Time{}); err != nil {
				return err
			}
			continue
		case errors.Is(err, capture.ErrNotActive):
			return nil
		case errors.Is(err, capture.ErrInterfaceDown):
			// It may come back.
			r.app.warn(err)
			continue
		default:
			return err
		}
		if err := in.put(frames[:n]); err != nil {
			return err
		}
	}
	return nil
}

// intake is what a source's goroutine has.
type intake struct {
	r       *recorder
	src     *source
	c       *chunk // that is being filled, or nil
	waiting bool   // the deadline is set because something waits
	lossMet bool   // frames before the next one were lost

	packets, bytes, lost uint64
}

// handOver hands the chunk over, and says how many frames there were.
func (in *intake) handOver() {
	in.src.packets.Store(in.packets)
	in.src.bytes.Store(in.bytes)
	in.src.lost.Store(in.lost)
	if in.c != nil && len(in.c.data)+len(in.c.frames) > 0 {
		in.r.full <- in.c // has room for all that there are
		in.c = nil
	}
}

// put puts frames into chunks.
func (in *intake) put(frames []link.Frame) error {
	src, n := in.src, 0
	for i := range frames {
		f := &frames[i]
		if src.match != nil && !src.match.MatchFrame(f) {
			continue
		}
		in.bytes += uint64(f.WireLen)
		f.Interface = src.index
		if n < i {
			frames[n] = *f
		}
		n++
	}
	if n == 0 {
		return nil
	}
	frames = frames[:n]
	in.packets += uint64(n)
	if !in.waiting {
		in.waiting = true
		if err := src.s.SetReadDeadline(time.Now().Add(flushAfter)); err != nil {
			return err
		}
	}
	if src.enc != nil {
		return in.encode(frames)
	}
	for i := range frames {
		in.copy(&frames[i])
	}
	return nil
}

// encode puts frames into pieces of a file.
func (in *intake) encode(frames []link.Frame) error {
	for len(frames) > 0 {
		if !in.room(len(frames[0].Data)) {
			in.lost += uint64(len(frames))
			return nil
		}
		data, n, err := in.src.enc.AppendFrames(in.c.data, frames)
		in.c.data = data
		in.c.encoded += n
		if err != nil {
			return err
		}
		frames = frames[n:]
	}
	return nil
}

// copy puts a frame into a chunk of frames.
func (in *intake) copy(f *link.Frame) {
	if !in.room(len(f.Data)) {
		in.lost++
		in.lossMet = true
		return
	}
	if in.lossMet {
		f.Flags |= link.InfoLossBefore
		in.lossMet = false
	}
	in.c.add(f)
	if in.r.eager && len(in.r.full) == 0 {
		in.handOver()
	}
}

// room makes sure that there is a chunk with room for a frame of n bytes. It
// reports false when all are full and the frame must be lost.
func (in *intake) room(n int) bool {
	if in.c != nil && !in.c.fits(n) {
		in.handOver()
	}
	if in.c == nil {
		in.c = in.r.take()
	}
	return in.c != nil
}

// readFrames is how many frames are read at once.
const readFrames = 64

// flushAfter is how long a packet may wait for more of them before it is put
// out.
const flushAfter = 100 * time.Millisecond

// take returns an empty chunk, or nil when all are full and a frame must be
// lost.
func (r *recorder) take() *chunk {
	select {
	case c := <-r.free:
		return c
	default:
	}
	if r.made.Load() < r.limit {
		if r.made.Add(1) <= r.limit {
			c := &chunk{data: make([]byte, 0, chunkData)}
			if r.stream == nil {
				c.frames = make([]link.Frame, 0, chunkFrames)
			}
			return c
		}
		r.made.Add(-1)
	}
	if r.lossy {
		return nil
	}
	return <-r.free // the output gives every chunk back
}

// fits reports whether there is room for a frame of n bytes. In an empty chunk,
// there is.
func (c *chunk) fits(n int) bool {
	room := cap(c.data) - len(c.data)
	if c.encoded > 0 {
		return n <= room-encodedRoom
	}
	return len(c.frames) == 0 || len(c.frames) < cap(c.frames) && n <= room
}

// add copies a frame.
func (c *chunk) add(f *link.Frame) {
	at := len(c.data)
	c.data = append(c.data, f.Data...)
	c.frames = append(c.frames, *f)
	c.frames[len(c.frames)-1].Data = c.data[at:len(c.data):len(c.data)]
}

// write puts out chunks until there are no more. After an error, or when there
// is enough, it calls stop and lets the rest go.
func (r *recorder) write(stop func()) error {
	var tick <-chan time.Time
	if r.out.rotates() {
		t := time.NewTicker(rotateCheck)
		defer t.Stop()
		tick = t.C
	}
	var err error
	end := func() {
		if !r.ended.Swap(true) {
			stop()
		}
	}
	for {
		select {
		case c, ok := <-r.full:
			if !ok {
				return err
			}
			if !r.ended.Load() {
				if err = r.putOut(c); err != nil || r.out.full() {
					end()
				}
			}
			c.reset()
			r.free <- c
		case now := <-tick:
			if err == nil {
				if err = r.out.rotateIfDue(now); err != nil {
					end()
				}
			}
		}
	}
}

// rotateCheck is how often a file is looked at that gets no packets and may
// have to end.
const rotateCheck = 250 * time.Millisecond

// putOut puts out a chunk, and flushes when there is no other one.
func (r *recorder) putOut(c *chunk) error {
	if r.stream != nil {
		if _, err := r.stream.Write(c.data); err != nil {
			return err
		}
		r.out.n += c.encoded
		r.written.Store(int64(r.out.n))
		return nil
	}
	for i := range c.frames {
		if r.out.full() {
			break
		}
		if err := r.out.frame(&c.frames[i], nil); err != nil {
			return err
		}
	}
	r.written.Store(int64(r.out.n))
	if len(r.full) > 0 {
		return nil
	}
	if err := r.out.flush(); err != nil || r.out.file == nil {
		return err
	}
	return r.out.file.Flush()
}

// lost returns how many packets there was no room for.
func (r *recorder) lost() (n uint64) {
	for _, s := range r.sources {
		n += s.lost.Load()
	}
	return n
}
