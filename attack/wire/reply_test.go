package wire

import (
	"bufio"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// TestReplies has answers of every framing be kept whole for whoever asks for it.
func TestReplies(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nX-A: 1\r\nx-b:  two \r\n"
	long := strings.Repeat("0123456789", 2000)
	for name, tt := range map[string]struct {
		text, body string
		length     int64
	}{
		"length":   {head + "Content-Length: 4\r\n\r\nbody", "body", 4},
		"chunks":   {head + "Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n", "body", 4},
		"to close": {head + "Connection: close\r\n\r\nbody", "body", 4},
		"empty":    {head + "Content-Length: 0\r\n\r\n", "", 0},
		"interim":  {"HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n" + head + "Content-Length: 4\r\n\r\nbody", "body", 4},
		"long":     {head + "Content-Length: 20000\r\n\r\n" + long, long[:100], 20000},
	} {
		t.Run(name, func(t *testing.T) {
			url := scripted(t, func(c net.Conn, _ int) {
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = io.WriteString(c, tt.text)
				}
				if name == "to close" {
					c.Close()
				}
			})
			tr, _ := client(t, url, nil)
			a := attack.Attempt{Reply: &attack.Reply{Limit: 100}}
			tr.Do(compile(t, tr, profiles.Request{Path: "/"}), &a)
			expectEnd(t, a, attack.None, attack.PhaseDone, 200)
			r := a.Reply
			if string(r.Body) != tt.body || r.Length != tt.length || r.Version != "HTTP/1.1" {
				t.Errorf("%s, body %.50q, %d bytes; want %.50q, %d", r.Version, r.Body, r.Length, tt.body, tt.length)
			}
			if len(r.Headers) < 2 || r.Headers[0] != (attack.AnswerHeader{Name: "X-A", Value: "1"}) || r.Headers[1] != (attack.AnswerHeader{Name: "x-b", Value: "two"}) {
				t.Errorf("headers %v", r.Headers)
			}
		})
	}
}

// TestRepliesOfBothVersions asks a server of Go's over HTTP/1.1 and HTTP/2, for an
// answer with Retry-After.
func TestRepliesOfBothVersions(t *testing.T) {
	for version, two := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			http.Error(w, "later", http.StatusServiceUnavailable)
		}))
		s.EnableHTTP2 = two
		s.StartTLS()
		t.Cleanup(s.Close)
		tr, _ := client(t, s.URL, func(cfg *Config) {
			cfg.Client.TLS.SkipVerify = true
			cfg.Profile.Expect = profiles.DefaultExpect()
		})
		a := attack.Attempt{Reply: &attack.Reply{Limit: 100}}
		tr.Do(compile(t, tr, profiles.Request{Path: "/"}), &a)
		expectEnd(t, a, attack.Status, attack.PhaseDone, 503)
		if a.Reply.Version != version || string(a.Reply.Body) != "later\n" || a.RetryAfter != 7*time.Second {
			t.Errorf("%s: %s, body %q, retry after %s", version, a.Reply.Version, a.Reply.Body, a.RetryAfter)
		}
	}
}

// TestMultipart has Go's reader take a form with a file apart.
func TestMultipart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cat.png")
	if err := os.WriteFile(file, []byte("\x89PNG"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := make(chan received, 1)
	url := scripted(t, collect(got))
	tr, _ := client(t, url, nil)
	do(t, tr, profiles.Request{Method: "POST", Parts: []profiles.Part{
		{Name: "title", Value: `Cat "Tom"`}, {Name: "photo", File: file, Type: "image/png"}, {Name: "raw", File: file},
	}})
	r := <-got
	media, params, err := mime.ParseMediaType(r.req.Header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" {
		t.Fatalf("media type %q, %v", media, err)
	}
	parts := multipart.NewReader(strings.NewReader(r.body), params["boundary"])
	for _, want := range []struct{ name, file, media, value string }{
		{"title", "", "", `Cat "Tom"`}, {"photo", "cat.png", "image/png", "\x89PNG"}, {"raw", "cat.png", "application/octet-stream", "\x89PNG"},
	} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		value, err := io.ReadAll(part)
		if err != nil || part.FormName() != want.name || part.FileName() != want.file || part.Header.Get("Content-Type") != want.media || string(value) != want.value {
			t.Errorf("part %q, file %q, type %q, value %q, %v; want %+v", part.FormName(), part.FileName(), part.Header.Get("Content-Type"), value, err, want)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("after the parts: %v", err)
	}
}
