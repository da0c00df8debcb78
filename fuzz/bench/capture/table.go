package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// spread is the median and the bounds of what several rounds measured, and of
// many the quartiles.
type spread struct{ median, min, max, lower, upper float64 }

// spreadOf returns the spread of values; all zero without any.
func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	v := slices.Clone(values)
	slices.SortFunc(v, cmp.Compare[float64])
	n := len(v)
	return spread{(v[(n-1)/2] + v[n/2]) / 2, v[0], v[n-1], v[n/4], v[n-1-n/4]}
}

// String prints the median and, in parentheses, the bounds if they differ.
func (s spread) String() string {
	if s.min == s.max {
		return number(s.median)
	}
	return fmt.Sprintf("%s (%s to %s)", number(s.median), number(s.min), number(s.max))
}

// quartiles prints the median and, in parentheses, the quartiles.
func (s spread) quartiles() string {
	return fmt.Sprintf("%s (%s to %s)", number(s.median), number(s.lower), number(s.upper))
}

// number prints v with three digits or, from 100 on, as an integer with commas.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 0.0005:
		return fmt.Sprintf("%.1g", v)
	case v < 1:
		return fmt.Sprintf("%.3f", v)
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// ratio prints a divided by b, or nothing when there is no b.
func ratio(a, b float64) string {
	if b == 0 || a == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", a/b)
}

// table is a table in Markdown.
type table struct{ strings.Builder }

// row adds a row; the first one is the head.
func (t *table) row(cells ...string) {
	head := t.Len() == 0
	t.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	if head {
		t.WriteString(strings.Repeat("| --- ", len(cells)) + "|\n")
	}
}
