package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/cgroup"
	"github.com/rampload/rampload/probe/internal/procfs"
	"github.com/rampload/rampload/profiles"
)

// finder finds the processes of a selection and their children.
type finder struct {
	sel    profiles.Process
	opts   Options
	table  processTable
	mounts cgroup.Mounts
	group  cgroup.Paths
	ports  *portTable

	first     found            // PID: the process that had it at first
	ended     bool             // PID: and has ended; starts are known to 10 ms only
	owners    map[int32]uint64 // Listen: pid and start of those that hold the socket
	inodes    []uint64         // Listen: the sockets whose owners were searched last
	scanned   time.Time
	searchErr error          // Listen: why no owner was found
	scanFor   time.Duration  // what the last search of all descriptors took
	inside    map[found]bool // Container, Pod: whether a process is of it, as known
	asked     time.Time      // Container, Pod: when their ids were looked up
	ids, uids []string       // of containers, of pods
}

func newFinder(sel profiles.Process, o Options) (finder, error) {
	f := finder{sel: sel, opts: o}
	f.table.proc = filepath.Join(o.root(), "proc")
	if _, err := os.Stat(filepath.Join(f.table.proc, "stat")); err != nil { // an empty /proc is none
		return f, &probe.Unsupported{What: "processes", Reason: err.Error(), Needs: "/proc mounted"}
	}
	switch {
	case sel.Listen != 0:
		ports, err := openPortTable(o)
		if err != nil {
			return f, err
		}
		f.ports = ports
	case sel.Cgroup != "", sel.Unit != "":
		mounts, err := cgroup.ReadMounts(o.root())
		if err != nil {
			return f, procfs.Unsupported("processes of a cgroup", err, "cgroups mounted")
		}
		f.mounts, f.group = mounts, cgroup.At(sel.Cgroup)
	}
	return f, nil
}

func (f *finder) close() error { return f.ports.close() }

// gone tells that a process that was found has ended.
func (f *finder) gone(p found) {
	f.ended = f.ended || p.pid == f.first.pid
}

// find returns the processes that match now, those that match themselves before
// their children. The error says why there are none.
func (f *finder) find(ctx context.Context) ([]found, error) {
	if err := f.table.read(); err != nil {
		return nil, err
	}
	roots, err := f.roots(ctx)
	if err != nil {
		return nil, err
	}
	if len(roots) == 0 {
		return nil, errNoProcess
	}
	return f.table.families(roots), nil
}

func (f *finder) roots(ctx context.Context) ([]int32, error) {
	switch {
	case f.sel.PID != 0:
		return f.byPID()
	case f.sel.Listen != 0:
		return f.byPort(ctx)
	case f.sel.Name != "":
		return f.table.named(f.sel.Name), nil
	case f.sel.Unit != "":
		group, err := f.mounts.Unit(f.sel.Unit)
		if err != nil {
			return nil, err
		}
		return f.byCgroup(group)
	case f.sel.Container != "", f.sel.Pod != "":
		return f.byContainer()
	default:
		return f.byCgroup(f.group)
	}
}

// byPID finds the process that has the pid, as long as it is the one that had it
// at first.
func (f *finder) byPID() ([]int32, error) {
	e, ok := f.table.entries[int32(f.sel.PID)]
	switch {
	case !ok && f.first.pid != 0:
		return nil, fmt.Errorf("process %d (%s) has ended", f.first.pid, f.first.comm)
	case !ok:
		return nil, fmt.Errorf("process %d: %w", f.sel.PID, errNoProcess)
	case f.first.pid == 0:
		f.first = found{e.pid, e.start, e.comm}
	case f.ended || f.first.start != e.start:
		return nil, fmt.Errorf("process %d (%s) has ended, and its pid is now another's (%s)", f.first.pid, f.first.comm, e.comm)
	}
	return []int32{e.pid}, nil
}

// askAgain is how often names of containers and pods are looked up: a new pod of a
// deployment is found after that time at the latest.
const askAgain = 5 * time.Second

// byContainer finds the processes of a container or a pod by its name. Names are what
// this machine keeps of them; to which container a process belongs its cgroup says.
func (f *finder) byContainer() ([]int32, error) {
	if now := time.Now(); now.Sub(f.asked) > askAgain {
		f.asked, f.inside = now, map[found]bool{}
		if f.sel.Pod != "" {
			uids, err := cgroup.PodUIDs(f.opts.root(), f.sel.Pod)
			if err != nil {
				return nil, procfs.Unsupported("processes of pod "+f.sel.Pod, err, "/var/log/pods of the node")
			}
			f.uids = uids
		} else {
			f.ids = cgroup.ContainerIDs(f.opts.root(), f.sel.Container)
		}
	}
	if len(f.ids)+len(f.uids) == 0 {
		return nil, fmt.Errorf("no %s is known here: %w", f.sel, errNoProcess)
	}
	var out []int32
	for pid, e := range f.table.entries {
		key := found{e.pid, e.start, ""}
		is, known := f.inside[key]
		if !known {
			paths, err := os.ReadFile(filepath.Join(f.table.proc, strconv.Itoa(int(pid)), "cgroup"))
			for line := range strings.Lines(string(paths)) {
				if _, at, cut := strings.Cut(strings.TrimSpace(line), "/"); cut {
					c, ok := cgroup.ContainerOf("/" + at)
					is = is || ok && c.Is(f.ids, f.uids)
				}
			}
			if err == nil {
				f.inside[key] = is
			}
		}
		if is {
			out = append(out, pid)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (f *finder) byCgroup(p cgroup.Paths) ([]int32, error) {
	pids, err := f.mounts.Processes(p)
	if errors.Is(err, fs.ErrPermission) {
		return nil, procfs.Unsupported("processes of "+selectionName(f.sel), err, "root")
	}
	return pids, err
}

// Searching all descriptors of all processes takes 30 ms for 20,000 of them. New
// sockets are worth a larger share of one core than asking again who holds those
// of which no holder was found.
const newScanShare, scanShare = 0.1, 0.01

// byPort finds the processes that hold a listening socket of the port. The
// search of descriptors is done again only when the sockets changed or their
// holders ended.
func (f *finder) byPort(ctx context.Context) ([]int32, error) {
	sockets, err := f.ports.listening(f.sel.Listen, &f.table)
	if err != nil {
		return nil, err
	}
	if len(sockets) == 0 {
		f.owners = nil
		return nil, fmt.Errorf("nobody listens on port %d: %w", f.sel.Listen, errNoProcess)
	}
	inodes := make([]uint64, len(sockets))
	for i, s := range sockets {
		inodes[i] = s.inode
	}
	slices.Sort(inodes)
	if f.owners == nil && f.inodes == nil {
		f.know(inodes)
	}
	var alive []int32
	for pid, start := range f.owners {
		if e, ok := f.table.entries[pid]; ok && e.start == start {
			alive = append(alive, pid)
		}
	}
	slices.Sort(alive)
	if len(alive) > 0 && slices.Equal(inodes, f.inodes) {
		return alive, nil
	}
	share := newScanShare
	if slices.Equal(inodes, f.inodes) {
		share = scanShare
	}
	if time.Since(f.scanned) < time.Duration(float64(f.scanFor)/share) {
		return alive, f.searchErr
	}
	began := time.Now()
	owners, denied, err := f.table.holders(ctx, inodes)
	f.scanned, f.scanFor, f.inodes = time.Now(), time.Since(began), inodes
	if err != nil {
		return nil, err
	}
	f.owners, f.searchErr = owners, nil
	if len(owners) == 0 {
		if uid := sockets[0].uid; denied > 0 && os.Geteuid() != 0 && int(uid) != os.Geteuid() {
			f.searchErr = &probe.Unsupported{
				What:   fmt.Sprintf("process on port %d", f.sel.Listen),
				Reason: fmt.Sprintf("it belongs to user %d, whose descriptors may not be seen", uid),
				Needs:  "root or that user",
			}
			return nil, f.searchErr
		}
		f.searchErr = fmt.Errorf("no process here holds the socket on port %d (it may be in another pid namespace): %w", f.sel.Listen, errNoProcess)
		return nil, f.searchErr
	}
	if len(owners) > 1 {
		delete(owners, 1) // socket activation: init holds it too, and all are its children
	}
	pids := make([]int32, 0, len(owners))
	for pid := range owners {
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids, nil
}

// know takes the processes that are known to hold the sockets, if there are any.
func (f *finder) know(inodes []uint64) {
	for _, pid := range f.opts.Holders {
		if e, ok := f.table.entries[pid]; ok {
			if f.owners == nil {
				f.owners, f.inodes = map[int32]uint64{}, inodes
			}
			f.owners[pid] = e.start
		}
	}
}

// processTable is a list of all processes. Reading it costs one directory and
// the stat of each new process: the name of one that is older than settled does
// not change any more in practice, and its start time tells whether it is still
// the same one.
type processTable struct {
	proc    string
	entries map[int32]tableEntry
	flushed time.Time
}

type tableEntry struct {
	found
	ppid    int32
	arg0    string
	settled bool
	seen    bool
}

const (
	settledAfter = 3 * time.Second
	flushEvery   = 30 * time.Second // against a pid that was reused unseen
)

func (t *processTable) read() error {
	now := time.Now()
	if t.entries == nil || now.Sub(t.flushed) >= flushEvery {
		t.entries, t.flushed = map[int32]tableEntry{}, now
	}
	d, err := os.Open(t.proc)
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	for pid, e := range t.entries {
		e.seen = false
		t.entries[pid] = e
	}
	for _, name := range names {
		pid, err := strconv.ParseInt(name, 10, 32)
		if err != nil || pid <= 0 {
			continue
		}
		e, known := t.entries[int32(pid)]
		if !known || !e.settled {
			b, err := os.ReadFile(filepath.Join(t.proc, name, "stat"))
			if err != nil {
				continue // it has ended
			}
			st, ok := parseStat(b)
			if !ok || st.state == 'Z' || st.state == 'X' {
				continue
			}
			e = tableEntry{found: found{int32(pid), st.start, st.comm}, ppid: st.ppid, arg0: t.arg0(name)}
			e.settled = now.Sub(startedAt(e.found)) > settledAfter
		}
		e.seen = true
		t.entries[int32(pid)] = e
	}
	for pid, e := range t.entries {
		if !e.seen {
			delete(t.entries, pid)
		}
	}
	return nil
}

// arg0 is the last element of the name that a process was started by.
func (t *processTable) arg0(pid string) string {
	f, err := os.Open(filepath.Join(t.proc, pid, "cmdline"))
	if err != nil {
		return ""
	}
	defer f.Close()
	b := make([]byte, 256)
	n, _ := f.Read(b)
	name, _, _ := bytes.Cut(b[:n], []byte{0})
	if i := bytes.IndexByte(name, ' '); i >= 0 { // "nginx: master process ..."
		name = name[:i]
	}
	return filepath.Base(strings.TrimSuffix(string(name), ":"))
}

// named returns the processes with a command name. The kernel keeps 15 bytes of
// it; a longer name is the one that the process was started by.
func (t *processTable) named(name string) []int32 {
	self := int32(os.Getpid())
	var pids []int32
	for pid, e := range t.entries {
		if pid != self && (e.comm == name || e.arg0 == name) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// families returns processes and all that descend from them, parents first.
func (t *processTable) families(roots []int32) []found {
	children := map[int32][]int32{}
	for pid, e := range t.entries {
		children[e.ppid] = append(children[e.ppid], pid)
	}
	var out []found
	taken := map[int32]bool{}
	for next := roots; len(next) > 0; {
		var below []int32
		for _, pid := range next {
			e, ok := t.entries[pid]
			if !ok || taken[pid] {
				continue
			}
			taken[pid] = true
			out = append(out, e.found)
			below = append(below, children[pid]...)
		}
		slices.Sort(below)
		next = below
	}
	return out
}

// holders returns the processes that hold any of the sockets, and how many may
// not be looked into.
func (t *processTable) holders(ctx context.Context, inodes []uint64) (holders map[int32]uint64, denied int, err error) {
	links := map[string]bool{}
	for _, i := range inodes {
		links[fmt.Sprintf("socket:[%d]", i)] = true
	}
	holders = map[int32]uint64{}
	link := make([]byte, 64)
	for pid, e := range t.entries {
		if ctx.Err() != nil {
			return nil, denied, ctx.Err()
		}
		dir, err := os.Open(filepath.Join(t.proc, strconv.Itoa(int(pid)), "fd"))
		if err != nil {
			if errors.Is(err, fs.ErrPermission) {
				denied++
			}
			continue
		}
		if holdsAny(dir, links, link) {
			holders[pid] = e.start
		}
		_ = dir.Close()
	}
	return holders, denied, nil
}

func holdsAny(dir *os.File, links map[string]bool, buf []byte) bool {
	for {
		names, err := dir.Readdirnames(512)
		for _, name := range names {
			if n, err := unix.Readlinkat(int(dir.Fd()), name, buf); err == nil && links[string(buf[:n])] {
				return true
			}
		}
		if err != nil || len(names) == 0 {
			return false
		}
	}
}
