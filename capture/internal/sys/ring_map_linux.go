package sys

import (
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A mapping is memory shared with the kernel. A mapping keeps its socket alive
// in the kernel, bound, promiscuous and capturing, long after the descriptor
// was closed: so it has to go at once when the socket is closed, even though
// somebody may be looking at a part of it. detach is for that.
type mapping struct {
	mu   sync.Mutex
	base unsafe.Pointer
	live []span // the parts that are mapped, disjoint, in no order
}

// A span is bytes [from, to) of a mapping.
type span struct{ from, to int }

// empty reports whether there is nothing in s.
func (s span) empty() bool { return s.from >= s.to }

// pages returns s with its bounds moved outward to those of pages.
func (s span) pages() span {
	page := os.Getpagesize()
	return span{s.from &^ (page - 1), (s.to + page - 1) &^ (page - 1)}
}

// newMapping maps the first length bytes of a packet socket's rings.
func newMapping(fd, length int) (*mapping, error) {
	base, err := unix.MmapPtr(fd, 0, nil, uintptr(length), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return mapped(base, uintptr(length)), nil
}

// mapped returns the mapping of length bytes at base.
func mapped(base unsafe.Pointer, length uintptr) *mapping {
	return &mapping{base: base, live: []span{{0, int(length)}}}
}

// bytes returns the memory. Nothing but the owner's care keeps it mapped.
func (m *mapping) bytes() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.live) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(m.base), m.live[0].to)
}

// unmap gives everything back that is still mapped.
func (m *mapping) unmap() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.live {
		m.drop(s)
	}
	m.live = nil
}

// drop unmaps s. The mutex is held.
func (m *mapping) drop(s span) {
	if !s.empty() {
		// It can only fail for a range that is none.
		_ = unix.MunmapPtr(unsafe.Add(m.base, s.from), uintptr(s.to-s.from))
	}
}

// A keep is a part of a mapping that outlives it.
type keep struct {
	span         // stays readable and writable
	content span // the part of it that also keeps its content; the rest reads as 0
}

// detach takes the mapping away from the kernel. The parts in keeps, which
// must be in ascending order and have no page in common, stay at their
// addresses as private memory. Whoever reads there meanwhile sees the old pages
// or the new ones, and both hold the same; what is written there meanwhile may
// be lost.
func (m *mapping) detach(keeps []keep) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.live) != 1 {
		return nil // done before
	}
	all := m.live[0]
	var kept []span
	for _, k := range keeps {
		s := k.pages()
		if err := m.replace(s, k.content.pages()); err != nil {
			// Unmapping under a reader would be worse than a socket that lives
			// until the ring is collected.
			return err
		}
		kept = append(kept, s)
	}
	m.live = m.live[:0]
	at := all.from
	for _, s := range kept {
		m.drop(span{at, s.from})
		m.live = append(m.live, s)
		at = s.to
	}
	m.drop(span{at, all.to})
	return nil
}

// replace puts private memory in the place of s, with the content of content.
func (m *mapping) replace(s, content span) error {
	size := uintptr(s.to - s.from)
	spare, err := unix.MmapPtr(-1, 0, nil, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	if !content.empty() {
		n := content.to - content.from
		copy(unsafe.Slice((*byte)(unsafe.Add(spare, content.from-s.from)), n),
			unsafe.Slice((*byte)(unsafe.Add(m.base, content.from)), n))
	}
	// Moving pages onto others replaces them in one step.
	if _, err := unix.MremapPtr(spare, size, unsafe.Add(m.base, s.from), size, unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED); err != nil {
		_ = unix.MunmapPtr(spare, size)
		return os.NewSyscallError("mremap", err)
	}
	return nil
}
