package http1

import (
	"bytes"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
)

// unfold blanks the line ends inside a folded line.
func unfold(b []byte) {
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return
		}
		b[i] = ' '
		if b[i-1] == '\r' {
			b[i-1] = ' '
		}
		b = b[i+1:]
	}
}

// statusLine reads "HTTP/1.1 200 OK".
func (resp *response) statusLine(b []byte) error {
	if len(b) < len("HTTP/1.1 200") || string(b[:7]) != "HTTP/1." || b[8] != ' ' || b[7] < '0' || b[7] > '9' {
		return wire.Malformed(attack.MalformedStatusLine)
	}
	resp.minor = int(b[7] - '0')
	b = bytes.TrimLeft(b[9:], " ")
	if len(b) < 3 || len(b) > 3 && b[3] != ' ' {
		return wire.Malformed(attack.MalformedStatusLine)
	}
	resp.status = 0
	for _, d := range b[:3] {
		if d < '0' || d > '9' {
			return wire.Malformed(attack.MalformedStatusLine)
		}
		resp.status = 10*resp.status + int(d-'0')
	}
	if resp.status < 100 {
		return wire.Malformed(attack.MalformedStatusLine)
	}
	if resp.reply != nil {
		resp.reply.Begin("HTTP/1." + string(rune('0'+resp.minor)))
	}
	if resp.odd = len(resp.expect) > 0 && !resp.expect.Contains(resp.status); resp.odd && resp.draft != nil && resp.status >= 200 {
		resp.draft.Reset()
	}
	return nil
}

// field reads one header field.
func (resp *response) field(b []byte) error {
	colon := bytes.IndexByte(b, ':')
	if colon <= 0 {
		return wire.Malformed(attack.MalformedHeader)
	}
	name, value := b[:colon], b[colon+1:]
	for _, c := range name {
		if byteClass[c]&inName == 0 {
			return wire.Malformed(attack.MalformedHeader)
		}
	}
	if !isValue(value) {
		return wire.Malformed(attack.MalformedHeader)
	}
	if resp.state == rxTrailer {
		return nil
	}
	if resp.reply != nil {
		resp.reply.Header(string(name), string(trim(value)))
	}
	if resp.odd && resp.draft != nil {
		resp.draft.Field(name, trim(value))
	}
	// Few names matter, and their lengths tell them from most of the rest.
	switch len(name) {
	case len("Trailer"):
		if equalFold(name, "trailer") {
			resp.trailerField(value)
		}
	case len("Connection"):
		if equalFold(name, "connection") {
			resp.closes = resp.closes || hasToken(value, "close")
			resp.keepAlive = resp.keepAlive || hasToken(value, "keep-alive")
		}
	case len("Retry-After"):
		if equalFold(name, "retry-after") {
			resp.retry = attack.RetryAfter(string(value), time.Now())
		}
	case len("Content-Length"):
		if equalFold(name, "content-length") {
			return resp.lengthField(trim(value))
		}
	case len("Transfer-Encoding"):
		if equalFold(name, "transfer-encoding") && resp.minor > 0 {
			// One, and only chunked: all else is the stuff of request smuggling.
			if resp.encodings++; resp.encodings > 1 || resp.folded || !equalFold(trim(value), "chunked") {
				return wire.Malformed(attack.MalformedLength)
			}
			resp.chunked = true
		}
	}
	return nil
}

// lengthField reads a Content-Length. Several must be the same.
func (resp *response) lengthField(b []byte) error {
	if len(b) == 0 {
		return wire.Malformed(attack.MalformedLength)
	}
	var n int64
	for _, d := range b {
		if d < '0' || d > '9' || n > (1<<63-1-int64(d-'0'))/10 {
			return wire.Malformed(attack.MalformedLength)
		}
		n = 10*n + int64(d-'0')
	}
	if resp.length >= 0 && (resp.length != n || resp.lengthLen != len(b)) {
		return wire.Malformed(attack.MalformedLength)
	}
	resp.length, resp.lengthLen = n, len(b)
	return nil
}

// trailerField reads the names announced for the trailer.
func (resp *response) trailerField(value []byte) {
	for len(value) > 0 {
		var name []byte
		name, value, _ = bytes.Cut(value, []byte{','})
		name = trim(name)
		if equalFold(name, "transfer-encoding") || equalFold(name, "trailer") || equalFold(name, "content-length") {
			resp.badTrail = true
		}
	}
}
