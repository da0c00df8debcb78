package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// memory is a folder in memory, where there is one.
func memory() string {
	const shm = "/dev/shm"
	if fi, err := os.Stat(shm); err == nil && fi.IsDir() {
		return shm
	}
	return os.TempDir()
}

// file measures capturing to a file in memory.
func (b *bench) file() error {
	fmt.Print("\n## Capturing to a file in memory\n\n")
	dir, err := os.MkdirTemp(memory(), "capture-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "capture")
	exe := filepath.Join(b.dir, "pkts")
	out, noPkts := exec.Command("go", "build", "-o", exe, "github.com/gopkts/gopkts/cmd/pkts").CombinedOutput()
	if noPkts != nil {
		noPkts = notBuilt(fmt.Sprintf("go build: %v: %s", noPkts, out))
	}
	// to makes a case of a program, after a look at the room.
	to := func(name string, p *program, err error) receiveCase {
		p.clear = func() { os.Remove(path) }
		return receiveCase{name: name, make: func() (process, error) {
			var fs unix.Statfs_t
			const room = 4 << 30
			if err == nil && unix.Statfs(dir, &fs) == nil && fs.Bavail*uint64(fs.Bsize) < room {
				return nil, notBuilt(fmt.Sprintf("less than %d GiB are free in %s", room>>30, dir))
			}
			return p, err
		}}
	}
	cases := rows(b, []receiveCase{
		to("tcpdump -w (pcap)", tcpdump(path), nil),
		to("dumpcap -w (pcapng)", dumpcap(path), nil),
		to("pkts sniff -w (pcapng)", pktsSniff(exe, "pcapng", path), noPkts),
		to("pkts sniff -w (pcap)", pktsSniff(exe, "pcap", path), noPkts),
	}, func(c receiveCase) string { return c.name })
	return b.offerTo(cases, func(size, rate int, samples [][]sample, errs []error) {
		base := make([]float64, 2) // of tcpdump and dumpcap
		for i, c := range cases {
			switch {
			case strings.HasPrefix(c.name, "tcpdump"):
				base[0] = spreadOf(perFrame(samples[i])).median
			case strings.HasPrefix(c.name, "dumpcap"):
				base[1] = spreadOf(perFrame(samples[i])).median
			}
		}
		for i, c := range cases {
			if errs[i] != nil {
				fmt.Printf("| %d | %s | %s | %s |\n", size, rateName(rate), c.name, b.sorry(errs[i]))
				continue
			}
			cpu := spreadOf(perFrame(samples[i]))
			fmt.Printf("| %d | %s | %s | %s | %s | %s | %s | %s | %s |\n", size, rateName(rate), c.name,
				each1(samples[i], func(s sample) float64 { return s.offered / s.seconds }),
				each1(samples[i], func(s sample) float64 { return 100 * (s.offered - s.received) / s.offered }),
				each1(samples[i], func(s sample) float64 { return s.dropped }),
				// A nanosecond a frame is a millisecond a million frames.
				each1(samples[i], func(s sample) float64 { return s.cpu / s.received / 1000 }),
				ratio(cpu.median, base[0]), ratio(cpu.median, base[1]))
		}
	}, "| frame | asked for, 1/s | program | offered, 1/s | lost, % | dropped by its own count | CPU s a million | x tcpdump | x dumpcap |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
}
