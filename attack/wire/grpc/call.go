package grpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/http2"
	"github.com/rampload/rampload/attack/wire/mux"
)

// call is one attempt at a call. Calls are used again.
type call struct {
	http2.Stream
	id attack.RunID
	r  *Request
	a  *attack.Attempt

	now     func() time.Duration
	body    []byte // messages that were filled in
	value   []byte // of a field, filled in
	headers int    // bytes that were sent
	asked   []byte // messages that were sent, as JSON, where somebody wants to see them
	answer  answer
	enough  bool // all messages that were asked for have come

	done chan error    // the stream has ended
	stop chan struct{} // it is to be given up
	sent chan struct{} // what Send was given is queued
}

var calls = sync.Pool{New: func() any {
	x := &call{done: make(chan error, 1), stop: make(chan struct{}, 1), sent: make(chan struct{}, 1)}
	x.Handler = x
	return x
}}

// Do implements [wire.Session].
func (s *session) Do(req attack.Request, a *attack.Attempt) wire.Outcome {
	first := s.First()
	x := calls.Get().(*call)
	x.id, x.r, x.a, x.now = s.Wire.RunID(), req.(*Request), a, s.Wire.Now
	x.Deadline, x.headers, x.enough = s.Wire.DeadlineOf(a), 0, false
	if d := x.r.deadline; d > 0 {
		x.Deadline = min(x.Deadline, a.Start+d)
	}
	x.answer.reset()
	x.asked = x.asked[:0]
	if a.Reply != nil {
		x.answer.keep = x.reply
	}
	length, err := x.run(s.Conn)
	phase := x.Phase
	if a.Reply != nil {
		a.Reply.Ask(x.asked)
	}
	out := s.conclude(x, a, first, phase, err)
	_, received := x.Lengths()
	a.Sent, a.Received = uint32(x.headers+length), uint64(received)
	x.r, x.a, x.now, x.answer.keep = nil, nil, nil, nil
	calls.Put(x)
	return out
}

// conclude ends the attempt.
func (s *session) conclude(x *call, a *attack.Attempt, first bool, phase attack.Phase, err error) wire.Outcome {
	w := &x.answer
	a.Status, a.Answer = uint16(w.httpStatus), nil
	var reset *http2.ResetError
	if errors.As(err, &reset) && reset.Code == xhttp2.ErrCodeCancel && s.Wire.Now() >= x.Deadline {
		err = http2.ErrTimeout // the server keeps to the same time
	}
	if w.isBad && errors.Is(err, http2.ErrCanceled) { // by us
		err = wire.Malformed(w.bad)
	}
	if err != nil && (!x.enough || !errors.Is(err, http2.ErrCanceled)) {
		return s.Fail(a, first, phase, err)
	}
	code := 0
	if !x.enough {
		if code, err = w.verdict(x.r.oneAnswer); err != nil {
			return s.Wire.FailStream(a, phase, err)
		}
	}
	s.Wire.Succeed(a)
	if x.enough || code != noStatus && s.expect.Contains(code) {
		return wire.Keep
	}
	a.Fault = attack.Status
	if code != noStatus {
		a.Detail = attack.GRPCCode(uint32(code))
	}
	if ms, err := strconv.ParseUint(w.pushback, 10, 31); err == nil {
		a.RetryAfter = time.Duration(ms) * time.Millisecond
	}
	if s.kept.Keep(s.Wire.Now(), w.httpStatus*100+code) {
		a.Answer = w.answered()
	}
	return wire.Keep
}

// run makes the call and waits for its end. It returns how many bytes of messages it has.
func (x *call) run(c *http2.Conn) (length int, err error) {
	r := x.r
	if r.every > 0 && len(r.messages) > 1 {
		return x.paced(c)
	}
	body := r.fixed
	if !r.isFixed {
		x.body = x.body[:0]
		for _, parts := range r.messages {
			x.body = appendMessage(x.body, parts, x.text)
		}
		body = x.body
	}
	x.show(body)
	if err := c.Start(&x.Stream, body, true); err != nil {
		return 0, err
	}
	return len(body), x.wait()
}

// text renders a value of a message.
func (x *call) text(p *part) []byte {
	x.value = p.value.Append(x.value[:0], x.id, x.a, time.Now())
	return x.value
}

// show keeps messages that are sent as JSON, a line each, for whoever wants to see them.
func (x *call) show(messages []byte) {
	if x.a.Reply == nil || x.r.method == nil {
		return
	}
	for len(messages) >= prefix {
		size := int(binary.BigEndian.Uint32(messages[1:]))
		text, err := x.r.method.InputJSON(messages[prefix : prefix+size])
		if err != nil {
			text = fmt.Appendf(nil, "(%d bytes)", size)
		}
		x.asked = append(append(x.asked, text...), '\n')
		messages = messages[prefix+size:]
	}
}

// wait waits for the end of the stream, and gives it up when it is told to.
func (x *call) wait() error {
	select {
	case err := <-x.done:
		select {
		case <-x.stop: // at the same time
		default:
		}
		select {
		case <-x.sent:
		default:
		}
		return err
	case <-x.stop:
		x.Cancel(xhttp2.ErrCodeCancel)
		return x.wait()
	}
}

// paced sends one message after the other, with a pause between them.
func (x *call) paced(c *http2.Conn) (length int, err error) {
	var timer *time.Timer
	for i, parts := range x.r.messages {
		x.body = appendMessage(x.body[:0], parts, x.text)
		x.show(x.body)
		length += len(x.body)
		last := i == len(x.r.messages)-1
		if i == 0 {
			err = c.Start(&x.Stream, x.body, last)
		} else {
			x.Send(x.body, last)
		}
		if err != nil || last {
			break
		}
		if timer == nil {
			timer = time.NewTimer(x.r.every)
			defer timer.Stop()
		} else {
			timer.Reset(x.r.every)
		}
		for _, due := range []bool{false, true} { // first its memory, then its time
			var at <-chan time.Time
			sent := x.sent
			if due {
				at, sent = timer.C, nil
			}
			select {
			case <-sent:
			case <-at:
			case err := <-x.done:
				x.done <- err
				return length, x.wait()
			case <-x.stop:
				x.Cancel(xhttp2.ErrCodeCancel)
				return length, x.wait()
			}
		}
	}
	if err != nil {
		return 0, err
	}
	return length, x.wait()
}

// AppendHeaders implements [http2.Handler].
func (x *call) AppendHeaders(b []byte) []byte {
	start := len(b)
	b, x.value = x.r.head.Append(b, x.value, x.id, x.r.tracing, x.a)
	if x.Deadline != http2.Never {
		x.value = appendTimeout(x.value[:0], x.Deadline-x.now())
		b = http2.AppendField(b, "grpc-timeout", x.value)
	}
	x.headers = len(b) - start
	mux.Tell(x.a.Reply, b[start:])
	return b
}

// Head implements [http2.Handler].
func (x *call) Head(status int, fields []hpack.HeaderField) {
	if status < 200 {
		return
	}
	x.answer.httpStatus = status
	x.answer.fields(fields)
	if x.a.Reply != nil {
		x.a.Reply.Begin("HTTP/2")
		x.tell(fields)
	}
}

// Data implements [http2.Handler].
func (x *call) Data(p []byte) {
	if x.answer.httpStatus != 200 || !x.answer.isGRPC {
		if x.a.Reply != nil {
			x.a.Reply.Data(p)
		}
		return // not a service of gRPC: its words
	}
	if x.enough {
		return
	}
	ok := x.answer.data(p)
	if take := x.r.take; take > 0 && x.answer.messages >= take && !x.answer.isBad {
		x.enough, ok = true, false
	}
	if !ok {
		select {
		case x.stop <- struct{}{}:
		default:
		}
	}
}

// Trailer implements [http2.Handler].
func (x *call) Trailer(fields []hpack.HeaderField) {
	x.answer.fields(fields)
	x.tell(fields)
}

func (x *call) tell(fields []hpack.HeaderField) {
	if reply := x.a.Reply; reply != nil {
		for _, f := range fields {
			reply.Header(f.Name, f.Value)
		}
	}
}

// reply takes a message of the answer as JSON, a line each.
func (x *call) reply(message []byte) {
	if x.r.method == nil {
		x.a.Reply.Data(message)
		return
	}
	text, err := x.r.method.JSON(message)
	if err != nil {
		text = message
	}
	if x.answer.messages > 1 {
		x.a.Reply.Data([]byte{'\n'})
	}
	x.a.Reply.Data(text)
}

// Sent implements [http2.Handler].
func (x *call) Sent() {
	select {
	case x.sent <- struct{}{}:
	default:
	}
}

// End implements [http2.Handler].
func (x *call) End(err error) { x.done <- err }
