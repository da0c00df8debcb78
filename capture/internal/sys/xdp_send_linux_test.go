package sys

import (
	"encoding/binary"
	"testing"
	"unsafe"
)

// ringInMemory is a ring that no kernel has.
func ringInMemory(size uint32, entry uintptr) xskRing {
	words := make([]uint64, uintptr(size)*entry/8)
	return xskRing{prod: new(uint32), cons: new(uint32), flags: new(uint32), entries: unsafe.Pointer(&words[0]), size: size}
}

// FuzzTxChunks sends from chunks in memory, and plays the kernel that gives them
// back, in any order, some of them never, and with addresses that are none.
func FuzzTxChunks(f *testing.F) {
	f.Add([]byte{0, 8, 1, 8, 0, 4, 1, 2, 0, 3, 1, 5})
	f.Add([]byte{0, 5, 1, 1, 2, 0, 0, 7, 3, 2, 1, 9, 4, 3, 0, 16, 1, 16})
	f.Fuzz(func(t *testing.T, in []byte) {
		const chunks, size, first = 16, 2048, 3 * 2048
		x := &XDP{mem: &umem{data: make([]byte, (3+chunks)*size)}}
		q := &xskQueue{chunk: size, tx: ringInMemory(chunks, 16), comp: ringInMemory(chunks, 8)}
		q.out.init(first, size, chunks)
		kernel := map[uint64]bool{} // what it has: by address, whether it will come back
		at := uint32(0)
		for ; len(in) >= 2; in = in[2:] {
			switch n := int(in[1]); in[0] % 5 {
			case 0: // send
				q.reap()
				var frames [][]byte
				for i := range n % 20 {
					frames = append(frames, binary.NativeEndian.AppendUint32(make([]byte, 0, 3*size), at+uint32(i))[:60+n*size/100])
				}
				room := min(q.out.idle, int(q.tx.size-(at-*q.tx.cons)))
				sent, used := x.fill(q, at, room, frames)
				if sent < len(frames) && used+q.out.pieces(frames[sent]) <= room || used > room {
					t.Fatalf("%d frames, %d chunks of %d: %d frames were to be sent", sent, used, room, len(frames))
				}
				for i := range used {
					addr := q.tx.desc(at + uint32(i)).Addr
					if _, has := kernel[addr]; has || addr%size != 0 || addr < first || addr >= first+chunks*size {
						t.Fatalf("chunk %#x is sent while it is not idle", addr)
					}
					kernel[addr] = true
				}
				at += uint32(used)
				*q.tx.prod, *q.tx.cons = at, at
			case 1: // give back
				for addr := range kernel {
					if n--; n >= 0 && kernel[addr] && *q.comp.prod-*q.comp.cons < chunks {
						*q.comp.addr(*q.comp.prod) = addr + uint64(n)%size // anywhere in it
						*q.comp.prod++
						delete(kernel, addr)
					}
				}
			case 2: // give back what was never sent
				if *q.comp.prod-*q.comp.cons < chunks {
					*q.comp.addr(*q.comp.prod) = uint64(n) << 40
					*q.comp.prod++
					q.out.look() // or else it would count
				}
			case 3: // send some, which are cancelled before the kernel has seen them
				q.reap()
				if q.out.idle == 0 || len(q.out.cancelled) > 0 {
					continue
				}
				x.fill(q, at, 1, [][]byte{make([]byte, 60)})
				if err := x.cancel(q, at, at+1, nil); err != nil {
					t.Fatal(err)
				}
				at++
				*q.tx.prod = at
			case 4: // it leaves them out
				*q.tx.cons = at
			}
		}
		// When all is back, all are idle, each of them once.
		*q.tx.cons = at
		q.reap()
		for addr := range kernel {
			*q.comp.addr(*q.comp.prod) = addr
			*q.comp.prod++
		}
		q.reap()
		idle := map[uint64]bool{}
		for _, addr := range q.out.addrs[:q.out.idle] {
			idle[addr] = true
		}
		if len(idle) != chunks || q.out.idle != chunks {
			t.Fatalf("%d of %d chunks are idle at the end, %d of them different", q.out.idle, chunks, len(idle))
		}
	})
}
