package logs

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// printed is a file that a process has open to print into.
type printed struct {
	pid    int32
	target string // as the process calls it: its root may be another
	open   string // opens it, whatever it is called and where
}

// printedBy reads one descriptor of a process; ok is false unless text is printed to it.
func printedBy(pid int32, fd string) (x printed, id fileID, ok bool) {
	x = printed{pid: pid, open: fmt.Sprintf("/proc/%d/fd/%s", pid, fd)}
	var err error
	if x.target, err = os.Readlink(x.open); err != nil || !onDisk(x.target) || !printsTo(pid, fd, x.target) {
		return x, id, false
	}
	info, err := os.Stat(x.open)
	if err != nil || !info.Mode().IsRegular() || ofKernel(x.open) {
		return x, id, false
	}
	id, ok = identify(info)
	return x, id, ok
}

// onDisk reports whether the target of a descriptor's link is the path of a file: what has
// no name in any folder is memory that is shared.
func onDisk(target string) bool {
	for _, other := range []string{"/dev/", "/proc/", "/sys/", "/memfd:", "/SYSV", "/[aio]", "/anon_hugepage", "/i915"} {
		if strings.HasPrefix(target, other) {
			return false
		}
	}
	return strings.HasPrefix(target, "/")
}

// ofKernel reports whether a file is none: reading it asks the kernel (statfs(2), f_type).
func ofKernel(path string) bool {
	var s syscall.Statfs_t
	if syscall.Statfs(path, &s) != nil {
		return true
	}
	switch uint32(s.Type) {
	case 0x9fa0, 0x62656572, 0x27e0eb, 0x63677270, 0x64626720, 0x74726163, 0xcafe4a11, 0x958458f6, 0x73636673, 0x6165676c:
		return true // proc, sysfs, cgroup, cgroup2, debugfs, tracefs, bpf, hugetlbfs, securityfs, pstore
	}
	return false
}

// name returns a path by which the file is found from here: what the process calls it
// may be another file, in another root or another file system, or none.
func (x printed) name(info fs.FileInfo) string {
	for _, root := range []string{"", fmt.Sprintf("/proc/%d/root", x.pid)} {
		if here, err := os.Stat(root + x.target); err == nil && os.SameFile(here, info) {
			return root + x.target
		}
	}
	if here, err := os.Readlink("/proc/self/ns/mnt"); err == nil {
		if there, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", x.pid)); err == nil && here == there {
			return x.target // it is deleted
		}
	}
	return fmt.Sprintf("%s of process %d", x.target, x.pid)
}

func identify(info fs.FileInfo) (fileID, bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}, false
	}
	return fileID{uint64(s.Dev), s.Ino}, true
}

// printsTo reports whether a descriptor is one that text is printed to: standard output or
// error, or a file that is only added to and is no store's journal of its data.
func printsTo(pid int32, fd, target string) bool {
	flags, ok := openFlags(pid, fd)
	if !ok || flags&syscall.O_ACCMODE == syscall.O_RDONLY {
		return false
	}
	name := strings.ToLower(filepath.Base(strings.TrimSuffix(target, " (deleted)")))
	for _, data := range []string{".aof", ".wal", ".db", ".sqlite", ".sqlite3", ".pid", ".lock", ".ibd", ".journal", "-wal", "-shm", ".tmp"} {
		if strings.HasSuffix(name, data) {
			return false
		}
	}
	return fd == "1" || fd == "2" || flags&syscall.O_APPEND != 0 || strings.HasSuffix(name, ".log")
}

// openFlags returns with which flags a descriptor was opened (proc_pid_fdinfo(5)).
func openFlags(pid int32, fd string) (flags int, ok bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, fd))
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(data) {
		if rest, found := bytes.CutPrefix(line, []byte("flags:")); found {
			n, err := strconv.ParseInt(string(bytes.TrimSpace(rest)), 8, 64)
			return int(n), err == nil
		}
	}
	return 0, false
}

// ownName stands for this very process.
const ownName = "rampload itself"

// launchers start others, and leave printing to them.
var launchers = []string{"sh", "bash", "dash", "zsh", "ksh", "ash", "busybox", "tini", "dumb-init", "sudo", "su", "timeout", "unshare", "nsenter", "ip", "setsid", "env", "strace", "systemd", "containerd-shim", "conmon", "supervisord", "runsv", "s6-supervise", "make"}

// maxScanned bounds how many processes are looked at for who else prints into a file.
const maxScanned = 4096

// alsoPrint returns who else prints into some files: whose lines these are cannot be told
// then. Children and parents of the processes belong to them.
func alsoPrint(files map[fileID]printed, pids []int32) map[fileID]string {
	out := map[fileID]string{}
	base := map[string]bool{}
	for _, x := range files {
		base[filepath.Base(x.target)] = true
	}
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all[:min(len(all), maxScanned)] {
		n, err := strconv.ParseInt(filepath.Base(dir), 10, 32)
		if pid := int32(n); err != nil || slices.Contains(pids, pid) {
			continue
		}
		list, err := os.ReadDir(dir + "/fd")
		if err != nil {
			continue // it ended, or is somebody else's
		}
		comm, err := os.ReadFile(dir + "/comm")
		name := string(bytes.TrimSpace(comm))
		own := int(n) == os.Getpid()
		if err != nil || !own && (slices.Contains(launchers, name) || descends(int32(n), pids)) {
			continue
		}
		for _, entry := range list {
			fd := entry.Name()
			target, err := os.Readlink(dir + "/fd/" + fd)
			if err != nil || !base[filepath.Base(target)] {
				continue
			}
			flags, ok := openFlags(int32(n), fd)
			if !ok || flags&syscall.O_ACCMODE == syscall.O_RDONLY {
				continue
			}
			info, err := os.Stat(dir + "/fd/" + fd)
			if err != nil {
				continue
			}
			if id, ok := identify(info); ok {
				if _, wanted := files[id]; wanted && out[id] != ownName {
					if out[id] = name; own {
						out[id] = ownName
					}
				}
			}
		}
	}
	return out
}

// descends reports whether a process was started by one of some others.
func descends(pid int32, pids []int32) bool {
	for range 8 {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		at := bytes.LastIndexByte(data, ')') // the name before may have spaces
		if err != nil || at < 0 {
			return false
		}
		f := bytes.Fields(data[at+1:])
		if len(f) < 2 {
			return false
		}
		n, err := strconv.ParseInt(string(f[1]), 10, 32)
		if err != nil || n <= 1 {
			return false
		}
		if pid = int32(n); slices.Contains(pids, pid) {
			return true
		}
	}
	return false
}
