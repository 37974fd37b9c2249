//go:build bench && linux

package session_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/benchtable"
	"github.com/rampload/rampload/attack/ramp"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/machine"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/runlog"
)

// observed is one load on a server, with everything watched that a run watches, or
// with nothing. It has a process of its own.
type observed struct {
	URL     string
	Server  int // process id
	Conns   int // 0: a connection for every request
	Seconds float64
	Watch   bool
}

// cost is what a load came to: with the processor time of client, observer and
// server together.
type cost struct {
	PerSecond float64
	CPU       float64 // seconds of a request
	P99       float64 // microseconds
	Events    uint64  // of the kernel, that were told or counted
	Failed    uint64
	Sources   []sourceCost
}

// sourceCost is what a source itself says that it has used.
type sourceCost struct {
	Name  string
	CPU   time.Duration
	Reads uint64
}

const observedEnv = "RAMPLOAD_BENCH_OBSERVED"

func TestMain(m *testing.M) {
	text, child := os.LookupEnv(observedEnv)
	if !child {
		os.Exit(m.Run())
	}
	var job observed
	err := json.Unmarshal([]byte(text), &job)
	if path := os.Getenv("RAMPLOAD_BENCH_PROFILE"); path != "" && job.Watch {
		if f, err := os.Create(path); err == nil {
			_ = pprof.StartCPUProfile(f)
		}
	}
	if err == nil {
		var c cost
		if c, err = observe(job); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(c)
		}
	}
	pprof.StopCPUProfile()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// tallied is a recorder that writes the run log, as a run does, and sums.
type tallied struct {
	*runlog.Writer
	requests, failed, events uint64
	latency                  attack.Histogram
}

func (t *tallied) Window(w attack.Window) {
	for _, c := range w.Cells {
		t.requests += c.Requests
		if c.Fault != attack.None {
			t.failed += c.Requests
		}
	}
	t.latency = t.latency.Merge(w.FromSend)
	t.Writer.Window(w)
}

func (t *tallied) Event(e probe.Event) {
	t.events += max(e.Count, 1)
	t.Writer.Event(e)
}

// timed measures the processor time while the load is sent.
type timed struct {
	profile profiles.Profile
	clock   probe.Clock
	server  int
	ready   []<-chan struct{} // closed when a watcher has begun
	used    float64
	took    float64
}

func (l *timed) Run(ctx context.Context, sink attack.Sink) (attack.Summary, error) {
	for _, ready := range l.ready {
		select {
		case <-ready:
		case <-time.After(10 * time.Second):
			return attack.Summary{}, errors.New("a watcher has not begun within 10s")
		}
	}
	runtime.GC() // of what opening has left behind
	time.Sleep(-l.clock.Now())
	loader, err := ramp.NewDirect(ramp.Config{Profile: l.profile, Open: protocol.Open})
	if err != nil {
		return attack.Summary{}, err
	}
	before := l.cpu()
	s, err := loader.Run(ctx, sink)
	l.used, l.took = l.cpu()-before, s.Ended.Seconds()
	return s, err
}

// cpu is the processor time of this process and of the server, in seconds.
func (l *timed) cpu() float64 {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	ns := u.Utime.Nano() + u.Stime.Nano()
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", l.server)); err == nil {
		server, _ := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		ns += server
	}
	return float64(ns) / 1e9
}

func observe(job observed) (cost, error) {
	target := profiles.Target{
		Name: "nginx", URL: job.URL, Share: 1, Expect: profiles.StatusSet{{Low: 200, High: 299}},
		Requests: []profiles.Request{{Method: "GET", Path: "/", Weight: 1}},
	}
	p := profiles.Profile{
		Name: "bench", Targets: []profiles.Target{target},
		Load:   profiles.Load{profiles.Max{For: time.Duration(job.Seconds * float64(time.Second))}},
		Client: profiles.Client{Connections: job.Conns, MaxInFlight: 10_000, Timeout: 5 * time.Second},
	}
	if job.Conns == 0 {
		p.Client.MaxInFlight = 64
	}
	// What is looked for once, a run looks for before the load as well.
	clock := probe.NewClock(time.Now().Add(2 * time.Second))
	load := &timed{profile: p, clock: clock, server: job.Server}
	log, err := runlog.NewWriter(io.Discard, runlog.Header{Name: "bench", Interval: 250 * time.Millisecond})
	if err != nil {
		return cost{}, err
	}
	recorder := &tallied{Writer: log}
	cfg := session.Config{
		Clock: clock, Loader: load, Recorder: recorder, Targets: []string{"nginx"}, Interval: 250 * time.Millisecond,
		Offered: func(time.Duration) float64 { return 0 },
	}
	if job.Watch {
		addr, err := netip.ParseAddrPort(strings.TrimPrefix(job.URL, "http://"))
		if err != nil {
			return cost{}, err
		}
		entry := profiles.Host{Name: "local", Processes: []profiles.Process{{Listen: int(addr.Port())}}}
		m := machine.Machine{Clock: clock, Name: "local", Generator: true}
		sources := m.Host(entry).Open(context.Background(), probe.Selection{Processes: entry.Processes})
		trace, packets, _ := m.Resets([]machine.Traced{{Entry: entry, Addrs: []string{"127.0.0.1"}}}, []uint16{addr.Port()}, false)
		for _, w := range []probe.Watcher{trace, packets} {
			load.ready = append(load.ready, w.(interface{ Ready() <-chan struct{} }).Ready())
		}
		cfg.Samplers, cfg.Watchers = sources.Samplers, append(sources.Watchers, trace, packets)
	}
	outcome, err := session.Run(context.Background(), cfg)
	if err != nil {
		return cost{}, err
	}
	var sources []sourceCost
	for _, s := range outcome.Sources {
		sources = append(sources, sourceCost{s.Source.Name, s.CPU, uint64(s.Reads)})
	}
	slices.SortFunc(sources, func(a, b sourceCost) int { return cmp.Compare(b.CPU, a.CPU) })
	p99, _ := recorder.latency.Quantile(0.99)
	n := float64(recorder.requests)
	return cost{n / load.took, load.used / n, float64(p99), recorder.events, recorder.failed, sources}, nil
}

func child(b *testing.B, job observed) cost {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	text, err := json.Marshal(job)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("taskset", "-c", "0", exe)
	cmd.Env = append(os.Environ(), observedEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
	var c cost
	if err := json.Unmarshal(out.Bytes(), &c); err != nil {
		b.Fatal(err)
	}
	return c
}

func setting(name string, otherwise float64) float64 {
	if v, err := strconv.ParseFloat(os.Getenv(name), 64); err == nil {
		return v
	}
	return otherwise
}

// BenchmarkObserver prints what watching costs: a load with everything watched
// beside the same load with nothing watched, in turn, the medians of the ratios and
// how far apart they lie. It fails nothing.
func BenchmarkObserver(b *testing.B) {
	if runtime.NumCPU() < 2 || os.Geteuid() != 0 {
		b.Skip("needs root, a core for the client and one for the server")
	}
	rounds, seconds := int(setting("RAMPLOAD_BENCH_ROUNDS", 5)), setting("RAMPLOAD_BENCH_SECONDS", 1)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		b.Fatal(err)
	}
	most := limit.Max
	url, server := startNginx(b, most)
	one := func(name string, conns int, meanwhile func(b *testing.B) (stop func())) {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			for b.Loop() {
				stop := meanwhile(b)
				pair(b, name, rounds, observed{URL: url, Server: server, Conns: conns, Seconds: seconds})
				stop()
			}
		})
	}
	nothing := func(*testing.B) func() { return func() {} }
	one("keep-alive", 64, nothing)
	one("a connection each", 0, nothing)
	// nginx closes idle connections from 15/16 of its descriptors on.
	many := min(10_000, int(most)/8*7)
	one(fmt.Sprintf("%d sockets open", 2*many), 64, func(b *testing.B) func() {
		return openMany(b, strings.TrimPrefix(url, "http://"), many)
	})
	one("50,000 events/s", 64, func(b *testing.B) func() {
		stop := provokeResets(b, netip.MustParseAddrPort(strings.TrimPrefix(url, "http://")), 25_000)
		return func() { b.Logf("%.0f resets a second were provoked: as many sent, and as many packets", stop()) }
	})
}

// pair compares a load with and without observer.
func pair(b *testing.B, name string, rounds int, job observed) {
	b.Helper()
	ratios := map[string][]float64{}
	var last cost
	for i := range rounds {
		var by [2]cost
		for k := range 2 {
			job.Watch = (i+k)%2 == 1 // each goes first in turn
			c := child(b, job)
			if job.Watch {
				by[1] = c
				last = c
			} else {
				by[0] = c
			}
		}
		ratios["requests/s lost"] = append(ratios["requests/s lost"], 1-by[1].PerSecond/by[0].PerSecond)
		ratios["CPU a request"] = append(ratios["CPU a request"], by[1].CPU/by[0].CPU-1)
		ratios["p99"] = append(ratios["p99"], by[1].P99/by[0].P99-1)
	}
	for _, what := range []string{"requests/s lost", "CPU a request", "p99"} {
		v := ratios[what]
		middle := median(v)
		var off []float64
		for _, x := range v {
			off = append(off, math.Abs(x-middle))
		}
		noise := median(off)
		mark := "met"
		switch {
		case middle > 0.03 && middle-noise <= 0.03:
			mark = "within noise"
		case middle > 0.03:
			mark = "NOT MET"
		}
		benchtable.Row(b, fmt.Sprintf("observer, %s: %s", name, what), "<= 3 %", fmt.Sprintf("%+.1f ±%.1f %%", 100*middle, 100*noise), mark)
	}
	b.Logf("%s: %d events in the last round", name, last.Events)
	for _, s := range last.Sources {
		b.Logf("    %-28s %8.1f ms in %d readings", s.Name, s.CPU.Seconds()*1e3, s.Reads)
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// startNginx serves 200 on a free port, on a core of its own.
func startNginx(b *testing.B, files uint64) (url string, pid int) {
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
http { access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s; client_header_timeout 3600s;
client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
server { listen %[2]s backlog=8192; location / { return 200 "ok"; } } }`, dir, addr)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("prlimit", fmt.Sprintf("--nofile=%d", files), "taskset", "-c", "1", "nginx", "-e", filepath.Join(dir, "error.log"), "-c", path)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 100 {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			c.Close()
			return "http://" + addr, cmd.Process.Pid // the commands before it have become nginx
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.Fatal("nginx does not answer")
	return "", 0
}

// openMany holds so many connections, two sockets each.
func openMany(b *testing.B, addr string, n int) (release func()) {
	b.Helper()
	var open []net.Conn
	for range n {
		c, err := net.DialTimeout("tcp", addr, 5*time.Second)
		if err != nil {
			b.Fatal(err)
		}
		open = append(open, c)
	}
	return func() {
		for _, c := range open {
			c.Close()
		}
	}
}

// provokeResets sends segments of connections that the server does not know, so that
// its kernel answers each with a RST. stop returns how many a second there were.
func provokeResets(b *testing.B, to netip.AddrPort, perSecond int) (stop func() float64) {
	b.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		b.Fatal(err)
	}
	done, counted := make(chan struct{}), make(chan float64)
	go func() {
		defer unix.Close(fd)
		dest := &unix.SockaddrInet4{Addr: to.Addr().As4()}
		const every = 2 * time.Millisecond
		tick := time.NewTicker(every)
		defer tick.Stop()
		start, n := time.Now(), 0
		for {
			select {
			case <-done:
				counted <- float64(n) / time.Since(start).Seconds()
				return
			case <-tick.C:
			}
			for due := int(time.Since(start).Seconds() * float64(perSecond)); n < due; n++ {
				_ = unix.Sendto(fd, straySegment(to), 0, dest)
			}
		}
	}()
	return func() float64 {
		close(done)
		return <-counted
	}
}

// straySegment is an ACK from a port of 127.0.0.9 that has no connection.
func straySegment(to netip.AddrPort) []byte {
	from := [4]byte{127, 0, 0, 9}
	b := make([]byte, 40)
	b[0], b[8], b[9] = 0x45, 64, unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(b[2:], 40)
	copy(b[12:], from[:])
	copy(b[16:], to.Addr().AsSlice())
	tcp := b[20:]
	binary.BigEndian.PutUint16(tcp, uint16(1024+rand.N(60000)))
	binary.BigEndian.PutUint16(tcp[2:], to.Port())
	binary.BigEndian.PutUint32(tcp[4:], rand.Uint32())
	tcp[12], tcp[13] = 5<<4, 0x10
	sum := uint32(unix.IPPROTO_TCP + len(tcp))
	for i := 12; i < 40; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(tcp[16:], ^uint16(sum))
	return b
}
