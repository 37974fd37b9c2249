package tracefs

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Processes finds processes by the thread ids of trace records. It asks /proc
// once per reading, because ids are used again, and the kernel's trace memory
// for threads that are gone.
type Processes struct {
	proc   string
	fs     tracefs
	inside bool // in a pid namespace: trace ids are not ours
	known  map[int32]Process
	saved  map[int32]Process // from saved_cmdlines and saved_tgids; nil: not read
}

// initPIDNamespace is the inode of the initial pid namespace
// (PROC_PID_INIT_INO in include/linux/proc_ns.h).
const initPIDNamespace = 0xEFFFFFFC

func NewProcesses(fs tracefs) *Processes {
	ino := Inode("/proc/self/ns/pid")
	return &Processes{proc: "/proc", fs: fs, inside: ino != 0 && ino != initPIDNamespace, known: map[int32]Process{}}
}

// Forget starts a new reading.
func (p *Processes) Forget() {
	clear(p.known)
	p.saved = nil
}

func (p *Processes) Find(tid int32) Process {
	if found, ok := p.known[tid]; ok {
		return found
	}
	found, ok := Process{}, false
	if !p.inside {
		found, ok = p.alive(tid)
	}
	if !ok {
		found = p.gone(tid)
	}
	p.known[tid] = found
	return found
}

// kernelThread is PF_KTHREAD of include/linux/sched.h, in field 9 of stat.
const kernelThread = 0x00200000

func (p *Processes) alive(tid int32) (Process, bool) {
	dir := filepath.Join(p.proc, strconv.Itoa(int(tid)))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return Process{}, false
	}
	open, shut := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || shut < open {
		return Process{}, false
	}
	after := strings.Fields(string(stat[shut+1:])) // from field 3
	if len(after) < 7 {
		return Process{}, false
	}
	if flags, err := strconv.ParseUint(after[6], 10, 64); err != nil || flags&kernelThread != 0 {
		return Process{}, err == nil
	}
	found := Process{Pid: tid, Comm: string(stat[open+1 : shut]), Net: Inode(filepath.Join(dir, "ns/net"))}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return Process{}, false
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "Tgid:"); ok {
			if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 32); err == nil {
				found.Pid = int32(n)
			}
		}
	}
	return found, true
}

// gone finds a thread that has exited in what the kernel remembers of those it
// traced: "tid comm" lines, of the last hundred or so, and "tid tgid" lines. If
// only the thread is gone its process tells the rest: the kernel does not save a
// name while somebody else saves or reads one (trace_save_cmdline in
// kernel/trace/trace_sched_switch.c), and that of an earlier thread with the same
// number stays.
func (p *Processes) gone(tid int32) Process {
	if p.saved == nil {
		p.saved = p.readSaved()
	}
	found, ok := p.saved[tid]
	if !ok {
		return Process{Pid: tid}
	}
	if found.Pid != tid && !p.inside {
		if leader, ok := p.alive(found.Pid); ok {
			return leader
		}
	}
	return found
}

func (p *Processes) readSaved() map[int32]Process {
	saved := map[int32]Process{}
	comms, _ := p.fs.read("saved_cmdlines")
	for id, comm := range savedLines(comms) {
		if comm == "<...>" { // forgotten by the kernel
			comm = ""
		}
		saved[id] = Process{Pid: id, Comm: comm}
	}
	pids, _ := p.fs.read("saved_tgids")
	for id, pid := range savedLines(pids) {
		if n, err := strconv.ParseInt(pid, 10, 32); err == nil {
			saved[id] = Process{Pid: int32(n), Comm: saved[id].Comm}
		}
	}
	return saved
}

func savedLines(text string) map[int32]string {
	found := map[int32]string{}
	for line := range strings.Lines(text) {
		id, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if n, err := strconv.ParseInt(id, 10, 32); ok && err == nil {
			found[int32(n)] = rest
		}
	}
	return found
}

// Inode is the identity of a namespace, or 0.
func Inode(path string) uint64 {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return 0
	}
	return st.Ino
}
