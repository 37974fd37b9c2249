package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Bounds of an exchange.
const (
	maxAnswer = 1 << 20 // bytes that are read of an answer
	packFrom  = 1 << 10 // bytes from which a body is compressed
	maxWait   = time.Minute
)

// post sends a body by HTTP, compressed, and returns the answer.
func (s *Sender) post(ctx context.Context, contentType string, body []byte) ([]byte, error) {
	packed := len(body) >= packFrom && !s.cfg.Plain
	if packed {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(body) // to memory
		_ = w.Close()
		body = b.Bytes()
	}
	req, err := s.request(ctx, contentType, body)
	if err != nil {
		return nil, err
	}
	if packed {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, reason(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode/100 == 2 {
		if err != nil {
			return nil, reason(err)
		}
		return answer, nil
	}
	r := &Refused{Status: resp.StatusCode, Text: said(resp, answer), After: retryAfter(resp.Header.Get("Retry-After"))}
	switch resp.StatusCode {
	case 429, 502, 503, 504: // OTLP/HTTP, "Retryable Response Codes"
		r.Again = true
	}
	return nil, r
}

func (s *Sender) request(ctx context.Context, contentType string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return nil, reason(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", s.cfg.Agent)
	for name, value := range s.cfg.Headers {
		req.Header.Set(name, value)
	}
	return req, nil
}

// said is what a body of an error says: a google.rpc.Status, of which field 2 is the
// message, or text.
func said(resp *http.Response, body []byte) string {
	if strings.Contains(resp.Header.Get("Content-Type"), "protobuf") {
		text, _ := field(body, 2)
		return Clean(string(text), 160)
	}
	return Clean(string(body), 160)
}

// retryAfter reads how long an answer asks to wait: seconds. A date is not waited for.
func retryAfter(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Second, maxWait)
}

// call makes a unary call of gRPC and returns the answer's message.
func (s *Sender) call(ctx context.Context, message []byte) ([]byte, error) {
	body := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	req, err := s.request(ctx, "application/grpc+proto", append(body, message...))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Te", "trailers")
	req.Header.Set("Grpc-Timeout", strconv.FormatInt(s.cfg.Timeout.Milliseconds(), 10)+"m")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, reason(err)
	}
	defer resp.Body.Close()
	answer, readErr := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode != http.StatusOK {
		r := &Refused{Status: resp.StatusCode, Text: said(resp, answer)}
		r.Again = resp.StatusCode == 429 || resp.StatusCode >= 502 && resp.StatusCode <= 504
		return nil, r
	}
	trailer := func(name string) string {
		if v := resp.Trailer.Get(name); v != "" {
			return v
		}
		return resp.Header.Get(name) // of an answer without a message
	}
	status := trailer("Grpc-Status")
	code, err := strconv.Atoi(status)
	switch {
	case status == "" && readErr != nil:
		return nil, reason(readErr)
	case status == "" || err != nil:
		return nil, fmt.Errorf("it does not speak gRPC: the answer has no grpc-status")
	case code != 0:
		text, _ := url.PathUnescape(trailer("Grpc-Message"))
		return nil, &Refused{Code: code, Text: Clean(text, 160), Again: again(code), After: pushback(trailer("Grpc-Retry-Pushback-Ms"))}
	case len(answer) < 5 || answer[0] != 0 || uint32(len(answer)-5) != binary.BigEndian.Uint32(answer[1:]):
		return nil, fmt.Errorf("it does not speak gRPC as expected: the answer's message is cut or compressed")
	}
	return answer[5:], nil
}

func pushback(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Millisecond, maxWait)
}

// again reports whether a call with such an end may be repeated (OTLP/gRPC, "Failures").
func again(code int) bool {
	switch code {
	case 1, 4, 8, 10, 11, 14, 15: // canceled, deadline, exhausted, aborted, out of range, unavailable, data loss
		return true
	}
	return false
}

func codeName(code int) string {
	names := [...]string{
		"ok", "canceled", "unknown", "invalid-argument", "deadline-exceeded", "not-found", "already-exists", "permission-denied", "resource-exhausted",
		"failed-precondition", "aborted", "out-of-range", "unimplemented", "internal", "unavailable", "data-loss", "unauthenticated",
	}
	if code >= 0 && code < len(names) {
		return "gRPC " + names[code]
	}
	return "gRPC status " + strconv.Itoa(code)
}
