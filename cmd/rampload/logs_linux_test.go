package main_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rampload/rampload/report"
)

// shop is nginx before HAProxy before three instances of a service. Each of the three
// writes a log of its own form: nginx' access and error log, HAProxy's, and JSON.
type shop struct {
	dir       string
	front     string
	middle    string // the balancer's port
	instances []string
	faulty    atomic.Bool // the second instance fails
	failed    atomic.Int64
	served    atomic.Int64
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// startShop starts it. policy goes into HAProxy's frontend. fail is how the faulty
// instance ends a request.
func startShop(t *testing.T, policy string, fail func(w http.ResponseWriter)) *shop {
	t.Helper()
	s := &shop{dir: t.TempDir()}
	file := func(name string) string { return filepath.Join(s.dir, name) }
	log, err := os.Create(file("shop.json"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.instances = append(s.instances, l.Addr().String())
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			level, message := "info", "served"
			bad := i == 1 && s.faulty.Load()
			if bad {
				level, message = "error", "cannot read stock: connection refused"
				s.failed.Add(1)
			}
			line, _ := json.Marshal(map[string]string{
				"timestamp": time.Now().UTC().Format(time.RFC3339Nano), "level": level, "message": message, "service": "shop",
				"transactionId": r.Header.Get("X-Transaction-Id"), "peer": "stock", "remoteAddress": "127.0.0.1:1",
			})
			_, _ = log.Write(append(line, '\n'))
			s.served.Add(1)
			if bad {
				fail(w)
			}
		})}
		go func() { _ = server.Serve(l) }()
		t.Cleanup(func() { server.Close() })
	}
	t.Cleanup(func() { log.Close() })
	write := func(name, text string) {
		if err := os.WriteFile(file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.front, s.middle = freePort(t), freePort(t)
	write("nginx.conf", fmt.Sprintf(`daemon off; master_process off; user root; error_log %[1]s/nginx-error.log warn; pid %[1]s/nginx.pid;
events { worker_connections 512; }
http {
  log_format tx '$remote_addr - - [$time_local] "$request" $status $body_bytes_sent "$http_x_transaction_id" upstream=$upstream_addr';
  access_log %[1]s/nginx-access.log tx;
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  upstream balancer { server 127.0.0.1:%[3]s; keepalive 32; }
  server { listen 127.0.0.1:%[2]s; location / { proxy_pass http://balancer; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_next_upstream off; } }
}
`, s.dir, s.front, s.middle))
	write("haproxy.cfg", fmt.Sprintf(`global
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  retries 0
  timeout connect 1s
  timeout client 5s
  timeout server 5s
frontend balancer
  bind 127.0.0.1:%s
  http-request capture req.hdr(X-Transaction-Id) len 40
%s
  default_backend shop
backend shop
  balance roundrobin
  server s1 %s
  server s2 %s
  server s3 %s
`, s.middle, policy, s.instances[0], s.instances[1], s.instances[2]))
	write("profile.yaml", fmt.Sprintf(`name: shop
targets:
  - {name: shop, url: 'http://127.0.0.1:%[1]s', requests: [GET /stock]}
load: [{from: 30/s, to: 130/s, over: 10s}]
hosts:
  - name: local
    processes: [{listen: %[1]s}, {listen: %[2]s}, {pid: %[3]d}]
    logs:
      - {file: %[4]s/haproxy.log, service: haproxy}
      - {file: %[4]s/nginx-*.log, service: nginx}
      - %[4]s/shop.json
`, s.front, s.middle, os.Getpid(), s.dir))
	out, err := os.Create(file("haproxy.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	for _, args := range [][]string{{"nginx", "-e", file("nginx-error.log"), "-c", file("nginx.conf")}, {"haproxy", "-f", file("haproxy.cfg")}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdout, cmd.Stderr = out, out
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	client := &http.Client{Timeout: 5 * time.Second} // what hangs is asked again
	until(t, "the shop", func() bool {
		r, err := client.Get("http://127.0.0.1:" + s.front + "/stock")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	client.CloseIdleConnections()
	return s
}

// run loads it, and has the instance fail from some request on, 0: never. It returns the
// report.
func (s *shop) run(t *testing.T, exe string, from int64) *report.Report {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), exe, "--quiet", "--profile", filepath.Join(s.dir, "profile.yaml"), "--out", filepath.Join(s.dir, "out.json"))
	var text strings.Builder
	cmd.Stdout, cmd.Stderr = &text, &text
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if from > 0 {
		until(t, "requests", func() bool { return s.served.Load() > from })
		s.faulty.Store(true)
	}
	_ = cmd.Wait() // without a gate it is 0; the report says what went wrong
	f, err := os.Open(filepath.Join(s.dir, "out.json"))
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	defer f.Close()
	r, err := report.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// told is what a verdict says, with its evidence.
func told(f report.Finding) string {
	text := f.Summary + "\n"
	for _, e := range f.Evidence {
		text += e.Text + "\n"
	}
	return text
}

// abort ends a connection with a RST.
func abort(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// TestLogsTellTheInstance has one of three instances behind the balancer reset what it is
// asked: the client sees 502. Every failed transaction is joined to what three logs say of
// it, and the verdict names the instance's log and whom it asks. The number is the injector's.
// What HAProxy calls the instance is not asked for: it closes most connections without a
// line when a server resets one that it has used before, for nginx to try again.
func TestLogsTellTheInstance(t *testing.T) {
	need(t, "nginx", "haproxy")
	exe := buildProgram(t)
	s := startShop(t, "", abort)
	r := s.run(t, exe, 350)
	target := r.Targets[0]
	failed := uint64(s.failed.Load())
	if target.Failed != failed || failed < 30 || target.StatusCodes["502"] != failed {
		t.Fatalf("%d failed, %d as 502; the instance failed %d", target.Failed, target.StatusCodes["502"], failed)
	}
	by := map[string]report.Said{}
	for _, x := range target.Said {
		if x.Joined == "id" {
			by[x.Service+" "+x.Peer] = x
		}
	}
	whos := []string{"shop 127.0.0.1:1", "nginx 127.0.0.1:" + s.middle}
	wants := []string{"shop on local -> 127.0.0.1:1: cannot read stock: connection refused"}
	for _, who := range whos {
		if x, ok := by[who]; !ok || x.Times == 0 || x.FirstRPS == nil {
			t.Errorf("%s is told as %+v, of %+v", who, x, target.Said)
		}
	}
	if x := by["shop 127.0.0.1:1"]; x.Times != failed {
		t.Errorf("the instance's log is joined to %d of %d", x.Times, failed)
	}
	f := r.Findings[0]
	if f.Verdict == "explains" && f.Cause != "upstream-service-down" {
		t.Errorf("the verdict is %s %s on %s: %s", f.Verdict, f.Cause, f.Host, told(f))
	}
	for _, want := range wants {
		if !strings.Contains(told(f), want) {
			t.Errorf("%q is not said:\n%s", want, told(f))
		}
	}
}

// TestLogsTellTheBalancer has the balancer itself turn away what exceeds a rate: the client
// sees 503.
func TestLogsTellTheBalancer(t *testing.T) {
	need(t, "nginx", "haproxy")
	exe := buildProgram(t)
	s := startShop(t, `  stick-table type ip size 1k expire 10s store http_req_rate(1s)
  http-request track-sc0 src
  http-request deny deny_status 503 if { sc_http_req_rate(0) gt 80 }`, abort)
	r := s.run(t, exe, 0)
	f := r.Findings[0]
	// Several causes may be left, but none that is proven wrongly.
	if f.Verdict == "explains" && (f.Cause != "upstream-rate-limit-policy" || f.Process != "haproxy") {
		t.Errorf("the verdict is %s %s of %s: %s", f.Verdict, f.Cause, f.Process, told(f))
	}
	if want := "haproxy on local: 503 to GET /stock: refused by a rule of the proxy"; !strings.Contains(told(f), want) {
		t.Errorf("nothing tells of the balancer's words:\n%s\nsaid: %+v\nread from: %+v", told(f), r.Targets[0].Said, r.Sources)
	}
	if strings.Contains(told(f), "one of the 3") || s.failed.Load() != 0 {
		t.Errorf("an instance is named, and none failed:\n%s", told(f))
	}
}
