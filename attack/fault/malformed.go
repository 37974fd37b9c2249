package fault

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// Malformed is a way in which a response breaks HTTP/1.1.
type Malformed uint8

// The malformed responses. The connection ends with a FIN after those that say
// "close"; the endless ones end when the client gives up.
const (
	WellFormed       Malformed = iota
	Garbage                    // bytes that are no HTTP at all, close
	BadStatusLine              // "HTTP/1.1 abc", close
	BadHeader                  // a header line without a colon and with control bytes, close
	BadLength                  // Content-Length: -1, close
	TwoLengths                 // two Content-Length headers that differ, close
	BadChunk                   // a chunk size that is no number, close
	ShortBody                  // fewer bytes than Content-Length says, close
	LongBody                   // more bytes than Content-Length says, the connection stays open
	EndlessHeaders             // header lines without end
	EndlessBody                // chunks without end
	EndlessContinues           // 100 Continue without end
	SlowHeaders                // the response byte by byte, Delay between them
	SlowBody                   // headers at once, the body byte by byte, Delay between them
	EarlyClose                 // FIN before any byte of the response
	NoAnswer                   // nothing, for ever
	TwoResponses               // an unasked second response behind the first, the connection stays open
	malformedEnd
)

var malformedNames = [malformedEnd]string{
	"well-formed", "garbage", "bad-status-line", "bad-header", "bad-length", "two-lengths", "bad-chunk",
	"short-body", "long-body", "endless-headers", "endless-body", "endless-continues", "slow-headers",
	"slow-body", "early-close", "no-answer", "two-responses",
}

// String returns the name of the malformed response.
func (m Malformed) String() string {
	if m < malformedEnd {
		return malformedNames[m]
	}
	return "invalid"
}

// respondMalformed sends one malformed response and reports whether the
// connection stays open.
func (injector *Injector) respondMalformed(s *session, req *http.Request) bool {
	send := func(text string) bool {
		_, err := io.WriteString(s.stream, text)
		return err == nil
	}
	headers, body := injector.response(req)
	switch injector.opts.Malformed {
	case Garbage:
		send("\x00\x01\xfe\xffSSH-2.0-not-http\r\n\r\n")
	case BadStatusLine:
		send("HTTP/1.1 abc def\r\nContent-Length: 0\r\n\r\n")
	case BadHeader:
		send("HTTP/1.1 200 OK\r\nno colon \x01 here\r\nContent-Length: 0\r\n\r\n")
	case BadLength:
		send("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n")
	case TwoLengths:
		send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc")
	case BadChunk:
		send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n")
	case ShortBody:
		send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", injector.opts.BodySize+10, body))
	case LongBody:
		return send(string(headers)) && send(string(body)+"unasked")
	case EndlessHeaders:
		if !send("HTTP/1.1 200 OK\r\n") {
			return false
		}
		for n := 0; injector.ctx.Err() == nil && send(fmt.Sprintf("X-Endless-%d: %s\r\n", n, bytes.Repeat([]byte("x"), 1000))); n++ {
		}
	case EndlessBody:
		if !send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") {
			return false
		}
		chunk := fmt.Sprintf("%x\r\n%s\r\n", 16384, bytes.Repeat([]byte("x"), 16384))
		for injector.ctx.Err() == nil && send(chunk) {
		}
	case EndlessContinues:
		for injector.ctx.Err() == nil && send("HTTP/1.1 100 Continue\r\n\r\n") {
		}
	case SlowHeaders, SlowBody:
		rest := append(headers, body...)
		if injector.opts.Malformed == SlowBody {
			if !send(string(headers)) {
				return false
			}
			rest = body
		}
		for _, b := range rest {
			if !pause(injector.ctx, injector.opts.Delay) || !send(string(b)) {
				return false
			}
		}
		return !req.Close
	case EarlyClose:
		// The caller closes.
	case NoAnswer:
		// Ends when the client closes or the injector does.
		s.in.Peek(1)
	case TwoResponses:
		first := send(string(headers) + string(body))
		return first && send(string(headers)+string(body))
	}
	return false
}
