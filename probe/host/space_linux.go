package host

import (
	"bytes"
	"cmp"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// space reads how full the file systems are that a process is likely to write to: that
// of its root and of /tmp, those of and below its working directory, and those of paths
// that its command line or its environment names or that it has open. Which those are is
// looked up every few seconds; a process that writes a file now and then is seldom seen with
// it open.
type space struct {
	member   *member // whose they are
	listAt   time.Time
	mounts   []mount
	relevant map[string]bool // that were half full once, by name
}

// mount is a mounted file system.
type mount struct {
	point  string // in the file system of the process
	device string
	kind   string
	ro     bool
}

// Where the file systems are looked up and read.
const (
	listSpaceEvery = 5 * time.Second
	readSpaceEvery = time.Second
	// maxSpaces bounds the file systems of one process, maxOpenPaths the descriptors
	// that are looked at for their paths.
	maxSpaces    = 8
	maxOpenPaths = 64
	maxWorkers   = 4
	// worthSpace is how full a file system must have been for it to be told.
	worthSpace = 0.5
)

// stored are the file systems that can be full, and that answer without a network: the
// statfs of a server that is gone never returns.
var stored = map[string]bool{
	"ext2": true, "ext3": true, "ext4": true, "xfs": true, "btrfs": true, "f2fs": true, "tmpfs": true, "overlay": true,
	"zfs": true, "jfs": true, "reiserfs": true, "bcachefs": true, "vfat": true, "exfat": true, "ntfs3": true,
}

// usual are where programs write without being told to.
var usual = []string{"/", "/tmp", "/var/tmp", "/dev/shm"}

// readSpace reads the file systems of the first process.
func (proc *Process) readSpace(now time.Time) {
	if len(proc.members) == 0 || now.Before(proc.spaceAt) {
		return
	}
	proc.spaceAt = now.Add(readSpaceEvery)
	s := &proc.space
	if first := proc.members[0]; s.member != first {
		*s = space{member: first, relevant: map[string]bool{}}
	}
	if !now.Before(s.listAt) {
		s.listAt = now.Add(listSpaceEvery)
		if err := s.list(proc.members); err != nil {
			proc.missing.add("file systems of "+proc.Label(), err)
			return
		}
	}
	for _, m := range s.mounts {
		u, err := s.use(m)
		if err != nil {
			continue // unmounted since
		}
		if !s.relevant[m.point] && max(u.bytes/u.size, u.files/u.inodes) < worthSpace {
			continue
		}
		s.relevant[m.point] = true
		put := func(name string, v, limit float64) {
			if limit > 0 && !math.IsNaN(v) {
				metric := probe.Metric{Host: proc.host, Process: proc.Label(), Name: name, Instance: m.point}
				proc.readings[name] = append(proc.readings[name], probe.Reading{Metric: metric, Value: v, Limit: limit})
			}
		}
		put(probe.FileSystem, u.bytes, u.size)
		put(probe.FileSystemInodes, u.files, u.inodes)
	}
}

// spaceUse is how full a file system is.
type spaceUse struct{ bytes, size, files, inodes float64 }

// use asks the kernel, in the file system of the process. What is kept for root counts
// as used: what else runs there cannot have it.
func (s *space) use(m mount) (spaceUse, error) {
	fd, err := unix.Openat(int(s.member.dir.Fd()), path.Join("root", m.point), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return spaceUse{}, err
	}
	defer unix.Close(fd)
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return spaceUse{}, err
	}
	block := float64(st.Frsize)
	if block == 0 {
		block = float64(st.Bsize)
	}
	u := spaceUse{bytes: math.NaN(), files: math.NaN()}
	if st.Blocks > 0 { // a tmpfs can be without a limit
		u.bytes = float64(st.Blocks-st.Bfree) * block
		u.size = u.bytes + float64(st.Bavail)*block
	}
	if st.Files > 0 {
		u.files, u.inodes = float64(st.Files-st.Ffree), float64(st.Files)
	}
	return u, nil
}

// list chooses the file systems.
func (s *space) list(workers []*member) error {
	f, err := s.member.open("mountinfo")
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := f.Read()
	if err != nil {
		return err
	}
	s.mounts = chosen(parseMounts(text), s.paths(workers))
	return nil
}

// paths are the places that the process is known to use, and those that its workers have
// files open on: it is they that write. What may not be read is left out: the usual places
// stay.
func (s *space) paths(workers []*member) []string {
	out := slices.Clone(usual)
	dir := int(s.member.dir.Fd())
	b := make([]byte, unix.PathMax)
	link := func(name string) {
		if n, err := unix.Readlinkat(dir, name, b); err == nil && n > 0 && b[0] == '/' {
			out = append(out, string(b[:n]))
		}
	}
	link("cwd")
	if f, err := s.member.open("cmdline"); err == nil {
		if text, err := f.Read(); err == nil {
			for arg := range bytes.SplitSeq(text, []byte{0}) {
				for part := range strings.FieldsFuncSeq(string(arg), func(r rune) bool { return r == '=' || r == ',' || r == ' ' }) {
					if strings.HasPrefix(part, "/") {
						out = append(out, path.Clean(part))
						if dir := path.Dir(path.Clean(part)); strings.Count(dir, "/") >= 2 {
							out = append(out, dir) // what it keeps is often beside its configuration
						}
					}
				}
			}
		}
		_ = f.Close()
	}
	if f, err := s.member.open("environ"); err == nil {
		if text, err := f.Read(); err == nil {
			out = append(out, namedPaths(text)...)
		}
		_ = f.Close()
	}
	for _, m := range workers[:min(len(workers), maxWorkers)] {
		dir = int(m.dir.Fd())
		for fd := range maxOpenPaths {
			link("fd/" + strconv.Itoa(fd))
		}
	}
	return out
}

// namedPaths returns the values of variables that are one path each: services are told so where
// to keep their data. A list of paths says where to look for programs and libraries instead.
func namedPaths(environ []byte) []string {
	var out []string
	for variable := range bytes.SplitSeq(environ, []byte{0}) {
		name, value, _ := bytes.Cut(variable, []byte{'='})
		switch string(name) {
		case "PWD", "OLDPWD", "HOME", "SHELL", "_":
			continue
		}
		if len(value) > 1 && value[0] == '/' && !bytes.ContainsAny(value, ":;, ") && len(out) < maxOpenPaths {
			out = append(out, path.Clean(string(value)))
		}
	}
	return out
}

// chosen are the mounts that hold one of the paths, and, where there is room, those below a
// directory of the process's own; each device once.
func chosen(mounts []mount, paths []string) []mount {
	slices.SortStableFunc(mounts, func(a, b mount) int { return cmp.Compare(len(b.point), len(a.point)) }) // the deepest first
	const holds, lies = 2, 1                                                                               // a path lies in it; it lies below one
	taken := make([]int, len(mounts))
	for _, p := range paths {
		for i, m := range mounts {
			if below(p, m.point) {
				taken[i] = holds
				break
			}
		}
		if len(p) <= 1 || slices.Contains(usual, p) {
			continue
		}
		for i, m := range mounts {
			if below(m.point, p) {
				taken[i] = max(taken[i], lies)
			}
		}
	}
	devices := map[string]bool{} // those to be told, until they are
	for _, why := range []int{holds, lies} {
		for i, m := range mounts {
			if taken[i] == why && !m.ro && stored[m.kind] && len(devices) < maxSpaces {
				devices[m.device] = true
			}
		}
	}
	var out []mount
	for i, m := range mounts {
		if taken[i] > 0 && !m.ro && devices[m.device] {
			devices[m.device] = false
			out = append(out, m)
		}
	}
	return out
}

// below reports whether a path is a directory or lies in it.
func below(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir) && p[len(dir)] == '/'
}

// parseMounts reads /proc/PID/mountinfo (proc_pid_mountinfo(5)): of mounts on top of
// each other the last is the one that is seen.
func parseMounts(text []byte) []mount {
	byPoint := map[string]mount{}
	var order []string
	for line := range bytes.Lines(text) {
		before, after, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 6 || len(kind) < 3 {
			continue
		}
		m := mount{point: unescape(fields[4]), device: fields[2], kind: kind[0]}
		for _, options := range []string{fields[5], kind[2]} {
			m.ro = m.ro || slices.Contains(strings.Split(options, ","), "ro")
		}
		if _, known := byPoint[m.point]; !known {
			order = append(order, m.point)
		}
		byPoint[m.point] = m
	}
	out := make([]mount, 0, len(order))
	for _, point := range order {
		out = append(out, byPoint[point])
	}
	return out
}

// unescape undoes the octal escapes of mountinfo: \040 is a space.
func unescape(s string) string {
	for i := 0; i+3 < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		if v, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
			s = s[:i] + string([]byte{byte(v)}) + s[i+4:]
		}
	}
	return s
}
