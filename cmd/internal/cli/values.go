package cli

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// errValue is the error of a value that a flag does not take; flagError says
// the rest.
var errValue = errors.New("illegal value")

// multiple returns the number in front of s and what the unit behind it stands
// for.
func multiple(s string, units map[string]float64) (float64, error) {
	n := strings.LastIndexAny(s, "0123456789.") + 1
	unit, ok := units[s[n:]]
	v, err := strconv.ParseFloat(s[:n], 64)
	if !ok || err != nil || v < 0 || math.IsInf(v*unit, 0) {
		return 0, errValue
	}
	return v * unit, nil
}

// sizeUnits are the units of a number of bytes.
func sizeUnits(plain float64) map[string]float64 {
	return map[string]float64{
		"": plain, "B": 1,
		"k": 1e3, "K": 1e3, "kB": 1e3, "KB": 1e3, "M": 1e6, "MB": 1e6, "G": 1e9, "GB": 1e9,
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
	}
}

// sizeFlag is a flag with a number of bytes.
type sizeFlag struct {
	bytes int
	plain float64 // what a number without a unit counts; 0 for bytes
	text  string
}

func (f *sizeFlag) Set(s string) error {
	v, err := multiple(s, sizeUnits(max(f.plain, 1)))
	if err != nil || v >= math.MaxInt {
		return errValue
	}
	f.bytes, f.text = int(v), s
	return nil
}

func (f *sizeFlag) String() string { return f.text }
func (f *sizeFlag) Type() string   { return "size" }

// rateFlag is a flag with a number of something per second.
type rateFlag struct {
	rate float64
	text string
}

func (f *rateFlag) Set(s string) error {
	v, err := multiple(s, map[string]float64{"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9})
	if err != nil || v == 0 {
		return errValue
	}
	f.rate, f.text = v, s
	return nil
}

func (f *rateFlag) String() string { return f.text }
func (f *rateFlag) Type() string   { return "rate" }

// secondsFlag is a flag with a time; a number without a unit is seconds.
type secondsFlag struct {
	time time.Duration
	text string
}

func (f *secondsFlag) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil {
		if d, err = time.ParseDuration(s + "s"); err != nil {
			return errValue
		}
	}
	if d < 0 {
		return errValue
	}
	f.time, f.text = d, s
	return nil
}

func (f *secondsFlag) String() string { return f.text }
func (f *secondsFlag) Type() string   { return "duration" }

// rateText tells a number per second in three or four digits.
func rateText(v float64, unit string) string {
	prefix := ""
	for _, p := range [...]string{"k", "M", "G", "T"} {
		if v < 9999.5 {
			break
		}
		v, prefix = v/1000, p
	}
	digits := 0
	switch {
	case v == 0:
	case v < 9.995:
		digits = 2
	case v < 99.95:
		digits = 1
	}
	s := strconv.FormatFloat(v, 'f', digits, 64) + " " + prefix + unit
	return s
}
