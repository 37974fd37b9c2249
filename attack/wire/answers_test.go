package wire

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// What was answered to a failed attempt is kept, however it is framed and delivered.
func TestAnswersAreKept(t *testing.T) {
	const head = "HTTP/1.1 503 Service Unavailable\r\nServer: shop/1\r\nRetry-After: 2\r\nSet-Cookie: secret=1\r\n"
	long := strings.Repeat("too many clients ", 1000)
	for name, tt := range map[string]struct {
		text     string
		body     string
		declared int64
		received int64
	}{
		"length":    {head + "Content-Length: 4\r\n\r\nbusy", "busy", 4, 4},
		"chunks":    {head + "Transfer-Encoding: chunked\r\n\r\n2\r\nbu\r\n2\r\nsy\r\n0\r\n\r\n", "busy", -1, 4},
		"to close":  {head + "Connection: close\r\n\r\nbusy", "busy", -1, 4},
		"long":      {head + "Content-Length: 17000\r\n\r\n" + long, long[:attack.MaxAnswerBody], 17000, 17000},
		"empty":     {head + "Content-Length: 0\r\n\r\n", "", 0, 0},
		"continued": {"HTTP/1.1 102 Processing\r\nServer: other\r\n\r\n" + head + "Content-Length: 4\r\n\r\nbusy", "busy", 4, 4},
	} {
		for _, slowly := range []bool{false, true} {
			url := scripted(t, func(c net.Conn, _ int) {
				if _, err := c.Read(make([]byte, 4096)); err != nil {
					return
				}
				text := tt.text
				for slowly && len(text) > 0 && len(tt.text) < 1000 {
					_, _ = io.WriteString(c, text[:1])
					text = text[1:]
				}
				_, _ = io.WriteString(c, text)
				if name == "to close" {
					c.Close()
				}
			})
			tr, _ := client(t, url, func(cfg *Config) { cfg.Profile.Expect = profiles.StatusSet{{Low: 200, High: 299}} })
			a := do(t, tr, profiles.Request{Path: "/"})
			expectEnd(t, a, attack.Status, attack.PhaseDone, 503)
			w := a.Answer
			if w == nil {
				t.Fatalf("%s: no answer was kept", name)
			}
			if w.Body != tt.body || w.Declared != tt.declared || w.Received != tt.received || a.Received != uint64(tt.received) {
				t.Errorf("%s: %d bytes of body %.40q, %d declared, %d received", name, len(w.Body), w.Body, w.Declared, w.Received)
			}
			if w.Header("server") != "shop/1" || w.Header("retry-after") != "2" || w.Header("set-cookie") != "" {
				t.Errorf("%s: headers %v", name, w.Headers)
			}
			if a.Sent < 60 {
				t.Errorf("%s: %d bytes sent", name, a.Sent)
			}
		}
	}
}

// A response that announces more than it brings says so, whatever its status.
func TestShortAnswersAreKept(t *testing.T) {
	url := scripted(t, func(c net.Conn, _ int) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")
		_, _ = c.Read(make([]byte, 1)) // until the client gives up
	})
	tr, _ := client(t, url, func(cfg *Config) { cfg.Client.Timeout = 200 * time.Millisecond })
	a := do(t, tr, profiles.Request{Path: "/"})
	expectEnd(t, a, attack.Timeout, attack.PhaseBody, 200)
	if w := a.Answer; w == nil || w.Declared != 50 || w.Received != 5 {
		t.Errorf("%+v, want 5 bytes of 50", a.Answer)
	}
}

// Of many answers a few of each status are kept, and nothing of what is well.
func TestAnswersAreBounded(t *testing.T) {
	for _, two := range []bool{false, true} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/no" {
				w.Header().Set("Server", "shop/2")
				http.Error(w, "pool exhausted", http.StatusInternalServerError)
			}
		}))
		s.EnableHTTP2 = two
		if two {
			s.StartTLS()
		} else {
			s.Start()
		}
		t.Cleanup(s.Close)
		tr, _ := client(t, s.URL, func(cfg *Config) {
			cfg.Profile.Expect = profiles.StatusSet{{Low: 200, High: 299}}
			cfg.Client.TLS.SkipVerify = true
		})
		kept, began := 0, time.Now()
		for range 100 {
			if a := do(t, tr, profiles.Request{Path: "/no"}); a.Answer != nil {
				kept++
				if a.Answer.Body != "pool exhausted\n" || a.Answer.Header("server") != "shop/2" {
					t.Errorf("HTTP/2 %v: %+v", two, a.Answer)
				}
			}
		}
		if most := 16 * (2 + int(time.Since(began)/(250*time.Millisecond))); kept < 1 || kept > most {
			t.Errorf("HTTP/2 %v: %d answers were kept of 100, want at most %d", two, kept, most)
		}
		if a := do(t, tr, profiles.Request{Path: "/yes"}); a.Answer != nil || a.Fault != attack.None || a.Sent == 0 {
			t.Errorf("HTTP/2 %v: %v, sent %d, kept %+v of what is well", two, a.Fault, a.Sent, a.Answer)
		}
	}
}
