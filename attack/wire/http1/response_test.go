package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// parsed is what a parser made of a connection's input.
type parsed struct {
	status int
	ok     bool  // a complete response
	eof    bool  // the input ended before the response did
	used   int64 // bytes of input up to the end of the response
	closes bool
}

// parseAll feeds input in pieces of step bytes, as a connection would.
func parseAll(input []byte, head bool, step int) parsed {
	var p response
	p.reset(head)
	var buf []byte
	var used int64
	for len(input) > 0 && p.state != rxDone {
		n := min(step, len(input))
		buf = append(buf, input[:n]...)
		input = input[n:]
		took, err := p.feed(buf)
		if err != nil {
			return parsed{}
		}
		used += int64(took)
		buf = buf[took:]
	}
	if !p.ended() {
		return parsed{eof: true}
	}
	return parsed{status: p.status, ok: true, used: used, closes: p.closes}
}

// parseStandard does the same with net/http.
func parseStandard(input []byte, head bool) parsed {
	src := bytes.NewReader(input)
	br := bufio.NewReader(src)
	req := &http.Request{Method: "GET"}
	if head {
		req.Method = "HEAD"
	}
	for {
		resp, err := http.ReadResponse(br, req)
		if err != nil {
			return parsed{eof: errors.Is(err, io.ErrUnexpectedEOF)}
		}
		if resp.StatusCode/100 == 1 && resp.StatusCode != 101 {
			continue
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return parsed{eof: errors.Is(err, io.ErrUnexpectedEOF)}
		}
		return parsed{
			status: resp.StatusCode, ok: true, closes: resp.Close,
			used: int64(len(input)) - int64(src.Len()) - int64(br.Buffered()),
		}
	}
}

var responses = []struct {
	name, input string
	head        bool
	status      int // 0: malformed or incomplete
	closes      bool
	rest        string // what follows the response
}{
	{name: "length", input: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", status: 200},
	{name: "length and more", input: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP", status: 200, rest: "HTTP"},
	{name: "short body", input: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"},
	{name: "no reason", input: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", status: 200},
	{name: "bare line feeds", input: "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", status: 200},
	{name: "until close", input: "HTTP/1.1 200 OK\r\n\r\nall of it", status: 200, closes: true},
	{name: "chunked", input: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n", status: 200},
	{name: "chunked with trailer", input: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\nZ", status: 200, rest: "Z"},
	{name: "chunked over length", input: "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: 200},
	{name: "chunk cut", input: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"},
	{name: "chunk without end", input: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n"},
	{name: "chunk size no number", input: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
	{name: "chunk line bare line feed", input: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\n\r\n"},
	{name: "chunk line endless", input: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 5000)},
	{name: "forbidden trailer", input: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\n\r\n"},
	{name: "two encodings", input: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{name: "unknown encoding", input: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n"},
	{name: "same length twice", input: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", status: 200},
	{name: "two lengths", input: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi"},
	{name: "length spelt twice", input: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 02\r\n\r\nhi"},
	{name: "negative length", input: "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"},
	{name: "signed length", input: "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx"},
	{name: "huge length", input: "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"},
	{name: "empty length", input: "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n"},
	{name: "head with length", head: true, input: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", status: 200},
	{name: "head with chunks", head: true, input: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", status: 200},
	{name: "no content", input: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nHTTP/", status: 204, rest: "HTTP/"},
	{name: "not modified", input: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", status: 304},
	{name: "interim", input: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", status: 201},
	{name: "connection close", input: "HTTP/1.1 200 OK\r\nConnection: foo, Close\r\nContent-Length: 0\r\n\r\n", status: 200, closes: true},
	{name: "old", input: "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", status: 200, closes: true},
	{name: "old kept", input: "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", status: 200},
	{name: "old chunked is not", input: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: 200, closes: true},
	{name: "folded", input: "HTTP/1.1 200 OK\r\nX-A: b\r\n  c\r\nContent-Length:\r\n 2\r\n\r\nhi", status: 200},
	{name: "folded first", input: "HTTP/1.1 200 OK\r\n X-A: b\r\n\r\n"},
	{name: "no colon", input: "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"},
	{name: "control byte", input: "HTTP/1.1 200 OK\r\nX-A: b\x01\r\n\r\n"},
	{name: "bad name", input: "HTTP/1.1 200 OK\r\nX(A: b\r\n\r\n"},
	{name: "empty name", input: "HTTP/1.1 200 OK\r\n: b\r\n\r\n"},
	{name: "garbage", input: "SSH-2.0-OpenSSH\r\n\r\n"},
	{name: "no status", input: "HTTP/1.1\r\n\r\n"},
	{name: "long status", input: "HTTP/1.1 2000 OK\r\n\r\n"},
	{name: "word status", input: "HTTP/1.1 abc\r\n\r\n"},
	{name: "switching unasked", input: "HTTP/1.1 101 Switching Protocols\r\n\r\n"},
	{name: "nothing", input: ""},
	{name: "head cut", input: "HTTP/1.1 200 OK\r\nContent-Le"},
}

func TestResponse(t *testing.T) {
	for _, tc := range responses {
		t.Run(tc.name, func(t *testing.T) {
			for _, step := range []int{1, 2, 3, 7, len(tc.input) + 1} {
				got := parseAll([]byte(tc.input), tc.head, step)
				if got.ok != (tc.status != 0) || got.status != tc.status || got.closes != tc.closes {
					t.Fatalf("in steps of %d: %+v", step, got)
				}
				if got.ok && int(got.used) != len(tc.input)-len(tc.rest) {
					t.Errorf("in steps of %d: %d bytes used, want %d", step, got.used, len(tc.input)-len(tc.rest))
				}
			}
		})
	}
}

// TestResponseMemory feeds endless input: the parser gives up in time.
func TestResponseMemory(t *testing.T) {
	for name, tc := range map[string]struct{ start, more string }{
		"endless status line": {"HTTP/1.1 200 ", "x"},
		"endless header":      {"HTTP/1.1 200 OK\r\nX: ", "x"},
		"endless headers":     {"HTTP/1.1 200 OK\r\n", "X: y\r\n"},
		"endless folding":     {"HTTP/1.1 200 OK\r\nX: y\r\n", " z\r\n"},
		"endless continues":   {"", "HTTP/1.1 100 Continue\r\n\r\n"},
		"endless trailer":     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n"},
		"endless extension":   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1;" + strings.Repeat("x", 4000) + "\r\nz\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var p response
			p.reset(false)
			buf := []byte(tc.start)
			more := []byte(strings.Repeat(tc.more, 1+4096/len(tc.more)))
			for fed := 0; ; fed += len(more) {
				n, err := p.feed(buf)
				if err != nil {
					return
				}
				if buf = buf[n:]; len(buf) > maxHeadSize+len(more)+1 {
					t.Fatalf("%d bytes are kept", len(buf))
				}
				if fed > 4<<20 {
					t.Fatal("accepted 4 MiB without an end")
				}
				buf = append(buf, more...)
			}
		})
	}
}

// FuzzResponse holds the parser against net/http's. It never accepts what
// net/http refuses, and frames what both accept the same. It refuses a little
// more: other majors than HTTP/1, statuses below 100 and with a sign, a folded
// Transfer-Encoding, trailer lines that end in a bare line feed, chunks beyond 2^61 bytes; and it takes
// longer trailers, for which net/http depends on its buffer.
func FuzzResponse(f *testing.F) {
	for _, tc := range responses {
		f.Add([]byte(tc.input), tc.head, 3)
	}
	f.Fuzz(func(t *testing.T, input []byte, head bool, step int) {
		if step < 1 || step > 1<<10 {
			step = 1 << 10
		}
		ours := parseAll(bytes.Clone(input), head, step)
		whole := parseAll(bytes.Clone(input), head, len(input)+1)
		if ours != whole {
			t.Fatalf("in steps of %d %+v, whole %+v", step, ours, whole)
		}
		theirs := parseStandard(input, head)
		if theirs.status == 101 {
			return // ours refuses it
		}
		switch {
		case ours.ok && !theirs.ok:
			if bytes.Contains(input, []byte("0\r\n")) && len(input) > 2000 {
				return // a long trailer
			}
			t.Fatalf("accepted what net/http refuses: %+v, %+v", ours, theirs)
		case ours.ok && ours != theirs:
			t.Fatalf("ours %+v, net/http %+v", ours, theirs)
		case !ours.ok && theirs.ok && theirs.status >= 100 && !refused(input):
			t.Fatalf("refused what net/http accepts: %+v, %+v", ours, theirs)
		}
	})
}

// refused reports whether some line is of the kinds that only we refuse.
func refused(input []byte) bool {
	for _, line := range strings.Split(string(input), "\n") {
		rest, ok := strings.CutPrefix(line, "HTTP/")
		if ok && !strings.HasPrefix(rest, "1.") {
			return true
		}
	}
	if foldedEncoding.Match(input) {
		return true
	}
	// A trailer with a bare line feed.
	_, body, _ := strings.Cut(string(input), "0\r\n")
	return strings.Contains(strings.ReplaceAll(body, "\r\n", ""), "\n") || strings.Contains(string(input), "\r\n\r\n\n")
}

var foldedEncoding = regexp.MustCompile(`(?i)transfer-encoding:[^\n]*\n[ \t]`)

func BenchmarkResponse(b *testing.B) {
	head := "HTTP/1.1 200 OK\r\nServer: nginx/1.26.3\r\nDate: Sat, 21 Nov 2026 08:00:00 GMT\r\nContent-Type: text/plain\r\n" +
		"Content-Length: 5\r\nConnection: keep-alive\r\n\r\nhello"
	input := []byte(head)
	b.ReportAllocs()
	b.Run("ours", func(b *testing.B) {
		var p response
		for b.Loop() {
			p.reset(false)
			if n, err := p.feed(input); n != len(input) || err != nil {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("net-http", func(b *testing.B) {
		src := bytes.NewReader(nil)
		br := bufio.NewReader(src)
		for b.Loop() {
			src.Reset(input)
			br.Reset(src)
			resp, err := http.ReadResponse(br, nil)
			if err != nil {
				b.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
		}
	})
}
