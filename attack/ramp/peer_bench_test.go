//go:build bench && linux

package ramp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The benchmarks beside other load testers: interleaved rounds on one machine,
// the client on one core and nginx (return 200) on another, medians over rounds.
//
//	go test -tags bench -run '^$' -bench Peers -benchtime 1x ./attack/ramp
//
// RAMPLOAD_BENCH_ROUNDS and RAMPLOAD_BENCH_SECONDS change how long they take.
// RAMPLOAD_BENCH_LONG=1 adds the memory of 10 million requests. What is not
// installed is left out by name.

const (
	clientCore = "0"
	serverCore = "1"
	benchConns = 64
)

// figures are what one client did in one round.
type figures struct {
	perSecond float64
	cpu       float64 // seconds for a million requests
	rss       float64 // MiB at most
	failed    uint64
	res       childResult
}

// client is one contestant.
type client struct {
	name    string
	missing string // why it cannot take part
	run     func(url string, conns int, rate, seconds float64) (figures, error)
}

func clients() []client {
	tools := []client{
		own("direct"), own("vegeta"), own("vegeta-default"), own("http2"),
		{name: "h2load", run: func(url string, conns int, _, seconds float64) (figures, error) {
			args := []string{"-t1", "-c1", "-m" + strconv.Itoa(conns), fmt.Sprintf("-D%d", int(math.Ceil(seconds)))}
			return external(regexp.MustCompile(`(?s)finished in ([\d.]+)s.*?requests: (\d+) total`), "h2load", append(args, url+"/")...)
		}},
		{name: "wrk", run: func(url string, conns int, _, seconds float64) (figures, error) {
			args := []string{"-t1", "-c" + strconv.Itoa(max(conns, benchConns)), fmt.Sprintf("-d%ds", int(math.Ceil(seconds)))}
			if conns == 0 {
				args = append(args, "-H", "Connection: close")
			}
			return external(regexp.MustCompile(`(?s)(\d+) requests in ([\d.]+)s`), "wrk", append(args, url+"/")...)
		}},
		{name: "wrk2", run: func(url string, conns int, rate, seconds float64) (figures, error) {
			args := []string{"-t1", "-c" + strconv.Itoa(max(conns, benchConns)), fmt.Sprintf("-d%ds", int(math.Ceil(seconds))), fmt.Sprintf("-R%d", int(rate))}
			return external(regexp.MustCompile(`(?s)(\d+) requests in ([\d.]+)s`), "wrk2", append(args, url+"/")...)
		}},
		{name: "fortio", run: func(url string, conns int, rate, seconds float64) (figures, error) {
			args := []string{"load", "-quiet", "-c", strconv.Itoa(max(conns, benchConns)), "-qps", fmt.Sprint(rate), "-t", fmt.Sprintf("%gs", seconds), "-keepalive=" + strconv.FormatBool(conns > 0)}
			return external(regexp.MustCompile(`(?s)All done (\d+) calls.*?([\d.]+) qps`), "fortio", append(args, url+"/")...)
		}},
	}
	for i := range tools {
		if !strings.Contains("direct vegeta vegeta-default http2", tools[i].name) {
			if _, err := exec.LookPath(tools[i].name); err != nil {
				tools[i].missing = "not installed"
			}
		}
	}
	return tools
}

// own is an engine of this package, or vegeta as it comes, in a process of its own.
func own(engine string) client {
	return client{name: engine, run: func(url string, conns int, rate, seconds float64) (figures, error) {
		return child(childJob{Engine: engine, URL: url, Conns: conns, Rate: rate, Seconds: seconds}, clientCore)
	}}
}

func pinned(core, name string, args ...string) *exec.Cmd {
	if core == "" {
		return exec.Command(name, args...)
	}
	return exec.Command("taskset", append([]string{"-c", core, name}, args...)...)
}

func child(job childJob, core string) (figures, error) {
	exe, err := os.Executable()
	if err != nil {
		return figures{}, err
	}
	text, err := json.Marshal(job)
	if err != nil {
		return figures{}, err
	}
	cmd := pinned(core, exe)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	var out bytes.Buffer
	cmd.Stdout = &out
	peak, err := runWatched(cmd)
	if err != nil {
		return figures{}, fmt.Errorf("run %s: %w", job.Engine, err)
	}
	var res childResult
	if err := json.Unmarshal(out.Bytes(), &res); err != nil {
		return figures{}, fmt.Errorf("run %s: %w", job.Engine, err)
	}
	f := usage(cmd, res.Requests, res.Seconds, peak)
	f.failed, f.res = res.Failed, res
	return f, nil
}

func external(pattern *regexp.Regexp, name string, args ...string) (figures, error) {
	cmd := pinned(clientCore, name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	peak, err := runWatched(cmd)
	if err != nil {
		return figures{}, fmt.Errorf("run %s: %w: %s", name, err, &out)
	}
	m := pattern.FindSubmatch(out.Bytes())
	if m == nil {
		return figures{}, fmt.Errorf("run %s: no result in %s", name, &out)
	}
	n, _ := strconv.ParseUint(string(m[1]), 10, 64)
	x, _ := strconv.ParseFloat(string(m[2]), 64)
	if name == "h2load" { // the time comes first, and both may be fractions
		x, _ = strconv.ParseFloat(string(m[1]), 64)
		n, _ = strconv.ParseUint(string(m[2]), 10, 64)
	}
	if name == "fortio" {
		x = float64(n) / x // it prints a rate
	}
	return usage(cmd, n, x, peak), nil
}

func usage(cmd *exec.Cmd, requests uint64, seconds, peak float64) figures {
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return figures{
		perSecond: float64(requests) / seconds,
		cpu:       cpu.Seconds() / float64(requests) * 1e6,
		rss:       peak,
	}
}

// runWatched runs a command and returns the most memory it had resident, in MiB.
// The rusage of a child counts what its parent had when it forked.
func runWatched(cmd *exec.Cmd) (peak float64, err error) {
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
				if m := highWater.FindSubmatch(status); err == nil && m != nil {
					kib, _ := strconv.ParseFloat(string(m[1]), 64)
					peak = max(peak, kib/1024)
				}
			case <-done:
				return
			}
		}
	})
	err = cmd.Wait()
	close(done)
	wg.Wait()
	return peak, err
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

func setting(name string, otherwise float64) float64 {
	if v, err := strconv.ParseFloat(os.Getenv(name), 64); err == nil {
		return v
	}
	return otherwise
}

// startNginx serves 200 on a free port, on a core of its own.
func startNginx(b *testing.B, core string) string {
	b.Helper()
	return startNginxWith(b, core, "")
}

// startNginxWith is startNginx with options of the listener.
func startNginxWith(b *testing.B, core, options string) string {
	b.Helper()
	if _, err := exec.LookPath("nginx"); err != nil {
		b.Skip("nginx is not installed")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	dir := b.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	conf := fmt.Sprintf(`daemon off; master_process off; worker_processes 1; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 24000; }
http { access_log off; keepalive_requests 1000000000; client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b;
fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
server { listen %[2]s %[3]s backlog=8192; location / { return 200 "ok"; } } }`, dir, addr, options)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := pinned(core, "nginx", "-e", filepath.Join(dir, "error.log"), "-c", path)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			c.Close()
			return "http://" + addr
		}
		<-tick.C
	}
	b.Fatal("nginx does not answer")
	return ""
}

// compare runs all clients in turn and prints their medians beside the base's.
func compare(b *testing.B, title, base string, names []string, conns int, rate float64) {
	if runtime.NumCPU() < 2 {
		b.Skip("needs a core for the client and one for the server")
	}
	url := startNginx(b, serverCore)
	rounds := int(setting("RAMPLOAD_BENCH_ROUNDS", 5))
	seconds := setting("RAMPLOAD_BENCH_SECONDS", 3)
	got := map[string][]figures{}
	var order []string
	for _, c := range clients() {
		if !slices.Contains(names, c.name) {
			continue
		}
		if c.missing != "" {
			b.Logf("%s: %s left out: %s", title, c.name, c.missing)
			continue
		}
		order = append(order, c.name)
	}
	for b.Loop() {
		for range rounds {
			for _, c := range clients() {
				if !slices.Contains(order, c.name) {
					continue
				}
				f, err := c.run(url, conns, rate, seconds)
				if err != nil {
					b.Fatal(err)
				}
				got[c.name] = append(got[c.name], f)
			}
		}
	}
	median := func(name string, of func(figures) float64) float64 {
		var v []float64
		for _, f := range got[name] {
			v = append(v, of(f))
		}
		slices.Sort(v)
		if len(v) == 0 {
			return math.NaN()
		}
		return v[len(v)/2]
	}
	perSecond := func(f figures) float64 { return f.perSecond }
	cpu := func(f figures) float64 { return f.cpu }
	b.Logf("%s: %d rounds of %gs", title, rounds, seconds)
	b.Logf("%-16s %10s %8s %12s %8s %9s %7s", "client", "per second", "x "+base, "CPU s per 1M", "x "+base, "RSS MiB", "failed")
	for _, name := range order {
		speed := median(name, perSecond) / median(base, perSecond)
		work := median(name, cpu) / median(base, cpu)
		failed := uint64(0)
		for _, f := range got[name] {
			failed += f.failed
		}
		b.Logf("%-16s %10.0f %8.2f %12.1f %8.2f %9.1f %7d", name, median(name, perSecond), speed,
			median(name, cpu), work, median(name, func(f figures) float64 { return f.rss }), failed)
		b.ReportMetric(speed, name+"/"+base+"-speed")
	}
}

func BenchmarkPeersKeepAlive(b *testing.B) {
	compare(b, "as fast as possible, keep-alive", "wrk", []string{"direct", "vegeta", "vegeta-default", "wrk", "fortio"}, benchConns, 0)
}

func BenchmarkPeersClose(b *testing.B) {
	compare(b, "a connection for every request", "wrk", []string{"direct", "vegeta", "vegeta-default", "wrk", "fortio"}, 0, 0)
}

func BenchmarkPeersFixedRate(b *testing.B) {
	compare(b, "20,000 requests per second", "direct", []string{"direct", "vegeta", "vegeta-default", "wrk2", "fortio"}, benchConns, 20_000)
}

// BenchmarkPeersSpacing measures at the server, with the kernel's time of
// arrival of each request, how far requests stray from an even schedule.
func BenchmarkPeersSpacing(b *testing.B) {
	const rate = 5000
	seconds := setting("RAMPLOAD_BENCH_SECONDS", 3)
	rounds := int(setting("RAMPLOAD_BENCH_ROUNDS", 5))
	type deviation struct{ p50, p99, cpu, offered float64 }
	got := map[string][]deviation{}
	for b.Loop() {
		for range rounds {
			for _, c := range clients() {
				if c.name == "wrk" || c.missing != "" {
					continue
				}
				addr, stop := startStampServer(b)
				f, err := c.run("http://"+addr, benchConns, rate, seconds)
				if err != nil {
					b.Fatal(err)
				}
				at := stop()
				p50, p99 := deviations(at, rate)
				got[c.name] = append(got[c.name], deviation{p50, p99, f.cpu * rate / 1e6, float64(len(at)) / (rate * seconds)})
			}
		}
	}
	b.Logf("deviation from an even 5,000 per second at the server, %d rounds of %gs", rounds, seconds)
	b.Logf("%-16s %9s %9s %10s %9s", "client", "p50 µs", "p99 µs", "CPU cores", "of plan")
	for _, c := range clients() {
		all := got[c.name]
		if len(all) == 0 {
			if c.name != "wrk" {
				b.Logf("%-16s left out: %s", c.name, c.missing)
			}
			continue
		}
		median := func(of func(deviation) float64) float64 {
			var v []float64
			for _, d := range all {
				v = append(v, of(d))
			}
			slices.Sort(v)
			return v[len(v)/2]
		}
		p50, p99 := median(func(d deviation) float64 { return d.p50 }), median(func(d deviation) float64 { return d.p99 })
		b.Logf("%-16s %9.1f %9.1f %10.2f %9.4f", c.name, p50, p99,
			median(func(d deviation) float64 { return d.cpu }), median(func(d deviation) float64 { return d.offered }))
		b.ReportMetric(p50, c.name+"-p50-µs")
		b.ReportMetric(p99, c.name+"-p99-µs")
	}
}

// deviations returns the median and 99th percentile of how far arrivals lie from
// the even schedule that fits them best, in µs, the first fifth left out.
func deviations(at []int64, rate float64) (p50, p99 float64) {
	gap := 1e9 / rate
	at = at[len(at)/5:]
	off := make([]float64, len(at))
	for i, t := range at {
		off[i] = float64(t-at[0]) - float64(i)*gap
	}
	sorted := slices.Sorted(slices.Values(off))
	middle := sorted[len(sorted)/2]
	for i := range off {
		off[i] = math.Abs(off[i]-middle) / 1e3
	}
	slices.Sort(off)
	return off[len(off)/2], off[len(off)*99/100]
}

func startStampServer(b *testing.B) (addr string, stop func() []int64) {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := pinned(serverCore, exe)
	cmd.Env = append(os.Environ(), childEnv+`={"Engine":"server"}`)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	r := bufio.NewReader(out)
	addr, err = r.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(addr), func() []int64 {
		in.Close()
		text, err := io.ReadAll(r)
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		var s stamps
		if err := json.Unmarshal(text, &s); err != nil {
			b.Fatal(err)
		}
		return s.Nanos
	}
}

// BenchmarkAchieved measures achieved against offered load at 20,000 a second,
// client and server free to use all cores.
func BenchmarkAchieved(b *testing.B) {
	url := startNginx(b, "")
	seconds := setting("RAMPLOAD_BENCH_SECONDS", 3)
	rounds := int(setting("RAMPLOAD_BENCH_ROUNDS", 5))
	for b.Loop() {
		for _, engine := range []string{"direct", "vegeta"} {
			worst := 1.0
			for range rounds {
				f, err := child(childJob{Engine: engine, URL: url, Conns: 256, Rate: 20_000, Seconds: seconds}, "")
				if err != nil {
					b.Fatal(err)
				}
				share := float64(f.res.InTime) / float64(f.res.Scheduled)
				worst = min(worst, share)
				b.Logf("%s: %d of %d sent in time (%.5f), lag p50 %dµs p99 %dµs, CPU %.1f s per 1M, %d failed",
					engine, f.res.InTime, f.res.Scheduled, share, f.res.LagP50, f.res.LagP99, f.cpu, f.failed)
			}
			b.ReportMetric(worst, engine+"-achieved/offered")
		}
	}
}

// BenchmarkMemory notes the resident memory after each million of 10 million
// requests.
func BenchmarkMemory(b *testing.B) {
	if os.Getenv("RAMPLOAD_BENCH_LONG") == "" {
		b.Skip("takes minutes: set RAMPLOAD_BENCH_LONG=1")
	}
	url := startNginx(b, serverCore)
	for b.Loop() {
		for _, engine := range []string{"direct", "vegeta"} {
			f, err := child(childJob{Engine: engine, URL: url, Conns: benchConns, Seconds: 3600, Long: 10_000_000}, clientCore)
			if err != nil {
				b.Fatal(err)
			}
			m := f.res.Memory
			growth := float64(m[9])/float64(m[0]) - 1
			b.Logf("%s: KiB resident after each million: %v (growth %.1f%%), %.0f/s", engine, m, 100*growth, f.perSecond)
			b.ReportMetric(growth, engine+"-growth")
		}
	}
}
