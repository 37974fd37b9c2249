package host

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/procfs"
	"github.com/rampload/rampload/probe/probetest"
	"github.com/rampload/rampload/profiles"
)

// watch opens a sampler that is closed at the end of the test.
func watch(t *testing.T, sel profiles.Process, o Options) *Process {
	t.Helper()
	if o.Clock == (probe.Clock{}) {
		o.Clock = probe.NewClock(time.Now())
	}
	p, err := NewProcess(sel, "payments-1", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// sample returns the readings by pid.
func sample(t *testing.T, p *Process) (readings map[int32]map[string]probe.Reading, err error) {
	t.Helper()
	readings = map[int32]map[string]probe.Reading{}
	err = p.Sample(t.Context(), func(r probe.Sample) {
		probetest.CheckReading(t, p.Source(), r.Reading)
		if ofFileSystem(r.Metric.Name) {
			return
		}
		if readings[r.Metric.PID] == nil {
			readings[r.Metric.PID] = map[string]probe.Reading{}
		}
		readings[r.Metric.PID][r.Metric.Name] = r.Reading
	})
	return readings, err
}

// ofFileSystem reports whether a reading is of a file system, which is of no process; it
// comes where this machine's disk is half full.
func ofFileSystem(name string) bool {
	return name == probe.FileSystem || name == probe.FileSystemInodes
}

func drain(p *Process) (events []probe.Event) {
	p.DrainEvents(func(e probe.Event) { events = append(events, e) })
	return events
}

// countFD counts the descriptors of a process by listing them.
func countFD(t *testing.T, pid int32) float64 {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return float64(len(entries))
}

func TestProcessIsFoundByAnything(t *testing.T) {
	s := startService(t, "127.0.0.1:0")
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", s.pid))
	if err != nil {
		t.Fatal(err)
	}
	for how, sel := range map[string]profiles.Process{
		"port": {Listen: s.port},
		"pid":  {PID: int(s.pid)},
		"name": {Name: strings.TrimSpace(string(name))},
	} {
		p := watch(t, sel, Options{})
		got, err := sample(t, p)
		if err != nil {
			t.Errorf("by %s: %v", how, err)
		}
		if _, ok := got[s.pid]; !ok || p.Label() != strings.TrimSpace(string(name)) || !slices.Contains(p.PIDs(), s.pid) {
			t.Errorf("by %s: found %v as %q, want %d", how, p.PIDs(), p.Label(), s.pid)
		}
		if events := drain(p); len(events) != 0 {
			t.Errorf("by %s: a process that ran already is no event: %+v", how, events)
		}
	}
}

// Who is known to hold a port is not looked for; who takes its place is.
func TestHoldersAreNotSearched(t *testing.T) {
	s := startService(t, "127.0.0.1:0")
	for _, holders := range [][]int32{nil, {s.pid}} {
		p := watch(t, profiles.Process{Listen: s.port}, Options{Holders: holders})
		if got, err := sample(t, p); err != nil || got[s.pid] == nil || !p.finder.scanned.IsZero() == (holders != nil) {
			t.Errorf("held by %v: found %v, %v; searched %v", holders, p.PIDs(), err, !p.finder.scanned.IsZero())
		}
	}
	p := watch(t, profiles.Process{Listen: s.port}, Options{Holders: []int32{1 << 30}})
	if got, err := sample(t, p); err != nil || got[s.pid] == nil {
		t.Errorf("held by nobody that lives: found %v, %v", p.PIDs(), err)
	}
}

func TestOpenFilesAgainstTheLimit(t *testing.T) {
	s := startService(t, "127.0.0.1:0")
	s.tell("limit 500")
	p := watch(t, profiles.Process{Listen: s.port}, Options{})
	for range 3 {
		s.tell("open 100")
		got, err := sample(t, p)
		if err != nil {
			t.Fatal(err)
		}
		r := got[s.pid][probe.OpenFiles]
		if want := countFD(t, s.pid); r.Value != want || r.Limit != 500 {
			t.Errorf("%v of %v open files, want %v of 500", r.Value, r.Limit, want)
		}
		if full, ok := p.Fullest(probe.OpenFiles); !ok || full != r {
			t.Errorf("fullest %+v, %v", full, ok)
		}
	}
}

// Counting descriptors one by one, as before Linux 6.2, gives the same number.
func TestCountFilesWithoutSize(t *testing.T) {
	s := startService(t, "127.0.0.1:0")
	s.tell("open 3000")
	var l limitReader
	l.open(Options{})
	defer l.close()
	p := watch(t, profiles.Process{PID: int(s.pid)}, Options{})
	if _, err := sample(t, p); err != nil {
		t.Fatal(err)
	}
	want := countFD(t, s.pid)
	for _, size := range []bool{l.fdSize, false} {
		l.fdSize, l.dirents = size, make([]byte, 32<<10)
		if got, err := p.members[0].countFiles(&l); err != nil || got != want {
			t.Errorf("by size %v: %v, %v; want %v", size, got, err, want)
		}
	}
}

func TestChildrenBelongToTheProcess(t *testing.T) {
	s := startService(t, "127.0.0.1:0")
	p := watch(t, profiles.Process{Listen: s.port}, Options{})
	if _, err := sample(t, p); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(s.in, "fork")
	worker := int32(s.number())
	s.tell("open 50")
	var got map[int32]map[string]probe.Reading
	waitFor(t, "the worker is found", func() bool {
		var err error
		if got, err = sample(t, p); err != nil {
			t.Fatal(err)
		}
		return got[worker] != nil
	})
	if len(got[s.pid]) == 0 || got[worker][probe.OpenFiles].Value != countFD(t, worker) {
		t.Errorf("readings %+v", got)
	}
	events := drain(p)
	if len(events) != 1 || events[0].Kind != probe.ProcessStart || events[0].PID != worker {
		t.Errorf("events %+v, want the start of %d", events, worker)
	}
	if full, _ := p.Fullest(probe.OpenFiles); full.Metric.PID != s.pid {
		t.Errorf("the fullest is %d, want %d", full.Metric.PID, s.pid)
	}
	entry := p.finder.table.entries[worker]
	entry.settled = true // as one that has lived for some seconds: it is not looked at again
	p.finder.table.entries[worker] = entry
	_ = syscall.Kill(int(worker), syscall.SIGKILL)
	waitFor(t, "the worker's end is seen", func() bool {
		_, _ = sample(t, p)
		events = append(events[:0], drain(p)...)
		return len(events) > 0
	})
	if e := events[0]; e.Kind != probe.ProcessExit || e.PID != worker || e.Comm != "sleep" || e.Reason != "killed by SIGKILL" {
		t.Errorf("event %+v", e)
	}
	// The parent does not ask for its end: it stays a zombie, and has ended once.
	for range 3 {
		p.lookAt = time.Time{}
		_, _ = sample(t, p)
	}
	if again := drain(p); len(again) > 0 {
		t.Errorf("a zombie made events: %+v", again)
	}
}

// RLIMIT_NPROC holds for all processes of a user together.
func TestThreadsOfAUser(t *testing.T) {
	if os.Geteuid() != 0 {
		skip(t, "needs root to become somebody else")
	}
	const user = 58997
	s := startService(t, "127.0.0.1:0")
	p := watch(t, profiles.Process{Listen: s.port}, Options{})
	for n := 1; n <= 3; n++ {
		fmt.Fprintf(s.in, "fork-as %d\n", user)
		s.number()
		var got map[int32]map[string]probe.Reading
		waitFor(t, fmt.Sprintf("%d processes of the user are read", n), func() bool {
			var err error
			if got, err = sample(t, p); err != nil {
				t.Fatal(err)
			}
			limited := 0
			for _, of := range got {
				if r := of[probe.Threads]; r.Limit == 40 {
					limited++
				}
			}
			r, several := got[0][probe.UserThreads]
			return limited == n && several == (n > 1) && (n == 1 || r.Value == float64(n))
		})
		r := got[0][probe.UserThreads]
		if want := (probe.Metric{Host: "payments-1", Process: p.Label(), Name: probe.UserThreads, Instance: "uid " + strconv.Itoa(user)}); n > 1 && (r.Metric != want || r.Limit != 40) {
			t.Errorf("reading %+v, want %+v of 40", r, want)
		}
	}
}

func TestProcessIsFollowedAcrossRestarts(t *testing.T) {
	s := startService(t, "127.0.0.1:0")
	p := watch(t, profiles.Process{Listen: s.port}, Options{})
	if _, err := sample(t, p); err != nil {
		t.Fatal(err)
	}
	s.tell("exit 3")
	if _, err := sample(t, p); err == nil {
		t.Error("no error while there is no process")
	} else {
		probetest.CheckUnsupported(t, err)
	}
	events := drain(p)
	if len(events) != 1 || events[0].Kind != probe.ProcessExit || events[0].PID != s.pid {
		t.Fatalf("events %+v, want the end of %d", events, s.pid)
	}
	if r := events[0].Reason; r != "exit status 3" && r != "" { // told since Linux 6.15
		t.Errorf("reason %q", r)
	}
	before := p.opts.Clock.Now()
	again := startService(t, fmt.Sprintf("127.0.0.1:%d", s.port))
	var got map[int32]map[string]probe.Reading
	waitFor(t, "the new process is found", func() bool {
		got, _ = sample(t, p)
		return len(got) > 0
	})
	if got[again.pid] == nil || !slices.Equal(p.PIDs(), []int32{again.pid}) {
		t.Errorf("found %v, want %d", p.PIDs(), again.pid)
	}
	events = drain(p)
	if len(events) != 1 || events[0].Kind != probe.ProcessStart || events[0].PID != again.pid {
		t.Fatalf("events %+v, want the start of %d", events, again.pid)
	}
	if at := events[0].At; at < before-50*time.Millisecond || at > p.opts.Clock.Now() {
		t.Errorf("started at %v, after %v", at, before)
	}
}

// A process that gets the pid of the one that was watched is another one.
func TestReusedPIDIsAnotherProcess(t *testing.T) {
	s := startService(t, "127.0.0.1:0")
	p := watch(t, profiles.Process{PID: int(s.pid)}, Options{})
	if _, err := sample(t, p); err != nil {
		t.Fatal(err)
	}
	s.kill()
	var thief *exec.Cmd
	for range 200 {
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(int(s.pid)-1)), 0o644); err != nil {
			skip(t, "needs to choose a pid: %v", err)
		}
		cmd := exec.Command("sleep", "60")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if cmd.Process.Pid == int(s.pid) {
			thief = cmd
			break
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	if thief == nil {
		skip(t, "needs to win the race for a pid")
	}
	defer func() { _ = thief.Process.Kill(); _ = thief.Wait() }()
	var said []string
	waitFor(t, "the reuse is noticed", func() bool {
		got, err := sample(t, p)
		if len(got) > 0 || err == nil {
			t.Fatalf("read another process: %+v", got)
		}
		said = append(said, err.Error())
		return strings.Contains(err.Error(), "its pid is now another's (sleep)")
	})
	events := drain(p)
	if len(events) != 1 || events[0].Kind != probe.ProcessExit || events[0].PID != s.pid {
		t.Errorf("events %+v, want the end of %d; errors %q", events, s.pid, said)
	}
}

func TestProcessCPU(t *testing.T) {
	s := startService(t, "127.0.0.1:0")
	s.tell("spin")
	p := watch(t, profiles.Process{PID: int(s.pid)}, Options{})
	ticks := func() float64 {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
		st, ok := parseStat(b)
		if err != nil || !ok {
			t.Fatal(err)
		}
		return st.cpu
	}
	// What is read around each sample bounds what the sample may say: a pause of
	// this process between them widens the bounds.
	type reading struct {
		at   time.Time
		used float64
	}
	around := func() (before, after reading, r probe.Reading) {
		before = reading{time.Now(), ticks()}
		got, err := sample(t, p)
		if err != nil {
			t.Fatal(err)
		}
		return before, reading{time.Now(), ticks()}, got[s.pid][probe.ProcessCPU]
	}
	first, began, _ := around()
	waitFor(t, "it has used 0.4 s", func() bool { return ticks()-began.used >= 0.4 })
	ended, last, r := around()
	cores := float64(countCores("/proc"))
	low := (ended.used - began.used) / last.at.Sub(first.at).Seconds() / cores
	high := (last.used - first.used) / ended.at.Sub(began.at).Seconds() / cores
	if r.Limit != 1 || r.Value < low-0.1 || r.Value > high+0.1 {
		t.Errorf("share %v, its ticks say %v to %v", r.Value, low, high)
	}
}

func TestForeignProcessIsNotMeasured(t *testing.T) {
	if os.Geteuid() != 0 {
		skip(t, "needs root to become somebody else")
	}
	s := startService(t, "127.0.0.1:0")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "rampload-host-") // t.TempDir is for its owner only
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "child")
	copyFile(t, exe, to)
	cmd := exec.Command(to)
	cmd.Dir = dir
	cmd.Env = []string{fmt.Sprintf("RAMPLOAD_TEST_CHILD=watch %d", s.port)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	want := fmt.Sprintf("process on port %d not measured: it belongs to user 0, whose descriptors may not be seen; needs root or that user", s.port)
	if err != nil || !strings.Contains(string(out), want) || strings.Contains(string(out), probe.OpenFiles) {
		t.Errorf("%v: %s\nwant %s", err, out, want)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// nginx: the master holds the port, and its workers are children that come and
// go with a reload.
func TestNginxMasterAndWorkers(t *testing.T) {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		skip(t, "needs nginx: %v", err)
	}
	free := startService(t, "127.0.0.1:0") // finds a free port
	port := free.port
	free.kill()
	dir := t.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf("daemon off;\nworker_processes 2;\nworker_rlimit_nofile 300;\npid %s/pid;\nerror_log %s/error.log;\n"+
		"events { worker_connections 64; }\nhttp { access_log off; server { listen 127.0.0.1:%d; } }\n", dir, dir, port)
	if os.Geteuid() == 0 {
		text = "user root;\n" + text
	}
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nginx, "-c", conf, "-p", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() }()
	p := watch(t, profiles.Process{Listen: port}, Options{})
	var got map[int32]map[string]probe.Reading
	waitFor(t, "master and 2 workers are found", func() bool {
		got, _ = sample(t, p)
		for pid, r := range got { // they open more files as they begin
			if r[probe.OpenFiles].Value != countFD(t, pid) {
				return false
			}
		}
		return len(got) == 3
	})
	master := int32(cmd.Process.Pid)
	if p.Label() != "nginx" || got[master] == nil {
		t.Errorf("found %v as %q, want nginx with master %d", p.PIDs(), p.Label(), master)
	}
	workers := 0
	for pid, r := range got {
		if want := countFD(t, pid); r[probe.OpenFiles].Value != want {
			t.Errorf("%d has %v open files, want %v", pid, r[probe.OpenFiles].Value, want)
		}
		if pid != master && r[probe.OpenFiles].Limit == 300 {
			workers++
		}
	}
	if workers != 2 {
		t.Errorf("%d workers with a limit of 300 files: %+v", workers, got)
	}
	drain(p)
	_ = cmd.Process.Signal(syscall.SIGHUP) // reload: new workers, the old ones leave
	var starts, exits int
	waitFor(t, "2 workers are replaced", func() bool {
		got, _ = sample(t, p)
		for _, e := range drain(p) {
			switch {
			case e.Kind == probe.ProcessStart:
				starts++
			case e.Kind == probe.ProcessExit && e.PID != master:
				exits++
			}
		}
		return starts == 2 && exits == 2 && len(got) == 3
	})
}

func TestProcessWithoutProc(t *testing.T) {
	for _, sel := range []profiles.Process{{PID: 1}, {Listen: 80}, {Name: "x"}, {Unit: "x"}, {Cgroup: "/x"}} {
		_, err := NewProcess(sel, "b", Options{Root: t.TempDir()})
		if !errors.Is(err, probe.ErrUnsupported) {
			t.Errorf("%+v: %v, want unsupported", sel, err)
		}
		probetest.CheckUnsupported(t, err)
	}
	_, err := NewProcess(profiles.Process{Listen: 80}, "b", Options{Netns: "rampload-host-none"})
	if err == nil || !strings.Contains(err.Error(), "rampload-host-none") {
		t.Errorf("in a namespace that is not: %v", err)
	}
}

// A fixture of a process that belongs to somebody else: its descriptors may not
// be listed, and everything else is read.
func TestUnreadableFilesAreAbsent(t *testing.T) {
	root := t.TempDir()
	stat := "100 (pay ments)) S 1 100 100 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 7 0 500 1000000 25 " + strings.Repeat("0 ", 30) + "\n"
	files(t, root, map[string]string{
		"proc/stat":           "cpu  1\ncpu0 1\ncpu1 1\n",
		"proc/meminfo":        "MemTotal: 1000 kB\n",
		"proc/100/stat":       stat,
		"proc/100/cmdline":    "/usr/bin/payments\x00-v\x00",
		"proc/100/limits":     "Limit   Soft Limit  Hard Limit  Units\nMax processes             unlimited            unlimited            processes \nMax open files            1024                 4096                 files     \nMax address space         204800            unlimited            bytes     \n",
		"proc/100/cgroup":     "0::/system.slice/pay.service\n",
		"proc/self/mountinfo": "31 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
		"sys/fs/cgroup/system.slice/pay.service/memory.max":     "102400\n",
		"sys/fs/cgroup/system.slice/pay.service/memory.current": "5\n",
		"sys/fs/cgroup/system.slice/pay.service/pids.max":       "20\n",
		"sys/fs/cgroup/system.slice/pay.service/pids.current":   "7\n",
		"sys/fs/cgroup/system.slice/pay.service/cgroup.procs":   "100\n",
	})
	for how, sel := range map[string]profiles.Process{
		"pid": {PID: 100}, "unit": {Unit: "pay"}, "cgroup": {Cgroup: "system.slice/pay.service"}, "name": {Name: "payments"},
	} {
		p := watch(t, sel, Options{Root: root})
		said := probetest.Absent(t, p, probe.OpenFiles) // there is no fd
		if !strings.Contains(said, "open files of pay ments) not measured") {
			t.Errorf("by %s: %s", how, said)
		}
		got, err := sample(t, p)
		if err != nil {
			t.Errorf("by %s: %v", how, err)
		}
		if r := got[100][probe.Threads]; r.Value != 7 || r.Limit != 20 {
			t.Errorf("by %s: threads %+v", how, r)
		}
		if r := got[100][probe.RSS]; r.Value != 25*float64(os.Getpagesize()) || r.Limit != 102400 {
			t.Errorf("by %s: memory %+v", how, r)
		}
	}
}

// A process whose cgroup lies outside of rampload's cgroup namespace has limits
// that nobody can read here: neither the host's nor rampload's own stand for them.
func TestLimitsThatCannotBeSeen(t *testing.T) {
	root := t.TempDir()
	stat := "100 (payments) S 1 100 100 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 7 0 500 1000000 25 " + strings.Repeat("0 ", 30) + "\n"
	files(t, root, map[string]string{
		"proc/stat":                    "cpu  1\ncpu0 1\ncpu1 1\n",
		"proc/meminfo":                 "MemTotal: 1000 kB\n",
		"proc/sys/kernel/threads-max":  "5000\n",
		"proc/100/stat":                stat,
		"proc/100/cmdline":             "/usr/bin/payments\x00",
		"proc/100/limits":              "Limit   Soft Limit  Hard Limit  Units\nMax processes  300  300  processes \nMax open files  1024  4096  files \nMax address space  204800  unlimited  bytes \n",
		"proc/100/cgroup":              "0::/../cri-containerd-0123456789abcdef.scope\n",
		"proc/self/mountinfo":          "31 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
		"sys/fs/cgroup/memory.max":     "500\n", // rampload's own container
		"sys/fs/cgroup/memory.current": "5\n",
		"sys/fs/cgroup/pids.max":       "20\n",
		"sys/fs/cgroup/pids.current":   "5\n",
		"sys/fs/cgroup/cpu.max":        "50000 100000\n",
		"sys/fs/cgroup/cpu.stat":       "usage_usec 1\nnr_throttled 0\n",
	})
	p := watch(t, profiles.Process{PID: 100}, Options{Root: root})
	for range 2 { // CPU is known from the second reading on
		got, err := sample(t, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{probe.RSS, probe.Threads} {
			if r := got[100][name]; r.Value == 0 || !math.IsNaN(r.Limit) {
				t.Errorf("%s: %+v, want a value and no limit", name, r)
			}
		}
		if r, ok := got[100][probe.ProcessCPU]; ok {
			t.Errorf("CPU as a share of cores that are not known: %+v", r)
		}
		if r := got[100][probe.OpenFiles]; r.Limit != 0 && r.Limit != 1024 {
			t.Errorf("open files: %+v", r)
		}
	}
	said := ""
	for _, u := range p.Missing() {
		said += u.Error() + "\n"
	}
	for _, want := range []string{"memory limit of payments not measured", "thread limit of payments", "CPU quota and use of payments", "needs the host's cgroup namespace"} {
		if !strings.Contains(said, want) {
			t.Errorf("missing %q in:\n%s", want, said)
		}
	}
}

func TestParseListeners(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	const line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000 100 0\n"
	const line6 = "   1: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 00\n"
	const conn = "   2: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 99 1 00\n"
	for text, want := range map[string]struct {
		found []listener
		whole bool
	}{
		"":                             {nil, false},
		head:                           {nil, false},
		head + line + line6:            {[]listener{{4711, 1000}, {4712, 0}}, false},
		head + line + conn + line6:     {[]listener{{4711, 1000}}, true},
		head + conn:                    {nil, true},
		head + line[:40]:               {nil, false},
		head + "garbage\n":             {nil, false},
		head + "  0: x 0 0A 1 2 3 4\n": {nil, false},
	} {
		got, whole := parseListeners([]byte(text), 8080)
		if !slices.Equal(got, want.found) || whole != want.whole {
			t.Errorf("%q: %v, %v; want %v, %v", text, got, whole, want.found, want.whole)
		}
	}
}

// FuzzParse holds the readers of /proc to: never panic.
func FuzzParse(f *testing.F) {
	f.Add([]byte("100 (pay ments)) S 1 100 100 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 7 0 500 1000000 25 0 0"))
	f.Add([]byte("  sl\n   0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0  1000        0 4711 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		parseStat(b)
		parseListeners(b, 8080)
		softLimit(b, "Max open files")
	})
}

// TestListenersBehindOthers: a listener is found behind however many others, whatever
// part of a line the first readings end in.
func TestListenersBehindOthers(t *testing.T) {
	const heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	for _, others := range []int{0, 20, 25, 26, 27, 30, 399, 430, 1000} {
		var b strings.Builder
		b.WriteString(heading)
		line := func(port, state, inode int) {
			fmt.Fprintf(&b, "%4d: 0100007F:%04X 00000000:0000 %02X 00000000:00000000 00:00000000 00000000     0        0 %-60d\n", 0, port, state, inode)
		}
		for range others {
			line(9000, 10, 1)
		}
		line(8080, 10, 4711)
		for range 500 {
			line(8080, 1, 2)
		}
		path := filepath.Join(t.TempDir(), "tcp")
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := procfs.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		got, err := listenersOf([]*procfs.File{f}, 8080)
		if err != nil || len(got) != 1 || got[0].inode != 4711 {
			t.Errorf("behind %d others: %v, %v", others, got, err)
		}
	}
}

// The kernel and its files tell the same of who listens.
func TestListenersEitherWay(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	asked, err := openPortTable(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer asked.close()
	if asked.diag == nil {
		t.Skip("this kernel does not tell of sockets")
	}
	files, err := openTables("/proc/net")
	if err != nil {
		t.Fatal(err)
	}
	read := &portTable{files: files}
	defer read.close()
	want, err := read.here(port)
	if err != nil || len(want) != 1 {
		t.Fatalf("read %v, %v", want, err)
	}
	if got, err := asked.here(port); err != nil || !slices.Equal(got, want) {
		t.Errorf("asked %v, %v; read %v", got, err, want)
	}
}
