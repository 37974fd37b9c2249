package web

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func listen(t *testing.T, addr string) *Server {
	t.Helper()
	s, err := Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(nil) })
	return s
}

func get(t *testing.T, url, host string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// On loopback the page is there for this machine, under its own names only.
func TestLoopback(t *testing.T) {
	s := listen(t, ":0")
	if at := s.listener.Addr().(*net.TCPAddr); !at.IP.IsLoopback() {
		t.Fatalf("listens on %v", at)
	}
	if code, body := get(t, s.URL(), ""); code != 200 || !strings.Contains(body, "comes in a moment") {
		t.Errorf("%d %s", code, body)
	}
	s.Page([]byte("<h1>so far</h1>"))
	if code, body := get(t, s.URL(), ""); code != 200 || body != "<h1>so far</h1>" {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := get(t, s.URL(), "evil.example:80"); code != http.StatusForbidden {
		t.Errorf("a page under another name is served: %d", code)
	}
	if code, _ := get(t, s.URL(), "localhost:8089"); code != 200 {
		t.Errorf("localhost is refused: %d", code)
	}
}

// Beyond loopback nothing is told without the token.
func TestToken(t *testing.T) {
	s := listen(t, "0.0.0.0:0")
	s.Page([]byte("secret"))
	u, err := url.Parse(s.URL())
	if err != nil || u.Query().Get("token") == "" {
		t.Fatalf("%s has no token: %v", s.URL(), err)
	}
	at := fmt.Sprintf("http://127.0.0.1:%s", u.Port())
	for _, path := range []string{"/", "/events", "/?token=", "/?token=wrong", "/events?token=" + u.Query().Get("token")[1:]} {
		if code, body := get(t, at+path, ""); code != http.StatusForbidden || strings.Contains(body, "secret") {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	if code, body := get(t, at+"/?"+u.RawQuery, ""); code != 200 || body != "secret" {
		t.Errorf("with the token: %d %s", code, body)
	}
}

// A browser is told what is new, the last page too, and then that there is no more.
func TestEvents(t *testing.T) {
	s := listen(t, ":0")
	s.Page([]byte("first"))
	res, err := http.Get(s.URL() + "events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	next := func() string {
		var got []string
		for lines.Scan() && lines.Text() != "" {
			got = append(got, lines.Text())
		}
		return strings.Join(got, " ")
	}
	s.Now(map[string]int{"at": 3})
	if got := next(); got != `event: now data: {"at":3}` {
		t.Errorf("%q", got)
	}
	s.Page([]byte("second\n<b>"))
	if got := next(); got != `event: page data: "second\n\u003cb\u003e"` {
		t.Errorf("%q", got)
	}
	closed := make(chan struct{})
	go func() { defer close(closed); s.Close([]byte("last")) }()
	if got := next(); got != `event: page data: "last"` {
		t.Errorf("%q", got)
	}
	if got := next(); got != `event: end data: {}` {
		t.Errorf("%q", got)
	}
	<-closed
}

// Readers who stop reading hold up neither the run nor each other, and do not add up
// without end.
func TestStuckReaders(t *testing.T) {
	s := listen(t, ":0")
	for range mostReaders {
		c, err := net.Dial("tcp", s.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if _, err := bufio.NewReader(io.LimitReader(c, 12)).ReadString(' '); err != nil { // it is served
			s.Now(1)
		}
	}
	page := make([]byte, 256<<10)
	for range 60 { // far more than sockets take
		s.Page(page)
		s.Now("x")
	}
	if code, _ := get(t, s.URL()+"events", ""); code != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", code)
	}
}

func TestListenRefuses(t *testing.T) {
	for _, addr := range []string{"8089", "", "localhost", ":x", "256.1.1.1:80"} {
		if s, err := Listen(addr); err == nil {
			s.Close(nil)
			t.Errorf("listens on %q", addr)
		}
	}
}
