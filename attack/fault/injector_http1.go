package fault

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
)

func (in *Injector) serveHTTP1(s *session) {
	for served := 0; ; served++ {
		if !in.awaitRequest(s, served > 0) {
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
		in.requests.Add(1)
		if !pause(in.ctx, in.opts.Hold) {
			return
		}
		if in.opts.Malformed != WellFormed && in.turn() {
			in.malformed.Add(1)
			if !in.respondMalformed(s, req) {
				return
			}
			continue
		}
		if !in.respondHTTP1(s, req, served > 0) {
			return
		}
	}
}

// respondHTTP1 answers a request or resets the connection, and reports whether
// the connection goes on.
func (in *Injector) respondHTTP1(s *session, req *http.Request, reused bool) bool {
	headers, body := in.response(req)
	if in.respond(s, reused, headers, body) {
		return false
	}
	if _, err := s.stream.Write(append(headers, body...)); err != nil {
		return false
	}
	in.responses.Add(1)
	if in.take(AfterResponse) {
		in.reset(s, AfterResponse)
		return false
	}
	return !req.Close
}

// response returns the header and body bytes of a proper response.
func (in *Injector) response(req *http.Request) (headers, body []byte) {
	var h bytes.Buffer
	fmt.Fprintf(&h, "HTTP/1.1 %d %s\r\nServer: rampload-lab\r\nContent-Type: text/plain\r\n", in.opts.Status, http.StatusText(in.opts.Status))
	if req.Close {
		h.WriteString("Connection: close\r\n")
	}
	content := bytes.Repeat([]byte("x"), in.opts.BodySize)
	switch {
	case !bodyAllowed(in.opts.Status):
	case in.opts.Chunked:
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
