package cli

import (
	"errors"
	"fmt"
	"os"
)

// placedFile is a file into which data is put at its place. What lies between
// stays a hole, which reads as zeros.
type placedFile struct {
	f   *os.File
	win window
	end int64 // behind the last byte
	// plain says that there is no mapping here: every piece is written.
	plain bool
}

// window is the part of a file that is mapped.
type window struct {
	mem   []byte
	start int64
	ready [windowLen / extentLen]bool // extents that have room on the disk
}

const (
	// windowLen is how much of the file is mapped at a time.
	windowLen = 16 << 20
	// extentLen is how much room on the disk is asked for at a time. The file
	// ends at a multiple of it until it is closed.
	extentLen = 64 << 10
)

// createPlaced makes a file, or empties one, unless it is the one that is read,
// which input describes, if it is known.
func createPlaced(name string, input os.FileInfo) (*placedFile, error) {
	if input != nil {
		if out, err := os.Stat(name); err == nil && os.SameFile(input, out) {
			return nil, fmt.Errorf("%s is the file that is read: name another one", name)
		}
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return nil, err
	}
	return &placedFile{f: f}, nil
}

// put puts data at an offset.
func (p *placedFile) put(data []byte, off int64) error {
	p.end = max(p.end, off+int64(len(data)))
	for len(data) > 0 {
		if p.plain {
			_, err := p.f.WriteAt(data, off)
			return err
		}
		n, err := p.copy(data, off)
		if errors.Is(err, errors.ErrUnsupported) {
			p.plain = true
			if err := p.unmap(); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		data = data[n:]
		off += int64(n)
	}
	return nil
}

// copy copies data to its place in memory, up to the end of an extent.
func (p *placedFile) copy(data []byte, off int64) (int, error) {
	w := &p.win
	if w.mem == nil || off < w.start || off >= w.start+windowLen {
		if err := p.unmap(); err != nil {
			return 0, err
		}
		start := off / windowLen * windowLen
		mem, err := mapFile(p.f, start, windowLen)
		if err != nil {
			return 0, err
		}
		*w = window{mem: mem, start: start}
	}
	i := (off - w.start) / extentLen
	if !w.ready[i] {
		// Without room, touching the memory would end the program.
		if err := reserve(p.f, w.start+i*extentLen, extentLen); err != nil {
			return 0, err
		}
		w.ready[i] = true
	}
	at := off - w.start
	return copy(w.mem[at:(i+1)*extentLen], data), nil
}

func (p *placedFile) unmap() error {
	if p.win.mem == nil {
		return nil
	}
	mem := p.win.mem
	p.win.mem = nil
	return unmapFile(mem)
}

// close gives the file its length.
func (p *placedFile) close() error {
	err := p.unmap()
	if err == nil {
		err = p.f.Truncate(p.end)
	}
	return errors.Join(err, p.f.Close())
}
