package sequence

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/gopkts/gopkts/pkts/sctp"
)

// sctpBench puts DATA chunks of 1,000 bytes, or of as many as given, with the
// TSNs that tsn maps the numbers from 0 to. Each is a message of its own unless
// flags say otherwise.
func sctpBench(b *testing.B, size int, flags func(n uint32) sctp.DataFlags, tsn func(n uint32) uint32) {
	s := SCTP{}
	for _, d := range opened(0) {
		if err := s.Put(d); err != nil {
			b.Fatal(err)
		}
	}
	d := sctpA.packet(5, dataChunk(flagW, 0, 1, 0, string(bytes.Repeat([]byte("x"), size))))
	v := sctp.DataView(d.Data[20+sctp.HeaderLen:])
	ack := sctpB.packet(6, sackChunk(0))
	a := sctp.SackView(ack.Data[20+sctp.HeaderLen:])
	b.SetBytes(int64(size))
	b.ReportAllocs()
	n := uint32(0)
	for b.Loop() {
		t := tsn(n)
		v.SetTSN(t)
		v.SetSSN(uint16(t))
		v.SetFlags(flags(t))
		if _, _, err := s.PutGet(d); err != nil {
			b.Fatal(err)
		}
		for _, ok := s.Get(); ok; _, ok = s.Get() {
		}
		if n++; n%32 == 0 { // the receiver is behind by 64,000 at most
			a.SetCumTSN(n - min(n, 64_000) - 1)
			if err := s.Put(ack); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func whole(uint32) sctp.DataFlags { return flagW }

func inOrder(n uint32) uint32 { return n }

func BenchmarkSCTP(b *testing.B) {
	for _, size := range []int{1000, 1} {
		name := map[int]string{1000: "1000 bytes", 1: "1 byte"}[size]
		b.Run("in order/"+name, func(b *testing.B) { sctpBench(b, size, whole, inOrder) })
		b.Run("5 fragments/"+name, func(b *testing.B) {
			sctpBench(b, size, func(n uint32) sctp.DataFlags {
				var f sctp.DataFlags
				if n%5 == 0 {
					f = flagB
				}
				if n%5 == 4 {
					f |= flagE
				}
				return f
			}, inOrder)
		})
		b.Run("exchanged/"+name, func(b *testing.B) { sctpBench(b, size, whole, func(n uint32) uint32 { return n ^ 1 }) })
		// What who wants to do harm would send.
		b.Run("rows of 4096 in reverse/"+name, func(b *testing.B) { sctpBench(b, size, whole, func(n uint32) uint32 { return n ^ 4095 }) })
		b.Run("fragments in reverse/"+name, func(b *testing.B) {
			sctpBench(b, size, func(n uint32) sctp.DataFlags {
				var f sctp.DataFlags
				if n%4096 == 0 {
					f = flagB
				}
				if n%4096 == 4095 {
					f |= flagE
				}
				return f
			}, func(n uint32) uint32 { return n ^ 4095 })
		})
		b.Run("every second one never comes/"+name, func(b *testing.B) { sctpBench(b, size, whole, func(n uint32) uint32 { return 2 * n }) })
		b.Run("fragments without end, shuffled/"+name, func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			order := rng.Perm(4096)
			sctpBench(b, size, func(uint32) sctp.DataFlags { return 0 }, func(n uint32) uint32 { return n&^4095 + uint32(order[n&4095]) })
		})
	}
	b.Run("many associations", func(b *testing.B) {
		s := SCTP{}
		d := sctpA.packet(5, dataChunk(flagW, 0, 1, 0, "x"))
		b.ReportAllocs()
		n := uint32(0)
		for b.Loop() {
			binary.BigEndian.PutUint32(d.Data[12:], n) // the source address
			sctp.HeaderView(d.Data[20:]).SetVerificationTag(n)
			if _, _, err := s.PutGet(d); err != nil {
				b.Fatal(err)
			}
			n++
		}
	})
}
