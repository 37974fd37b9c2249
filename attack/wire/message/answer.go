package message

import (
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/attack"
)

// Answers bounds how many answers of failed attempts are kept whole: a few of each
// status in a window of time. The zero value is ready; it is safe for concurrent use.
type Answers struct {
	slots [8]atomic.Uint64 // by status: the window, and how many were kept in it
}

const (
	answersWindow = 250 * time.Millisecond
	answersKept   = 16 // of a status, or of those that share a slot, in a window
)

// Keep reports whether an answer with a status that ended now is to be kept.
func (a *Answers) Keep(now time.Duration, status int) bool {
	window := uint64(max(now, 0)/answersWindow) + 1
	slot := &a.slots[(status/100*3+status%100)%len(a.slots)]
	for {
		was := slot.Load()
		kept := was & 0xff
		if was>>8 != window {
			kept = 0
		}
		if kept >= answersKept {
			return false
		}
		if slot.CompareAndSwap(was, window<<8|(kept+1)) {
			return true
		}
	}
}

// Draft is the beginning of a response whose status is not expected, while it arrives.
// It keeps its memory for the next one.
type Draft struct {
	names  [attack.MaxAnswerHeaders]string
	values [attack.MaxAnswerHeaders]string
	fields int
	body   []byte
}

// Reset empties the draft.
func (d *Draft) Reset() { d.fields, d.body = 0, d.body[:0] }

// mostFieldValue bounds what is kept of a field's value.
const mostFieldValue = 256

// Field takes a header field if it tells something. The name may be of any case.
func (d *Draft) Field(name, value []byte) {
	var lower [40]byte
	if d.fields == len(d.names) || len(name) > len(lower) {
		return
	}
	for i, b := range name {
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		lower[i] = b
	}
	if !attack.TellingHeader(lower[:len(name)]) {
		return
	}
	d.names[d.fields], d.values[d.fields] = string(lower[:len(name)]), string(value[:min(len(value), mostFieldValue)])
	d.fields++
}

// Body takes a piece of the body.
func (d *Draft) Body(p []byte) {
	if room := attack.MaxAnswerBody - len(d.body); room > 0 {
		d.body = append(d.body, p[:min(len(p), room)]...)
	}
}

// Full reports whether no more of the body is wanted.
func (d *Draft) Full() bool { return len(d.body) >= attack.MaxAnswerBody }

// Answer returns what was kept; declared is -1 where no length was announced.
func (d *Draft) Answer(declared, received int64) *attack.Answer {
	a := &attack.Answer{Declared: declared, Received: received, Body: string(d.body)}
	for i := range d.fields {
		a.Headers = append(a.Headers, attack.AnswerHeader{Name: d.names[i], Value: d.values[i]})
	}
	return a
}
