//go:build bench && linux

package ramp

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// childJob is what a process of the benchmark does: each client runs in a
// process of its own, so that its processor time and memory are its own too.
type childJob struct {
	Engine  string // direct, http2 (direct over HTTP/2), instant (direct over a client of no cost), vegeta, vegeta-default, or server
	URL     string
	Conns   int // 0: a connection for every request
	Rate    float64
	Seconds float64
	Long    uint64 // stop after so many requests, and note the memory on the way
}

// childResult is what it found.
type childResult struct {
	Requests  uint64
	Failed    uint64
	Scheduled uint64
	InTime    uint64 // sent before the schedule ended
	Seconds   float64
	LagP50    int64    // µs
	LagP99    int64    // µs
	Memory    []uint64 // KiB resident, at each million requests
}

const childEnv = "RAMPLOAD_BENCH_CHILD"

// TestMain runs the tests, or one job of a benchmark.
func TestMain(m *testing.M) {
	text, ok := os.LookupEnv(childEnv)
	if !ok {
		os.Exit(m.Run())
	}
	var job childJob
	err := json.Unmarshal([]byte(text), &job)
	var out any
	if err == nil {
		switch job.Engine {
		case "server":
			out, err = stampServer()
		case "vegeta-default":
			out, err = plainVegeta(job)
		default:
			out, err = ours(job)
		}
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// sums is a sink that sums.
type sums struct {
	childResult
	lag    attack.Histogram
	end    time.Duration
	window time.Duration
	limit  uint64
	stop   context.CancelFunc
}

func (s *sums) Address(attack.Address) {}
func (s *sums) Failure(attack.Failure) {}
func (s *sums) Window(w attack.Window) {
	s.Scheduled += w.Scheduled
	if time.Duration(w.Index)*s.window < s.end {
		s.InTime += w.Sent
	}
	for _, c := range w.Cells {
		s.Requests += c.Requests
		if c.Fault != attack.None {
			s.Failed += c.Requests
		}
	}
	s.lag = s.lag.Merge(w.Lag)
	if s.limit > 0 {
		for uint64(len(s.Memory)+1)*1_000_000 <= s.Requests {
			s.Memory = append(s.Memory, resident())
		}
		if s.Requests >= s.limit {
			s.stop()
		}
	}
}

func resident() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.ParseUint(strings.Fields(string(b))[1], 10, 64)
	return pages * uint64(os.Getpagesize()) / 1024
}

func ours(job childJob) (any, error) {
	length := time.Duration(job.Seconds * float64(time.Second))
	var stage profiles.Stage = profiles.Max{For: length}
	if job.Rate > 0 {
		stage = profiles.Hold{Rate: job.Rate, For: length}
	}
	p := profiles.Profile{
		Name: "bench",
		Targets: []profiles.Target{{
			Name: "nginx", URL: job.URL, Share: 1, Expect: profiles.StatusSet{{Low: 200, High: 299}},
			Requests: []profiles.Request{{Method: "GET", Path: "/", Weight: 1}},
		}},
		Load:   profiles.Load{stage},
		Client: profiles.Client{Connections: job.Conns, MaxInFlight: 10_000, Timeout: 5 * time.Second},
	}
	if job.Conns == 0 {
		p.Client.MaxInFlight = 64
	}
	if job.Engine == "http2" {
		p.Client.Protocol, p.Client.StreamsPerConn = profiles.ProtocolH2C, job.Conns
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	sink := &sums{end: length, window: defaultWindow, limit: job.Long, stop: cancel}
	build := func(cfg Config) (attack.Loader, error) { return NewDirect(cfg) }
	if job.Engine == "direct" || job.Engine == "http2" {
		debug.SetGCPercent(25) // as the command does, and its ballast
		defer runtime.KeepAlive(make([]byte, 128<<20))
	}
	if job.Engine == "vegeta" {
		defer runtime.KeepAlive(make([]byte, 32<<20)) // likewise
		build = func(cfg Config) (attack.Loader, error) { return NewVegeta(cfg) }
	}
	open := openWire
	if job.Engine == "instant" {
		open = openCostless
	}
	loader, err := build(Config{Profile: p, Open: open})
	if err != nil {
		return nil, err
	}
	summary, err := loader.Run(ctx, sink)
	if err != nil {
		return nil, err
	}
	sink.Seconds = min(summary.Ended, length).Seconds()
	sink.LagP50, _ = sink.lag.Quantile(0.5)
	sink.LagP99, _ = sink.lag.Quantile(0.99)
	return sink.childResult, nil
}

// plainVegeta is vegeta as it comes.
func plainVegeta(job childJob) (any, error) {
	target := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: job.URL + "/"})
	conns := max(job.Conns, 64)
	opts := []func(*vegeta.Attacker){vegeta.KeepAlive(job.Conns > 0), vegeta.Connections(conns), vegeta.MaxConnections(conns)}
	pacer := vegeta.Pacer(vegeta.Rate{Freq: 0, Per: time.Second})
	if job.Rate > 0 {
		pacer = vegeta.Rate{Freq: int(job.Rate), Per: time.Second}
	} else {
		opts = append(opts, vegeta.Workers(uint64(conns)), vegeta.MaxWorkers(uint64(conns)))
	}
	var res childResult
	start := time.Now()
	length := time.Duration(job.Seconds * float64(time.Second))
	for r := range vegeta.NewAttacker(opts...).Attack(target, pacer, length, "") {
		res.Requests++
		if r.Code != http.StatusOK {
			res.Failed++
		}
	}
	res.Seconds = time.Since(start).Seconds()
	return res, nil
}

// stamps are the kernel's times of arrival of requests.
type stamps struct{ Nanos []int64 }

// stampServer answers requests and notes when the kernel received each
// (SO_TIMESTAMPNS, socket(7)), so that what it measures is the client and not its
// own wake-ups. It prints its address, and ends when its input does.
func stampServer() (any, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	fmt.Println(ln.Addr())
	var mu sync.Mutex
	var all [][]int64
	var wg sync.WaitGroup
	var conns []net.Conn
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() {
				got := stampConn(c.(*net.TCPConn))
				mu.Lock()
				all = append(all, got)
				mu.Unlock()
			})
		}
	}()
	_, _ = io.Copy(io.Discard, bufio.NewReader(os.Stdin))
	ln.Close()
	mu.Lock()
	for _, c := range conns {
		c.Close()
	}
	mu.Unlock()
	wg.Wait()
	out := stamps{Nanos: slices.Concat(all...)}
	slices.Sort(out.Nanos)
	return out, nil
}

func stampConn(c *net.TCPConn) (got []int64) {
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	_ = raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW, 1)
	})
	if err != nil {
		return nil
	}
	buf, oob := make([]byte, 4096), make([]byte, 256)
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	for {
		var n, oobn int
		err := raw.Read(func(fd uintptr) bool {
			n, oobn, _, _, err = unix.Recvmsg(int(fd), buf, oob, 0)
			return err != unix.EAGAIN
		})
		if err != nil || n <= 0 {
			return got
		}
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			return got
		}
		for _, m := range messages {
			if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS_NEW && len(m.Data) >= 16 {
				sec := int64(binary.NativeEndian.Uint64(m.Data))
				got = append(got, sec*1e9+int64(binary.NativeEndian.Uint64(m.Data[8:])))
			}
		}
		if _, err := c.Write(answer); err != nil {
			return got
		}
	}
}
