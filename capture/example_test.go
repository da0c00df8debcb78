package capture_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"sync"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest"
	"github.com/gopkts/gopkts/common/link"
	"golang.org/x/net/bpf"
)

// Print every frame on an interface until ^C.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s, err := capture.Open("eth0", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := s.Activate(nil); err != nil {
		log.Fatal(err)
	}
	for frame, err := range s.Frames(ctx) {
		if errors.Is(err, context.Canceled) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(frame.Time, frame.Direction, frame.WireLen)
	}
	if st, err := s.Stats(); err == nil {
		fmt.Printf("%d received, %d dropped\n", st.Received, st.Dropped)
	}
}

// Keep the first 96 bytes of each frame that arrives, in a buffer of 64 MiB.
func ExampleOpen() {
	s, err := capture.Open("eth0", &capture.Config{
		SnapLen:     96,
		Promiscuous: true,
		Direction:   capture.In,
		BufferSize:  64 << 20,
	})
	switch {
	case errors.Is(err, os.ErrPermission):
		fmt.Println(err) // says how to get the privilege
	case errors.Is(err, capture.ErrNoInterface):
		fmt.Println(err) // says which interfaces there are
	case err == nil:
		s.Close()
	}
}

// Count frames with as many goroutines as there are processors. Both directions
// of a connection are read by the same one.
func ExampleOpenGroup() {
	g, err := capture.OpenGroup("eth0", 0, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer g.Close()
	if err := g.Activate(nil); err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var wg sync.WaitGroup
	for i, s := range g.Sniffers() {
		wg.Go(func() {
			n := 0
			for _, err := range s.Frames(ctx) {
				if err != nil {
					break
				}
				n++
			}
			fmt.Println("reader", i, "has read", n)
		})
	}
	wg.Wait()
	if st, err := g.Stats(); err == nil {
		fmt.Printf("%d received, %d dropped\n", st.Received, st.Dropped)
	}
}

// Send the same frame a thousand times, with a system call for every 64 of them.
func ExampleSniffer_SendBatch() {
	eth0 := capturetest.New(link.Interface{Name: "eth0"})
	s, err := eth0.Open(nil) // instead of capture.Open("eth0", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	frame := make([]byte, 60)
	n, err := s.SendBatch(slices.Repeat([][]byte{frame}, 1000))
	fmt.Println(n, err, len(eth0.Sent()))
	// Output: 1000 <nil> 1000
}

// Capture ARP only.
func ExampleSniffer_Activate() {
	eth0 := capturetest.New(link.Interface{Name: "eth0"})
	s, err := eth0.Open(nil) // instead of capture.Open("eth0", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	arp, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x0806, SkipFalse: 1},
		bpf.RetConstant{Val: capture.DefaultSnapLen},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Activate(arp); err != nil {
		log.Fatal(err)
	}

	frame := make([]byte, 60)
	frame[12], frame[13] = 0x08, 0x00 // IPv4
	eth0.Inject(frame)
	frame[12], frame[13] = 0x08, 0x06 // ARP
	eth0.Inject(frame)

	var f link.Frame
	if err := s.Next(&f); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%x\n", f.Data[12:14])
	// Output: 0806
}

// Read what was captured up to now, and stop.
func ExampleSniffer_Deactivate() {
	eth0 := capturetest.New(link.Interface{Name: "eth0"})
	s, err := eth0.Open(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := s.Activate(nil); err != nil {
		log.Fatal(err)
	}
	eth0.Inject(make([]byte, 60))
	eth0.Inject(make([]byte, 70))

	if err := s.Deactivate(); err != nil {
		log.Fatal(err)
	}
	for f, err := range s.Frames(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(f.Data))
	}
	var f link.Frame
	fmt.Println(s.Next(&f))
	// Output:
	// 60
	// 70
	// capture: read eth0: not active: call Activate first
}

// Wait for a frame, but not for ever.
func ExampleSniffer_SetReadDeadline() {
	s, err := capturetest.New(link.Interface{Name: "eth0"}).Open(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := s.Activate(nil); err != nil {
		log.Fatal(err)
	}
	if err := s.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		log.Fatal(err)
	}
	var f link.Frame
	err = s.Next(&f)
	fmt.Println(errors.Is(err, os.ErrDeadlineExceeded), err)
	// Output: true capture: read eth0: i/o timeout
}

// Send a frame, and see it go out.
func ExampleSniffer_Send() {
	s, err := capturetest.New(link.Interface{Name: "eth0"}).Open(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := s.Activate(nil); err != nil {
		log.Fatal(err)
	}
	if err := s.Send(make([]byte, 60)); err != nil {
		log.Fatal(err)
	}
	var f link.Frame
	if err := s.Next(&f); err != nil {
		log.Fatal(err)
	}
	fmt.Println(f.Direction, len(f.Data))
	// Output: out 60
}
