package http1

import (
	"strconv"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fill"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/message"
	"github.com/rampload/rampload/profiles"
)

// smallBody is the longest body that is sent in one write with its headers. A
// longer one is written beside the reading of the response, because the target
// may answer, and stop reading, before it has all of it.
const smallBody = 16 << 10

// chunkSize is the length of a chunk of a chunked request body.
const chunkSize = 16 << 10

// Request is one request of a target, encoded once. It is safe for concurrent
// use.
type Request struct {
	*message.Message
	head []byte // request line and headers with the final empty line; a template's ends before Content-Length
	body []byte // as it goes out, chunks and all; nil with a template
	ids  message.IDs
	fill []segment // of a head with holes, in the place of head
	kept *Request  // the same for a connection that is kept, when Close is only for want of a pool
}

// Compile encodes a request: see [message.Compile].
func Compile(to wire.Target, r profiles.Request) (*Request, error) {
	m, err := message.Compile(to, r)
	if err != nil {
		return nil, err
	}
	kept := encode(m)
	if to.Client.Connections > 0 || to.Client.CloseFirst || m.Asked {
		return kept, nil
	}
	out := encode(m.Closing())
	out.kept = kept
	return out, nil
}

// HTTP1 returns the request itself; a type that embeds it can be sent by a session.
func (r *Request) HTTP1() *Request { return r }

// Kept returns the request as it goes over a connection that is kept.
func (r *Request) Kept() *Request {
	if r.kept != nil {
		return r.kept
	}
	return r
}

// encode encodes a message.
func encode(m *message.Message) *Request {
	r := &Request{Message: m, body: m.Body}
	if m.Chunked && m.Template == nil {
		r.body = appendChunks(nil, m.Body)
	}
	b := append([]byte(nil), m.Method...)
	b = append(b, ' ')
	b = append(b, m.Origin...)
	if hole := m.Hole(m.URI); hole != nil {
		r.fill, b = append(r.fill, segment{text: b, hole: hole}), nil
	} else {
		b = append(b, m.URI...)
	}
	b = append(b, " HTTP/1.1\r\n"...)
	for i, h := range m.Fields {
		if h.Value == "" && (h.Name == "Authorization" || h.Name == "Proxy-Authorization") {
			continue
		}
		b = append(b, h.Name...)
		b = append(b, ": "...)
		if i < m.Own {
			r.ids.Note(h.Name, len(b))
		}
		if hole := m.Hole(h.Value); hole != nil {
			r.fill, b = append(r.fill, segment{text: b, ids: r.ids, hole: hole}), nil
			r.ids = message.IDs{}
		} else {
			b = append(b, h.Value...)
		}
		b = append(b, "\r\n"...)
	}
	if m.Cookies {
		r.fill, b = append(r.fill, segment{text: b, ids: r.ids, cookies: true}), nil
		r.ids = message.IDs{}
	}
	if m.Template == nil || m.Chunked {
		b = append(b, "\r\n"...)
	}
	if r.fill != nil {
		r.fill = append(r.fill, segment{text: b, ids: r.ids})
		return r
	}
	r.head = b
	return r
}

// segment is a part of a head: text, with the ids where they are, and a hole behind it.
type segment struct {
	text    []byte
	ids     message.IDs // in text
	hole    *fill.Template
	cookies bool // a Cookie field follows, if the user has any
}

// appendHead appends the head of an attempt's request.
func (r *Request) appendHead(b []byte, id attack.RunID, a *attack.Attempt) []byte {
	if r.fill == nil {
		at := len(b)
		b = append(b, r.head...)
		r.ids.Patch(b[at:], id, r.Tracing, a)
		return b
	}
	now := time.Now()
	for i := range r.fill {
		s := &r.fill[i]
		at := len(b)
		b = append(b, s.text...)
		s.ids.Patch(b[at:], id, r.Tracing, a)
		if s.hole != nil {
			b = s.hole.Append(b, id, a, now)
		}
		if s.cookies && a.Fill != nil && a.Fill.Cookies != "" {
			b = append(append(append(b, "Cookie: "...), a.Fill.Cookies...), "\r\n"...)
		}
	}
	return b
}

// appendChunks appends a body in chunked transfer coding (RFC 9112 §7.1).
func appendChunks(b, body []byte) []byte {
	for len(body) > 0 {
		n := min(len(body), chunkSize)
		b = strconv.AppendInt(b, int64(n), 16)
		b = append(b, "\r\n"...)
		b = append(b, body[:n]...)
		b = append(b, "\r\n"...)
		body = body[n:]
	}
	return append(b, "0\r\n\r\n"...)
}

// encodeFor puts the request of an attempt into the connection's output, with
// its body if that is small, and returns what of the body remains to be sent. An
// expecting request goes without its body.
func (r *Request) encodeFor(c *scratch, id attack.RunID, a *attack.Attempt) (rest []byte) {
	if r.fixed() {
		if c.encoded != r {
			c.out = append(append(c.out[:0], r.head...), r.body...)
			c.encoded = r
		}
		r.ids.Patch(c.out, id, r.Tracing, a)
		return nil
	}
	c.encoded = nil
	c.out = r.appendHead(c.out[:0], id, a)
	body := r.body
	if r.Template != nil {
		c.body = r.Template.Render(c.body[:0], id, a, time.Now())
		body = c.body
		if r.Chunked {
			c.chunks = appendChunks(c.chunks[:0], body)
			body = c.chunks
		} else {
			c.out = append(c.out, "Content-Length: "...)
			c.out = strconv.AppendInt(c.out, int64(len(body)), 10)
			c.out = append(c.out, "\r\n\r\n"...)
		}
	}
	if r.Expect || len(body) > smallBody {
		return body
	}
	c.out = append(c.out, body...)
	return nil
}

// fixed reports whether the request differs between attempts in its ids only and
// goes out in one write.
func (r *Request) fixed() bool {
	return r.fill == nil && r.Template == nil && !r.Expect && len(r.body) <= smallBody
}
