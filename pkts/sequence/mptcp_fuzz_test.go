package sequence

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/gopkts/gopkts/pkts"
)

// FuzzMPTCP puts arbitrary segments of subflows whose handshakes are right, and
// others: memory stays within the limits, no byte is unaccounted for, and chunks
// follow each other as they should.
//
// 12 bytes are one step.
func FuzzMPTCP(f *testing.F) {
	step := func(op, sub, flags byte, seq, n, ssn, dsn int16, dss, length byte) []byte {
		b := []byte{op, sub, flags}
		for _, x := range []int16{seq, n, ssn, dsn} {
			b = binary.BigEndian.AppendUint16(b, uint16(x))
		}
		return append(b, dss, length)[:12:12]
	}
	data := step(0, 0, 0x10, 0, 100, 0, 0, 0x0c, 100)
	f.Add(data)
	f.Add(append(append(data, step(1, 2, 0x10, 0, 50, 0, 300, 0x04, 50)...), step(1, 0, 0x10, 100, 200, 100, 100, 0x0c, 200)...))
	f.Add(append(step(0, 0, 0x10, 0, 100, 0, 0, 0, 0), data...))                                                         // falls back
	f.Add(append(append(data, step(1, 4, 0x10, 200, 0, 0, 900, 1, 0)...), step(0, 2, 0x10, 0, 90, 30, 40, 0x1c, 90)...)) // DATA_ACK
	f.Add(append(data, step(28, 0, 0x10, 100, 0, 0, 0, 0x70, 0)...))
	// With checksums: a right one, a wrong one on the only subflow, its DATA_ACK
	// with MP_FAIL, and an infinite mapping.
	sum := step(0x68, 0x80, 0x90, 0, 100, 0, 0, 0x0c, 100)
	wrong := step(0x28, 0, 0x90, 0, 100, 0, 100, 0x0c, 100)
	f.Add(append(sum, wrong...))
	f.Add(append(append(sum, wrong...), step(1, 1, 0x10, 0, 0, 0, 150, 0x41, 0)...))
	f.Add(append(append(sum, wrong...), step(1, 0, 0x10, 0, 50, -200, 0, 0x0c, 0)...))
	f.Fuzz(func(t *testing.T, in []byte) {
		const bytes = 40 << 10
		m := MPTCP{TCP: TCP{Limits: Limits{Bytes: bytes, FlowBytes: 20 << 10, Flows: 6, Idle: 10 * time.Second}}}
		if len(in) > 0 {
			m.TCP.Policy = TCPPolicy(in[0] >> 5)
		}
		began, done := 0, map[uint64]int{}
		m.Began = func(MPTCPInfo) { began++ }
		m.Done = func(i MPTCPInfo) { done[i.Stream]++ }
		var check streamCheck
		take := func(c Chunk, ok bool) bool {
			if ok {
				if err := check.chunk(&c); err != nil {
					t.Fatal(err)
				}
			}
			return ok
		}
		now := scriptStart
		var packet uint64
		put := func(b []byte, direct, read bool) {
			packet++
			d := Datagram{Data: b, Seen: Seen{packet, now}}
			if direct {
				c, ok, _ := m.PutGet(d)
				take(c, ok)
			} else {
				m.Put(d)
				clear(b)
			}
			if read {
				for take(m.Get()) {
				}
			}
			mptcpConserved(t, &m)
			// As in FuzzTCP; a joined connection may have a chunk of TCP in its
			// place, too.
			if s := m.Stats(); m.hold.memory > bytes || m.TCP.waits.memory > bytes || m.data.waits.memory > bytes || m.data.out.memory > 4*bytes+1<<17 || s.TCP.Flows > 6 || s.Data.Flows > 6 || len(m.subs) > 12 {
				t.Fatalf("memory %d, %d, %d, %d; %d subflows: %+v", m.hold.memory, m.TCP.waits.memory, m.data.waits.memory, m.data.out.memory, len(m.subs), s)
			}
		}
		w := &mptcpWire{version: uint8(len(in) & 1), keys: [2]uint64{keyA, keyB}}
		if len(in) > 1 && in[1]&0x80 != 0 {
			w.asks = [2]bool{true, true}
		}
		w.open()
		if len(in) < 2 || in[1]&0x40 == 0 { // others may be the only subflow, as well
			w.joined(0)
			w.joined(1)
		} else {
			w.sub(0)
			w.sub(1)
		}
		handshakes := w.list
		if len(in)&2 != 0 {
			handshakes = behind(handshakes, 2, 3)
		}
		for _, b := range handshakes {
			put(append([]byte(nil), b...), true, true)
		}
		payload := make([]byte, 8100)
		for i := range payload {
			payload[i] = byte(i)
		}
		base := [3][2]int{{1, 1}, {1, 1}, {1, 1}}
		for ; len(in) >= 12; in = in[12:] {
			op := in[0] & 0x1f
			sub, end := w.subs[int(in[1]>>1)%3], int(in[1]&1)
			at := &base[int(in[1]>>1)%3][end]
			num := func(i int) int { return int(int16(binary.BigEndian.Uint16(in[i:]))) }
			switch op {
			case 31:
				m.Flush()
				for take(m.Get()) {
				}
				continue
			case 30:
				take(m.Get())
				continue
			case 29: // handshakes again
				for _, b := range handshakes[int(in[2])%len(handshakes):] {
					put(append([]byte(nil), b...), true, false)
				}
				continue
			}
			n := num(5)
			if n < 0 || n > 8000 {
				n &= 0x3f
			}
			seq := *at + num(3)
			var options []pkts.MPTCPOption
			if dss := pkts.MPTCPFlags(in[11]); dss != 0 {
				o := pkts.MPTCPOption{Subtype: pkts.MPTCPDSS, Flags: dss & 0x1f, DSN: w.dsn(end, num(9)), DataAck: w.dsn(end^1, num(9)), SubflowSeq: uint32(*at + num(7)), DataLen: uint16(in[2]>>6) * uint16(n) / 2, HasChecksum: in[0]&0x20 != 0}
				if data := payload[:min(int(o.DataLen), len(payload))]; in[0]&0x40 != 0 {
					o.Checksum = wireChecksum(o.DSN, o.SubflowSeq, o.DataLen, data)
				}
				if dss&0x60 == 0x40 {
					options = append(options, sub.failed(end, num(9)))
				}
				if dss&0x60 == 0x60 {
					o = pkts.MPTCPOption{Subtype: pkts.MPTCPFastClose, ReceiverKey: w.keys[end^1] + uint64(dss&1)}
				}
				options = append(options, o)
			}
			b := sub.bytes(end, pkts.TCPFlags(in[2]&0x17), seq, base[int(in[1]>>1)%3][end^1], payload[:n], options...)
			if op == 28 { // anything
				copy(b[int(in[10])%40:], in)
			}
			if op&8 != 0 {
				*at = seq + n
			}
			now = now.Add(time.Duration(in[10]) * time.Duration(in[10]) * time.Millisecond)
			put(b, op&1 == 0, op&2 == 0)
		}
		m.Flush()
		for take(m.Get()) {
		}
		if err := check.allEnded(); err != nil {
			t.Fatal(err)
		}
		mptcpConserved(t, &m)
		mptcpEmpty(t, &m)
		if s := m.Stats(); s.BadChecksums+s.Unchecked > 0 && w.asks == [2]bool{} {
			t.Fatalf("nobody asks for checksums: %+v", s)
		}
		if s := m.Stats(); uint64(began) != s.Connections || len(done) != began {
			t.Fatalf("%d began, %d done: %+v", began, len(done), s)
		}
		for n, times := range done {
			if times != 1 {
				t.Fatalf("Done was told %d times of %d", times, n)
			}
		}
	})
}
