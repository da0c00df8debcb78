package fuzz

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/checksum"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
	"github.com/gopkts/gopkts/pkts/sequence"
)

// TestMPTCPChecksumKernel has two kernels send to each other, with checksums, over
// a box in the middle that alters a byte, so that the TCP checksum is right and
// that of the mapping is not. What is joined out of the frames that leave the box
// is what the receiving program got, whatever its kernel does about it.
func TestMPTCPChecksumKernel(t *testing.T) {
	if v, err := os.ReadFile("/proc/sys/net/mptcp/enabled"); err != nil || string(v) != "1\n" {
		netns.Skip(t, "the kernel has no Multipath TCP")
	}
	none := func(s *sequence.MPTCPStats) bool { return s.BadChecksums+s.Corrupt+s.Fails+s.Fallbacks == 0 }
	for _, tt := range []struct {
		name  string
		lines int
		size  int
		alter uint32 // subflow sequence number on the last line, or 0
		stats func(s *sequence.MPTCPStats) bool
	}{
		{"unaltered", 2, 200_000, 0, none},
		// The kernel resets the subflow, and the other one brings the bytes.
		{"one of two subflows", 2, 500_000, 100, func(s *sequence.MPTCPStats) bool {
			return s.BadChecksums == 1 && s.Corrupt > 0 && s.Fails > 0 && s.Fallbacks == 0
		}},
		// It sends MP_FAIL, and goes on.
		{"the only subflow", 1, 60_000, 50_000, func(s *sequence.MPTCPStats) bool {
			return s.BadChecksums == 1 && s.Corrupt == 0 && s.Fails > 0
		}},
		// It goes on without signals.
		{"the first data", 1, 100_000, 1, func(s *sequence.MPTCPStats) bool {
			return s.BadChecksums == 1 && s.Corrupt == 0 && s.Fallbacks == 1
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(8, 8684))
			data := make([]byte, tt.size)
			for i := range data {
				data[i] = byte(rng.Uint32())
			}
			x, got, stats := alteredMPTCP(t, tt.lines, tt.alter, data)
			if altered := tt.lines == 1; !bytes.Equal(got, data) != altered || len(got) != len(data) {
				t.Errorf("the kernel has delivered %d bytes, the first other one at %d", len(got), firstOther(got, data))
			}
			if !bytes.Equal(x.sides[0], got) {
				t.Errorf("%d bytes, want %d, first other one at %d", len(x.sides[0]), len(got), firstOther(x.sides[0], got))
			}
			if x.lost != 0 || !x.info.Checksums || len(x.info.Subflows) != tt.lines || stats.BadMappings+stats.Conflicts+stats.BadSignals+stats.BadJoins > 0 || !tt.stats(&stats) {
				t.Errorf("%+v, %d lost: %+v", x.info, x.lost, stats)
			}
			if stats.Unchecked > uint64(tt.lines) { // those that the last frame left incomplete
				t.Errorf("%+v", stats)
			}
		})
	}
}

// alteredMPTCP sends data over a box in the middle, which alters the byte with
// a subflow sequence number on the last line. It returns what is joined out of the
// frames that have left the box, and what the receiver got.
func alteredMPTCP(t *testing.T, lines int, alter uint32, data []byte) (*joinedStream, []byte, sequence.MPTCPStats) {
	t.Helper()
	here, middle, there := netns.New(t), netns.New(t), netns.New(t)
	for _, ns := range []*netns.NS{here, there} {
		ns.Run(t, "sysctl", "-q", "-w", "net.mptcp.checksum_enabled=1")
		ns.Run(t, "ip", "mptcp", "limits", "set", "subflows", "4", "add_addr_accepted", "4")
	}
	var lock sync.Mutex
	var frames []link.Frame
	var boxes sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer boxes.Wait()
	defer stop()
	for line := range lines {
		name := fmt.Sprintf("veth%d", line)
		var ends [2]*capture.Sniffer
		for i, ns := range [2]*netns.NS{here, there} {
			box := fmt.Sprintf("box%d%d", line, i)
			netns.Connect(t, ns, name, middle, box)
			ns.AddAddress(t, name, fmt.Sprintf("198.51.%d.%d/24", 100+line, i+1))
			// Frames leave as they are on a wire.
			ns.Run(t, netns.Look(t, "ethtool"), "-K", name, "tx", "off", "tso", "off", "gso", "off")
			if err := middle.Do(func() (err error) {
				ends[i], err = capture.Open(box, &capture.Config{Direction: capture.In, Immediate: true})
				return err
			}); err != nil {
				t.Fatal(err)
			}
			defer ends[i].Close()
			if err := ends[i].Activate(nil); err != nil {
				t.Fatal(err)
			}
		}
		for i := range ends {
			var isn uint32
			boxes.Go(func() {
				for f, err := range ends[i].Frames(ctx) {
					if err != nil {
						return
					}
					f := f.Clone()
					if i == 0 && alter != 0 && line == lines-1 {
						alterByte(f.Data, &isn, alter)
					}
					lock.Lock()
					frames = append(frames, f)
					lock.Unlock()
					if err := ends[1-i].Send(f.Data); err != nil {
						return // the ends are gone
					}
				}
			})
		}
	}
	if lines > 1 {
		there.Run(t, "ip", "mptcp", "endpoint", "add", "198.51.101.2", "dev", "veth1", "signal")
	}
	got := transferAltered(t, here, there, data)
	// The program may have the data before its kernel has said so.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		lock.Lock()
		taken := frames // what is in it does not change
		lock.Unlock()
		list, rest, stats := joinedStreams(t, "box", func(yield func(link.Frame, error) bool) {
			for _, f := range taken {
				if !yield(f, nil) {
					return
				}
			}
		})
		switch {
		case time.Now().Before(deadline) && (len(list) == 0 || len(list[0].sides[0]) < len(got)):
		case len(list) != 1 || rest != 0:
			t.Fatalf("%d connections, and %d bytes of others: %+v", len(list), rest, stats)
		default:
			return list[0], got, stats
		}
	}
}

// alterByte alters the byte that has a sequence number relative to the SYN's, if
// the frame has it, and makes the TCP checksum right again.
func alterByte(frame []byte, isn *uint32, at uint32) {
	const eth = 14
	if len(frame) < eth+pkts.IPv4MinLen || binary.BigEndian.Uint16(frame[12:]) != uint16(pkts.EtherTypeIPv4) || frame[eth+9] != uint8(pkts.IPProtoTCP) {
		return
	}
	ip := frame[eth:]
	tcp := pkts.TCPView(ip[pkts.IPv4MinLen:binary.BigEndian.Uint16(ip[2:])]) // the kernel sets no IP options
	if tcp.Flags().Has(pkts.TCPSyn) {
		*isn = tcp.Seq()
	}
	off := at - (tcp.Seq() - *isn)
	if payload := tcp[tcp.HeaderLen():]; uint64(off) < uint64(len(payload)) {
		payload[off] ^= 0x55
		const sum = 16
		tcp[sum], tcp[sum+1] = 0, 0
		binary.BigEndian.PutUint16(tcp[sum:], checksum.Internet(tcp, checksum.PseudoIPv4Bytes(ip[12:], uint8(pkts.IPProtoTCP), len(tcp))))
	}
}

// transferAltered sends data there, and returns what came.
func transferAltered(t *testing.T, here, there *netns.NS, data []byte) []byte {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	var l net.Listener
	if err := there.Do(func() (err error) {
		var config net.ListenConfig
		config.SetMultipathTCP(true)
		l, err = config.Listen(t.Context(), "tcp4", ":0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	type result struct {
		data []byte
		err  error
	}
	served := make(chan result, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			served <- result{nil, err}
			return
		}
		defer c.Close()
		b, err := readAll(c, len(data), deadline)
		served <- result{b, err}
	}()
	var c net.Conn
	if err := here.Do(func() (err error) {
		d := net.Dialer{Deadline: deadline}
		d.SetMultipathTCP(true)
		c, err = d.DialContext(t.Context(), "tcp4", fmt.Sprintf("198.51.100.2:%d", l.Addr().(*net.TCPAddr).Port))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(deadline); err != nil {
		t.Fatal(err)
	}
	// The second subflow is there before there is much to send.
	if _, err := c.Write(data[:1000]); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if _, err := c.Write(data[1000:]); err != nil {
		t.Fatal(err)
	}
	r := <-served
	if r.err != nil && r.err != io.ErrUnexpectedEOF {
		t.Fatal(r.err)
	}
	return r.data
}
