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
	"sync"
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

// observed is one load on a server. While it lasts it is watched in turns, with all that
// a run watches: what lies side by side meets the same machine, the same connections and
// the same processes. It has a process of its own.
type observed struct {
	URL     string
	Server  int // process id
	Conns   int // 0: a connection for every request
	Rounds  int
	Seconds float64 // of a turn
	Nothing bool    // the turns that are watched are not: what then differs is the method's error
}

// turns are two turns that followed each other.
type turns struct{ Off, On cost }

// cost is what a load came to in a turn: with the processor time of client, observer and
// server together.
type cost struct {
	PerSecond float64
	CPU       float64 // seconds of a request
	P99       float64 // microseconds
}

// outcome is what a load that was watched in turns came to.
type outcome struct {
	Turns   []turns
	Events  uint64 // of the kernel, that were told or counted
	Failed  uint64
	Sources []sourceCost // of the last turn
}

// sourceCost is what a source itself says that it has used, beginning included.
type sourceCost struct {
	Name   string
	CPU    time.Duration
	Reads  uint64
	Reason string // why it does not measure all
}

const observedEnv = "RAMPLOAD_BENCH_OBSERVED"

func TestMain(m *testing.M) {
	text, child := os.LookupEnv(observedEnv)
	if !child {
		os.Exit(m.Run())
	}
	var job observed
	err := json.Unmarshal([]byte(text), &job)
	if path := os.Getenv("RAMPLOAD_BENCH_PROFILE"); path != "" {
		if f, err := os.Create(path); err == nil {
			_ = pprof.StartCPUProfile(f)
		}
	}
	if err == nil {
		var o outcome
		if o, err = observe(job); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(o)
		}
	}
	pprof.StopCPUProfile()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

const window = 250 * time.Millisecond

// tallied is a recorder that writes the run log, as a run does, and keeps what each
// window came to.
type tallied struct {
	*runlog.Writer

	mu             sync.Mutex
	failed, events uint64
	requests       []uint64 // by window
	latency        []attack.Histogram
}

func (t *tallied) Window(w attack.Window) {
	t.mu.Lock()
	for len(t.requests) <= int(w.Index) {
		t.requests, t.latency = append(t.requests, 0), append(t.latency, attack.Histogram{})
	}
	for _, c := range w.Cells {
		t.requests[w.Index] += c.Requests
		if c.Fault != attack.None {
			t.failed += c.Requests
		}
	}
	t.latency[w.Index] = t.latency[w.Index].Merge(w.FromSend)
	t.mu.Unlock()
	t.Writer.Window(w)
}

func (t *tallied) Event(e probe.Event) {
	t.mu.Lock()
	t.events += max(e.Count, 1)
	t.mu.Unlock()
	t.Writer.Event(e)
}

// turn is a part of the load, from a window to another one.
type turn struct {
	from, to int
	used     float64 // processor time
}

func (t *tallied) cost(x turn) cost {
	var n uint64
	var latency attack.Histogram
	for i := x.from; i < x.to; i++ {
		n += t.requests[i]
		latency = latency.Merge(t.latency[i])
	}
	p99, _ := latency.Quantile(0.99)
	return cost{float64(n) / (float64(x.to-x.from) * window.Seconds()), x.used / float64(n), float64(p99)}
}

// usedBy is the processor time of this process and of another one, in seconds.
func usedBy(server int) float64 {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	ns := u.Utime.Nano() + u.Stime.Nano()
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", server)); err == nil {
		other, _ := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		ns += other
	}
	return float64(ns) / 1e9
}

// windowsBetween are those in which nothing is counted: observers begin, or are gone. What
// a run looks for once, it looks for before the load.
const windowsBetween = 2

func observe(job observed) (outcome, error) {
	each := max(int(time.Duration(job.Seconds*float64(time.Second))/window), 1)
	target := profiles.Target{
		Name: "nginx", URL: job.URL, Share: 1, Expect: profiles.StatusSet{{Low: 200, High: 299}},
		Requests: []profiles.Request{{Method: "GET", Path: "/", Weight: 1}},
	}
	p := profiles.Profile{
		Name: "bench", Targets: []profiles.Target{target},
		Load:   profiles.Load{profiles.Max{For: time.Hour}},
		Client: profiles.Client{Connections: job.Conns, MaxInFlight: 10_000, Timeout: 5 * time.Second},
	}
	if job.Conns == 0 {
		p.Client.MaxInFlight = 64
	}
	log, err := runlog.NewWriter(io.Discard, runlog.Header{Name: "bench", Interval: window})
	if err != nil {
		return outcome{}, err
	}
	recorder := &tallied{Writer: log}
	loader, err := ramp.NewDirect(ramp.Config{Profile: p, Open: protocol.Open})
	if err != nil {
		return outcome{}, err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	began := time.Now()
	loaded := make(chan error, 1)
	go func() {
		_, err := loader.Run(ctx, recorder)
		loaded <- err
	}()

	until := func(w int) { time.Sleep(time.Until(began.Add(time.Duration(w) * window))) }
	count := func() turn {
		at := int(time.Since(began)/window) + 1 + windowsBetween
		until(at)
		t := turn{from: at, to: at + each, used: -usedBy(job.Server)}
		until(t.to)
		t.used += usedBy(job.Server)
		return t
	}
	var out outcome
	on := func() (turn, error) {
		cfg, ready, err := watching(job, recorder, probe.NewClock(began.Add(time.Hour)))
		if err != nil {
			return turn{}, err
		}
		watched, end := context.WithCancel(ctx)
		defer end()
		done := make(chan session.Outcome, 1)
		go func() {
			o, _ := session.Run(watched, cfg) // without a load nothing fails
			done <- o
		}()
		for _, ready := range ready {
			select {
			case <-ready:
			case <-time.After(10 * time.Second):
				return turn{}, errors.New("a watcher has not begun within 10s")
			}
		}
		runtime.GC() // of what opening has left behind
		t := count()
		end()
		out.Sources = out.Sources[:0]
		for _, s := range (<-done).Sources {
			out.Sources = append(out.Sources, sourceCost{s.Source.Name, s.CPU, uint64(s.Reads), s.Reason})
		}
		return t, nil
	}
	var counted [][2]turn
	for i := range job.Rounds {
		var pair [2]turn
		for k := range 2 {
			which := (i + k) % 2 // each goes first in turn
			if which == 0 {
				pair[0] = count()
			} else if pair[1], err = on(); err != nil {
				return outcome{}, err
			}
		}
		counted = append(counted, pair)
	}
	until(counted[len(counted)-1][1].to + windowsBetween)
	stop()
	if err := <-loaded; err != nil {
		return outcome{}, err
	}
	for _, pair := range counted {
		out.Turns = append(out.Turns, turns{recorder.cost(pair[0]), recorder.cost(pair[1])})
	}
	out.Events, out.Failed = recorder.events, recorder.failed
	slices.SortFunc(out.Sources, func(a, b sourceCost) int { return cmp.Compare(b.CPU, a.CPU) })
	return out, nil
}

// watching is a session of all that a run watches, without its load.
// ready tells when its watchers have begun.
func watching(job observed, recorder session.Recorder, clock probe.Clock) (cfg session.Config, ready []<-chan struct{}, err error) {
	addr, err := netip.ParseAddrPort(strings.TrimPrefix(job.URL, "http://"))
	if err != nil {
		return session.Config{}, nil, err
	}
	if job.Nothing {
		return session.Config{
			Clock: clock, Recorder: recorder, Targets: []string{"nginx"}, Interval: window,
			Offered: func(time.Duration) float64 { return 0 },
		}, nil, nil
	}
	entry := profiles.Host{Name: "local", Processes: []profiles.Process{{Listen: int(addr.Port())}}}
	m := machine.Machine{Clock: clock, Name: "local", Generator: true}
	sources := m.Host(entry).Open(context.Background(), probe.Selection{Processes: entry.Processes})
	trace, packets, _ := m.Resets([]machine.Traced{{Entry: entry, Addrs: []string{"127.0.0.1"}}}, []uint16{addr.Port()}, false)
	for _, w := range []probe.Watcher{trace, packets} {
		ready = append(ready, w.(interface{ Ready() <-chan struct{} }).Ready())
	}
	return session.Config{
		Clock: clock, Recorder: recorder, Targets: []string{"nginx"}, Interval: window,
		Offered:  func(time.Duration) float64 { return 0 },
		Samplers: sources.Samplers, Watchers: append(sources.Watchers, trace, packets),
	}, ready, nil
}

func child(b *testing.B, job observed) outcome {
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
	var o outcome
	if err := json.Unmarshal(out.Bytes(), &o); err != nil {
		b.Fatal(err)
	}
	return o
}

func setting(name string, otherwise float64) float64 {
	if v, err := strconv.ParseFloat(os.Getenv(name), 64); err == nil {
		return v
	}
	return otherwise
}

// BenchmarkObserver prints what watching costs: a load that is watched with all that a
// run watches and then is not, in turns, the medians of the ratios of two turns side by
// side and how far apart they lie. It fails nothing.
func BenchmarkObserver(b *testing.B) {
	if runtime.NumCPU() < 2 || os.Geteuid() != 0 {
		b.Skip("needs root, a core for the client and one for the server")
	}
	rounds, seconds := int(setting("RAMPLOAD_BENCH_ROUNDS", 8)), setting("RAMPLOAD_BENCH_SECONDS", 1)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		b.Fatal(err)
	}
	most := limit.Max
	url, server := startNginx(b, most)
	run := func(name string, job observed, meanwhile func(b *testing.B) (stop func())) {
		job.URL, job.Server, job.Rounds, job.Seconds = url, server, rounds, seconds
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			for b.Loop() {
				stop := meanwhile(b)
				compare(b, name, job)
				stop()
			}
		})
	}
	one := func(name string, conns int, meanwhile func(b *testing.B) (stop func())) {
		run(name, observed{Conns: conns}, meanwhile)
	}
	nothing := func(*testing.B) func() { return func() {} }
	one("keep-alive", 64, nothing)
	one("a connection each", 0, nothing)
	run("a connection each, and nothing watched", observed{Nothing: true}, nothing)
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

// compare compares the turns of a load with and without observer.
func compare(b *testing.B, name string, job observed) {
	b.Helper()
	ratios := map[string][]float64{}
	last := child(b, job)
	for _, x := range last.Turns {
		ratios["requests/s lost"] = append(ratios["requests/s lost"], 1-x.On.PerSecond/x.Off.PerSecond)
		ratios["CPU a request"] = append(ratios["CPU a request"], x.On.CPU/x.Off.CPU-1)
		ratios["p99"] = append(ratios["p99"], x.On.P99/x.Off.P99-1)
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
	b.Logf("%s: %d events, %d requests failed", name, last.Events, last.Failed)
	for _, s := range last.Sources {
		b.Logf("    %-28s %8.1f ms in %d readings  %s", s.Name, s.CPU.Seconds()*1e3, s.Reads, s.Reason)
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
