package pcap_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/common/pcap"
)

// at is a frame of 60 bytes some seconds after a full hour.
func at(seconds float64) link.Frame {
	hour := time.Date(2026, 3, 4, 15, 0, 0, 0, time.UTC)
	return link.Frame{Data: frameData()[0], Info: link.Info{
		Time: hour.Add(time.Duration(seconds * float64(time.Second))), WireLen: 60, Link: link.TypeEthernet}}
}

// list returns the names in a directory and how many frames each file has.
func list(t *testing.T, dir string) map[string]int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, e := range entries {
		r, err := pcap.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		frames, err := drain(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = len(frames)
	}
	return out
}

func TestRotate(t *testing.T) {
	micro := pcap.WriterConfig{Format: pcap.FormatPcap}
	for _, c := range []struct {
		name string
		cfg  pcap.RotateConfig
		at   []float64
		want map[string]int
	}{
		{"frames", pcap.RotateConfig{Writer: micro, MaxFrames: 2}, []float64{0, 1, 2, 3, 4},
			map[string]int{"capture_00001_20260304T150000Z.pcap": 2, "capture_00002_20260304T150002Z.pcap": 2, "capture_00003_20260304T150004Z.pcap": 1}},
		{"bytes", pcap.RotateConfig{Writer: micro, MaxBytes: 250, Pattern: "b{seq}"}, []float64{0, 1, 2, 3, 4},
			map[string]int{"b00001": 2, "b00002": 2, "b00003": 1}},
		{"bytes less than a frame", pcap.RotateConfig{Writer: micro, MaxBytes: 1, Pattern: "b{seq}"}, []float64{0, 1},
			map[string]int{"b00001": 1, "b00002": 1}},
		{"interval", pcap.RotateConfig{Interval: 10 * time.Second, Pattern: "{time}"}, []float64{3, 12.9, 13, 22, 40},
			map[string]int{"20260304T150003Z": 2, "20260304T150013Z": 2, "20260304T150040Z": 1}},
		{"aligned interval", pcap.RotateConfig{Interval: 10 * time.Second, Align: true, Pattern: "{time}"}, []float64{3, 9.9, 10, 19.999, 20, 15},
			map[string]int{"20260304T150003Z": 2, "20260304T150010Z": 2, "20260304T150020Z": 2}},
		{"ring", pcap.RotateConfig{MaxFrames: 1, MaxFiles: 3, Pattern: "r{seq}"}, []float64{0, 1, 2, 3, 4, 5, 6},
			map[string]int{"r00005": 1, "r00006": 1, "r00007": 1}},
		{"ring of names", pcap.RotateConfig{MaxFrames: 1, MaxFiles: 2, Name: func(seq int, _ time.Time) string { return fmt.Sprint("n", seq%2) }}, []float64{0, 1, 2, 3, 4},
			map[string]int{"n0": 1, "n1": 1}},
		{"ring of one", pcap.RotateConfig{MaxFrames: 2, MaxFiles: 1, Pattern: "r{seq}"}, []float64{0, 1, 2},
			map[string]int{"r00002": 1}},
		{"atomic", pcap.RotateConfig{MaxFrames: 1, Atomic: true, Pattern: "a{seq}"}, []float64{0, 1},
			map[string]int{"a00001": 1, "a00002": 1}},
		{"no frames", pcap.RotateConfig{}, nil, map[string]int{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			var told []pcap.RotatedFile
			c.cfg.OnFile = func(f pcap.RotatedFile) error {
				if info, err := os.Stat(filepath.Join(dir, f.Name)); err != nil || info.Size() != f.Bytes {
					t.Errorf("when told of %+v: %v", f, err)
				}
				told = append(told, f)
				return nil
			}
			r, err := pcap.CreateRotator(dir, c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range c.at {
				f := at(s)
				if err := r.WriteFrame(&f); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if got := list(t, dir); fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("files are %v, want %v", got, c.want)
			}
			var frames int64
			for i, f := range told {
				frames += f.Frames
				if f.Seq != i+1 || f.Start.IsZero() || f.End.IsZero() {
					t.Errorf("told of %+v as file %d", f, i+1)
				}
			}
			if int(frames) != len(c.at) {
				t.Errorf("told of %d frames, want %d", frames, len(c.at))
			}
			f := at(0)
			if err := r.WriteFrame(&f); !errors.Is(err, os.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

// TestRotateSelfContained checks that each file has the interfaces.
func TestRotateSelfContained(t *testing.T) {
	dir := t.TempDir()
	r, err := pcap.CreateRotator(dir, pcap.RotateConfig{MaxFrames: 1, Pattern: "{seq}"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.AddInterface(2, pcap.Interface{Name: "eth2", Link: link.TypeEthernet}); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		f := at(float64(i))
		f.Interface = 2
		if err := r.WriteFrame(&f); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.WriteBlock(&pcap.InterfaceStatistics{}); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"00001", "00002"} {
		f, err := pcap.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := drain(f); err != nil {
			t.Fatal(err)
		}
		if got := f.Interfaces(); len(got) != 1 || got[0].Name != "eth2" {
			t.Errorf("%s describes %+v", name, got)
		}
		f.Close()
	}
}

func TestRotateIfDue(t *testing.T) {
	dir := t.TempDir()
	var told []string
	r, err := pcap.CreateRotator(dir, pcap.RotateConfig{Interval: time.Minute, Align: true, Pattern: "{seq}",
		OnFile: func(f pcap.RotatedFile) error { told = append(told, f.Name); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	f := at(30)
	if err := r.WriteFrame(&f); err != nil {
		t.Fatal(err)
	}
	for _, s := range []float64{31, 59.9, 60, 61, 300} {
		if err := r.RotateIfDue(at(s).Time); err != nil {
			t.Fatal(err)
		}
		if want := s >= 60; want != (len(told) == 1) {
			t.Errorf("at %v s: told of %v", s, told)
		}
	}
	f = at(301)
	if err := errors.Join(r.WriteFrame(&f), r.Flush(), r.Rotate(), r.Rotate(), r.Close()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(told, []string{"00001", "00002"}) {
		t.Errorf("told of %v", told)
	}
}

func TestRotateErrors(t *testing.T) {
	for _, cfg := range []pcap.RotateConfig{
		{MaxBytes: -1}, {Interval: -1}, {MaxFiles: -1}, {MaxFrames: -1}, {Align: true},
		{Writer: pcap.WriterConfig{Format: pcap.FormatSnoop}},
	} {
		if _, err := pcap.CreateRotator(t.TempDir(), cfg); err == nil {
			t.Errorf("%+v is not refused", cfg)
		}
	}
	if _, err := pcap.CreateRotator(filepath.Join(t.TempDir(), "none"), pcap.RotateConfig{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}

	stop := errors.New("stop")
	for name, c := range map[string]struct {
		cfg  pcap.RotateConfig
		want error
	}{
		"outside":      {pcap.RotateConfig{Pattern: "../{seq}"}, nil},
		"same name":    {pcap.RotateConfig{Pattern: "x", MaxFrames: 1}, os.ErrExist},
		"same, atomic": {pcap.RotateConfig{Pattern: "x", MaxFrames: 1, Atomic: true}, os.ErrExist},
		"hook":         {pcap.RotateConfig{MaxFrames: 1, OnFile: func(pcap.RotatedFile) error { return stop }}, stop},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := pcap.CreateRotator(t.TempDir(), c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			f := at(0)
			err = r.WriteFrame(&f)
			if err == nil {
				err = r.WriteFrame(&f)
			}
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("error is %v, want %v", err, c.want)
			}
			if again := r.WriteFrame(&f); again != err {
				t.Errorf("next error is %v, want the same", again)
			}
			if err := r.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}

	dir := t.TempDir()
	r, err := pcap.CreateRotator(dir, pcap.RotateConfig{Pattern: "x", MaxFrames: 1, Overwrite: true, Atomic: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		f := at(float64(i))
		if err := r.WriteFrame(&f); err != nil {
			t.Fatal(err)
		}
	}
	// A refused frame does not end the rotation.
	bad := at(5)
	bad.WireLen = 1
	r.Rotate()
	if err := r.WriteFrame(&bad); !errors.Is(err, pcap.ErrInvalidFrame) {
		t.Errorf("bad frame: %v", err)
	}
	f := at(6)
	if err := errors.Join(r.WriteFrame(&f), r.Close()); err != nil {
		t.Fatal(err)
	}
	if got := list(t, dir); len(got) != 1 || got["x"] != 1 {
		t.Errorf("files are %v", got)
	}
}
