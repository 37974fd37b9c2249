package prom_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/probetest"
	"github.com/rampload/rampload/probe/prom"
	"github.com/rampload/rampload/profiles"
)

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start starts a program of Debian's and waits for its page.
func start(t *testing.T, url, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("RAMPLOAD_NO_SKIP") == "1" {
			t.Fatalf("needs %s", name)
		}
		t.Skipf("needs %s", name)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(30 * time.Second); ; {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s serves no page: %v", name, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// What the real exporters show comes out as resources with believable values.
func TestRealExporters(t *testing.T) {
	dir := t.TempDir()
	groups := filepath.Join(dir, "groups.yml")
	if err := os.WriteFile(groups, []byte("process_names:\n  - name: '{{.Comm}}'\n    cmdline: ['.+']\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	front, back := freeAddress(t), freeAddress(t)
	proxy := filepath.Join(dir, "haproxy.cfg")
	config := fmt.Sprintf(`global
  maxconn 100
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
frontend shop
  bind %s
  http-request use-service prometheus-exporter if { path /metrics }
  default_backend orders
backend orders
  server a %s maxconn 5
`, front, back)
	if err := os.WriteFile(proxy, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	node, plain, process := freeAddress(t), freeAddress(t), freeAddress(t)
	self := filepath.Base(os.Args[0])
	if len(self) > 15 {
		self = self[:15] // as the kernel keeps it
	}
	for name, c := range map[string]struct {
		addr    string
		program []string
		want    []string // metrics, with their process or instance
		missing string
	}{
		"node_exporter": {
			node,
			[]string{
				"prometheus-node-exporter", "--web.listen-address=" + node, "--collector.processes", "--collector.tcpstat",
				"--collector.netstat.fields=^(Tcp_.*|TcpExt_(Listen.*|TCPReqQFull.*|TCPAbort.*|TCPTimeouts|TCPSynRetrans))$",
				"--collector.sysctl", "--collector.sysctl.include=net.ipv4.tcp_max_tw_buckets",
			},
			[]string{"cpu", "cpu-core", "memory", "file-table", "host-threads", "time-wait", "sockets", "tcp-memory", "established", "out-rsts", "abort-on-close", "syn-queue-drops", "listen-overflows"},
			"",
		},
		"node_exporter as Debian starts it": {
			plain,
			[]string{"prometheus-node-exporter", "--web.listen-address=" + plain},
			[]string{"cpu", "memory", "file-table", "listen-overflows"},
			"--collector.processes",
		},
		"process_exporter": {
			process,
			[]string{"prometheus-process-exporter", "-config.path", groups, "-web.listen-address", process},
			[]string{self + " open-files", self + " threads", self + " rss"},
			"",
		},
		"haproxy": {
			front,
			[]string{"haproxy", "-f", proxy},
			[]string{"proxy-connections", "proxy-connections frontend shop", "proxy-queue backend orders", "pool server orders/a", "proxy-errors server orders/a"},
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			url := "http://" + c.addr + "/metrics"
			start(t, url, c.program[0], c.program[1:]...)
			h := prom.NewHost(profiles.Host{Name: "db-1", Prometheus: []profiles.Metrics{{URL: url}}}, probe.NewClock(time.Now()))
			sources := h.Open(t.Context(), probe.Selection{})
			defer sources.Close()
			page := sources.Samplers[0]
			got := map[string]probe.Reading{}
			for range 2 {
				if err := page.Sample(t.Context(), func(s probe.Sample) {
					probetest.CheckReading(t, page.Source(), s.Reading)
					got[strings.Trim(s.Metric.Process+" "+s.Metric.Name+" "+s.Metric.Instance, " ")] = s.Reading
				}); err != nil {
					t.Fatal(err)
				}
				<-time.After(300 * time.Millisecond) // the kernel counts CPU time in steps
			}
			for _, w := range c.want {
				if _, ok := got[w]; !ok {
					t.Errorf("%s was not read", w)
				}
			}
			for _, full := range []string{"file-table", "host-threads", "memory", "proxy-connections"} {
				if r, ok := got[full]; ok && !(r.Limit > r.Value) {
					t.Errorf("%s is %v of %v", full, r.Value, r.Limit)
				}
			}
			said := ""
			for _, u := range page.(probe.PartialSource).Missing() {
				said += u.Error() + "\n"
			}
			if !strings.Contains(said, c.missing) || c.missing == "" && strings.Contains(said, "collector.processes") {
				t.Errorf("missing: %s", said)
			}
		})
	}
}
