package host

import (
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

const (
	settledAfter = 3 * time.Second
	flushEvery   = 30 * time.Second // against a pid that was reused unseen
)
