package recognize

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rampload/rampload/profiles"
)

func TestBy(t *testing.T) {
	for first, want := range map[string]Server{
		"HTTP/1.1 400 Bad Request\r\n":                 HTTP,
		"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03": HTTP2,
		"-ERR unknown command 'OPTIONS'\r\n":           Redis,
		"E\x00\x00\x00\x80SFATAL\x00":                  Postgres,
		"\x4a\x00\x00\x00\x0a8.0.36\x00":               MySQL,
		"\x15\x03\x01\x00\x02\x02\x46":                 TLS,
		"SSH-2.0-OpenSSH_9.2\r\n":                      SSH,
		"220 mail ESMTP\r\n":                           Mail,
		"INFO {\"server_id\"":                          NATS,
		"":                                             Unknown,
		"N":                                            Unknown,
		"hello":                                        Unknown,
		"\x00\x00\x06\x04":                             Unknown,
		"E":                                            Unknown,
		"\x15":                                         Unknown,
		strings.Repeat("\x00", 20):                     Unknown,
		"\x00\x00\x06\x04\x00\x00\x00\x00\x01\x00\x00\x00": Unknown,
	} {
		if got := By([]byte(first)); got != want {
			t.Errorf("%q: %q, want %q", first, got, want)
		}
	}
}

// answering serves each connection with what a function says to its first bytes.
func answering(t *testing.T, say func(first string) string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var b [64]byte
				n, _ := c.Read(b[:])
				_, _ = c.Write([]byte(say(string(b[:n]))))
			}()
		}
	}()
	return ln.Addr().String()
}

func TestAsk(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	for name, c := range map[string]struct {
		addr string
		want Server
	}{
		"http": {web.Listener.Addr().String(), HTTP},
		"redis": {answering(t, func(s string) string {
			if s == "PING\r\n" {
				return "+PONG\r\n"
			}
			return ""
		}), Redis},
		"postgres": {answering(t, func(s string) string {
			if strings.HasPrefix(s, "\x00\x00\x00\x08") {
				return "N"
			}
			return ""
		}), Postgres},
		"silent":  {answering(t, func(string) string { return "" }), Unknown},
		"nothing": {"127.0.0.1:1", Unknown},
	} {
		if got := Ask(context.Background(), "tcp", c.addr); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestLike(t *testing.T) {
	if HTTP.Like(profiles.SpeaksPostgres) || !Postgres.Like(profiles.SpeaksPostgres) || Redis.Like(profiles.SpeaksHTTP) || !SSH.Like(profiles.SpeaksBytes) {
		t.Error("a server is taken for another")
	}
}

func FuzzBy(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK"))
	f.Fuzz(func(_ *testing.T, b []byte) { By(b) })
}
