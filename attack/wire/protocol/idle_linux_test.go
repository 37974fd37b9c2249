package protocol_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/rampload/rampload/attack/wire/idle"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/attack/wire/wiretest"
	"github.com/rampload/rampload/profiles"
)

// behind is a proxy in front of a WebSocket server, which ends a tunnel that is silent for
// two seconds.
func behind(t *testing.T, command, config string, args ...string) string {
	t.Helper()
	binary, err := exec.LookPath(command)
	if err != nil {
		skip(t, "%s is not installed", command)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		_, _, _ = c.Read(t.Context()) // answers pings
	}))
	t.Cleanup(s.Close)
	dir, port := t.TempDir(), freePort(t)
	name := filepath.Join(dir, "proxy.conf")
	config = strings.NewReplacer("DIR", dir, "PORT", port, "SERVER", strings.TrimPrefix(s.URL, "http://")).Replace(config)
	if err := os.WriteFile(name, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range args {
		args[i] = strings.NewReplacer("CONFIG", name, "DIR", dir).Replace(args[i])
	}
	run(t, port, exec.Command(binary, args...))
	return "ws://127.0.0.1:" + port + "/chat"
}

// The timeouts of proxies that WebSockets pass are found, and those of plain connections.
func TestIdleOfProxies(t *testing.T) {
	ping := []profiles.Request{{Script: []profiles.Turn{{Kind: profiles.TurnPing}}}}
	for name, start := range map[string]func(*testing.T) string{
		"nginx": func(t *testing.T) string {
			return behind(t, "nginx", `daemon off; master_process off; pid DIR/pid; error_log DIR/error.log;
events {}
http {
	access_log off; client_body_temp_path DIR/a; proxy_temp_path DIR/b; fastcgi_temp_path DIR/c; uwsgi_temp_path DIR/d; scgi_temp_path DIR/e;
	server {
		listen 127.0.0.1:PORT;
		location / {
			proxy_pass http://SERVER; proxy_http_version 1.1; proxy_read_timeout 2s;
			proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
		}
	}
}
`, "-p", "DIR", "-c", "CONFIG")
		},
		"haproxy": func(t *testing.T) string {
			return behind(t, "haproxy", `defaults
	mode http
	timeout connect 5s
	timeout client 60s
	timeout server 60s
	timeout tunnel 2s
frontend f
	bind 127.0.0.1:PORT
	default_backend b
backend b
	server s SERVER
`, "-db", "-f", "CONFIG")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			r, err := idle.Find(t.Context(), idle.Config{
				Target: profiles.Target{Name: "t", URL: url, Requests: ping}, Exchange: protocol.New,
				Client: profiles.Client{Timeout: wiretest.Patience}, Min: 500 * time.Millisecond, Max: 8 * time.Second,
			})
			if err != nil {
				t.Fatal(err)
			}
			if r.End == idle.Alive || r.End == idle.Silent || r.Gone < 1200*time.Millisecond || r.Gone > 6*time.Second {
				t.Errorf("found %s", fmt.Sprint(r))
			}
		})
	}
}
