package kernel

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/probetest"
)

func TestSamplersKeepTheContract(t *testing.T) {
	self := func() []int32 { return []int32{int32(os.Getpid())} }
	for name, open := range map[string]func(o Options) (probe.Sampler, error){
		"Sockets":        func(o Options) (probe.Sampler, error) { return NewSockets(o) },
		"Counters":       func(o Options) (probe.Sampler, error) { return NewCounters(o) },
		"Cgroup":         func(o Options) (probe.Sampler, error) { return NewCgroup(o, "self", self) },
		"ProcessNetwork": func(o Options) (probe.Sampler, error) { return NewProcessNetwork(o, "self", self) },
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
	t.Run("other namespace", func(t *testing.T) {
		n := newNetns(t)
		for name, open := range map[string]func(o Options) (probe.Sampler, error){
			"Sockets":  func(o Options) (probe.Sampler, error) { return NewSockets(o) },
			"Counters": func(o Options) (probe.Sampler, error) { return NewCounters(o) },
		} {
			t.Run(name, func(t *testing.T) {
				probetest.RunSampler(t, func(t *testing.T) probe.Sampler {
					s, err := open(Options{Host: "fw0", Namespace: n.ns})
					if err != nil {
						t.Fatal(err)
					}
					return s
				})
			})
		}
	})
}

// value samples once and returns a reading.
func value(t *testing.T, s probe.Sampler, name, instance string) (v, limit float64) {
	t.Helper()
	v, limit = -1, -1
	if err := s.Sample(t.Context(), func(r probe.Sample) {
		if r.Metric.Name == name && r.Metric.Instance == instance {
			v, limit = r.Value, r.Limit
		}
	}); err != nil {
		t.Fatal(err)
	}
	if v < 0 {
		t.Fatalf("no reading of %s %s", name, instance)
	}
	return v, limit
}

// settles samples until a reading is what it is to be, or does not become so: on
// a busy machine packets of loopback are delivered a little later.
func settles(t *testing.T, s probe.Sampler, name, instance string, want float64) (v, limit float64) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Second); ; {
		if v, limit = value(t, s, name, instance); v == want || time.Now().After(deadline) {
			return v, limit
		}
	}
}

// run runs a tool in the namespace and returns what it printed.
func (n *testNetns) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		skip(t, "needs %s: %v", name, err)
	}
	// nsenter and not `ip netns exec`, which hides /sys.
	cmd := exec.CommandContext(t.Context(), "nsenter", append([]string{"--net=" + n.ns.Path, "--", name}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (n *testNetns) sockets(t *testing.T) *Sockets {
	t.Helper()
	s, err := NewSockets(Options{Namespace: n.ns, Budget: 1000}) // every reading is due
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (n *testNetns) counters(t *testing.T) *Counters {
	t.Helper()
	c, err := NewCounters(Options{Namespace: n.ns})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// A listener that nobody accepts from fills to its backlog and one more, as ss
// sees it, and then overflows, as nstat counts it.
func TestListenQueueReachesItsBacklog(t *testing.T) {
	n := newNetns(t)
	const backlog = 8
	port, _ := n.listen(t, [4]byte{}, backlog)
	s, c := n.sockets(t), n.counters(t)
	name := fmt.Sprintf("*:%d", port)
	if v, limit := settles(t, s, probe.ListenQueue, name, 0); v != 0 || limit != backlog {
		t.Errorf("empty queue: %v of %v", v, limit)
	}
	for i := range 3 {
		if _, err := n.connect(t, port); err != nil {
			t.Fatal(err)
		}
		if v, _ := settles(t, s, probe.ListenQueue, name, float64(i+1)); v != float64(i+1) {
			t.Errorf("%d connections wait, read %v", i+1, v)
		}
	}
	for range 2 * backlog {
		if _, err := n.connect(t, port); err != nil {
			t.Fatal(err)
		}
	}
	v, limit := settles(t, s, probe.ListenQueue, name, backlog+1)
	if v != backlog+1 || limit != backlog {
		t.Errorf("full queue: %v of %v, want %d of %d", v, limit, backlog+1, backlog)
	}
	fields := strings.Fields(n.run(t, "ss", "-Hltn", fmt.Sprintf("sport = :%d", port)))
	if len(fields) < 3 || fields[1] != strconv.Itoa(int(v)) || fields[2] != strconv.Itoa(int(limit)) {
		t.Errorf("read %v of %v, ss says %v", v, limit, fields)
	}
	n.agrees(t, c, probe.ListenOverflows, "TcpExtListenOverflows")
}

// nstat reads a counter with nstat.
func (n *testNetns) nstat(t *testing.T, name string) float64 {
	t.Helper()
	fields := strings.Fields(n.run(t, "nstat", "-asz", name))
	for i, f := range fields {
		if f == name && i+1 < len(fields) {
			v, err := strconv.ParseFloat(fields[i+1], 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("nstat knows no %s", name)
	return 0
}

// agrees waits until a counter that has moved is what nstat reads: SYNs are sent
// again while we look.
func (n *testNetns) agrees(t *testing.T, c *Counters, metric, name string) {
	t.Helper()
	waitFor(t, func() bool {
		got, _ := value(t, c, metric, "")
		return got > 0 && got == n.nstat(t, name)
	})
}

// Every TCP counter is the one that nstat knows by the kernel's name.
func TestCountersAgainstNstat(t *testing.T) {
	n := newNetns(t)
	port, fd := n.listen(t, [4]byte{}, 8)
	for range 20 { // move as many of them as is easy: overflow, then reset what waits
		if _, err := n.connect(t, port); err != nil {
			t.Fatal(err)
		}
	}
	_ = unix.Shutdown(fd, unix.SHUT_RDWR)
	for range 3 {
		n.do(func() { // refused
			if c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err == nil {
				_ = unix.Connect(c, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port})
				_ = unix.Close(c)
			}
		})
	}
	c := n.counters(t)
	want := map[string]string{}
	for _, w := range append(snmpTotals(), netstatTotals()...) {
		want[w.metric] = w.group + w.field
	}
	read := func() map[string]float64 {
		got := map[string]float64{}
		if err := c.Sample(t.Context(), func(r probe.Sample) {
			if _, ok := want[r.Metric.Name]; ok {
				got[r.Metric.Name] = r.Value
			}
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	moved := 0
	for metric, name := range want {
		// Retransmissions go on while we look.
		waitFor(t, func() bool { v := n.nstat(t, name); return read()[metric] == v && v == n.nstat(t, name) })
		if read()[metric] > 0 {
			moved++
		}
	}
	if moved < 5 {
		t.Errorf("only %d counters moved: %v", moved, read())
	}
}

// With the answers to its SYNs dropped, a listener's connections stay half-open.
func TestSynQueue(t *testing.T) {
	n := newNetns(t)
	n.run(t, "iptables", "-A", "OUTPUT", "-p", "tcp", "--tcp-flags", "SYN,ACK", "SYN,ACK", "-j", "DROP")
	const backlog = 16
	port, _ := n.listen(t, [4]byte{}, backlog)
	s, c := n.sockets(t), n.counters(t)
	name := fmt.Sprintf("*:%d", port)
	for range 5 {
		if _, err := n.connect(t, port); err != nil {
			t.Fatal(err)
		}
	}
	if v, limit := settles(t, s, probe.SynQueue, name, 5); v != 5 || limit != backlog {
		t.Errorf("%v of %v half-open, want 5 of %d", v, limit, backlog)
	}
	if v, _ := settles(t, s, probe.SynRecv, "", 5); v != 5 {
		t.Errorf("%v half-open in all, want 5", v)
	}
	n.sysctl(t, "net/ipv4/tcp_syncookies", "0")
	for range 40 {
		if _, err := n.connect(t, port); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, func() bool { v, _ := value(t, s, probe.SynQueue, name); return v >= backlog })
	v, limit := value(t, s, probe.SynQueue, name)
	// Kernels differ in whether the queue holds its limit or one more.
	if v != backlog && v != backlog+1 || limit != backlog {
		t.Errorf("full: %v of %v half-open, want %d", v, limit, backlog)
	}
	if got := strings.Count(n.run(t, "ss", "-Htn", "state", "syn-recv"), "\n"); float64(got) != v {
		t.Errorf("%v half-open, ss lists %d", v, got)
	}
	n.agrees(t, c, probe.ReqQueueFullDrop, "TcpExtTCPReqQFullDrop")
	if v, _ := settles(t, s, probe.ListenQueue, name, 0); v != 0 {
		t.Errorf("%v wait for accept, want none", v)
	}
}

// Ephemeral ports fill towards one destination until connect has none left.
func TestEphemeralPortsFill(t *testing.T) {
	n := newNetns(t)
	n.sysctl(t, "net/ipv4/ip_local_port_range", "40000 40099")
	n.sysctl(t, "net/ipv4/ip_local_reserved_ports", "40010-40019")
	s := n.sockets(t)
	const port = 8080 // in a namespace of our own
	n.listenOn(t, [4]byte{}, port, 200)
	dest := fmt.Sprintf("127.0.0.1:%d", port)
	opened := 0
	for range 200 {
		if _, err := n.connect(t, port); err != nil {
			if err != unix.EADDRNOTAVAIL {
				t.Fatalf("connect: %v", err)
			}
			break
		}
		if opened++; opened == 45 {
			if v, limit := settles(t, s, probe.EphemeralPorts, dest, 45); v != 45 || limit != 90 {
				t.Errorf("half way: %v of %v ports, want 45 of 90", v, limit)
			}
		}
	}
	if v, limit := settles(t, s, probe.EphemeralPorts, dest, 90); v != 90 || limit != 90 || opened != 90 {
		t.Errorf("%v of %v ports when connect failed after %d", v, limit, opened)
	}
	l, err := ReadLimits(Options{Namespace: n.ns})
	if err != nil || l.Ports != 90 || l.PortLow != 40000 || l.PortHigh != 40099 || l.ReservedPorts != 10 {
		t.Errorf("limits %+v, %v", l, err)
	}
	if got := strings.Count(n.run(t, "ss", "-Htn", "state", "established", fmt.Sprintf("( dport = :%d )", port)), "\n"); got != 90 {
		t.Errorf("ss lists %d connections", got)
	}
}

// A connection that its client closed leaves its port in TIME_WAIT and its
// server in CLOSE_WAIT until that closes too.
func TestClosingStates(t *testing.T) {
	n := newNetns(t)
	port, listener := n.listen(t, [4]byte{127, 0, 0, 1}, 64)
	s := n.sockets(t)
	var clients, servers []int
	for range 10 {
		fd, err := n.connect(t, port)
		if err != nil {
			t.Fatal(err)
		}
		server, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		clients, servers = append(clients, fd), append(servers, server)
	}
	if v, _ := settles(t, s, probe.Established, fmt.Sprintf("127.0.0.1:%d", port), 10); v != 10 {
		t.Errorf("%v established on the listener, want 10", v)
	}
	if v, _ := settles(t, s, probe.Established, "", 20); v != 20 {
		t.Errorf("%v established, want both ends of 10", v)
	}
	for _, fd := range clients {
		_ = unix.Shutdown(fd, unix.SHUT_WR)
	}
	if v, _ := settles(t, s, probe.CloseWait, "", 10); v != 10 {
		t.Errorf("%v in CLOSE_WAIT, want 10", v)
	}
	for _, fd := range servers {
		_ = unix.Close(fd)
	}
	v, limit := settles(t, s, probe.TimeWait, "", 10)
	if v != 10 || !(limit > 0) {
		t.Errorf("%v of %v in TIME_WAIT, want 10", v, limit)
	}
	if v, _ := settles(t, s, probe.EphemeralPorts, fmt.Sprintf("127.0.0.1:%d", port), 10); v != 10 {
		t.Errorf("%v ports in use, want those of 10 in TIME_WAIT", v)
	}
	m := regexp.MustCompile(`timewait (\d+)`).FindStringSubmatch(n.run(t, "ss", "-s"))
	if m == nil || m[1] != "10" {
		t.Errorf("ss -s: %v", m)
	}
}

func TestConntrackCounts(t *testing.T) {
	n := newNetns(t)
	n.run(t, "iptables", "-A", "INPUT", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP")
	port, _ := n.listen(t, [4]byte{}, 64)
	c := n.counters(t)
	for range 20 {
		if _, err := n.connect(t, port); err != nil {
			t.Fatal(err)
		}
	}
	v, limit := value(t, c, probe.Conntrack, "")
	if got := strings.TrimSpace(n.run(t, "conntrack", "-C")); got != strconv.Itoa(int(v)) || v < 20 {
		t.Errorf("%v tracked connections, conntrack -C says %s", v, got)
	}
	b, err := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_max")
	if err != nil || strings.TrimSpace(string(b)) != strconv.Itoa(int(limit)) {
		t.Errorf("limit %v, nf_conntrack_max says %s", limit, b)
	}

	// The other way to ask gives the same counters.
	var stats *conntrackStats
	if err := n.ns.Inside(func(fd int) (err error) { stats, err = openConntrackStats(fd); return err }); err != nil {
		skip(t, "needs ctnetlink: %v", err)
	}
	defer stats.Close()
	var sums [3]float64
	if err := stats.each(func(_ int, v [3]float64) {
		for i := range v {
			sums[i] += v[i]
		}
	}); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{probe.ConntrackInsertFail, probe.ConntrackDrop, probe.ConntrackInvalid} {
		if v, _ := value(t, c, name, ""); v != sums[i] {
			t.Errorf("%s is %v in /proc and %v in ctnetlink", name, v, sums[i])
		}
	}
}

// The namespace of a process is found and read under its label, and left when
// the process is in our own.
func TestProcessNetworkFollows(t *testing.T) {
	n := newNetns(t)
	port, _ := n.listen(t, [4]byte{}, 7)
	cmd := exec.Command("nsenter", "--net="+n.ns.Path, "--", "sleep", "60")
	if err := cmd.Start(); err != nil {
		skip(t, "needs nsenter: %v", err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	waitFor(t, func() bool { // until nsenter has entered and become sleep
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", cmd.Process.Pid))
		return string(b) == "sleep\n"
	})
	pids := []int32{int32(cmd.Process.Pid)}
	s, err := NewProcessNetwork(Options{Host: "payments"}, "payments", func() []int32 { return pids })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found := false
	if err := s.Sample(t.Context(), func(r probe.Sample) {
		probetest.CheckReading(t, s.Source(), r.Reading)
		if r.Metric.Process != "payments" {
			t.Errorf("%+v is not labelled", r.Metric)
		}
		if r.Metric.Name == probe.ListenQueue {
			found = r.Metric.Instance == fmt.Sprintf("*:%d", port) && r.Limit == 7
		}
		if r.Metric.Name == probe.Orphans || r.Metric.Name == probe.OOMKills {
			t.Errorf("%+v is machine-wide", r.Metric)
		}
	}); err != nil || !found {
		t.Errorf("listener of the namespace: %v, %v", found, err)
	}
	ours := exec.Command("sleep", "60") // our own first thread may have been lent to another namespace
	if err := ours.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ours.Process.Kill(); _ = ours.Wait() })
	pids = []int32{int32(ours.Process.Pid)} // restarted in our own namespace
	if err := s.Sample(t.Context(), func(r probe.Sample) { t.Errorf("%+v: our namespace is read elsewhere", r) }); err != nil {
		t.Error(err)
	}
	pids = nil
	if err := s.Sample(t.Context(), func(r probe.Sample) { t.Errorf("%+v of no process", r) }); err == nil {
		t.Error("no process is no error")
	}
	pids = []int32{1<<31 - 2}
	if err := s.Sample(t.Context(), func(r probe.Sample) { t.Errorf("%+v of an ended process", r) }); err == nil {
		t.Error("an ended process is no error")
	}
}

func TestNamespaceThatIsNot(t *testing.T) {
	_, err := NewSockets(Options{Namespace: Namespace{Name: "rampload-kernel-none"}})
	if err == nil || !strings.Contains(err.Error(), "rampload-kernel-none") {
		t.Errorf("%v", err)
	}
	probetest.CheckUnsupported(t, err)
}

// waitFor waits until a condition holds.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.After(3 * time.Minute)
	for !ok() {
		select {
		case <-deadline:
			t.Fatal("waited for nothing")
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// cgroupDir makes a cgroup of a version 1 controller below our own and removes
// it at the end of the test.
func cgroupDir(t *testing.T, controller string) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^\d+:([^:]*,)?` + controller + `(,[^:]*)?:(.*)$`).FindSubmatch(b)
	if m == nil {
		skip(t, "needs the %s controller of cgroup v1", controller)
	}
	dir := filepath.Join("/sys/fs/cgroup", controller, string(m[3]), fmt.Sprintf("rampload-kernel-%d", os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		skip(t, "needs to make a cgroup: %v", err)
	}
	t.Cleanup(func() {
		waitFor(t, func() bool { err := unix.Rmdir(dir); return err == nil || err == unix.ENOENT })
	})
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		skip(t, "needs to set %s: %v", path, err)
	}
}

// inCgroup runs a shell script in a cgroup and returns when it does.
func inCgroup(t *testing.T, dir, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", fmt.Sprintf("echo $$ > %s/cgroup.procs; %s", dir, script))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for _, f := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(f); err == nil {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		_ = cmd.Wait()
	})
	waitFor(t, func() bool {
		b, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		return len(b) > 0
	})
	return cmd
}

func TestCgroupPIDsAtTheLimit(t *testing.T) {
	dir := cgroupDir(t, "pids")
	write(t, filepath.Join(dir, "pids.max"), "4")
	cmd := inCgroup(t, dir, "sleep 600 & sleep 600 & sleep 600 & wait")
	s, err := NewCgroup(Options{}, "forker", func() []int32 { return []int32{int32(cmd.Process.Pid)} })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	full := func() bool {
		now, _ := os.ReadFile(filepath.Join(dir, "pids.current"))
		return string(now) == "4\n"
	}
	waitFor(t, full)
	// A fifth may be moved there, but it cannot fork. The kernel gives its place back
	// a little after it has ended.
	extra := exec.Command("sh", "-c", fmt.Sprintf("echo $$ > %s/cgroup.procs; sleep 0 & wait", dir))
	if out, err := extra.CombinedOutput(); err == nil {
		t.Errorf("a fork beyond the limit succeeded: %s", out)
	}
	waitFor(t, full)
	label := filepath.Base(dir)
	if v, limit := value(t, s, probe.CgroupPIDs, label); v != 4 || limit != 4 {
		t.Errorf("%v of %v tasks, want 4 of 4", v, limit)
	}
	if v, _ := value(t, s, probe.PIDsMaxHits, label); v < 1 {
		t.Errorf("%v refused forks", v)
	}
}

func TestCgroupCPUAtTheQuota(t *testing.T) {
	dir := cgroupDir(t, "cpu")
	write(t, filepath.Join(dir, "cpu.cfs_quota_us"), "20000")
	cmd := inCgroup(t, dir, "while :; do :; done")
	s, err := NewCgroup(Options{}, "spinner", func() []int32 { return []int32{int32(cmd.Process.Pid)} })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	waitFor(t, func() bool {
		v, _ := value(t, s, probe.CPUThrottled, filepath.Base(dir))
		return v >= 3
	})
	b, err := os.ReadFile(filepath.Join(dir, "cpu.stat"))
	m := regexp.MustCompile(`nr_throttled (\d+)`).FindSubmatch(b)
	if v, _ := value(t, s, probe.CPUThrottled, filepath.Base(dir)); err != nil || m == nil || v < 3 {
		t.Errorf("throttled %v times, cpu.stat says %s", v, b)
	}
}

// A process killed for its cgroup's memory is an event with its pid, and a count.
func TestOOMKill(t *testing.T) {
	dir := cgroupDir(t, "memory")
	write(t, filepath.Join(dir, "memory.limit_in_bytes"), "20971520")
	c, err := NewCounters(Options{Host: "local", Clock: probe.NewClock(time.Now())})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	before, _ := value(t, c, probe.OOMKills, "")
	c.DrainEvents(func(probe.Event) {})
	idle := inCgroup(t, dir, "exec sleep 600")
	s, err := NewCgroup(Options{}, "hog", func() []int32 { return []int32{int32(idle.Process.Pid)} })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cmd := exec.Command("sh", "-c", fmt.Sprintf("echo $$ > %s/cgroup.procs && exec tail /dev/zero", dir))
	if err := cmd.Run(); err == nil {
		t.Fatal("the hog was not killed")
	}
	var kill probe.Event
	after := before
	waitFor(t, func() bool {
		_ = c.Sample(t.Context(), func(r probe.Sample) {
			if r.Metric.Name == probe.OOMKills {
				after = r.Value
			}
		})
		c.DrainEvents(func(e probe.Event) {
			if e.PID == int32(cmd.Process.Pid) {
				kill = e
			}
		})
		return kill.PID != 0
	})
	if after < before+1 {
		t.Errorf("%v kills, %v before", after, before)
	}
	if kill.Kind != probe.OOMKill || kill.Comm != "tail" || kill.Reason != "cgroup out of memory" || kill.At <= 0 {
		t.Errorf("%+v", kill)
	}
	if v, _ := value(t, s, probe.OOMKills, filepath.Base(dir)); v != 1 {
		t.Errorf("%v kills in the cgroup, want 1", v)
	}
	if v, limit := value(t, s, probe.CgroupMemory, filepath.Base(dir)); limit != 20971520 || v > limit {
		t.Errorf("%v of %v bytes", v, limit)
	}
}
