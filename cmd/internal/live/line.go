package live

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// look is how a text is shown.
type look uint8

const (
	plain look = iota
	faint
	bold
	good
	bad
	unsure
)

type span struct {
	text string
	look look
}

// line is one line of the screen.
type line []span

func text(s string) line { return line{{s, plain}} }

func (l line) width() int {
	n := 0
	for _, s := range l {
		n += runewidth.StringWidth(s.text)
	}
	return n
}

// clip cuts a line to a width; what is cut shows.
func (l line) clip(width int) line {
	if l.width() <= width {
		return l
	}
	var out line
	left := width
	for _, s := range l {
		w := runewidth.StringWidth(s.text)
		if w < left {
			out = append(out, s)
			left -= w
			continue
		}
		return append(out, span{runewidth.Truncate(s.text+"…", left, "…"), s.look})
	}
	return out
}

func (l line) pad(width int) line {
	if n := width - l.width(); n > 0 {
		return append(l[:len(l):len(l)], span{strings.Repeat(" ", n), plain})
	}
	return l
}

func (l line) String() string {
	var b strings.Builder
	for _, s := range l {
		if s.look == plain {
			b.WriteString(s.text)
			continue
		}
		b.WriteString(codes[s.look] + s.text + "\x1b[0m")
	}
	return strings.TrimRight(b.String(), " ")
}

func (l line) joined(other line) line { return append(l[:len(l):len(l)], other...) }

// add appends text, to the last span where it looks the same.
func (l line) add(s string, how look) line {
	if n := len(l); n > 0 && l[n-1].look == how {
		l[n-1].text += s
		return l
	}
	return append(l, span{s, how})
}

// wrapped breaks text into lines of a width, two at most.
func wrapped(s string, width int) []string {
	words := strings.Fields(s)
	first, n := "", 0
	for ; n < len(words); n++ {
		more := strings.TrimPrefix(first+" "+words[n], " ")
		if n > 0 && runewidth.StringWidth(more) > width {
			break
		}
		first = more
	}
	if n == len(words) {
		return []string{first}
	}
	return []string{first, strings.Join(words[n:], " ")}
}

// codes are the ANSI sequences of the looks.
var codes = [...]string{plain: "", faint: "\x1b[2m", bold: "\x1b[1m", good: "\x1b[32m", bad: "\x1b[31m", unsure: "\x1b[33m"}
