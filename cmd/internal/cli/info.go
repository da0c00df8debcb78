package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

// fileInfo is what info says of a file. The keys are stable.
type fileInfo struct {
	File        string      `json:"file"`
	Size        int64       `json:"size"` // bytes on disk; 0 for the standard input
	Format      string      `json:"format"`
	Version     string      `json:"version"`
	Order       string      `json:"byte_order"`
	Compression string      `json:"compression,omitempty"`
	SnapLen     uint32      `json:"snaplen"`
	Sections    int         `json:"sections"`
	Packets     int         `json:"packets"`
	Links       []linkCount `json:"links"`
	First       *time.Time  `json:"first,omitempty"` // earliest
	Last        *time.Time  `json:"last,omitempty"`  // latest
	Duration    float64     `json:"duration"`        // seconds
	Ordered     bool        `json:"ordered"`         // no packet is earlier than the one before
	Captured    int64       `json:"captured"`        // bytes
	Wire        int64       `json:"wire"`            // bytes
	Smallest    int         `json:"smallest"`        // bytes on the wire
	Largest     int         `json:"largest"`
	Cut         int         `json:"cut"` // packets of which not all bytes were captured
	Hardware    string      `json:"hardware,omitempty"`
	OS          string      `json:"os,omitempty"`
	Application string      `json:"application,omitempty"`
	Interfaces  []ifaceStat `json:"interfaces,omitempty"`
	Comments    []string    `json:"comments,omitempty"` // of sections and interfaces
	Commented   int         `json:"commented_packets"`
	Error       string      `json:"error,omitempty"` // why the file could not be read to its end
}

// linkCount says how many packets are of a link type.
type linkCount struct {
	Link        string `json:"link"`
	Description string `json:"description,omitempty"`
	Packets     int    `json:"packets"`
}

// ifaceStat is an interface of a pcapng file.
type ifaceStat struct {
	Name        string   `json:"name,omitempty"`
	Description string   `json:"description,omitempty"`
	Link        string   `json:"link"`
	SnapLen     uint32   `json:"snaplen"`
	Resolution  string   `json:"resolution"`
	MAC         string   `json:"mac,omitempty"`
	Addresses   []string `json:"addresses,omitempty"`
	Speed       uint64   `json:"speed,omitempty"` // bit/s
	Filter      string   `json:"filter,omitempty"`
	OS          string   `json:"os,omitempty"`
	Section     int      `json:"section"`
	Packets     int      `json:"packets"`
	Received    *uint64  `json:"received,omitempty"` // by the last statistics block
	Dropped     *uint64  `json:"dropped,omitempty"`
}

func (a *app) infoCommand() *cobra.Command {
	var asJSON bool
	var dialect string
	cmd := &cobra.Command{
		Use:   "info FILE... [EXPR...] [--json]",
		Short: "Say what capture files are and what is in them",
		Long: `info reads the files to their ends and prints format, link types, number and
sizes of packets, times, interfaces and comments. Of a damaged file it says what
there is, and why it ends; the exit code is then 1. With a filter expression, which
begins with the first argument that is no file or behind --, the packets that it
accepts are those that count. --json prints an array of
objects, one for each file.`,
		Example: `  pkts info trace.pcapng
  pkts info --json *.pcap | jq -r '.[] | [.file, .packets] | @tsv'`,
		Args: someFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			files, words := filesAndExpression(cmd, args, false)
			expr, err := a.expression(words, dialect)
			if err != nil {
				return err
			}
			bar := newProgress(a.err)
			infos := make([]*fileInfo, 0, len(files))
			failed := false
			for i, name := range files {
				info, err := a.info(cmd.Context(), name, expr, bar)
				bar.done()
				if err != nil {
					failed = true
					a.warn(fileError(name, err))
					info.Error = errorText(err)
				}
				infos = append(infos, info)
				if asJSON {
					continue
				}
				if i > 0 {
					fmt.Fprintln(a.out)
				}
				if err := info.print(a.out); err != nil {
					return err
				}
			}
			if asJSON {
				if err := a.writeJSON(infos); err != nil {
					return err
				}
			}
			if failed {
				return errReported
			}
			return nil
		},
	}
	registerDialect(cmd, &dialect)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// info reads a file. What was found out before an error is returned with it.
func (a *app) info(ctx context.Context, name string, expr *filter.PerLink, bar *progress) (*fileInfo, error) {
	info := &fileInfo{File: name, Ordered: true, Links: []linkCount{}}
	if st, err := os.Stat(name); err == nil && st.Mode().IsRegular() {
		info.Size = st.Size()
	}
	// Statistics name interfaces within their section.
	var stats []*pcap.InterfaceStatistics
	var statsSection []int
	section := -1
	r, err := a.open(name, nil, pcap.WithBlocks(func(b pcap.Block) error {
		switch b := b.(type) {
		case *pcap.SectionHeader:
			section++
			info.section(b)
		case *pcap.InterfaceDescription:
			i := b.Interface()
			info.comments(i.Comments)
		case *pcap.InterfaceStatistics:
			s := &pcap.InterfaceStatistics{Interface: b.Interface, Options: cloneOptions(b.Options)}
			stats, statsSection = append(stats, s), append(statsSection, section)
		}
		return nil
	}))
	if err != nil {
		return info, err
	}
	defer r.Close()
	defer context.AfterFunc(ctx, func() { _ = r.Close() })()
	h := r.Header()
	info.Format, info.Compression, info.Order, info.SnapLen = h.Format.String(), h.Compression, h.Order.String(), h.SnapLen
	info.Version = fmt.Sprintf("%d.%d", h.Major, h.Minor)
	c := counter{info: info, links: map[link.Type]int{}}
	err = c.count(ctx, r.Reader, expr, bar)
	info.Sections = r.Sections()
	info.links(c.links)
	if h.Format == pcap.FormatPcapng {
		info.interfaces(r.Interfaces(), c.interfaces)
		for i, s := range stats {
			info.statistics(r.Interfaces(), statsSection[i], s)
		}
	}
	if !c.first.IsZero() {
		first, last := c.first.UTC(), c.last.UTC()
		info.First, info.Last, info.Duration = &first, &last, last.Sub(first).Seconds()
	}
	return info, err
}

func cloneOptions(o pcap.Options) pcap.Options {
	c := slices.Clone(o)
	for i := range c {
		c[i].Value = slices.Clone(c[i].Value)
	}
	return c
}

// section takes what a section header says, the first one of each.
func (i *fileInfo) section(s *pcap.SectionHeader) {
	for _, f := range []struct {
		to   *string
		text string
	}{{&i.Hardware, s.Hardware()}, {&i.OS, s.OS()}, {&i.Application, s.Application()}} {
		if *f.to == "" {
			*f.to = strings.Clone(f.text)
		}
	}
	i.comments(s.Comments())
}

// maxComments is how many comments are kept.
const maxComments = 1000

func (i *fileInfo) comments(list []string) {
	for _, c := range list {
		if len(i.Comments) < maxComments {
			i.Comments = append(i.Comments, strings.Clone(c))
		}
	}
}

func (i *fileInfo) links(counts map[link.Type]int) {
	for t, n := range counts {
		i.Links = append(i.Links, linkCount{t.String(), t.Description(), n})
	}
	slices.SortFunc(i.Links, func(a, b linkCount) int {
		if a.Packets != b.Packets {
			return b.Packets - a.Packets
		}
		return strings.Compare(a.Link, b.Link)
	})
}

func (i *fileInfo) interfaces(list []pcap.Interface, packets map[int]int) {
	for n, f := range list {
		s := ifaceStat{
			Name: f.Name, Description: f.Description, Link: f.Link.String(), SnapLen: f.SnapLen, Resolution: f.Resolution.String(),
			Speed: f.Speed, Filter: f.Filter, OS: f.OS, Section: f.Section, Packets: packets[n],
		}
		if !f.MAC.IsZero() {
			s.MAC = f.MAC.String()
		}
		for _, a := range f.Addrs {
			s.Addresses = append(s.Addresses, a.String())
		}
		i.Interfaces = append(i.Interfaces, s)
	}
}

// statistics takes a statistics block, whose interface is numbered within its
// section.
func (i *fileInfo) statistics(list []pcap.Interface, section int, s *pcap.InterfaceStatistics) {
	n := int(s.Interface)
	for k := range list {
		if list[k].Section != section {
			continue
		}
		if n > 0 {
			n--
			continue
		}
		if v, ok := s.Received(); ok {
			i.Interfaces[k].Received = &v
		}
		if v, ok := s.Dropped(); ok {
			i.Interfaces[k].Dropped = &v
		}
		return
	}
}

// counter counts packets.
type counter struct {
	info        *fileInfo
	links       map[link.Type]int
	interfaces  map[int]int
	first, last time.Time
	before      time.Time
}

func (c *counter) count(ctx context.Context, r *pcap.Reader, expr *filter.PerLink, bar *progress) error {
	c.interfaces = map[int]int{}
	ng := r.Format() == pcap.FormatPcapng
	var f link.Frame
	for {
		if err := r.Next(&f); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if expr != nil {
			if ok, err := expr.Match(ctx, &f); err != nil {
				return err
			} else if !ok {
				continue
			}
		}
		c.frame(&f)
		if ng {
			c.interfaces[f.Interface]++
			// What is damaged has no comment.
			if o, _ := r.PacketOptions(); len(o) > 0 && len(o.Comments()) > 0 {
				c.info.Commented++
			}
		}
		bar.step("info", c.info.Packets)
	}
}

func (c *counter) frame(f *link.Frame) {
	i := c.info
	if i.Packets == 0 {
		i.Smallest = f.WireLen
	}
	i.Packets++
	c.links[f.Link]++
	i.Captured += int64(len(f.Data))
	i.Wire += int64(f.WireLen)
	i.Smallest, i.Largest = min(i.Smallest, f.WireLen), max(i.Largest, f.WireLen)
	if f.Truncated() {
		i.Cut++
	}
	if f.Time.IsZero() {
		return
	}
	if c.first.IsZero() || f.Time.Before(c.first) {
		c.first = f.Time
	}
	if f.Time.After(c.last) {
		c.last = f.Time
	}
	if f.Time.Before(c.before) {
		i.Ordered = false
	}
	c.before = f.Time
}

// print prints a file's info.
func (i *fileInfo) print(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-14s"+format+"\n", append([]any{name + ":"}, args...)...)
	}
	line("File", "%s", i.File)
	if i.Size > 0 {
		line("Size", "%d bytes", i.Size)
	}
	if i.Format != "" {
		text := fmt.Sprintf("%s %s, %s", i.Format, i.Version, i.Order)
		if i.Compression != "" {
			text += ", " + i.Compression
		}
		line("Format", "%s", text)
		line("Packets", "%d", i.Packets)
	}
	for _, l := range i.Links {
		line("Link type", "%s, %s: %d packets", l.Link, l.Description, l.Packets)
	}
	if i.First != nil {
		line("First", "%s", i.First.Format(timeLayout))
		line("Last", "%s", i.Last.Format(timeLayout))
		line("Duration", "%v", i.Last.Sub(*i.First))
		if !i.Ordered {
			line("Order", "some packets are earlier than the one before")
		}
	}
	if i.Packets > 0 {
		line("Bytes", "%d captured, %d on the wire", i.Captured, i.Wire)
		line("Packet sizes", "%d to %d bytes, %.1f on average", i.Smallest, i.Largest, float64(i.Wire)/float64(i.Packets))
		if i.Duration > 0 {
			line("Rate", "%.1f packets/s, %.0f bit/s", float64(i.Packets)/i.Duration, float64(i.Wire)*8/i.Duration)
		}
	}
	if i.Cut > 0 {
		line("Cut", "%d packets are not there as a whole", i.Cut)
	}
	for _, f := range []struct{ name, text string }{{"Hardware", i.Hardware}, {"System", i.OS}, {"Application", i.Application}} {
		if f.text != "" {
			line(f.name, "%s", f.text)
		}
	}
	if i.Sections > 1 {
		line("Sections", "%d", i.Sections)
	}
	for n := range i.Interfaces {
		line("Interface", "%s", i.Interfaces[n].text(n))
	}
	for _, c := range i.Comments {
		line("Comment", "%s", strings.ReplaceAll(c, "\n", "\n"+strings.Repeat(" ", 14)))
	}
	if i.Commented > 0 {
		line("Comments", "%d packets have one", i.Commented)
	}
	if i.Error != "" {
		line("Error", "%s", i.Error)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// timeLayout is the layout of a time with its zone.
const timeLayout = "2006-01-02 15:04:05.000000000 MST"

// text describes interface number n in a line.
func (s *ifaceStat) text(n int) string {
	t := fmt.Sprintf("%d", n)
	if s.Name != "" {
		t += " " + s.Name
	}
	if s.Description != "" {
		t += " (" + s.Description + ")"
	}
	t += fmt.Sprintf(", %s, snap length %d, %s", s.Link, s.SnapLen, s.Resolution)
	if s.Speed > 0 {
		t += fmt.Sprintf(", %d bit/s", s.Speed)
	}
	if s.Filter != "" {
		t += fmt.Sprintf(", filter %q", s.Filter)
	}
	t += fmt.Sprintf(": %d packets", s.Packets)
	if s.Dropped != nil {
		t += fmt.Sprintf(", %d dropped", *s.Dropped)
	}
	return t
}
