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
)

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
