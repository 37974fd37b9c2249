package waiting

import (
	"bytes"
	"cmp"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// owners knows which process holds which socket. It walks the descriptors of all processes of a network
// namespace. That is expensive, so it does so only as often as its share of a core allows.
type owners struct {
	share   float64
	due     time.Time
	byIno   map[uint32]int32
	names   map[int32]processName
	peers   map[peerOf]string // the process last seen with connections to a peer
	scanned time.Time
	hidden  int // processes whose descriptors may not be read
	scans   int
}

type processName struct {
	name  string
	start uint64
}

// peerOf is a peer of the processes of one user.
type peerOf struct {
	netns uint64
	addr  netip.AddrPort
	uid   uint32
}

// scanAtLeast is the longest time between two walks. A walk takes 100 ms with 40,000 descriptors.
const scanAtLeast = time.Minute

// scan walks the descriptors if that is due: sooner where some sockets have no known process. It runs on
// the caller's thread, and reports whether it walked.
func (o *owners) scan(ctx context.Context, now time.Time, unknown bool) bool {
	soon := o.scanned.Add(o.due.Sub(o.scanned) / 4)
	if o.byIno != nil && now.Before(o.due) && (!unknown || !now.After(soon)) {
		return false
	}
	began := threadCPU()
	o.scanned = now
	dir, err := os.Open("/proc")
	if err != nil {
		return false
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	o.byIno, o.hidden = make(map[uint32]int32, len(o.byIno)), 0
	known := o.names
	if o.peers == nil {
		o.peers = map[peerOf]string{}
	}
	o.names = make(map[int32]processName, len(known))
	buf := make([]byte, 64)
	for _, name := range names {
		pid, err := strconv.ParseInt(name, 10, 32)
		if err != nil || ctx.Err() != nil {
			continue
		}
		o.holds(name, int32(pid), buf, known)
	}
	o.due = now.Add(min(max(time.Second, time.Duration(float64(threadCPU()-began)/o.share)), scanAtLeast))
	o.scans++
	return true
}

// holds records the sockets of one process.
func (o *owners) holds(name string, pid int32, buf []byte, known map[int32]processName) {
	fds, err := os.Open(filepath.Join("/proc", name, "fd"))
	if err != nil {
		o.hidden++
		return
	}
	defer fds.Close()
	any := false
	for {
		links, err := fds.Readdirnames(512)
		for _, link := range links {
			n, err := unix.Readlinkat(int(fds.Fd()), link, buf)
			if err != nil {
				continue
			}
			inode, ok := socketInode(buf[:n])
			if !ok {
				continue
			}
			any = true
			if other, held := o.byIno[inode]; !held || pid < other && other != 1 || other == 1 {
				o.byIno[inode] = pid
			}
		}
		if err != nil || len(links) == 0 {
			break
		}
	}
	if !any {
		return
	}
	start := startOf(name)
	if k, ok := known[pid]; ok && k.start == start {
		o.names[pid] = k
		return
	}
	o.names[pid] = processName{nameOf(name), start}
}

// socketInode reads "socket:[4711]".
func socketInode(link []byte) (uint32, bool) {
	rest, ok := bytes.CutPrefix(link, []byte("socket:["))
	if !ok || len(rest) < 2 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(rest[:len(rest)-1]), 10, 32)
	return uint32(n), err == nil
}

// genericNames are names that runtimes give their first thread, and that say nothing.
var genericNames = []string{"MainThread", "node-MainThread", "main"}

// nameOf returns the name of a process: its command name, or the program that it was started with where
// the command name is a generic one.
func nameOf(pid string) string {
	comm, err := os.ReadFile(filepath.Join("/proc", pid, "comm"))
	if err != nil {
		return ""
	}
	name := strings.TrimSpace(string(comm))
	if !slices.Contains(genericNames, name) {
		return name
	}
	cmdline, _ := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
	first, _, _ := bytes.Cut(cmdline, []byte{0})
	if len(first) == 0 {
		return name
	}
	return filepath.Base(string(first))
}

// startOf returns when a process started, in clock ticks since boot; 0 if it is gone.
func startOf(pid string) uint64 {
	b, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return 0
	}
	if i := bytes.LastIndexByte(b, ')'); i >= 0 {
		if fields := bytes.Fields(b[i+1:]); len(fields) > 19 {
			n, _ := strconv.ParseUint(string(fields[19]), 10, 64)
			return n
		}
	}
	return 0
}

// of returns the name of the process that holds a socket, by inode; empty if it is not known.
func (o *owners) of(inode uint32) string { return o.names[o.byIno[inode]].name }

// service returns the owner of a listener, by its sockets and its connections. Forked workers hold the
// listener as well.
func (o *owners) service(s *service, before owner) owner {
	pids := map[int32]bool{}
	for _, inodes := range [][]uint32{s.inodes, s.accepted, s.others} {
		for _, i := range inodes {
			if pid := o.byIno[i]; pid != 0 {
				pids[pid] = true
			}
		}
	}
	if len(pids) == 0 {
		return before
	}
	if len(pids) > 1 {
		delete(pids, 1) // with socket activation init holds the listener too
	}
	var out owner
	for pid := range pids {
		out.pids = append(out.pids, pid)
	}
	slices.SortFunc(out.pids, func(a, b int32) int {
		return cmp.Or(cmp.Compare(o.names[a].start, o.names[b].start), cmp.Compare(a, b))
	})
	out.name = o.names[out.pids[0]].name
	return out
}
