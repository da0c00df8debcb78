package fuzz

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/link"
)

// TestMPTCPKernel joins what two kernels send to each other over two slow lines,
// so that the data take both.
func TestMPTCPKernel(t *testing.T) {
	if v, err := os.ReadFile("/proc/sys/net/mptcp/enabled"); err != nil || string(v) != "1\n" {
		netns.Skip(t, "the kernel has no Multipath TCP")
	}
	here, there := netns.New(t), netns.New(t)
	for name, net := range map[string]string{"veth0": "192.0.2.", "veth1": "198.51.100."} {
		netns.Connect(t, here, name, there, name)
		here.AddAddress(t, name, net+"1/24")
		there.AddAddress(t, name, net+"2/24")
		here.Run(t, "tc", "qdisc", "replace", "dev", name, "root", "tbf", "rate", "40mbit", "burst", "20000", "latency", "100ms")
	}
	for _, ns := range []*netns.NS{here, there} {
		ns.Run(t, "ip", "mptcp", "limits", "set", "subflows", "4", "add_addr_accepted", "4")
	}
	there.Run(t, "ip", "mptcp", "endpoint", "add", "198.51.100.2", "dev", "veth1", "signal")

	var s *capture.Sniffer
	if err := there.Do(func() (err error) {
		s, err = capture.Open("any", &capture.Config{BufferSize: 64 << 20})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Activate(nil); err != nil {
		t.Fatal(err)
	}
	var frames []link.Frame
	captured := make(chan error, 1)
	go func() {
		var f link.Frame
		for {
			if err := s.Next(&f); err != nil {
				captured <- err
				return
			}
			frames = append(frames, f.Clone())
		}
	}()

	rng := rand.New(rand.NewPCG(8, 8684))
	data := [2][]byte{make([]byte, 3<<20), make([]byte, 100_000)} // a request, and an answer
	for _, b := range data {
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
	}
	transferMPTCP(t, here, there, data)
	// What the transfer leaves behind has been captured when nothing comes.
	if err := s.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := <-captured; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	if st, err := s.Stats(); err != nil || st.Dropped > 0 {
		t.Fatalf("frames were lost: %+v, %v", st, err)
	}

	list, rest, stats := joinedStreams(t, "any", func(yield func(link.Frame, error) bool) {
		for _, f := range frames {
			if !yield(f, nil) {
				return
			}
		}
	})
	if len(list) != 1 || rest != 0 {
		t.Fatalf("%d connections, and %d bytes of others: %+v", len(list), rest, stats)
	}
	x := list[0]
	if x.lost != 0 || x.ends != 2 || x.info.Fallback || len(x.info.Subflows) != 2 {
		t.Errorf("%+v, %d ends, %d lost, want two subflows", x.info, x.ends, x.lost)
	}
	for side, want := range data {
		if !bytes.Equal(x.sides[side], want) {
			t.Errorf("side %d: %d bytes, want %d; first other one at %d", side, len(x.sides[side]), len(want), firstOther(x.sides[side], want))
		}
	}
	if stats.BadMappings+stats.Conflicts+stats.BadSignals+stats.BadJoins+stats.Unmapped+stats.Over > 0 {
		t.Errorf("%+v", stats)
	}
	if stats.Data.OutOfOrder == 0 {
		t.Errorf("nothing came over the second line before what was sent earlier: %+v", stats)
	}
}

// transferMPTCP sends data there, and an answer back.
func transferMPTCP(t *testing.T, here, there *netns.NS, data [2][]byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	deadline, _ := ctx.Deadline()
	var l net.Listener
	var c net.Conn
	if err := there.Do(func() (err error) {
		var config net.ListenConfig
		config.SetMultipathTCP(true)
		l, err = config.Listen(ctx, "tcp4", ":0") // at both addresses
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			served <- err
			return
		}
		got, err := readAll(c, len(data[0]), deadline)
		if err == nil && !bytes.Equal(got, data[0]) {
			err = errors.New("the kernel has delivered other bytes")
		}
		if err == nil {
			_, err = c.Write(data[1])
		}
		served <- errors.Join(err, c.Close())
	}()
	if err := here.Do(func() (err error) {
		var d net.Dialer
		d.SetMultipathTCP(true)
		c, err = d.DialContext(ctx, "tcp4", net.JoinHostPort("192.0.2.2", strconv.Itoa(l.Addr().(*net.TCPAddr).Port)))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// The second subflow is there before there is much to send.
	if _, err := c.Write(data[0][:1000]); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if _, err := c.Write(data[0][1000:]); err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(c, len(data[1]), deadline); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Close(), <-served); err != nil {
		t.Fatal(err)
	}
}

func readAll(c net.Conn, n int, deadline time.Time) ([]byte, error) {
	if err := c.SetDeadline(deadline); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	_, err := io.ReadFull(c, b)
	return b, err
}

// firstOther returns where a and b differ first.
func firstOther(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
