package redis

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
)

// Limits of a reply, as memory and time must stay bounded whatever a target sends.
const (
	mostLine   = 2 << 10   // bytes of a line: errors and counts
	mostBulk   = 512 << 20 // Redis' own limit of a string
	mostValues = 1 << 30   // of a reply
	mostShown  = 1 << 10   // bytes of a reply that are kept to be shown
)

// reply is the parser of one reply, fed with what has arrived. It keeps the words of an
// error, and nothing else that grows with the input.
type reply struct {
	left   int64 // values to come
	bulk   int64 // bytes of a bulk string to come, with its line end
	failed bool  // the reply is an error
	words  []byte
	first  bool // nothing has come

	show  bool
	shown []byte
}

func (p *reply) reset(show bool) {
	*p = reply{left: 1, first: true, words: p.words[:0], show: show, shown: p.shown[:0]}
}

// done reports whether the reply is complete.
func (p *reply) done() bool { return p.left == 0 && p.bulk == 0 }

// skippable returns how many bytes may be discarded unseen.
func (p *reply) skippable() int64 {
	if p.show {
		return 0
	}
	return max(p.bulk-2, 0)
}

// skip notes n discarded bytes.
func (p *reply) skip(n int64) { p.bulk -= n }

// feed consumes input and returns how much. It stops at the end of the reply, or where it
// needs more.
func (p *reply) feed(b []byte) (int, error) {
	used := 0
	for !p.done() {
		n, err := p.step(b[used:])
		if err != nil {
			return used, err
		}
		if n == 0 {
			break
		}
		used += n
	}
	return used, nil
}

func (p *reply) step(b []byte) (int, error) {
	if p.bulk > 0 {
		return p.data(b)
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if len(b) >= mostLine {
			return 0, wire.Malformed(attack.OversizedHeader)
		}
		return 0, nil
	}
	if end < 2 || end >= mostLine || b[end-1] != '\r' {
		return 0, wire.Malformed(attack.MalformedResponse)
	}
	return end + 1, p.line(b[0], b[1:end-1])
}

// data consumes a part of a bulk string.
func (p *reply) data(b []byte) (int, error) {
	n := min(int64(len(b)), p.bulk)
	if body := min(n, p.bulk-2); body > 0 {
		p.keep(b[:body])
	}
	for i := max(p.bulk-2, 0); i < n; i++ { // the line end
		if want := "\r\n"[2-(p.bulk-i)]; b[i] != want {
			return 0, wire.Malformed(attack.MalformedResponse)
		}
	}
	p.bulk -= n
	return int(n), nil
}

// line takes a line: a value, or what is to come.
func (p *reply) line(kind byte, text []byte) error {
	p.left--
	first := p.first
	p.first = false
	switch kind {
	case '+', ':', ',', '(', '#', '_':
		p.keep(text)
		return nil
	case '-':
		if first {
			p.failed = true
			p.words = append(p.words[:0], text[:min(len(text), attack.MaxAnswerBody)]...)
		}
		p.keep(text)
		return nil
	case '$', '!', '=':
		n, err := count(text)
		if err != nil || n > mostBulk {
			return wire.Malformed(attack.MalformedLength)
		}
		if n >= 0 {
			p.bulk = n + 2
		} else {
			p.keep([]byte("(nil)"))
		}
		return nil
	case '*', '~', '>', '%':
		n, err := count(text)
		if err != nil || n > mostValues || p.left > mostValues {
			return wire.Malformed(attack.MalformedLength)
		}
		if kind == '%' {
			n *= 2
		}
		p.left += max(n, 0)
		return nil
	}
	return wire.Malformed(attack.MalformedResponse)
}

// keep keeps a value to be shown.
func (p *reply) keep(value []byte) {
	if p.show && len(p.shown) < mostShown {
		p.shown = append(append(p.shown, value[:min(len(value), mostShown)]...), '\n')
	}
}

// String returns the values of the reply, one a line.
func (p *reply) String() string { return string(bytes.TrimSuffix(p.shown, []byte("\n"))) }

// count reads a length; -1 stands for no value.
func count(text []byte) (int64, error) {
	if len(text) == 0 || len(text) > 19 || text[0] == '+' {
		return 0, fmt.Errorf("read length %q", text)
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err == nil && n < -1 {
		err = fmt.Errorf("read length %q", text)
	}
	return n, err
}
