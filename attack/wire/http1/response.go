package http1

import (
	"bytes"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/message"
	"github.com/rampload/rampload/profiles"
)

// Limits of a response, as memory must stay bounded whatever a target sends.
const (
	maxHeadSize    = 1 << 20 // status line and headers, interim responses included
	maxTrailerSize = 64 << 10
	maxChunkLine   = 4096 // net/http's
)

// response is the parser of one response, fed with what has arrived. It accepts
// what net/http's ReadResponse accepts, less a few things that no server means
// (see the fuzz test), and frames bodies by the same rules (RFC 9112 §6).
type response struct {
	state     rxState
	headOnly  bool               // the request was HEAD
	reply     *attack.Reply      // takes the whole answer; nil: nobody wants it
	retry     time.Duration      // what Retry-After says
	expect    profiles.StatusSet // the statuses that are no failure; empty: all
	odd       bool               // the status is none of them
	draft     *message.Draft     // takes the response if it is odd; nil: it is not wanted
	status    int
	minor     int  // of HTTP/1.x
	headers   int  // bytes of head so far
	folded    bool // the line being read was
	first     bool
	continued bool // 100 Continue was seen

	closes    bool // the connection ends with this response
	keepAlive bool
	length    int64 // Content-Length, -1: none
	lengthLen int   // its number of digits: copies must be the same text
	encodings int   // Transfer-Encoding fields
	chunked   bool
	badTrail  bool // a Trailer field names one that frames messages

	left   int64 // of the body, or of the chunk
	came   int64 // of a body without Content-Length
	excess int64 // chunk overhead beyond what is reasonable
}

// rxState is what the parser expects next.
type rxState uint8

const (
	rxStatus  rxState = iota // the status line
	rxHeaders                // a header line
	rxLength                 // left bytes of body
	rxClose                  // body until the connection ends
	rxChunk                  // a chunk-size line
	rxData                   // left bytes of chunk
	rxDataEnd                // CRLF after a chunk
	rxTrailer                // a trailer line
	rxDone
)

// reset prepares for the response to a request.
func (p *response) reset(head bool) {
	*p = response{headOnly: head, length: -1}
}

// keep has the response kept if its status is not an expected one.
func (p *response) keep(expect profiles.StatusSet, draft *message.Draft) {
	p.expect, p.draft = expect, draft
}

// received returns how many bytes of the body came.
func (p *response) received() int64 {
	if p.length >= 0 && !p.chunked && p.inBody() {
		if p.state == rxLength {
			return p.length - p.left
		}
		if p.headOnly || p.status == 204 || p.status == 304 {
			return 0
		}
		return p.length
	}
	return p.came
}

// declared returns the length of the body that was announced, -1 for none.
func (p *response) declared() int64 {
	if p.chunked || p.headOnly {
		return -1
	}
	return p.length
}

// inBody reports whether the head is complete.
func (p *response) inBody() bool { return p.state >= rxLength }

// feed consumes input and returns how much. It stops at the end of the response
// (rxDone), where it needs more input, or before a body that the caller may
// discard by itself (see skippable). Malformed input is a [wire.Malformed] error.
func (p *response) feed(b []byte) (int, error) {
	used := 0
	for p.state != rxDone {
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

// step consumes one element, 0 bytes when there is not a whole one.
func (p *response) step(b []byte) (int, error) {
	switch p.state {
	case rxLength, rxData:
		n := min(int64(len(b)), p.left)
		p.show(b[:n])
		p.note(b[:n])
		p.skip(n)
		return int(n), nil
	case rxClose:
		p.show(b)
		p.note(b)
		p.skip(int64(len(b)))
		return len(b), nil
	case rxDataEnd:
		switch {
		case len(b) > 0 && b[0] != '\r' || len(b) > 1 && b[1] != '\n':
			return 0, wire.Malformed(attack.MalformedChunk)
		case len(b) < 2:
			return 0, nil
		}
		p.state = rxChunk
		return 2, nil
	case rxChunk:
		return p.chunkLine(b)
	}
	return p.line(b)
}

// show hands a piece of the body to whoever wants to see it.
func (p *response) show(b []byte) {
	if p.reply != nil {
		p.reply.Data(b)
	}
}

// note keeps a piece of the body of a response that is not expected.
func (p *response) note(b []byte) {
	if p.odd && p.draft != nil {
		p.draft.Body(b)
	}
}

// skippable returns how many bytes may be discarded unseen.
func (p *response) skippable() int64 {
	if p.reply != nil || p.odd && p.draft != nil && !p.draft.Full() {
		return 0
	}
	switch p.state {
	case rxLength, rxData:
		return p.left
	case rxClose:
		return 1 << 20
	}
	return 0
}

// skip notes n discarded bytes.
func (p *response) skip(n int64) {
	switch p.state {
	case rxLength:
		if p.left -= n; p.left == 0 {
			p.state = rxDone
		}
	case rxData:
		p.came += n
		if p.left -= n; p.left == 0 {
			p.state = rxDataEnd
		}
	case rxClose:
		p.came += n
	}
}

// ended tells that the connection did; it reports whether the response is
// complete by that.
func (p *response) ended() bool {
	if p.state == rxClose {
		p.state = rxDone
	}
	return p.state == rxDone
}

// line consumes a line of the head or the trailer.
func (p *response) line(b []byte) (int, error) {
	limit := maxHeadSize
	if p.state == rxTrailer {
		limit = maxTrailerSize
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if p.headers+len(b) > limit {
			return 0, wire.Malformed(attack.OversizedHeader)
		}
		return 0, nil
	}
	p.folded = false
	blank := end == 0 || end == 1 && b[0] == '\r'
	if p.state != rxStatus && !blank {
		// A line that begins with white space continues the one before it
		// (obsolete folding, RFC 9112 §5.2): it is joined in place.
		if p.first && (b[0] == ' ' || b[0] == '\t') {
			return 0, wire.Malformed(attack.MalformedHeader)
		}
		for ; ; p.folded = true {
			if end+1 == len(b) {
				if p.headers+len(b) > limit {
					return 0, wire.Malformed(attack.OversizedHeader)
				}
				return 0, nil // the next byte decides
			}
			if b[end+1] != ' ' && b[end+1] != '\t' {
				break
			}
			if !p.folded && bytes.IndexByte(b[:end], ':') < 0 {
				return 0, wire.Malformed(attack.MalformedHeader)
			}
			next := bytes.IndexByte(b[end+1:], '\n')
			if next < 0 {
				if p.headers+len(b) > limit {
					return 0, wire.Malformed(attack.OversizedHeader)
				}
				return 0, nil
			}
			end += 1 + next
		}
		if p.folded {
			unfold(b[:end])
		}
	}
	if p.headers += end + 1; p.headers > limit {
		return 0, wire.Malformed(attack.OversizedHeader)
	}
	text := b[:end]
	if end > 0 && b[end-1] == '\r' {
		text = b[:end-1]
	} else if p.state == rxTrailer {
		return 0, wire.Malformed(attack.MalformedHeader)
	}
	var err error
	switch {
	case p.state == rxStatus:
		err = p.statusLine(text)
		p.state, p.first = rxHeaders, true
	case blank && p.state == rxTrailer:
		p.state = rxDone
	case blank:
		err = p.frame()
	default:
		p.first = false
		err = p.field(text)
	}
	return end + 1, err
}

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
func (p *response) statusLine(b []byte) error {
	if len(b) < len("HTTP/1.1 200") || string(b[:7]) != "HTTP/1." || b[8] != ' ' || b[7] < '0' || b[7] > '9' {
		return wire.Malformed(attack.MalformedStatusLine)
	}
	p.minor = int(b[7] - '0')
	b = bytes.TrimLeft(b[9:], " ")
	if len(b) < 3 || len(b) > 3 && b[3] != ' ' {
		return wire.Malformed(attack.MalformedStatusLine)
	}
	p.status = 0
	for _, d := range b[:3] {
		if d < '0' || d > '9' {
			return wire.Malformed(attack.MalformedStatusLine)
		}
		p.status = 10*p.status + int(d-'0')
	}
	if p.status < 100 {
		return wire.Malformed(attack.MalformedStatusLine)
	}
	if p.reply != nil {
		p.reply.Begin("HTTP/1." + string(rune('0'+p.minor)))
	}
	if p.odd = len(p.expect) > 0 && !p.expect.Contains(p.status); p.odd && p.draft != nil && p.status >= 200 {
		p.draft.Reset()
	}
	return nil
}

// field reads one header field.
func (p *response) field(b []byte) error {
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
	for _, c := range value {
		if byteClass[c]&inValue == 0 {
			return wire.Malformed(attack.MalformedHeader)
		}
	}
	if p.state == rxTrailer {
		return nil
	}
	if p.reply != nil {
		p.reply.Header(string(name), string(trim(value)))
	}
	if p.odd && p.draft != nil {
		p.draft.Field(name, trim(value))
	}
	// Few names matter, and their lengths tell them from most of the rest.
	switch len(name) {
	case len("Trailer"):
		if equalFold(name, "trailer") {
			p.trailerField(value)
		}
	case len("Connection"):
		if equalFold(name, "connection") {
			p.closes = p.closes || hasToken(value, "close")
			p.keepAlive = p.keepAlive || hasToken(value, "keep-alive")
		}
	case len("Retry-After"):
		if equalFold(name, "retry-after") {
			p.retry = attack.RetryAfter(string(value), time.Now())
		}
	case len("Content-Length"):
		if equalFold(name, "content-length") {
			return p.lengthField(trim(value))
		}
	case len("Transfer-Encoding"):
		if equalFold(name, "transfer-encoding") && p.minor > 0 {
			// One, and only chunked: all else is the stuff of request smuggling.
			if p.encodings++; p.encodings > 1 || p.folded || !equalFold(trim(value), "chunked") {
				return wire.Malformed(attack.MalformedLength)
			}
			p.chunked = true
		}
	}
	return nil
}

// lengthField reads a Content-Length. Several must be the same.
func (p *response) lengthField(b []byte) error {
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
	if p.length >= 0 && (p.length != n || p.lengthLen != len(b)) {
		return wire.Malformed(attack.MalformedLength)
	}
	p.length, p.lengthLen = n, len(b)
	return nil
}

// trailerField reads the names announced for the trailer.
func (p *response) trailerField(value []byte) {
	for len(value) > 0 {
		var name []byte
		name, value, _ = bytes.Cut(value, []byte{','})
		name = trim(name)
		if equalFold(name, "transfer-encoding") || equalFold(name, "trailer") || equalFold(name, "content-length") {
			p.badTrail = true
		}
	}
}

// frame decides after the head how the body ends (RFC 9112 §6.3).
func (p *response) frame() error {
	if p.chunked && p.badTrail {
		return wire.Malformed(attack.MalformedHeader)
	}
	if p.status/100 == 1 {
		if p.status == 101 {
			return wire.Malformed(attack.UnexpectedAnswer) // nobody asked to switch
		}
		// An interim response: the next one follows. Its bytes still count.
		*p = response{
			headOnly: p.headOnly, reply: p.reply, expect: p.expect, draft: p.draft, headers: p.headers, length: -1,
			continued: p.continued || p.status == 100,
		}
		return nil
	}
	if p.minor == 0 && !p.keepAlive {
		p.closes = true
	}
	switch {
	case p.headOnly || p.status == 204 || p.status == 304:
		p.state = rxDone
	case p.chunked:
		p.state, p.headers = rxChunk, 0
	case p.length > 0:
		p.state, p.left = rxLength, p.length
	case p.length == 0:
		p.state = rxDone
	default:
		p.state, p.closes = rxClose, true
	}
	return nil
}

// chunkLine reads "1a;extension" and its CRLF.
func (p *response) chunkLine(b []byte) (int, error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if len(b) >= maxChunkLine {
			return 0, wire.Malformed(attack.MalformedChunk)
		}
		return 0, nil
	}
	if end < 1 || end-1 >= maxChunkLine || bytes.IndexByte(b, '\r') != end-1 {
		return 0, wire.Malformed(attack.MalformedChunk)
	}
	text := b[:end-1]
	p.excess += int64(len(text)) + 2
	for len(text) > 0 && (text[len(text)-1] == ' ' || text[len(text)-1] == '\t') {
		text = text[:len(text)-1]
	}
	text, _, _ = bytes.Cut(text, []byte{';'})
	n, ok := hex(text)
	if !ok {
		return 0, wire.Malformed(attack.MalformedChunk)
	}
	// net/http's measure: per chunk 16 bytes beside the data and twice the data
	// are reasonable.
	p.excess = max(p.excess-16-2*n, 0)
	if p.excess > 16<<10 {
		return 0, wire.Malformed(attack.MalformedChunk)
	}
	if n == 0 {
		p.state, p.first, p.headers = rxTrailer, true, 0
	} else {
		p.state, p.left = rxData, n
	}
	return end + 1, nil
}
