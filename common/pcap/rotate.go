package pcap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gopkts/gopkts/common/link"
)

// RotateConfig says when a [Rotator] begins a new file, and how it names it. A
// limit of 0 is none; several limits work together.
type RotateConfig struct {
	// Writer is the configuration of every file. Each pcapng file gets the
	// section header and all interfaces described so far, so that it can be
	// read alone.
	Writer WriterConfig

	// MaxBytes is the greatest length of a file; a frame that would exceed it
	// goes to the next. A file has at least one frame, and may exceed the limit
	// by the description of an interface that comes up with its last one.
	MaxBytes int64
	// MaxFrames is the greatest number of frames in a file.
	MaxFrames int64
	// Interval is how long a file is written, by the times of the frames. With
	// Align, files end on multiples of Interval in UTC (on the hour for an
	// hour); without, Interval after their first frame. Frames that come with
	// an earlier time than the file's begin stay in the file.
	Interval time.Duration
	Align    bool

	// MaxFiles is the greatest number of files to keep: before one more is
	// begun, the oldest that this Rotator wrote is removed.
	MaxFiles int

	// Pattern is the name of the files, relative to the directory. "{seq}"
	// stands for the number of the file with five digits, from 00001, and
	// "{time}" for the UTC time of its first frame as 20060102T150405Z. The
	// default is "capture_{seq}_{time}" with the format's usual extension.
	Pattern string
	// Name replaces Pattern.
	Name func(seq int, start time.Time) string
	// Overwrite lets a file of the same name be replaced; otherwise that is an
	// error which is [os.ErrExist].
	Overwrite bool
	// Atomic writes each file under its name with ".part" behind it and renames
	// it when it is complete.
	Atomic bool

	// OnFile is called after a file was closed, the last one included. Its
	// error is returned by the call that ended the file, and ends the Rotator.
	OnFile func(RotatedFile) error
}

// RotatedFile is a file that a [Rotator] has completed.
type RotatedFile struct {
	Name   string // relative to the directory
	Seq    int    // from 1
	Frames int64
	Bytes  int64
	// Start and End are the times of the first and the last frame.
	Start, End time.Time
}

// Rotator writes frames to a succession of files in one directory. It is for
// one goroutine at a time.
type Rotator struct {
	cfg     RotateConfig
	root    *os.Root
	ownRoot bool
	ifaces  []describedInterface
	w       *Writer
	file    *os.File
	current RotatedFile
	until   time.Time // begin of the next interval
	seq     int
	kept    []string // ring of names, the oldest at oldest
	oldest  int
	err     error
}

type describedInterface struct {
	index int
	iface Interface
}

// NewRotator returns a Rotator that writes into root, and cannot write outside
// of it whatever the names are. The first file is created with the first frame.
func NewRotator(root *os.Root, cfg RotateConfig) (*Rotator, error) {
	switch {
	case cfg.MaxBytes < 0, cfg.MaxFrames < 0, cfg.Interval < 0, cfg.MaxFiles < 0:
		return nil, errors.New("pcap: a negative limit in RotateConfig")
	case cfg.Align && cfg.Interval == 0:
		return nil, errors.New("pcap: RotateConfig.Align needs an Interval")
	}
	// A configuration that no file can be written with is refused now.
	if _, err := NewWriter(discard{}, cfg.Writer); err != nil {
		return nil, err
	}
	return &Rotator{cfg: cfg, root: root}, nil
}

// CreateRotator is NewRotator for a directory by name, which has to exist.
func CreateRotator(dir string, cfg RotateConfig) (*Rotator, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	r, err := NewRotator(root, cfg)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	r.ownRoot = true
	return r, nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// AddInterface describes an interface in the current file and all later ones,
// as [Writer.AddInterface] does.
func (r *Rotator) AddInterface(index int, iface Interface) error {
	if r.w != nil {
		if err := r.w.AddInterface(index, iface); err != nil {
			return err
		}
	} else if f := r.cfg.Writer.Format; f != FormatPcapng && f != FormatUnknown {
		return unsupported("pcap: interface descriptions in the format %s", f)
	}
	r.ifaces = append(r.ifaces, describedInterface{index, iface})
	return nil
}

// WriteFrame writes a frame to the current file, or to a new one if the frame
// does not fit any more. Errors are those of [Writer.WriteFrame] and of the file
// system.
func (r *Rotator) WriteFrame(f *link.Frame) error { return r.WritePacket(f, nil) }

// WritePacket is WriteFrame with options, as [Writer.WritePacket].
func (r *Rotator) WritePacket(f *link.Frame, opts PacketOptions) error {
	if r.err != nil {
		return r.err
	}
	if r.w != nil && r.due(f, opts) {
		if err := r.finish(); err != nil {
			return err
		}
	}
	if r.w == nil {
		if err := r.begin(f.Time); err != nil {
			return err
		}
	}
	if err := r.w.WritePacket(f, opts); err != nil {
		return err
	}
	if r.current.Frames == 0 {
		r.current.Start = f.Time
	}
	r.current.Frames++
	r.current.End = f.Time
	return nil
}

// WriteBlock writes a block that is no frame to the current pcapng file, or to
// a first one.
func (r *Rotator) WriteBlock(blk Block) error {
	if r.err != nil {
		return r.err
	}
	if r.w == nil {
		if err := r.begin(time.Time{}); err != nil {
			return err
		}
	}
	return r.w.WriteBlock(blk)
}

// InterfaceID is [Writer.InterfaceID] for the current file. There is none before
// the first frame and between two files.
func (r *Rotator) InterfaceID(index int, t link.Type) (id uint32, ok bool) {
	if r.w == nil {
		return 0, false
	}
	return r.w.InterfaceID(index, t)
}

// due reports whether the frame belongs to a new file.
func (r *Rotator) due(f *link.Frame, opts PacketOptions) bool {
	if r.current.Frames == 0 {
		return false
	}
	// An enhanced packet block with a direction and a VLAN tag put back has at
	// most this around the data.
	size := int64(len(f.Data)) + 52 + 3
	for _, opt := range opts {
		size += 4 + int64(len(opt.Value)) + 3
	}
	switch {
	case r.cfg.MaxFrames > 0 && r.current.Frames >= r.cfg.MaxFrames:
		return true
	case r.cfg.MaxBytes > 0 && r.w.Bytes()+size > r.cfg.MaxBytes:
		return true
	}
	return !r.until.IsZero() && !f.Time.Before(r.until)
}

// RotateIfDue ends the current file if its interval is over at the time now.
// A live capture calls it when no frames come.
func (r *Rotator) RotateIfDue(now time.Time) error {
	if r.err != nil || r.w == nil || r.until.IsZero() || now.Before(r.until) {
		return r.err
	}
	return r.finish()
}

// Rotate ends the current file. The next frame begins a new one.
func (r *Rotator) Rotate() error {
	if r.err != nil || r.w == nil {
		return r.err
	}
	return r.finish()
}

// name returns the name of the next file.
func (r *Rotator) name(start time.Time) string {
	if r.cfg.Name != nil {
		return r.cfg.Name(r.seq, start)
	}
	pattern := r.cfg.Pattern
	if pattern == "" {
		pattern = "capture_{seq}_{time}.pcapng"
		if f := r.cfg.Writer.Format; f == FormatPcap || f == FormatPcapNano {
			pattern = "capture_{seq}_{time}.pcap"
		}
	}
	return strings.NewReplacer(
		"{seq}", fmt.Sprintf("%05d", r.seq),
		"{time}", start.UTC().Format("20060102T150405Z"),
	).Replace(pattern)
}

const partSuffix = ".part"

// begin creates the next file, for a first frame of the time start.
func (r *Rotator) begin(start time.Time) error {
	if r.cfg.MaxFiles > 0 && len(r.kept) == r.cfg.MaxFiles {
		if err := r.root.Remove(r.kept[r.oldest]); err != nil && !errors.Is(err, os.ErrNotExist) {
			return r.fail(err)
		}
		r.kept[r.oldest] = "" // gone, whatever becomes of the new one
	}
	r.seq++
	if start.IsZero() {
		start = time.Now()
	}
	name := r.name(start)
	flags := os.O_WRONLY | os.O_CREATE
	if r.cfg.Overwrite {
		flags |= os.O_TRUNC
	} else {
		flags |= os.O_EXCL
	}
	path := name
	if r.cfg.Atomic {
		// The name itself is looked at too: a rename would replace it.
		if _, err := r.root.Lstat(name); err == nil && !r.cfg.Overwrite {
			return r.fail(&os.PathError{Op: "open", Path: name, Err: os.ErrExist})
		}
		path += partSuffix
	}
	file, err := r.root.OpenFile(path, flags, 0o666)
	if err != nil {
		return r.fail(err)
	}
	w, err := NewWriter(file, r.cfg.Writer)
	for i := range r.ifaces {
		if err == nil {
			err = w.AddInterface(r.ifaces[i].index, r.ifaces[i].iface)
		}
	}
	if err != nil {
		return r.fail(errors.Join(err, file.Close()))
	}
	r.w, r.file = w, file
	r.current = RotatedFile{Name: filepath.ToSlash(name), Seq: r.seq, Start: start, End: start}
	r.until = time.Time{}
	if r.cfg.Interval > 0 {
		if r.cfg.Align {
			r.until = start.Truncate(r.cfg.Interval).Add(r.cfg.Interval)
		} else {
			r.until = start.Add(r.cfg.Interval)
		}
	}
	return nil
}

// finish closes the current file and tells about it.
func (r *Rotator) finish() error {
	err := r.w.Close()
	r.current.Bytes = r.w.Bytes()
	err = errors.Join(err, r.file.Close())
	r.w, r.file = nil, nil
	if err == nil && r.cfg.Atomic {
		err = r.root.Rename(r.current.Name+partSuffix, r.current.Name)
	}
	if err != nil {
		return r.fail(err)
	}
	r.keep(r.current.Name)
	if r.cfg.OnFile != nil {
		if err := r.cfg.OnFile(r.current); err != nil {
			return r.fail(err)
		}
	}
	return nil
}

// keep remembers a name for the ring.
func (r *Rotator) keep(name string) {
	switch {
	case r.cfg.MaxFiles == 0:
	case len(r.kept) < r.cfg.MaxFiles:
		r.kept = append(r.kept, name)
	default:
		r.kept[r.oldest] = name
		r.oldest = (r.oldest + 1) % len(r.kept)
	}
}

func (r *Rotator) fail(err error) error {
	r.err = err
	return err
}

// Flush hands everything written so far to the current file.
func (r *Rotator) Flush() error {
	if r.err != nil || r.w == nil {
		return r.err
	}
	return r.w.Flush()
}

// Close ends the current file. It does not close a root that was given to
// [NewRotator].
func (r *Rotator) Close() error {
	var err error
	switch {
	case r.err != nil && r.file != nil:
		err = r.file.Close()
	case r.w != nil && r.err == nil:
		err = r.finish()
	}
	r.w, r.file = nil, nil
	if r.err == nil {
		r.err = os.ErrClosed
	}
	if r.ownRoot {
		err = errors.Join(err, r.root.Close())
		r.ownRoot = false
	}
	return err
}
