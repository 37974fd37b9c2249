package host

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/cgroup"
	"github.com/rampload/rampload/probe/internal/procfs"
)

// member is one watched process. Its directory below /proc and its stat file
// are held open: the kernel binds them to the process, so that they fail once it
// has ended and never show another one with its pid.
type member struct {
	found
	dir   *os.File
	stat  *procfs.File
	pidfd int  // -1 before Linux 5.3
	live  bool // on the running kernel, and not in a fixture

	cpu     cpuMeter
	tasks   tasks
	last    procStat
	limits  *procfs.File
	checked time.Time // when the limits were read
	limit   stats     // only the limits and cores
}

// limitsEvery is how often limits are read again; they rarely change.
const limitsEvery = time.Second

var errEnded = errors.New("process ended")

// openMember opens a process that was found; the error is errEnded if it is not
// there any more.
func openMember(f found, o Options) (*member, error) {
	path := filepath.Join(o.root(), "proc", strconv.Itoa(int(f.pid)))
	dir, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", f.pid, err)
	}
	m := &member{found: f, dir: dir, pidfd: -1, live: o.root() == "/"}
	if m.live {
		if m.pidfd, err = unix.PidfdOpen(int(f.pid), 0); err != nil {
			m.pidfd = -1
		}
	}
	if m.stat, err = m.open("stat"); err == nil {
		m.limits, _ = m.open("limits")
		// Whoever has the pid now must be who was found.
		if s, readErr := m.readStat(); readErr != nil || s.start != f.start {
			err = errEnded
		}
	}
	if err != nil {
		_ = m.close()
		return nil, err
	}
	return m, nil
}

// open opens a file of the process.
func (m *member) open(name string) (*procfs.File, error) {
	fd, err := unix.Openat(int(m.dir.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: filepath.Join(m.dir.Name(), name), Err: err}
	}
	return procfs.NewFile(os.NewFile(uintptr(fd), name)), nil
}

func (m *member) close() error {
	errs := []error{m.dir.Close(), m.stat.Close(), m.limits.Close()}
	if m.pidfd >= 0 {
		errs = append(errs, unix.Close(m.pidfd))
		m.pidfd = -1
	}
	return errors.Join(errs...)
}

// read reads the process; any error means that it has ended.
func (m *member) read(l *limitReader, now time.Time) (stats, error) {
	st, err := m.readStat()
	if err != nil {
		return stats{}, err
	}
	m.last = st
	if st.state == 'Z' || st.state == 'X' {
		return stats{}, errEnded
	}
	if now.Sub(m.checked) >= limitsEvery {
		m.checked = now
		m.readLimits(l)
	}
	s := m.limit
	s.at, s.threads, s.rss = time.Now(), st.threads, st.rssPages*float64(os.Getpagesize())
	s.cpu = m.cpuSeconds(st)
	if s.files, err = m.countFiles(l); err != nil {
		s.files = math.NaN()
		if errors.Is(err, unix.ESRCH) || errors.Is(err, fs.ErrNotExist) && m.live {
			return stats{}, errEnded
		}
		s.missing = append(s.missing, unsupported("open files of "+m.comm, err))
	}
	// A process of one thread can use one core, however many there are.
	s.cores = min(s.cores, s.threads)
	return s, nil
}

func (m *member) readStat() (procStat, error) {
	b, err := m.stat.Read()
	if err != nil {
		return procStat{}, err
	}
	st, ok := parseStat(b)
	if !ok {
		return procStat{}, fmt.Errorf("read stat of process %d: %q", m.pid, b)
	}
	m.comm = st.comm
	return st, nil
}

// cpuSeconds is the CPU time of the process: in nanoseconds from its clock
// (clock_getcpuclockid(3)), else in ticks from its stat.
func (m *member) cpuSeconds(st procStat) float64 {
	const processSched = 2 // CPUCLOCK_SCHED of a whole process
	var ts unix.Timespec
	if m.live && unix.ClockGettime(^m.pid<<3|processSched, &ts) == nil {
		return float64(ts.Nano()) / 1e9
	}
	return st.cpu
}

// countFiles counts the open descriptors. Since Linux 6.2 the size of
// /proc/PID/fd is their number: that costs 1 µs instead of a walk, and needs no
// permission.
func (m *member) countFiles(l *limitReader) (float64, error) {
	if l.fdSize {
		var st unix.Stat_t
		if err := unix.Fstatat(int(m.dir.Fd()), "fd", &st, 0); err != nil {
			return 0, &fs.PathError{Op: "stat", Path: filepath.Join(m.dir.Name(), "fd"), Err: err}
		}
		return float64(st.Size), nil
	}
	fd, err := unix.Openat(int(m.dir.Fd()), "fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, &fs.PathError{Op: "open", Path: filepath.Join(m.dir.Name(), "fd"), Err: err}
	}
	defer unix.Close(fd)
	n := -2 // "." and ".."
	for {
		got, err := unix.Getdents(fd, l.dirents)
		if err != nil {
			return 0, &fs.PathError{Op: "read", Path: filepath.Join(m.dir.Name(), "fd"), Err: err}
		}
		if got == 0 {
			return float64(max(n, 0)), nil
		}
		for b := l.dirents[:got]; len(b) > 18; { // inode, offset, length, type, name
			length := int(b[16]) | int(b[17])<<8
			if length <= 0 || length > len(b) {
				break
			}
			b = b[length:]
			n++
		}
	}
}

// readLimits reads what the process is held to.
func (m *member) readLimits(l *limitReader) {
	inf := math.Inf(1)
	m.limit = stats{filesLimit: math.NaN(), filesHard: math.NaN(), threadsLimit: inf, userLimit: inf, rssLimit: l.memory(), cores: l.cores}
	var set unix.CPUSet
	if m.live && unix.SchedGetaffinity(int(m.pid), &set) == nil {
		m.limit.cores = float64(set.Count())
	}
	if b, err := m.limits.Read(); err == nil {
		m.limit.filesLimit, m.limit.filesHard = rlimit(b, "Max open files")
		m.limit.rssLimit = min(m.limit.rssLimit, softLimit(b, "Max address space"))
		// The kernel does not hold root to RLIMIT_NPROC (copy_process).
		var st unix.Stat_t
		if unix.Fstat(int(m.dir.Fd()), &st) == nil && st.Uid != 0 {
			m.limit.userLimit, m.limit.user = softLimit(b, "Max processes"), st.Uid
			m.limit.threadsLimit = m.limit.userLimit
		}
	}
	m.limit.threadsLimit = min(m.limit.threadsLimit, l.threads())
	g, err := l.group(m)
	if err != nil {
		m.limit.rssLimit, m.limit.threadsLimit, m.limit.cores = math.NaN(), math.NaN(), math.NaN()
		m.limit.missing = append(m.limit.missing, unsupported("cgroup limits of "+m.comm, err))
		return
	}
	// A limit that cannot be read is NaN, and min keeps it: neither the host's nor
	// the process's own stands for it.
	m.limit.threadsLimit = min(m.limit.threadsLimit, g.PIDsLimit())
	m.limit.rssLimit = min(m.limit.rssLimit, g.MemoryLimit())
	m.limit.cores = min(m.limit.cores, g.Quota())
	for _, c := range []struct{ controller, what string }{
		{"memory", "memory limit"}, {"cpu", "CPU quota and use"}, {"pids", "thread limit"},
	} {
		if err := g.Hidden(c.controller); err != nil {
			m.limit.missing = append(m.limit.missing, &probe.Unsupported{
				What: c.what + " of " + m.comm, Reason: err.Error(), Needs: cgroup.NeedsHost,
			})
		}
	}
}

// softLimit reads a soft limit of /proc/PID/limits; see rlimit.
func softLimit(b []byte, name string) float64 {
	soft, _ := rlimit(b, name)
	return soft
}

// rlimit reads the limits of one line of /proc/PID/limits; +Inf where it is
// unlimited, NaN if there is no such line.
func rlimit(b []byte, name string) (soft, hard float64) {
	for len(b) > 0 {
		var line []byte
		line, b = procfs.Line(b)
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			first, rest := procfs.Field(rest)
			second, _ := procfs.Field(rest)
			return limitOf(first), limitOf(second)
		}
	}
	return math.NaN(), math.NaN()
}

// limitOf reads one limit; "unlimited" is +Inf.
func limitOf(field []byte) float64 {
	if v, ok := procfs.Uint(field); ok {
		return float64(v)
	}
	return math.Inf(1)
}

// exitReason says how the process ended, where the kernel tells: a zombie shows
// it to who may trace it, and since Linux 6.15 a pidfd shows it to everybody.
func (m *member) exitReason() string {
	if m.last.state == 'Z' && m.last.exitCode != 0 {
		return waitReason(m.last.exitCode)
	}
	if m.pidfd < 0 {
		return ""
	}
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	if unix.IoctlPidfdInfo(m.pidfd, &info) != nil || info.Mask&unix.PIDFD_INFO_EXIT == 0 {
		return ""
	}
	return waitReason(int(info.Exit_code))
}

// waitReason reads a status as wait(2) gives it.
func waitReason(status int) string {
	w := unix.WaitStatus(status)
	switch {
	case w.Signaled():
		name := unix.SignalName(w.Signal())
		if name == "" {
			name = w.Signal().String()
		}
		if w.CoreDump() {
			return "killed by " + name + ", core dumped"
		}
		return "killed by " + name
	default:
		return "exit status " + strconv.Itoa(w.ExitStatus())
	}
}

// startedAt is when a process started.
func startedAt(f found) time.Time {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return time.Now()
	}
	return time.Now().Add(time.Duration(f.start)*(time.Second/userHZ) - time.Duration(ts.Nano()))
}

// limitReader reads the limits that processes share.
type limitReader struct {
	root   string
	fdSize bool // the size of /proc/PID/fd is the number of descriptors
	// diskTime: the kernel keeps account of how long threads wait for disks
	// (kernel.task_delayacct).
	diskTime bool
	dirents  []byte
	cores    float64
	mounts   cgroup.Mounts
	groups   map[string]*cgroup.Group

	meminfo, threadsMax, pidMax *procfs.File
}

func (l *limitReader) open(o Options) {
	l.root = o.root()
	l.groups = map[string]*cgroup.Group{}
	l.mounts, _ = cgroup.ReadMounts(o.root()) // without any, a process in a cgroup has limits that are hidden
	proc := filepath.Join(o.root(), "proc")
	l.meminfo, _ = procfs.Open(filepath.Join(proc, "meminfo"))
	l.threadsMax, _ = procfs.Open(filepath.Join(proc, "sys/kernel/threads-max"))
	l.pidMax, _ = procfs.Open(filepath.Join(proc, "sys/kernel/pid_max"))
	l.cores = float64(countCores(proc))
	account, _ := os.ReadFile(filepath.Join(proc, "sys/kernel/task_delayacct"))
	l.diskTime = len(account) > 0 && account[0] == '1'
	if o.root() == "/" {
		var st unix.Stat_t
		l.fdSize = unix.Stat("/proc/self/fd", &st) == nil && st.Size > 0
	}
	if !l.fdSize {
		l.dirents = make([]byte, 32<<10)
	}
}

// countCores counts the cores in /proc/stat.
func countCores(proc string) int {
	b, _ := os.ReadFile(filepath.Join(proc, "stat"))
	n := 0
	for len(b) > 0 {
		var line []byte
		line, b = procfs.Line(b)
		if bytes.HasPrefix(line, []byte("cpu")) && len(line) > 3 && line[3] != ' ' {
			n++
		}
	}
	return n
}

// memory is the host's memory in bytes; +Inf if it cannot be read.
func (l *limitReader) memory() float64 {
	if b, err := l.meminfo.Read(); err == nil {
		if kb, ok := procfs.Keyed(b, "MemTotal:"); ok {
			return kb * 1024
		}
	}
	return math.Inf(1)
}

// threads is the smaller of the host's limits of threads.
func (l *limitReader) threads() float64 {
	limit := math.Inf(1)
	for _, f := range []*procfs.File{l.threadsMax, l.pidMax} {
		if v, err := f.Uint(); err == nil {
			limit = min(limit, v)
		}
	}
	return limit
}

// group returns the cgroup of a process, nil on a kernel without cgroups. The
// error says that the process has one which cannot be found.
func (l *limitReader) group(m *member) (*cgroup.Group, error) {
	f, err := m.open("cgroup")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := f.Read()
	if err != nil {
		return nil, err
	}
	p := cgroup.ParsePaths(b)
	key := p.Key()
	if l.groups[key] == nil {
		if len(l.groups) >= maxMembers { // containers come and go: start over
			_ = l.closeGroups()
		}
		l.groups[key] = l.mounts.Open(p)
	}
	return l.groups[key], nil
}

func (l *limitReader) closeGroups() error {
	var errs []error
	for _, g := range l.groups {
		errs = append(errs, g.Close())
	}
	clear(l.groups)
	return errors.Join(errs...)
}

func (l *limitReader) close() error {
	return errors.Join(l.closeGroups(), l.meminfo.Close(), l.threadsMax.Close(), l.pidMax.Close())
}
