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
func (resp *response) reset(head bool) {
	*resp = response{headOnly: head, length: -1}
}

// keep has the response kept if its status is not an expected one.
func (resp *response) keep(expect profiles.StatusSet, draft *message.Draft) {
	resp.expect, resp.draft = expect, draft
}

// received returns how many bytes of the body came.
func (resp *response) received() int64 {
	if resp.length >= 0 && !resp.chunked && resp.inBody() {
		if resp.state == rxLength {
			return resp.length - resp.left
		}
		if resp.headOnly || resp.status == 204 || resp.status == 304 {
			return 0
		}
		return resp.length
	}
	return resp.came
}

// declared returns the length of the body that was announced, -1 for none.
func (resp *response) declared() int64 {
	if resp.chunked || resp.headOnly {
		return -1
	}
	return resp.length
}

// inBody reports whether the head is complete.
func (resp *response) inBody() bool { return resp.state >= rxLength }

// feed consumes input and returns how much. It stops at the end of the response
// (rxDone), where it needs more input, or before a body that the caller may
// discard by itself (see skippable). Malformed input is a [wire.Malformed] error.
func (resp *response) feed(b []byte) (int, error) {
	used := 0
	for resp.state != rxDone {
		n, err := resp.step(b[used:])
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
func (resp *response) step(b []byte) (int, error) {
	switch resp.state {
	case rxLength, rxData:
		n := min(int64(len(b)), resp.left)
		resp.show(b[:n])
		resp.note(b[:n])
		resp.skip(n)
		return int(n), nil
	case rxClose:
		resp.show(b)
		resp.note(b)
		resp.skip(int64(len(b)))
		return len(b), nil
	case rxDataEnd:
		switch {
		case len(b) > 0 && b[0] != '\r' || len(b) > 1 && b[1] != '\n':
			return 0, wire.Malformed(attack.MalformedChunk)
		case len(b) < 2:
			return 0, nil
		}
		resp.state = rxChunk
		return 2, nil
	case rxChunk:
		return resp.chunkLine(b)
	}
	return resp.line(b)
}

// show hands a piece of the body to whoever wants to see it.
func (resp *response) show(b []byte) {
	if resp.reply != nil {
		resp.reply.Data(b)
	}
}

// note keeps a piece of the body of a response that is not expected.
func (resp *response) note(b []byte) {
	if resp.odd && resp.draft != nil {
		resp.draft.Body(b)
	}
}

// skippable returns how many bytes may be discarded unseen.
func (resp *response) skippable() int64 {
	if resp.reply != nil || resp.odd && resp.draft != nil && !resp.draft.Full() {
		return 0
	}
	switch resp.state {
	case rxLength, rxData:
		return resp.left
	case rxClose:
		return 1 << 20
	}
	return 0
}

// skip notes n discarded bytes.
func (resp *response) skip(n int64) {
	switch resp.state {
	case rxLength:
		if resp.left -= n; resp.left == 0 {
			resp.state = rxDone
		}
	case rxData:
		resp.came += n
		if resp.left -= n; resp.left == 0 {
			resp.state = rxDataEnd
		}
	case rxClose:
		resp.came += n
	}
}

// ended tells that the connection did; it reports whether the response is
// complete by that.
func (resp *response) ended() bool {
	if resp.state == rxClose {
		resp.state = rxDone
	}
	return resp.state == rxDone
}

// line consumes a line of the head or the trailer.
func (resp *response) line(b []byte) (int, error) {
	limit := maxHeadSize
	if resp.state == rxTrailer {
		limit = maxTrailerSize
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if resp.headers+len(b) > limit {
			return 0, wire.Malformed(attack.OversizedHeader)
		}
		return 0, nil
	}
	resp.folded = false
	blank := end == 0 || end == 1 && b[0] == '\r'
	if resp.state != rxStatus && !blank {
		// A line that begins with white space continues the one before it
		// (obsolete folding, RFC 9112 §5.2): it is joined in place.
		if resp.first && (b[0] == ' ' || b[0] == '\t') {
			return 0, wire.Malformed(attack.MalformedHeader)
		}
		for ; ; resp.folded = true {
			if end+1 == len(b) {
				if resp.headers+len(b) > limit {
					return 0, wire.Malformed(attack.OversizedHeader)
				}
				return 0, nil // the next byte decides
			}
			if b[end+1] != ' ' && b[end+1] != '\t' {
				break
			}
			if !resp.folded && bytes.IndexByte(b[:end], ':') < 0 {
				return 0, wire.Malformed(attack.MalformedHeader)
			}
			next := bytes.IndexByte(b[end+1:], '\n')
			if next < 0 {
				if resp.headers+len(b) > limit {
					return 0, wire.Malformed(attack.OversizedHeader)
				}
				return 0, nil
			}
			end += 1 + next
		}
		if resp.folded {
			unfold(b[:end])
		}
	}
	if resp.headers += end + 1; resp.headers > limit {
		return 0, wire.Malformed(attack.OversizedHeader)
	}
	text := b[:end]
	if end > 0 && b[end-1] == '\r' {
		text = b[:end-1]
	} else if resp.state == rxTrailer {
		return 0, wire.Malformed(attack.MalformedHeader)
	}
	var err error
	switch {
	case resp.state == rxStatus:
		err = resp.statusLine(text)
		resp.state, resp.first = rxHeaders, true
	case blank && resp.state == rxTrailer:
		resp.state = rxDone
	case blank:
		err = resp.frame()
	default:
		resp.first = false
		err = resp.field(text)
	}
	return end + 1, err
}

// frame decides after the head how the body ends (RFC 9112 §6.3).
func (resp *response) frame() error {
	if resp.chunked && resp.badTrail {
		return wire.Malformed(attack.MalformedHeader)
	}
	if resp.status/100 == 1 {
		if resp.status == 101 {
			return wire.Malformed(attack.UnexpectedAnswer) // nobody asked to switch
		}
		// An interim response: the next one follows. Its bytes still count.
		*resp = response{
			headOnly: resp.headOnly, reply: resp.reply, expect: resp.expect, draft: resp.draft, headers: resp.headers, length: -1,
			continued: resp.continued || resp.status == 100,
		}
		return nil
	}
	if resp.minor == 0 && !resp.keepAlive {
		resp.closes = true
	}
	switch {
	case resp.headOnly || resp.status == 204 || resp.status == 304:
		resp.state = rxDone
	case resp.chunked:
		resp.state, resp.headers = rxChunk, 0
	case resp.length > 0:
		resp.state, resp.left = rxLength, resp.length
	case resp.length == 0:
		resp.state = rxDone
	default:
		resp.state, resp.closes = rxClose, true
	}
	return nil
}

// chunkLine reads "1a;extension" and its CRLF.
func (resp *response) chunkLine(b []byte) (int, error) {
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
	resp.excess += int64(len(text)) + 2
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
	resp.excess = max(resp.excess-16-2*n, 0)
	if resp.excess > 16<<10 {
		return 0, wire.Malformed(attack.MalformedChunk)
	}
	if n == 0 {
		resp.state, resp.first, resp.headers = rxTrailer, true, 0
	} else {
		resp.state, resp.left = rxData, n
	}
	return end + 1, nil
}
