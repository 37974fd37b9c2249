package http

import (
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/http2"
	"github.com/rampload/rampload/attack/wire/message"
	"github.com/rampload/rampload/attack/wire/mux"
	"github.com/rampload/rampload/profiles"
)

// session2 speaks HTTP/2 on one connection.
type session2 struct {
	*mux.Session
	expect profiles.StatusSet
	kept   *message.Answers
}

// exchange is one HTTP/2 attempt. Exchanges are used again.
type exchange struct {
	http2.Exchange
	id    attack.RunID
	r     *Request
	a     *attack.Attempt
	body  []byte // a rendered template
	value []byte // of a field, filled in
	sent  int    // bytes of the headers

	expect profiles.StatusSet
	odd    bool // the status is not expected
	draft  message.Draft
}

var exchanges = sync.Pool{New: func() any {
	x := new(exchange)
	x.Init(x)
	return x
}}

// AppendHeaders implements [http2.Handler].
func (x *exchange) AppendHeaders(b []byte) []byte {
	start := len(b)
	b, x.value = x.r.head.Append(b, x.value, x.id, x.r.streamed.Tracing, x.a)
	if x.r.streamed.Cookies && x.a.Fill != nil && x.a.Fill.Cookies != "" {
		x.value = append(x.value[:0], x.a.Fill.Cookies...)
		b = http2.AppendField(b, "cookie", x.value)
	}
	x.sent = len(b) - start
	if m := x.r.streamed; m.Template != nil && !m.Chunked {
		b = http2.AppendLength(b, len(x.body))
	}
	mux.Tell(x.a.Reply, b[start:])
	return b
}

// Head implements [http2.Handler].
func (x *exchange) Head(status int, fields []hpack.HeaderField) {
	if status < 200 {
		return
	}
	if reply := x.a.Reply; reply != nil {
		reply.Begin("HTTP/2")
		for _, f := range fields {
			reply.Header(f.Name, f.Value)
		}
	}
	for i := range fields {
		if fields[i].Name == "retry-after" {
			x.a.RetryAfter = attack.RetryAfter(fields[i].Value, time.Now())
		}
	}
	if x.odd = len(x.expect) > 0 && !x.expect.Contains(status); !x.odd {
		return
	}
	x.draft.Reset()
	for i := range fields {
		x.draft.Field([]byte(fields[i].Name), []byte(fields[i].Value))
	}
}

// Data implements [http2.Handler].
func (x *exchange) Data(p []byte) {
	if x.a.Reply != nil {
		x.a.Reply.Data(p)
	}
	if x.odd {
		x.draft.Body(p)
	}
}

// keepAnswer keeps what was answered to a failed attempt, of a sample of them.
func (x *exchange) keepAnswer(a *attack.Attempt, kept *message.Answers, now time.Duration) {
	if a.Status == 0 || !kept.Keep(now, int(a.Status)) {
		return
	}
	if !x.odd {
		x.draft.Reset()
	}
	a.Answer = x.draft.Answer(x.Lengths())
}

// Do makes one attempt on a stream.
func (s *session2) Do(req attack.Request, a *attack.Attempt) wire.Outcome {
	r := req.(*Request)
	m := r.streamed
	first := s.First()
	x := exchanges.Get().(*exchange)
	x.id, x.r, x.a = s.Wire.RunID(), r, a
	x.expect, x.odd, x.sent = s.expect, false, 0
	x.Deadline, x.NoBody, x.Hold = s.Wire.DeadlineOf(a), m.Method == "HEAD", 0
	body := m.Body
	if m.Template != nil {
		x.body = m.Template.Render(x.body[:0], x.id, a, time.Now())
		body = x.body
	}
	if m.Expect {
		x.Hold = message.ContinueWait
	}
	err := x.Do(s.Conn, body)
	phase := x.Phase
	if a.Reply != nil {
		a.Reply.Ask(body)
	}
	a.Status = uint16(x.Status)
	_, received := x.Lengths()
	a.Sent, a.Received, a.Answer = uint32(x.sent+len(body)), uint64(received), nil
	if x.odd || err != nil && phase == attack.PhaseBody {
		x.keepAnswer(a, s.kept, s.Wire.Now())
	}
	odd := x.odd
	x.r, x.a = nil, nil
	exchanges.Put(x)

	if err != nil {
		return s.Fail(a, first, phase, err)
	}
	s.Wire.Succeed(a)
	if odd {
		a.Fault = attack.Status
	}
	if m.Close {
		return wire.HangUp
	}
	return wire.Keep
}
