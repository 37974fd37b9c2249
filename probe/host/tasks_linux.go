package host

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/procfs"
)

// maxTasks bounds the threads of a process that are looked at. Of a process with
// more the tasks tell nothing: a part of its threads would be taken for all.
const maxTasks = 512

// Why threads cannot be read.
var (
	errManyTasks   = errors.New("more than 512 threads: reading each would cost too much")
	errNoSchedStat = &probe.Unsupported{What: "waiting for a processor", Reason: "the kernel keeps no /proc/PID/schedstat", Needs: "a kernel with CONFIG_SCHED_INFO"}
)

// gone reports whether a thread or process ended while it was read.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) }

// tasks sums up what the kernel tells of each thread of a process: for how long it
// was ready and had no processor, how often it got one, and its state. The file
// schedstat of a process is that of its first thread alone, so every thread's is read.
// Times are totals since the first reading, of threads that have ended too.
type tasks struct {
	seen  map[int]schedStat // by thread id
	total schedStat
	again bool // not the first reading
}

// schedStat is /proc/PID/task/TID/schedstat (kernel documentation,
// scheduler/sched-stats): nanoseconds waiting on a run queue, and runs begun.
//
// The others are of stat (time waited for block devices, in ticks) and of status.
type schedStat struct {
	delay, runs       float64
	disk              float64
	gaveUp, preempted float64
}

// taskStats is one reading. Running counts threads that run or are ready to, onDisk
// those in uninterruptible sleep, which is nearly always a disk.
type taskStats struct {
	schedStat
	running, onDisk, stopped float64
	fileLocked, blocked      float64 // see heldBy
}

// read reads all threads of a member. An error leaves the totals as they were.
func (t *tasks) read(m *member) (taskStats, error) {
	fd, err := unix.Openat(int(m.dir.Fd()), "task", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return taskStats{}, &fs.PathError{Op: "open", Path: filepath.Join(m.dir.Name(), "task"), Err: err}
	}
	dir := os.NewFile(uintptr(fd), filepath.Join(m.dir.Name(), "task"))
	defer dir.Close()
	names, err := dir.Readdirnames(maxTasks + 1)
	if errors.Is(err, io.EOF) {
		return taskStats{}, errEnded
	}
	if err != nil {
		return taskStats{}, err
	}
	if len(names) > maxTasks {
		return taskStats{}, errManyTasks
	}
	now := make(map[int]schedStat, len(names))
	total := t.total
	var out taskStats
	uncounted := false
	for _, name := range names {
		tid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		sched, state, err := readTask(fd, name)
		if gone(err) {
			uncounted = uncounted || state != 0
			continue
		}
		if err != nil {
			return taskStats{}, err
		}
		now[tid] = sched
		switch state {
		case 'R':
			out.running++
		case 'D':
			out.onDisk++
		case 'T', 't':
			out.stopped++
		case 'S':
			switch heldBy(fd, name) {
			case probe.HeldFileLock:
				out.fileLocked++
			case probe.HeldOutput:
				out.blocked++
			}
		}
		before, known := t.seen[tid]
		if !known && !t.again || sched.runs < before.runs { // another thread has the id
			before = sched
		}
		total.delay += max(0, sched.delay-before.delay)
		total.runs += sched.runs - before.runs
		total.disk += max(0, sched.disk-before.disk)
		total.gaveUp += max(0, sched.gaveUp-before.gaveUp)
		total.preempted += max(0, sched.preempted-before.preempted)
	}
	if len(now) == 0 {
		if uncounted {
			return taskStats{}, errNoSchedStat
		}
		return taskStats{}, errEnded
	}
	t.seen, t.total, t.again = now, total, true
	out.schedStat = total
	return out, nil
}

// readTask reads one thread below an open task directory. The state is there, and
// the error one of a file that is not, where the kernel keeps no schedstat.
func readTask(fd int, tid string) (s schedStat, state byte, err error) {
	var buf [4096]byte
	b, err := readAt(fd, tid+"/stat", buf[:])
	if err != nil {
		return s, 0, err
	}
	st, ok := parseStat(b)
	if !ok {
		return s, 0, &fs.PathError{Op: "read", Path: tid + "/stat", Err: unix.EINVAL}
	}
	if b, err = readAt(fd, tid+"/schedstat", buf[:]); err != nil {
		return s, st.state, err
	}
	_, rest := procfs.Field(b) // time on a processor
	delay, rest := procfs.Field(rest)
	runs, _ := procfs.Field(rest)
	d, okDelay := procfs.Uint(delay)
	r, okRuns := procfs.Uint(runs)
	if !okDelay || !okRuns {
		return s, st.state, &fs.PathError{Op: "read", Path: tid + "/schedstat", Err: unix.EINVAL}
	}
	s = schedStat{delay: float64(d), runs: float64(r), disk: st.disk}
	if b, err = readAt(fd, tid+"/status", buf[:]); err == nil {
		s.gaveUp, s.preempted = switches(b)
	}
	return s, st.state, nil
}

// waits are functions of the kernel in which threads sleep that something outside the
// process holds, by the beginning of their names (/proc/PID/task/TID/wchan): waits for a
// futex, for input or for a timer say nothing, for threads at rest are in them too.
var waits = [...]struct{ begins, by string }{
	{"locks_lock_inode_wait", probe.HeldFileLock},
	{"flock_lock_inode_wait", probe.HeldFileLock},
	{"posix_lock_inode_wait", probe.HeldFileLock},
	{"fcntl_setlk", probe.HeldFileLock},
	{"do_lock_file_wait", probe.HeldFileLock},
	{"__break_lease", probe.HeldFileLock},
	{"pipe_write", probe.HeldOutput},
	{"anon_pipe_write", probe.HeldOutput},
	{"pipe_wait_writable", probe.HeldOutput},
	{"fifo_pipe_write", probe.HeldOutput},
	{"unix_wait_for_peer", probe.HeldOutput},
	{"sock_alloc_send_pskb", probe.HeldOutput},
	{"n_tty_write", probe.HeldOutput},
}

// heldBy says what holds a thread that sleeps, "" for nothing that is known.
func heldBy(fd int, tid string) string {
	var buf [64]byte
	b, err := readAt(fd, tid+"/wchan", buf[:])
	if err != nil {
		return ""
	}
	for _, w := range waits {
		if strings.HasPrefix(string(b), w.begins) {
			return w.by
		}
	}
	return ""
}

// switches reads the last two lines of /proc/PID/task/TID/status.
func switches(b []byte) (gaveUp, preempted float64) {
	gaveUp, _ = procfs.Keyed(b, "voluntary_ctxt_switches:")
	preempted, _ = procfs.Keyed(b, "nonvoluntary_ctxt_switches:")
	return gaveUp, preempted
}

// readAt reads a short file below a directory.
func readAt(dir int, name string, buf []byte) ([]byte, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return buf[:n], nil
}

// tasksShare is the share of one core that reading threads may cost: a pass over
// all processes that took long is followed by a longer rest.
const tasksShare = 0.003

// readTasks reads the threads of all members, when their cost allows it.
func (proc *Process) readTasks(now time.Time) {
	if now.Before(proc.tasksAt) {
		return
	}
	runtime.LockOSThread() // reading runs in the kernel on the thread that asks
	defer runtime.UnlockOSThread()
	began := threadCPU()
	for _, m := range proc.members {
		s, err := m.tasks.read(m)
		if err != nil {
			if !gone(err) && !errors.Is(err, errEnded) {
				proc.missing.add("threads of "+m.comm, err)
			}
			continue
		}
		proc.collectTasks(m.pid, s)
	}
	proc.tasksAt = now.Add(min(time.Duration(float64(threadCPU()-began)/tasksShare), tasksAtLeast))
}

// tasksAtLeast bounds how rarely threads are read.
const tasksAtLeast = 2 * time.Second

// threadCPU is the CPU time of the calling thread.
func threadCPU() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// collectTasks keeps the readings of one process's threads until all are read.
func (proc *Process) collectTasks(pid int32, s taskStats) {
	for by, n := range map[string]float64{probe.HeldFileLock: s.fileLocked, probe.HeldOutput: s.blocked} {
		proc.readings[probe.ThreadsHeld] = append(proc.readings[probe.ThreadsHeld], probe.Reading{
			Metric: probe.Metric{Host: proc.host, Process: proc.Label(), PID: pid, Name: probe.ThreadsHeld, Instance: by}, Value: n, Limit: probe.NoLimit(),
		})
	}
	for name, v := range map[string]float64{
		probe.RunDelay: s.delay / 1e3, probe.Runs: s.runs, probe.ThreadsRunning: s.running, probe.ThreadsOnDisk: s.onDisk,
		probe.ThreadsStopped: s.stopped, probe.DiskDelay: s.disk * (1e6 / userHZ), probe.GaveUp: s.gaveUp, probe.Preempted: s.preempted,
	} {
		if name == probe.DiskDelay && !proc.limits.diskTime {
			continue
		}
		proc.readings[name] = append(proc.readings[name], probe.Reading{
			Metric: probe.Metric{Host: proc.host, Process: proc.Label(), PID: pid, Name: name}, Value: v, Limit: probe.NoLimit(),
		})
	}
}
