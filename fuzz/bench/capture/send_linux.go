package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
)

// minFrame is the length of the shortest frame of Ethernet, without the FCS.
const minFrame = 60

// tcpFrame returns a frame of n bytes, with TCP in IPv4. It is for another
// host, so that the kernel's own stack lets it lie, and its ports are nobody's,
// so that none takes its payload for a protocol.
func tcpFrame(n int) []byte {
	b, err := pkts.Stack(
		&pkts.Ethernet{Dst: link.MacAddr{2, 0, 0, 0, 0, 2}, Src: link.MacAddr{2, 0, 0, 0, 0, 1}},
		&pkts.IPv4{TTL: 64, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2")},
		&pkts.TCP{SrcPort: 40000, DstPort: 40001, Seq: 1, Ack: 7, Flags: pkts.TCPAck, Window: 8192},
		&pkts.Raw{Data: make([]byte, n-54)},
	).AppendBinary(nil)
	if err != nil || len(b) != n {
		return make([]byte, n) // a reader of fields says that it is no TCP
	}
	return b
}

// sendCase is a row: who sends, and by what.
type sendCase struct {
	title string
	name  string // of senders
	c     string // of csend
	likeC string // the title of the row in C with the same mechanism
}

func sendCases() []sendCase {
	return []sendCase{
		{title: "gopacket/afpacket, WritePacketData", name: "gopacket"},
		{title: "gopacket/pcap, WritePacketData", name: "pcap"},
		{title: "C, send", c: "send"},
		{title: "C, send, with another thread that sleeps", c: "send+thread", likeC: "C, send"},
		{title: "gopkts, Send", name: "Send", likeC: "C, send"},
		{title: "C, sendmmsg", c: "sendmmsg"},
		{title: "gopkts, SendBatch, ring", name: "SendBatch", likeC: "C, sendmmsg"},
		{title: "gopkts, SendBatch, messages", name: "SendBatch/messages", likeC: "C, sendmmsg"},
		{title: "C, TPACKET_V2 ring", c: "txring2"},
		{title: "C, TPACKET_V3 ring", c: "txring3"},
		{title: "gopkts/afpacket, transmit ring", name: "afpacket", likeC: "C, TPACKET_V3 ring"},
		{title: "C, AF_XDP with copies", c: "xdp"},
		{title: "gopkts, SendBatch, XDP", name: "SendBatch/xdp", likeC: "C, AF_XDP with copies"},
		{title: "gopkts/afxdp, Send", name: "afxdp", likeC: "C, AF_XDP with copies"},
	}
}

// sendTurn is how long one sender sends before it is the next one's turn: not
// much longer than it takes to start one. What is compared has thus been measured
// within some tenths of a second; and nobody else runs on its processor
// meanwhile, who would take the caches away.
const sendTurn = 50 * time.Millisecond

// send measures what goes out on a device that drops it.
func (b *bench) send() error {
	turns := max(1, int(time.Duration(b.rounds)*b.time/sendTurn))
	fmt.Printf("\n## Sending, to ifb, which drops, %d at once\n\n", batch)
	fmt.Printf("Medians of %d turns of %v, and in parentheses the quartiles; of ratios those within a turn.\n\n", turns, min(b.time, sendTurn))
	c, cErr := buildCSenders(b.dir)
	cases := rows(b, sendCases(), func(c sendCase) string { return c.title })
	if len(cases) == 0 {
		return nil
	}
	var t table
	t.row("frame", "sender", "frames a second", "CPU, ns a frame", "x gopacket's rate", "x C's rate", "x C's CPU")
	for _, size := range b.sizes {
		rates := map[string][]float64{}
		cpus := map[string][]float64{}
		errs := make([]error, len(cases))
		for range turns {
			for i, row := range cases {
				if row.c != "" && cErr != nil {
					errs[i] = notBuilt(cErr.Error())
				}
				if errs[i] != nil {
					continue
				}
				a, err := b.sendOne(row, c, size)
				if errs[i] = err; err == nil {
					rates[row.title] = append(rates[row.title], 1e9*float64(a.Frames)/float64(a.Nanoseconds))
					cpus[row.title] = append(cpus[row.title], float64(a.CPU)/float64(a.Frames))
				}
			}
		}
		for i, row := range cases {
			if errs[i] != nil {
				t.row(fmt.Sprint(size), row.title, b.sorry(errs[i]))
				continue
			}
			t.row(fmt.Sprint(size), row.title, spreadOf(rates[row.title]).quartiles(), spreadOf(cpus[row.title]).quartiles(),
				ratios(rates[row.title], rates[sendCases()[0].title]), ratios(rates[row.title], rates[row.likeC]), ratios(cpus[row.title], cpus[row.likeC]))
		}
	}
	fmt.Print(t.String())
	return nil
}

// ratios prints the spread of the ratios of what was measured in the same turns,
// or nothing when there is nothing to compare with.
func ratios(a, b []float64) string {
	var r []float64
	for i := range min(len(a), len(b)) {
		r = append(r, a[i]/b[i])
	}
	if r == nil {
		return ""
	}
	return spreadOf(r).quartiles()
}

// sendOne measures one sender once, and compares what it says that it sent with
// what the device got.
func (b *bench) sendOne(row sendCase, csend string, size int) (answer, error) {
	cmd := exec.Command("/proc/self/exe", "send", row.name, strconv.Itoa(size), min(b.time, sendTurn).String())
	if row.c != "" {
		if row.c == "xdp" {
			// The kernel frees a queue some time after its last user has gone, and
			// the program in C does not wait for it.
			time.Sleep(200 * time.Millisecond)
		}
		cmd = exec.Command(csend, row.c, sink, strconv.Itoa(int(min(b.time, sendTurn).Milliseconds())))
		cmd.Stdin = bytes.NewReader(tcpFrame(size))
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	before, err := sunk()
	if err != nil {
		return answer{}, err
	}
	if err := startOn(b.cpus[1], cmd); err != nil {
		return answer{}, err
	}
	if err := cmd.Wait(); err != nil {
		return answer{}, err
	}
	a, err := readAnswer(bufio.NewReader(&out))
	if err != nil {
		return a, err
	}
	want := a.Frames + a.Warm
	var got uint64
	for range 20 { // the queue of the device may hold some
		after, err := sunk()
		if err != nil {
			return a, err
		}
		if got = after - before; got >= want {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if got != want {
		return a, fmt.Errorf("%d frames were sent and %d arrived", want, got)
	}
	return a, nil
}

// sunk is how many frames the dropping device got.
func sunk() (uint64, error) {
	b, err := os.ReadFile("/proc/self/net/dev")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if name, rest, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == sink {
			if f := strings.Fields(rest); len(f) > 1 {
				return strconv.ParseUint(f[1], 10, 64)
			}
		}
	}
	return 0, fmt.Errorf("no device %s in /proc/self/net/dev", sink)
}
