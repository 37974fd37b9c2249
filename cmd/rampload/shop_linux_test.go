package main_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rampload/rampload/report"
)

// street is a balancer before three instances of a service, which asks a second one,
// which asks a third: each in a network namespace of its own and with a log in a form of
// its own. HAProxy writes its own lines, orders JSON, payments text, and stock, which is
// nginx, an access log.
type street struct {
	t    *testing.T
	dir  string
	name string // the namespaces' names begin with it
	pids map[string]int
	ends []func()
}

// places are the namespaces and their addresses, 10.92.0.N.
var places = map[string]int{"gen": 10, "lb": 20, "orders-1": 31, "orders-2": 32, "orders-3": 33, "payments": 40, "stock": 50}

func placeOf(host string) string { return fmt.Sprintf("10.92.0.%d", places[host]) }

// shopService is a service of the street. A signal makes it fail as its flags say; every
// request that it fails then stands in a file of its own.
func shopService() {
	flags := flag.NewFlagSet("service", flag.ExitOnError)
	addr := flags.String("addr", "", "")
	next := flags.String("next", "", "")
	logFile := flags.String("log", "", "")
	form := flags.String("form", "json", "")
	fault := flags.String("fault", "", "")
	says := flags.String("says", "", "")
	injected := flags.String("injected", "", "")
	work := flags.Duration("work", 0, "")
	_ = flags.Parse(os.Args[1:])
	name := filepath.Base(os.Args[0])
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	log, err := os.OpenFile(*logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	fail(err)
	tally, err := os.OpenFile(*injected, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	fail(err)
	write := func(level, id, text string) {
		now := time.Now().UTC()
		line := fmt.Sprintf("%s %s [%s] %s tx=%s\n", now.Format("2006-01-02 15:04:05,000"), strings.ToUpper(level), name, text, id)
		if *form == "json" {
			b, _ := json.Marshal(map[string]string{"timestamp": now.Format(time.RFC3339Nano), "level": level, "message": text, "service": name, "transactionId": id})
			line = string(b) + "\n"
		}
		_, _ = log.WriteString(line)
	}
	var faulty atomic.Bool
	l, err := net.Listen("tcp", *addr)
	fail(err)
	go func() {
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGUSR1)
		<-c
		if *fault == "down" {
			os.Exit(0)
		}
		faulty.Store(true)
	}()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	fail(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Transaction-Id")
		if faulty.Load() && *fault == "unhealthy" {
			if r.URL.Path == "/health" {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
		} else if faulty.Load() && id != "" {
			fmt.Fprintln(tally, id)
			if *says != "" {
				write("error", id, *says)
			}
			answerBadly(w, *fault)
			return
		}
		if *next != "" {
			q, _ := http.NewRequest(http.MethodGet, *next, http.NoBody)
			q.Header.Set("X-Transaction-Id", id)
			resp, err := client.Do(q)
			if err != nil {
				write("error", id, "cannot read: "+err.Error())
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				write("error", id, fmt.Sprintf("cannot read %s: it answers %d", *next, resp.StatusCode))
				w.WriteHeader(http.StatusBadGateway)
				return
			}
		}
		if *work > 0 {
			<-time.After(*work)
		}
		write("info", id, "served")
		_, _ = io.WriteString(w, "ok\n")
	})))
}

// answerBadly ends a request as a fault is called.
func answerBadly(w http.ResponseWriter, fault string) {
	var status int
	if _, err := fmt.Sscanf(fault, "status %d", &status); err == nil {
		http.Error(w, "sorry", status)
		return
	}
	if fault == "slow" {
		<-time.After(3 * time.Second)
		return
	}
	c, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	switch fault {
	case "reset":
		_ = c.(*net.TCPConn).SetLinger(0)
	case "body":
		_, _ = buffered.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhalf of it")
		_ = buffered.Flush()
		<-time.After(20 * time.Millisecond)
		_ = c.(*net.TCPConn).SetLinger(0)
	}
	_ = c.Close()
}

// scene is a street with something wrong in it.
type scene struct {
	front, backend string // policies of the balancer
	defaults       string
	server         string // parameters of its servers
	fault          string // of orders-2; "": none
	says           string // what orders-2 logs of it
	inner          string // fault of payments
	work           string // that orders takes for each request, such as "30ms"; "": what it takes
	mode           string // of the balancer: http or tcp
	global         string
}

func newStreet(t *testing.T, s scene) *street {
	t.Helper()
	need(t, "ip", "nsenter", "nginx", "haproxy")
	st := &street{t: t, dir: t.TempDir(), name: fmt.Sprintf("shop%d", os.Getpid()), pids: map[string]int{}}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rampload", "orders", "payments"} {
		if err := os.Symlink(self, st.file(name)); err != nil {
			t.Fatal(err)
		}
	}
	ip := func(args string) { run(t, "ip", strings.Fields(args)...) }
	ip("netns add " + st.name)
	t.Cleanup(st.end)
	st.ends = append(st.ends, func() { _ = exec.Command("ip", "netns", "del", st.name).Run() })
	ip("-n " + st.name + " link add br0 type bridge")
	ip("-n " + st.name + " link set br0 up")
	for host := range places {
		ns := st.netns(host)
		ip("netns add " + ns)
		st.ends = append(st.ends, func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
		ip("link add e0 netns " + ns + " type veth peer name " + host + " netns " + st.name)
		ip("-n " + st.name + " link set " + host + " master br0 up")
		ip("-n " + ns + " addr add " + placeOf(host) + "/24 dev e0")
		ip("-n " + ns + " link set e0 up")
		ip("-n " + ns + " link set lo up")
	}
	write := func(name, text string) {
		if err := os.WriteFile(st.file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("nginx.conf", fmt.Sprintf(`daemon off; master_process off; user root; error_log %[1]s/stock-error.log warn; pid %[1]s/nginx.pid;
events { worker_connections 512; }
http {
  log_format tx '$remote_addr - - [$time_local] "$request" $status $body_bytes_sent "$http_x_transaction_id"';
  access_log %[1]s/stock-access.log tx;
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server { listen %[2]s:8082; location / { return 200 "many\n"; } }
}
`, st.dir, placeOf("stock")))
	mode, capture := s.mode, ""
	if mode == "" {
		mode = "http"
	}
	option := "option tcplog"
	if mode == "http" {
		option, capture = "option httplog", "http-request capture req.hdr(X-Transaction-Id) len 40"
	}
	servers := ""
	for i, host := range []string{"orders-1", "orders-2", "orders-3"} {
		servers += fmt.Sprintf("  server s%d %s:8080 %s\n", i+1, placeOf(host), s.server)
	}
	write("haproxy.cfg", fmt.Sprintf(`global
  log stdout format raw local0
  %s
defaults
  mode %s
  log global
  %s
  retries 0
  timeout connect 1s
  timeout client 5s
  timeout server 1s
  %s
frontend shop
  bind %s:8080
  %s
  %s
  default_backend orders
backend orders
  balance roundrobin
  %s
%s`, s.global, mode, option, s.defaults, placeOf("lb"), capture, s.front, s.backend, servers))
	write("profile.yaml", fmt.Sprintf(`name: shop
targets:
  - {name: shop, url: 'http://%[1]s:8080', hosts: [lb, orders-1, orders-2, orders-3, payments, stock], requests: [GET /orders]}
load: [{from: 40/s, to: 160/s, over: 12s}]
hosts:
  - {name: lb, netns: %[2]s-lb, processes: [{listen: 8080}], logs: ['%[3]s/haproxy.log']}
  - {name: orders-1, netns: %[2]s-orders-1, processes: [{listen: 8080}], logs: ['%[3]s/orders-1.log']}
  - {name: orders-2, netns: %[2]s-orders-2, processes: [{listen: 8080}], logs: ['%[3]s/orders-2.log']}
  - {name: orders-3, netns: %[2]s-orders-3, processes: [{listen: 8080}], logs: ['%[3]s/orders-3.log']}
  - {name: payments, netns: %[2]s-payments, processes: [{listen: 8081}], logs: ['%[3]s/payments.log']}
  - {name: stock, netns: %[2]s-stock, processes: [{listen: 8082}], logs: ['%[3]s/stock-*.log']}
`, placeOf("lb"), st.name, st.dir))
	st.start("stock", "nginx", "-e", st.file("stock-error.log"), "-c", st.file("nginx.conf"))
	service := func(host, name, addr, next, form, fault, says string, more ...string) {
		st.start(host, st.file(name), append(more, "-addr", addr, "-next", next, "-log", st.file(host+".log"), "-form", form, "-fault", fault, "-says", says, "-injected", st.file(host+".injected"))...)
	}
	service("payments", "payments", placeOf("payments")+":8081", "http://"+placeOf("stock")+":8082/stock", "text", s.inner, s.says)
	var takes []string
	if s.work != "" {
		takes = []string{"-work", s.work}
	}
	for _, host := range []string{"orders-1", "orders-2", "orders-3"} {
		service(host, "orders", placeOf(host)+":8080", "http://"+placeOf("payments")+":8081/pay", "json", s.fault, s.says, slices.Clone(takes)...)
	}
	st.start("lb", "haproxy", "-db", "-f", st.file("haproxy.cfg"))
	until(t, "the shop", func() bool {
		return exec.Command("nsenter", "--net=/run/netns/"+st.netns("gen"), "--", "curl", "-sf", "-m", "2", "-o", "/dev/null", "http://"+placeOf("lb")+":8080/").Run() == nil
	})
	return st
}

func (st *street) file(name string) string  { return filepath.Join(st.dir, name) }
func (st *street) netns(host string) string { return st.name + "-" + host }

// start starts a program in a namespace, and writes what it prints into a log of its name.
func (st *street) start(host, program string, args ...string) {
	st.t.Helper()
	out, err := os.Create(st.file(filepath.Base(program) + ".log"))
	if host != "lb" {
		out, err = os.Create(st.file(host + ".out"))
	}
	if err != nil {
		st.t.Fatal(err)
	}
	cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + st.netns(host), "--", program}, args...)...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		st.t.Fatal(err)
	}
	st.pids[host] = cmd.Process.Pid // nsenter becomes the program
	st.ends = append(st.ends, func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		out.Close()
		if data, _ := os.ReadFile(out.Name()); st.t.Failed() {
			st.t.Logf("%s: %s", host, data[:min(len(data), 2000)])
		}
	})
}

// end ends it: a second one may follow.
func (st *street) end() {
	for _, end := range slices.Backward(st.ends) {
		end()
	}
	st.ends = nil
}

// injected counts the requests that some hosts failed. One that was asked again, as Go's
// client does by itself where a connection breaks, counts once.
func (st *street) injected(hosts []string) uint64 {
	ids := map[string]bool{}
	for _, host := range hosts {
		data, _ := os.ReadFile(st.file(host + ".injected"))
		for _, id := range strings.Fields(string(data)) {
			ids[id] = true
		}
	}
	return uint64(len(ids))
}

// lines counts the lines of a file.
func (st *street) lines(name string) int {
	data, _ := os.ReadFile(st.file(name))
	return strings.Count(string(data), "\n")
}

// run loads the street. Once so many requests have been served, the hosts begin to fail.
func (st *street) run(from int, ill ...string) (*report.Report, string) {
	st.t.Helper()
	cmd := exec.CommandContext(st.t.Context(), "nsenter", "--net=/run/netns/"+st.netns("gen"), "--", "nice", "-n", "-10", st.file("rampload"), "--profile", st.file("profile.yaml"), "--out", st.file("out.json"))
	var text strings.Builder
	cmd.Stdout, cmd.Stderr = &text, &text
	if err := cmd.Start(); err != nil {
		st.t.Fatal(err)
	}
	if len(ill) > 0 {
		until(st.t, "requests", func() bool { return st.lines("payments.log") > from })
	}
	for _, host := range ill {
		if err := syscall.Kill(st.pids[host], syscall.SIGUSR1); err != nil {
			st.t.Fatal(err)
		}
	}
	_ = cmd.Wait() // without a gate it is 0; the report says what went wrong
	f, err := os.Open(st.file("out.json"))
	if err != nil {
		st.t.Fatalf("%v\n%s", err, text.String())
	}
	defer f.Close()
	r, err := report.Read(f)
	if err != nil {
		st.t.Fatal(err)
	}
	return r, text.String()
}
