package fault

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
)

func (injector *Injector) serveHTTP1(s *session) {
	for served := 0; ; served++ {
		if !injector.awaitRequest(s, served > 0) {
			return
		}
		req, err := http.ReadRequest(s.in)
		if err != nil {
			return
		}
		if strings.EqualFold(req.Header.Get("Expect"), "100-continue") {
			if _, err := io.WriteString(s.stream, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
				return
			}
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		injector.requests.Add(1)
		if !pause(injector.ctx, injector.opts.Hold) {
			return
		}
		if injector.opts.Malformed != WellFormed && injector.turn() {
			injector.malformed.Add(1)
			if !injector.respondMalformed(s, req) {
				return
			}
			continue
		}
		if !injector.respondHTTP1(s, req, served > 0) {
			return
		}
	}
}

// respondHTTP1 answers a request or resets the connection, and reports whether
// the connection goes on.
func (injector *Injector) respondHTTP1(s *session, req *http.Request, reused bool) bool {
	headers, body := injector.response(req)
	if injector.respond(s, reused, headers, body) {
		return false
	}
	if _, err := s.stream.Write(append(headers, body...)); err != nil {
		return false
	}
	injector.responses.Add(1)
	if injector.take(AfterResponse) {
		injector.reset(s, AfterResponse)
		return false
	}
	return !req.Close
}

// response returns the header and body bytes of a proper response.
func (injector *Injector) response(req *http.Request) (headers, body []byte) {
	var h bytes.Buffer
	fmt.Fprintf(&h, "HTTP/1.1 %d %s\r\nServer: rampload-lab\r\nContent-Type: text/plain\r\n", injector.opts.Status, http.StatusText(injector.opts.Status))
	if req.Close {
		h.WriteString("Connection: close\r\n")
	}
	content := bytes.Repeat([]byte("x"), injector.opts.BodySize)
	switch {
	case !bodyAllowed(injector.opts.Status):
	case injector.opts.Chunked:
		h.WriteString("Transfer-Encoding: chunked\r\n")
		if len(content) > 0 {
			body = fmt.Appendf(nil, "%x\r\n%s\r\n", len(content), content)
		}
		body = append(body, "0\r\n\r\n"...)
	default:
		fmt.Fprintf(&h, "Content-Length: %d\r\n", len(content))
		body = content
	}
	h.WriteString("\r\n")
	if req.Method == http.MethodHead {
		body = nil
	}
	return h.Bytes(), body
}

// bodyAllowed reports whether responses of a status have a body (RFC 9110
// section 6.4.1).
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
