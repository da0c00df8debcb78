package sequence_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
	"github.com/gopkts/gopkts/pkts/sequence"
)

// A text protocol is read line by line, from segments that were cut anywhere and
// came out of order.
func ExampleStreamReader() {
	frames := segments(
		pkts.TCP{Seq: 99, Flags: pkts.TCPSyn}, "",
		pkts.TCP{Seq: 100}, "EHLO exa",
		pkts.TCP{Seq: 113}, "\nQUIT\r\n",
		pkts.TCP{Seq: 108}, "mple\r",
		pkts.TCP{Seq: 112}, "\r\nQUIT", // sent again, cut at another place
		pkts.TCP{Seq: 120, Flags: pkts.TCPFin}, "",
	)
	r := sequence.NewStreamReader(new(sequence.TCP), sequence.Datagrams(frames, nil), nil, 0)
	defer r.Close()
	lines := bufio.NewReader(r.Direction(sequence.Forward))
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			if !errors.Is(err, io.EOF) {
				fmt.Println(err)
			}
			break
		}
		fmt.Printf("%q\n", line)
	}
	// Output:
	// "EHLO example\r\n"
	// "QUIT\r\n"
}

// segments yields frames with segments of one connection: headers and payloads.
func segments(list ...any) iter.Seq2[link.Frame, error] {
	return func(yield func(link.Frame, error) bool) {
		for i := 0; i < len(list); i += 2 {
			tcp := list[i].(pkts.TCP)
			tcp.SrcPort, tcp.DstPort, tcp.Window = 40000, 25, 8192
			ip := &pkts.IPv4{TTL: 64, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2")}
			var f link.Frame
			var err error
			f.Link = link.TypeRaw
			f.Data, err = pkts.Stack(ip, &tcp, &pkts.Raw{Data: []byte(list[i+1].(string))}).AppendBinary(nil)
			if !yield(f, err) {
				return
			}
		}
	}
}
