package host

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/netns"
	"github.com/rampload/rampload/probe/internal/procfs"
	"github.com/rampload/rampload/probe/internal/sockdiag"
)

// portTable looks up listening sockets. The kernel is asked for them alone
// (sock_diag(7)), which takes 20 µs. Where it cannot be asked they are read from net/tcp
// and net/tcp6: they come first in those files, but what follows costs a walk of the
// table of all connections, 1 ms each on a large machine, however few there are.
type portTable struct {
	opts  Options
	diag  *sockdiag.Conn // nil: files
	files []*procfs.File
}

// listener is a listening socket.
type listener struct {
	inode uint64
	uid   uint64
}

func openPortTable(o Options) (*portTable, error) {
	t := &portTable{opts: o}
	ns := netns.Namespace{Name: o.Netns}
	err := ns.Inside(func(int) error {
		dir := filepath.Join(o.root(), "proc/net")
		if !ns.Own() {
			dir = "/proc/thread-self/net"
		}
		if o.root() == "/" {
			if t.diag, _ = sockdiag.Open("listening ports"); t.diag != nil {
				return nil
			}
		}
		files, err := openTables(dir)
		t.files = files
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open listening ports: %w", err)
	}
	return t, nil
}

// openTables opens tcp and tcp6 in a net directory; tcp6 is absent without IPv6.
func openTables(dir string) ([]*procfs.File, error) {
	tcp, err := procfs.Open(filepath.Join(dir, "tcp"))
	if err != nil {
		return nil, procfs.Unsupported("listening ports", err, "/proc")
	}
	files := []*procfs.File{tcp}
	if tcp6, err := procfs.Open(filepath.Join(dir, "tcp6")); err == nil {
		files = append(files, tcp6)
	}
	return files, nil
}

func (t *portTable) close() error {
	if t == nil {
		return nil
	}
	errs := []error{t.diag.Close()}
	for _, f := range t.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// listening returns the sockets that listen on a port: in the namespace of the
// table, else in the only other one where somebody does, which is how a
// container's port is found.
func (t *portTable) listening(port int, table *processTable) ([]listener, error) {
	found, err := t.here(port)
	if err != nil || len(found) > 0 || t.opts.Netns != "" {
		return found, err
	}
	var own unix.Stat_t
	if unix.Stat(filepath.Join(table.proc, "self/ns/net"), &own) != nil {
		return nil, nil
	}
	seen := map[uint64]bool{own.Ino: true}
	var in int32
	for pid := range table.entries {
		dir := filepath.Join(table.proc, strconv.Itoa(int(pid)))
		var st unix.Stat_t
		if unix.Stat(filepath.Join(dir, "ns/net"), &st) != nil || seen[st.Ino] {
			continue
		}
		seen[st.Ino] = true
		files, err := openTables(filepath.Join(dir, "net"))
		if err != nil {
			continue
		}
		there, err := listenersOf(files, port)
		for _, f := range files {
			_ = f.Close()
		}
		if err != nil || len(there) == 0 {
			continue
		}
		if len(found) > 0 {
			return nil, &probe.Unsupported{
				What:   fmt.Sprintf("process on port %d", port),
				Reason: fmt.Sprintf("several network namespaces have one (of process %d and of process %d)", in, pid),
				Needs:  "a selection by pid, cgroup or unit",
			}
		}
		found, in = there, pid
	}
	return found, nil
}

// here returns the sockets that listen on a port in the namespace of the table.
func (t *portTable) here(port int) (found []listener, err error) {
	if t.diag == nil {
		return listenersOf(t.files, port)
	}
	err = t.diag.TCP(1<<sockdiag.Listen, 0, func(b []byte) {
		if l, at, ok := parseListener(b); ok && int(at) == port {
			found = append(found, l)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read listening ports: %w", err)
	}
	return found, nil
}

// parseListener reads a struct inet_diag_msg; false for bytes that are none, and for a
// socket that nobody holds.
func parseListener(b []byte) (l listener, port uint16, ok bool) {
	s, _, ok := sockdiag.Parse(b)
	return listener{uid: uint64(s.UID), inode: uint64(s.Inode)}, s.Local.Port(), ok && s.State == sockdiag.Listen && s.Inode != 0
}

func listenersOf(files []*procfs.File, port int) ([]listener, error) {
	var all []listener
	for _, f := range files {
		some, err := listenersIn(f, port)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("read listening ports: %w", err)
		}
		all = append(all, some...)
	}
	return all, nil
}

// listenersIn reads more and more of net/tcp until all listeners are in it: room for 26
// of them, for 400, the whole file. Each line costs the kernel 2 µs, those of
// connections too.
func listenersIn(f *procfs.File, port int) (found []listener, err error) {
	for _, size := range [...]int{4 << 10, 64 << 10, math.MaxInt} {
		var b []byte
		if size == math.MaxInt {
			b, err = f.Read()
		} else {
			b, err = f.Head(size)
		}
		if err != nil {
			return nil, err
		}
		var whole bool
		if found, whole = parseListeners(b, port); whole || len(b) < size {
			break
		}
	}
	return found, nil
}

// parseListeners reads the listeners of a port from net/tcp (proc_net_tcp).
// whole is true if it saw a line that is no listener: none follow.
func parseListeners(b []byte, port int) (found []listener, whole bool) {
	_, b = procfs.Line(b) // heading
	for len(b) > 0 {
		var line []byte
		line, b = procfs.Line(b)
		// "0: 0100007F:1F90 00000000:0000 0A ...:... ...:... ... uid timeout inode"
		state := procfs.Nth(line, 3)
		if string(state) != "0A" {
			return found, len(state) == 2
		}
		local := procfs.Nth(line, 1)
		if len(local) < 5 {
			return found, false
		}
		p, ok := procfs.Hex(local[len(local)-4:])
		if !ok || int(p) != port {
			continue
		}
		uid, okUID := procfs.Uint(procfs.Nth(line, 7))
		inode, okInode := procfs.Uint(procfs.Nth(line, 9))
		if okUID && okInode && inode != 0 {
			found = append(found, listener{inode, uid})
		}
	}
	return found, false
}
