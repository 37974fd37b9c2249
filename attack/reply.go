package attack

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Reply takes the answer to one attempt whole: for those who look at answers one by
// one. The caller sets Limit and puts the reply into [Attempt].Reply; the client fills
// in the rest before Do returns. It costs memory and time, so the load itself has none.
type Reply struct {
	Limit int // bytes of the body that are kept, at most

	// Sent is the request as it went out: line, headers, and the beginning of its body behind
	// an empty line. Protocols without such a request have Turns; nil: nothing was sent.
	Sent []byte

	Version string         // "HTTP/1.1" or "HTTP/2"; "" without an answer
	Headers []AnswerHeader // in the order in which they came, names as they came
	Body    []byte         // the first Limit bytes, still encoded as Content-Encoding says
	Length  int64          // bytes of the body that came

	Turns []ReplyTurn // of protocols without messages of a head and a body: what was said, in order
}

// ReplyTurn is what one side said.
type ReplyTurn struct {
	Ours bool
	Data []byte // its beginning
	Size int    // bytes in all
}

// mostTurns bounds the turns that are kept.
const mostTurns = 100

// Turn takes what one side said, or a piece of it.
func (r *Reply) Turn(ours bool, p []byte) {
	if !ours {
		r.Length += int64(len(p))
	}
	if n := len(r.Turns); n == 0 || r.Turns[n-1].Ours != ours {
		if n == mostTurns {
			return
		}
		r.Turns = append(r.Turns, ReplyTurn{Ours: ours})
	}
	t := &r.Turns[len(r.Turns)-1]
	t.Size += len(p)
	if room := r.Limit - len(t.Data); room > 0 {
		t.Data = append(t.Data, p[:min(len(p), room)]...)
	}
}

// mostSent bounds what is kept of a request beside its body.
const mostSent = 64 << 10

// Ask takes a request, or the next piece of it, as it goes out.
func (r *Reply) Ask(p []byte) {
	r.Sent = append(r.Sent, p[:min(len(p), max(r.Limit+mostSent-len(r.Sent), 0))]...)
}

// Begin empties the reply for an answer of that version: interim answers do not count.
func (r *Reply) Begin(version string) {
	r.Version, r.Headers, r.Body, r.Length = version, r.Headers[:0], r.Body[:0], 0
	r.Turns = r.Turns[:0]
}

// maxReplyHeaders bounds what a hostile peer can make us keep.
const maxReplyHeaders = 256

// Header takes a header field.
func (r *Reply) Header(name, value string) {
	if len(r.Headers) < maxReplyHeaders {
		r.Headers = append(r.Headers, AnswerHeader{Name: name, Value: value})
	}
}

// Data takes a piece of the body.
func (r *Reply) Data(p []byte) {
	r.Length += int64(len(p))
	if room := r.Limit - len(r.Body); room > 0 {
		r.Body = append(r.Body, p[:min(len(p), room)]...)
	}
}

// RetryAfter returns how long from now on a Retry-After field asks to wait: it is a
// number of seconds or a date (RFC 9110 §10.2.3). It is 0 for one that is malformed or
// over.
func RetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(at.Sub(now), 0)
}
