package kernel

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/procfs"
)

// oomKills reads how many processes were killed for memory, and where the
// kernel's log is readable which.
type oomKills struct {
	vmstat *procfs.File
	kmsg   int // non-blocking, -1 if it cannot be read
	last   float64
	buf    []byte
}

// openOOMKills opens the counter and the log. Without the log kills are still
// counted, and events say no process: u tells that.
func openOOMKills(o Options) (k *oomKills, u *probe.Unsupported) {
	k = &oomKills{kmsg: -1}
	var err error
	if k.vmstat, err = procfs.Open(filepath.Join(o.root(), "proc/vmstat")); err != nil {
		return nil, procfs.Unsupported("OOM kills", err, "/proc")
	}
	if k.last, err = k.count(); err != nil {
		_ = k.vmstat.Close()
		return nil, procfs.Unsupported("OOM kills", err, "Linux 4.13")
	}
	if o.root() != "/" {
		return k, nil
	}
	k.kmsg, err = unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.Seek(k.kmsg, 0, io.SeekEnd)
	}
	if err != nil {
		_ = k.closeLog()
		return k, procfs.Unsupported("names of processes killed for memory", err, "root")
	}
	k.buf = make([]byte, 8<<10) // a record is at most 8 KB (CONSOLE_EXT_LOG_MAX)
	return k, nil
}

func (k *oomKills) count() (float64, error) {
	b, err := k.vmstat.Read()
	if err != nil {
		return 0, err
	}
	n, ok := procfs.Keyed(b, "oom_kill")
	if !ok {
		return 0, errors.New("/proc/vmstat has no oom_kill")
	}
	return n, nil
}

// read returns the total, and an event for each kill since the last call.
func (k *oomKills) read() (total float64, kills []probe.Event, err error) {
	kills = k.readLog()
	if total, err = k.count(); err != nil {
		return 0, kills, err
	}
	n, _ := probe.Delta(k.last, total)
	k.last = total
	if n > 0 && k.kmsg < 0 {
		kills = append(kills, probe.Event{Kind: probe.OOMKill, Count: uint64(n), Reason: "out of memory"})
	}
	return total, kills, nil
}

// readLog reads the new records of /dev/kmsg: one read gives one record.
func (k *oomKills) readLog() []probe.Event {
	var kills []probe.Event
	for k.kmsg >= 0 {
		n, err := unix.Read(k.kmsg, k.buf)
		switch {
		case errors.Is(err, unix.EPIPE): // records were overwritten: go on with the next
			continue
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil || n == 0: // EAGAIN: no more
			return kills
		}
		if e, ok := parseKill(k.buf[:n]); ok {
			kills = append(kills, e)
		}
	}
	return kills
}

// parseKill reads a record of a kill (mm/oom_kill.c, __oom_kill_process):
// "3,1201,57...,-;Memory cgroup out of memory: Killed process 4711 (payments)
// total-vm:...". Linux before 5.0 wrote "Killed process" on a line of its own.
func parseKill(record []byte) (probe.Event, bool) {
	_, text, ok := bytes.Cut(record, []byte(";"))
	if !ok {
		return probe.Event{}, false
	}
	text, _ = procfs.Line(text)
	why, rest, ok := bytes.Cut(text, []byte("Killed process "))
	if !ok {
		return probe.Event{}, false
	}
	pidField, rest := procfs.Field(rest)
	pid, ok := procfs.Uint(bytes.TrimSuffix(pidField, []byte(",")))
	_, rest, open := bytes.Cut(rest, []byte("("))
	name, _, closed := bytes.Cut(rest, []byte(") total-vm")) // a name may hold brackets itself
	if !ok || !open || !closed || pid > 1<<31-1 {
		return probe.Event{}, false
	}
	reason := "out of memory"
	if bytes.HasPrefix(why, []byte("Memory cgroup")) {
		reason = "cgroup out of memory"
	}
	return probe.Event{Kind: probe.OOMKill, PID: int32(pid), Comm: string(name), Reason: reason}, true
}

func (k *oomKills) closeLog() error {
	if k.kmsg < 0 {
		return nil
	}
	err := unix.Close(k.kmsg)
	k.kmsg = -1
	return err
}

// Close closes its files. It may be called again, and on none.
func (k *oomKills) Close() error {
	if k == nil {
		return nil
	}
	return errors.Join(k.vmstat.Close(), k.closeLog())
}
