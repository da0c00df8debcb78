package filter

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What [Error] wraps: the sort of an error.
var (
	// ErrSyntax is an expression that does not follow the grammar.
	ErrSyntax = errors.New("syntax error")
	// ErrDialect is an expression of [DialectScoped], compiled for another
	// dialect.
	ErrDialect = errors.New("expression of another dialect")
	// ErrMeaning is an expression that follows the grammar and means nothing:
	// a port with a letter in it, a network with host bits, a VLAN above 4095.
	ErrMeaning = errors.New("not a valid filter")
	// ErrUnknownName is a name that the resolver does not know.
	ErrUnknownName = errors.New("unknown name")
	// ErrUnsupportedLink is a link type for which the compiler has no rules,
	// or a keyword that has no meaning on the link type.
	ErrUnsupportedLink = errors.New("not supported on this link type")
	// ErrTooLong is an expression that is too long, or whose program would be
	// longer than [MaxProgram] instructions or need more than 16 scratch
	// registers.
	ErrTooLong = errors.New("filter too long")
)

// Error says what is wrong with an expression, and where.
type Error struct {
	Expr     string // the expression
	Pos      int    // byte offset in Expr of the first wrong byte
	End      int    // byte offset after the last wrong byte; Pos at the end of Expr
	Msg      string // what is wrong
	Expected string // what would have been right, "" if that is not known
	Hint     string // a likely correction, "" if there is none
	Err      error  // the sort of error: [ErrSyntax], [ErrMeaning] ...
}

// Error returns the error on one line, without the expression.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("filter: column ")
	b.WriteString(strconv.Itoa(e.Pos + 1))
	b.WriteString(": ")
	b.WriteString(e.Msg)
	if e.Expected != "" {
		b.WriteString("; expected ")
		b.WriteString(e.Expected)
	}
	if e.Hint != "" {
		b.WriteString("; did you mean ")
		b.WriteString(e.Hint)
		b.WriteString("?")
	}
	return b.String()
}

// Unwrap returns the sort of the error.
func (e *Error) Unwrap() error {
	if e.Err == nil {
		return ErrSyntax
	}
	return e.Err
}

// caretColumns is how much of a line [Error.Caret] shows.
const caretColumns = 120

// Caret returns the line of the expression with the error and a second line
// with a caret under each wrong byte, for a terminal. Both end in a newline. Of
// a line with more than 120 characters it is the part around the error, with an
// ellipsis where it was cut.
func (e *Error) Caret() string {
	pos := min(max(e.Pos, 0), len(e.Expr))
	start := strings.LastIndexByte(e.Expr[:pos], '\n') + 1
	text := e.Expr[start:]
	if nl := strings.IndexByte(text, '\n'); nl >= 0 {
		text = text[:nl]
	}
	// One column for each character.
	line := []rune(text)
	from := utf8.RuneCountInString(e.Expr[start:pos])
	to := from + 1
	if e.End > pos {
		to = max(to, from+utf8.RuneCountInString(e.Expr[pos:min(e.End, start+len(text))]))
	}
	for i, r := range line {
		if r < ' ' {
			line[i] = ' '
		}
	}
	if len(line) > caretColumns {
		first := min(max(from-caretColumns/3, 0), len(line)-caretColumns)
		last := first + caretColumns
		cut := slices.Clone(line[first:last])
		if first > 0 {
			cut[0] = '…'
		}
		if last < len(line) {
			cut[len(cut)-1] = '…'
		}
		line, from, to = cut, from-first, min(to, last)-first
	}
	return string(line) + "\n" + strings.Repeat(" ", from) + strings.Repeat("^", max(to-from, 1)) + "\n"
}

// nearest returns the one of words that is closest to s by insertions,
// deletions, substitutions and transpositions, if it is close enough to be
// what was meant, else "".
func nearest(s string, words []string) string {
	if len(s) > 32 {
		return ""
	}
	s = strings.ToLower(s)
	best, distance := "", 1+len(s)/3
	for _, w := range words {
		if d := editDistance(s, w); d < distance || d == distance && best == "" {
			best, distance = w, d
		}
	}
	return best
}

func editDistance(a, b string) int {
	if d := len(a) - len(b); d > 3 || d < -3 {
		return 99
	}
	before := make([]int, len(b)+1)
	last := make([]int, len(b)+1)
	now := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(b)]
}
