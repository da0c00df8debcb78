package cli

import (
	"strconv"
	"time"
)

// timeStyle is how the time of a packet is printed.
type timeStyle uint8

const (
	timeClock      timeStyle = iota // 15:04:05.000000
	timeNone                        // nothing
	timeEpoch                       // seconds since 1970
	timeDelta                       // since the packet before
	timeDate                        // 2006-01-02 15:04:05.000000
	timeDeltaFirst                  // since the first packet
)

// timeStyles are the names of the styles, in the order of tcpdump's -t, -tt,
// -ttt, -tttt and -ttttt behind the default.
var timeStyles = [...]string{"clock", "none", "epoch", "delta", "date", "first"}

// parseTimeStyle returns the style of a name; repeated is how often -t was
// given.
func parseTimeStyle(name string, repeated int) (timeStyle, error) {
	if repeated > 0 {
		return timeStyle(min(repeated, len(timeStyles)-1)), nil
	}
	for i, s := range timeStyles {
		if s == name {
			return timeStyle(i), nil
		}
	}
	return 0, usagef("--time %s: use clock, none, epoch, delta, date or first", name)
}

// clock prints times. Packets of the same second share the text of all but the
// fraction.
type clock struct {
	style  timeStyle
	zone   *time.Location
	digits int // of the fraction

	second int64
	text   []byte // of second
	first  time.Time
	last   time.Time
}

// append appends the time of a packet and a space.
func (c *clock) append(b []byte, t time.Time) []byte {
	if c.style == timeNone {
		return b
	}
	if t.IsZero() {
		return append(b, "--:--:-- "...)
	}
	switch c.style {
	case timeDelta, timeDeltaFirst:
		from := c.last
		if c.style == timeDeltaFirst {
			from = c.first
		}
		if from.IsZero() {
			from = t
			c.first = t
		}
		c.last = t
		return append(c.appendDuration(b, t.Sub(from)), ' ')
	case timeEpoch:
		b = strconv.AppendInt(b, t.Unix(), 10)
	default:
		if s := t.Unix(); s != c.second || c.text == nil {
			layout := "15:04:05"
			if c.style == timeDate {
				layout = "2006-01-02 15:04:05"
			}
			c.second, c.text = s, t.In(c.zone).AppendFormat(c.text[:0], layout)
		}
		b = append(b, c.text...)
	}
	return append(c.appendFraction(b, t.Nanosecond()), ' ')
}

// appendFraction appends the fraction of a second, cut to the digits.
func (c *clock) appendFraction(b []byte, nanoseconds int) []byte {
	b = append(b, '.')
	for unit := 100_000_000; unit > 0; unit /= 10 {
		if c.digits == 6 && unit < 1000 {
			break
		}
		b = append(b, byte('0'+nanoseconds/unit%10))
	}
	return b
}

// appendDuration appends a difference as hours, minutes and seconds.
func (c *clock) appendDuration(b []byte, d time.Duration) []byte {
	b = append(b, ' ')
	if d < 0 {
		b[len(b)-1] = '-'
		d = -d
	}
	s := int64(d / time.Second)
	for i, n := range [3]int64{s / 3600, s / 60 % 60, s % 60} {
		if i > 0 {
			b = append(b, ':')
		}
		if n < 10 {
			b = append(b, '0')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return c.appendFraction(b, int(d%time.Second))
}
