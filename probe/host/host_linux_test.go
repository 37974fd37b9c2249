package host

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v3/cpu"
	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/probetest"
	"github.com/rampload/rampload/profiles"
)

func TestSamplersKeepTheContract(t *testing.T) {
	s := startService(t, "127.0.0.1:0")
	for name, open := range map[string]func(o Options) (probe.Sampler, error){
		"Host":    func(o Options) (probe.Sampler, error) { return New("orders-1", o) },
		"Self":    func(o Options) (probe.Sampler, error) { return NewSelf(o) },
		"Process": func(o Options) (probe.Sampler, error) { return NewProcess(profiles.Process{Listen: s.port}, "b", o) },
		"no process": func(o Options) (probe.Sampler, error) {
			return NewProcess(profiles.Process{Name: "rampload-none"}, "b", o)
		},
	} {
		t.Run(name, func(t *testing.T) {
			probetest.RunSampler(t, func(t *testing.T) probe.Sampler {
				s, err := open(Options{Clock: probe.NewClock(time.Now())})
				if err != nil {
					t.Fatal(err)
				}
				return s
			})
		})
	}
}

// files writes a tree of files.
func files(t *testing.T, root string, tree map[string]string) {
	t.Helper()
	for name, text := range tree {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHostFromFiles(t *testing.T) {
	root := t.TempDir()
	files(t, root, map[string]string{
		"proc/stat":                   "cpu  200 0 100 700 0 0 0 0 0 0\ncpu0 100 0 50 350 0 0 0 0 0 0\ncpu1 100 0 50 350 0 0 0 0 0 0\nintr 1\nctxt 2\nbtime 1700000000\n",
		"proc/meminfo":                "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\nBuffers: 0 kB\nCached: 0 kB\nSwapTotal: 200 kB\nSwapFree: 150 kB\n",
		"proc/loadavg":                "1.50 0.18 0.12 1/80 11206\n",
		"proc/sys/fs/file-nr":         "1952\t0\t100000\n",
		"proc/sys/kernel/threads-max": "50000\n",
		"proc/sys/kernel/pid_max":     "32768\n",
		"proc/net/dev":                "Inter-|   Receive\n face |bytes packets\n  eth0: 1000 10 3 4 0 0 0 0 2000 20 5 6 0 0 0 0\n",
		"proc/diskstats":              " 254 0 vda 10 0 8 1 20 0 16 1 0 1 1\n 254 1 vda1 10 0 8 1 20 0 16 1 0 1 1\n",
		"sys/block/vda/device":        "",
		"sys/block/loop0/size":        "0",
	})
	h, err := New("orders-1", Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	got := map[string][2]float64{}
	read := func() {
		clear(got)
		if err := h.Sample(t.Context(), func(r probe.Sample) {
			probetest.CheckReading(t, h.Source(), r.Reading)
			got[r.Metric.Name+" "+r.Metric.Instance] = [2]float64{r.Value, r.Limit}
		}); err != nil {
			t.Fatal(err)
		}
	}
	read()
	nan := math.NaN()
	want := map[string][2]float64{
		"memory ": {600 << 10, 1000 << 10}, "swap ": {50 << 10, 200 << 10}, "load1 ": {1.5, nan},
		"file-table ": {1952, 100000}, "host-threads ": {80, 32768},
		"net-received eth0": {1000, nan}, "net-sent eth0": {2000, nan}, "nic-errors eth0": {8, nan}, "nic-drops eth0": {10, nan},
		"disk-read vda": {8 * 512, nan}, "disk-written vda": {16 * 512, nan},
	}
	check := func() {
		t.Helper()
		for name, w := range want {
			g, ok := got[name]
			if !ok || math.Abs(g[0]-w[0]) > 1e-9 || g[1] != w[1] && !(math.IsNaN(g[1]) && math.IsNaN(w[1])) {
				t.Errorf("%s: %v, want %v", name, g, w)
			}
		}
		if len(got) != len(want) {
			t.Errorf("readings %v, want %v", got, want)
		}
	}
	check() // and no CPU: there is nothing to compare with

	// 100 ticks of two cores: one all busy, the other half, 10 of them stolen, and 20
	// waiting.
	files(t, root, map[string]string{
		"proc/stat": "cpu  0\ncpu0 180 0 70 350 0 0 0 0 0 0\ncpu1 120 0 60 380 20 0 10 10 0 0\nbtime 1700000000\n",
	})
	read()
	for name := range want { // what was read just now is not read again
		if name != "file-table " && name != "host-threads " {
			delete(want, name)
		}
	}
	want["cpu "], want["cpu-core "] = [2]float64{0.75, 1}, [2]float64{1, 1}
	want["cpu-steal "], want["cpu-iowait "] = [2]float64{0.05, 1}, [2]float64{0.1, 1}
	check()
}

func TestHostWithoutFiles(t *testing.T) {
	if _, err := New("", Options{Root: t.TempDir()}); !errors.Is(err, probe.ErrUnsupported) {
		t.Errorf("without /proc: %v", err)
	}
	root := t.TempDir()
	files(t, root, map[string]string{
		"proc/stat":         "cpu  1 0 1 7 0 0 0 0 0 0\ncpu0 1 0 1 7 0 0 0 0 0 0\n",
		"proc/meminfo":      "MemFree: 100 kB\n",
		"proc/sys/fs/other": "",
		"proc/loadavg":      "x\n",
	})
	h, err := New("", Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	said := probetest.Absent(t, h, probe.Memory, probe.FileTable, probe.HostThreads, probe.NetReceived, probe.NICDrops)
	for _, what := range []string{"memory", "file table", "network interfaces", "threads of the host"} {
		if !strings.Contains(said, what+" not measured") {
			t.Errorf("does not say that the %s is missing: %s", what, said)
		}
	}
}

// Fast readings are compared with one at least minInterval before.
func TestCPUSharesSpanTheKernelsTicks(t *testing.T) {
	at := func(user, idle float64) []cpu.TimesStat {
		return []cpu.TimesStat{{CPU: "cpu0", User: user, Idle: idle}}
	}
	var c cpuShares
	now := time.Now()
	if _, ok := c.add(now, at(0, 0)); ok {
		t.Error("a first reading has a share")
	}
	if _, ok := c.add(now.Add(time.Millisecond), at(0, 0)); ok {
		t.Error("nothing passed, and there is a share")
	}
	for i := 1; i <= 10; i++ { // busy for 1 s, at 10 Hz
		s, ok := c.add(now.Add(time.Duration(i)*100*time.Millisecond), at(float64(i)*0.1, 0))
		if !ok || s.busy != 1 || s.busiest != 1 {
			t.Errorf("busy: %+v, %v", s, ok)
		}
	}
	s, _ := c.add(now.Add(1100*time.Millisecond), at(1, 0.1)) // then idle
	if s.busy < 0.6 || s.busy > 0.7 {
		t.Errorf("idle for 100 of 300 ms: %v", s.busy)
	}
	s, _ = c.add(now.Add(1400*time.Millisecond), at(1, 0.4))
	if s.busy != 0 {
		t.Errorf("idle for 300 ms: %v", s.busy)
	}
	if len(c.history) > 5 {
		t.Errorf("%d readings are kept", len(c.history))
	}
}

func TestSelf(t *testing.T) {
	s, err := NewSelf(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := map[string]probe.Reading{}
	read := func() {
		clear(got)
		if err := s.Sample(t.Context(), func(r probe.Sample) {
			probetest.CheckReading(t, s.Source(), r.Reading)
			if r.Metric.Host != "local" || r.Metric.Process != "rampload" || r.Metric.PID != int32(os.Getpid()) && !ofFileSystem(r.Metric.Name) {
				t.Errorf("%+v is not called rampload's", r.Metric)
			}
			got[r.Metric.Name] = r.Reading
		}); err != nil {
			t.Fatal(err)
		}
	}
	read()
	runtime.GC()
	for range 1000 { // goroutines that wait for a thread
		done := make(chan bool)
		go func() { close(done) }()
		<-done
	}
	read()
	if v := got[probe.GCPause].Value; v <= 0 || v > 1 {
		t.Errorf("a collection paused for %v s", v)
	}
	if r, ok := got[probe.GoroutineLag]; !ok || r.Value > 10 {
		t.Errorf("goroutines waited %+v", r)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	r := got[probe.OpenFiles]
	if want := countFD(t, int32(os.Getpid())) - 1; r.Value != want || r.Limit != float64(limit.Cur) { // less the one that counts
		t.Errorf("%v of %v open files, want %v of %v", r.Value, r.Limit, want, limit.Cur)
	}
	for _, name := range []string{probe.RSS, probe.Threads, probe.ProcessCPU} {
		if _, ok := got[name]; !ok {
			t.Errorf("no %s", name)
		}
	}
}

func TestQuantile(t *testing.T) {
	inf := math.Inf(1)
	buckets := []float64{-inf, 1, 2, 3, inf}
	for _, c := range []struct {
		counts []uint64
		q      float64
		want   float64
		ok     bool
	}{
		{[]uint64{0, 0, 0, 0}, 0.99, 0, false},
		{[]uint64{0, 99, 1, 0}, 0.99, 2, true},
		{[]uint64{0, 98, 2, 0}, 0.99, 3, true},
		{[]uint64{0, 99, 1, 0}, 1, 3, true},
		{[]uint64{0, 0, 0, 1}, 1, 3, true}, // above the last bound
		{[]uint64{1, 0, 0, 0}, 0.5, 1, true},
		{[]uint64{1, 2}, 0.5, 0, false}, // not a histogram
	} {
		if got, ok := quantile(c.counts, buckets, c.q); got != c.want || ok != c.ok {
			t.Errorf("%v at %v: %v, %v; want %v", c.counts, c.q, got, ok, c.want)
		}
	}
	if d := difference([]uint64{1, 2}, []uint64{1, 5, 7}); fmt.Sprint(d) != "[0 3 7]" {
		t.Errorf("difference %v", d)
	}
}

func TestRaiseNoFile(t *testing.T) {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &old) }()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: old.Max / 2, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		soft, err := RaiseNoFile()
		var now unix.Rlimit
		if e := unix.Getrlimit(unix.RLIMIT_NOFILE, &now); err != nil || e != nil || soft != old.Max || now.Cur != old.Max {
			t.Errorf("raised to %d, %v; the limit is %d of %d", soft, err, now.Cur, old.Max)
		}
	}
}
