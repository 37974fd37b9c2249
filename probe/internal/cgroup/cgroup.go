// Package cgroup finds the control groups of a process and reads their limits:
// version 1 and 2, and hosts where both are mounted. A limit binds wherever it
// is set on the way up to the root, so for each resource the level nearest its
// limit is read.
//
// It knows neither metrics nor samplers.
package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rampload/rampload/probe/internal/procfs"
)

// Mounts are the mounted cgroup hierarchies of a host. It is read only after
// ReadMounts.
type Mounts struct {
	list []mount
}

type mount struct {
	dir         string   // where it is mounted, below the root
	top         string   // which cgroup the mount shows at its top: "/" but in containers
	version     int      // 1 or 2
	controllers []string // version 1
}

// ReadMounts reads /proc/self/mountinfo below root.
func ReadMounts(root string) (Mounts, error) {
	b, err := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return Mounts{}, fmt.Errorf("read mounts: %w", err)
	}
	var m Mounts
	for len(b) > 0 {
		var line []byte
		line, b = procfs.Line(b)
		// "36 35 98:0 /top /dir options - type source super-options" (proc(5))
		before, after, ok := bytes.Cut(line, []byte(" - "))
		if !ok {
			continue
		}
		kind, rest := procfs.Field(after)
		_, rest = procfs.Field(rest)
		options, _ := procfs.Field(rest)
		one := mount{
			top: string(procfs.Nth(before, 3)),
			dir: filepath.Join(root, unescape(string(procfs.Nth(before, 4)))),
		}
		switch string(kind) {
		case "cgroup2":
			one.version = 2
		case "cgroup":
			one.version = 1
			one.controllers = strings.Split(string(options), ",")
		default:
			continue
		}
		m.list = append(m.list, one)
	}
	if len(m.list) == 0 {
		return Mounts{}, fmt.Errorf("find cgroups: none mounted: %w", fs.ErrNotExist)
	}
	return m, nil
}

// unescape undoes the octal escapes of mountinfo: \040 is a space.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(v))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// Paths are the cgroups of a process by hierarchy, as /proc/PID/cgroup tells.
type Paths struct {
	unified    string            // version 2, empty if there is none
	byResource map[string]string // version 1, by controller
	named      bool              // a person's path, not the kernel's: the same in every hierarchy
}

// ParsePaths reads the content of /proc/PID/cgroup.
func ParsePaths(b []byte) Paths {
	p := Paths{byResource: map[string]string{}}
	for len(b) > 0 {
		var line []byte
		line, b = procfs.Line(b)
		parts := bytes.SplitN(line, []byte(":"), 3)
		if len(parts) != 3 {
			continue
		}
		dir := string(parts[2])
		if string(parts[0]) == "0" && len(parts[1]) == 0 {
			p.unified = dir
			continue
		}
		for c := range bytes.SplitSeq(parts[1], []byte(",")) {
			p.byResource[string(c)] = dir
		}
	}
	return p
}

// At returns the paths of one cgroup that has the same path in every hierarchy.
func At(dir string) Paths {
	dir = path.Clean("/" + dir)
	return Paths{named: true, unified: dir, byResource: map[string]string{
		"memory": dir, "cpu": dir, "cpuacct": dir, "pids": dir, "name=systemd": dir,
	}}
}

// Key identifies the cgroups of a process: processes with equal keys are in the
// same ones.
func (p Paths) Key() string {
	return strings.Join([]string{p.unified, p.byResource["memory"], p.byResource["cpu"], p.byResource["pids"]}, "|")
}

// Label names the cgroup of a controller for people: the container, where any
// path of the process shows one (see [ContainerOf]), else the last element of
// the controller's path: "nginx.service".
func (p Paths) Label(controller string) string {
	for _, dir := range []string{
		p.unified, p.byResource["memory"], p.byResource["name=systemd"], p.byResource["cpu"], p.byResource["pids"],
	} {
		if c, ok := ContainerOf(dir); ok {
			return c.String()
		}
	}
	dir, ok := p.byResource[controller]
	if !ok {
		dir = p.unified
	}
	if dir == "" || dir == "/" {
		return ""
	}
	return path.Base(dir)
}

// ErrOutside means that a process has a cgroup whose files are not to be seen
// from here: it lies outside of rampload's cgroup namespace or of what is mounted,
// as with a sidecar in a pod. Its limits exist, and are not known.
var ErrOutside = errors.New("its cgroup cannot be seen from rampload's own")

// NeedsHost is what makes a cgroup visible that is [ErrOutside].
const NeedsHost = "the host's cgroup namespace and /sys/fs/cgroup: docker run --cgroupns=host, or an agent on the host"

// levels returns the directories of a resource's cgroup, from its own up to the
// top of the mount; the root cgroup itself, which has no limits, is last. The
// error is [fs.ErrNotExist] if the resource has no hierarchy here, [ErrOutside] if
// it has one that does not show this cgroup.
func (m Mounts) levels(p Paths, controller, file2, file1 string) (dirs []string, version int, err error) {
	// A controller is in one hierarchy only: the one where its file exists. The
	// kernel lists it with a path of its own where that is one of version 1.
	dir1, split := p.byResource[controller]
	tried, outside := 0, false
	for _, mt := range m.list {
		dir, file := p.unified, file2
		if mt.version == 1 {
			dir, file = "", file1
			if slices.Contains(mt.controllers, controller) {
				dir = dir1
			}
		}
		if dir == "" || !p.named && (mt.version == 1) != split {
			continue
		}
		tried++
		rel, inside := mt.below(dir)
		if !inside {
			outside = true
			continue
		}
		for at := rel; ; at = path.Dir(at) {
			full := filepath.Join(mt.dir, at)
			if _, err := os.Stat(filepath.Join(full, file)); err == nil {
				dirs = append(dirs, full)
			}
			if at == "/" {
				break
			}
		}
		if len(dirs) > 0 {
			return dirs, mt.version, nil
		}
	}
	own := p.unified
	if split {
		own = dir1
	}
	if !p.named && (outside || tried == 0 && own != "" && own != "/") {
		return nil, 0, fmt.Errorf("find %s of cgroup %s: %w", controller, own, ErrOutside)
	}
	return nil, 0, fmt.Errorf("find %s controller: %w", controller, fs.ErrNotExist)
}

// below returns the path of a cgroup below the top of the mount. Both begin at the
// root of our cgroup namespace, and with a "/.." for each level above it; which
// names lie between is not known, so both must climb equally far.
func (mt mount) below(dir string) (rel string, ok bool) {
	rel, ok = strings.CutPrefix(dir, strings.TrimSuffix(mt.top, "/"))
	if !ok || rel != "" && rel[0] != '/' || rel == "/.." || strings.HasPrefix(rel, "/../") {
		return "", false
	}
	return path.Clean("/" + rel), true
}

// Processes returns the processes of a cgroup and of those below it.
func (m Mounts) Processes(p Paths) ([]int32, error) {
	var pids []int32
	seen := map[int32]bool{}
	found := false
	var last error
	for _, mt := range m.list {
		dir := p.unified
		if mt.version == 1 {
			dir = ""
			for _, c := range mt.controllers {
				if d := p.byResource[c]; d != "" {
					dir = d
				}
			}
		}
		if dir == "" {
			continue
		}
		top := filepath.Join(mt.dir, strings.TrimPrefix(dir, strings.TrimSuffix(mt.top, "/")))
		err := filepath.WalkDir(top, func(at string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				if at == top {
					return err
				}
				return nil // a cgroup that went while we looked
			}
			b, err := os.ReadFile(filepath.Join(at, "cgroup.procs"))
			if err != nil {
				if at == top {
					return err
				}
				return nil
			}
			found = true
			for len(b) > 0 {
				var line []byte
				line, b = procfs.Line(b)
				if v, ok := procfs.Uint(line); ok && v > 0 && v <= 1<<31-1 && !seen[int32(v)] {
					seen[int32(v)] = true
					pids = append(pids, int32(v))
				}
			}
			return nil
		})
		if err != nil {
			last = err
		}
	}
	if !found {
		if last == nil {
			last = fs.ErrNotExist
		}
		return nil, fmt.Errorf("find cgroup: %w", last)
	}
	return pids, nil
}

// Unit returns the cgroup of a systemd unit; "nginx" means "nginx.service".
func (m Mounts) Unit(name string) (Paths, error) {
	if !strings.Contains(name, ".") {
		name += ".service"
	}
	for _, mt := range m.list {
		systemd := mt.version == 2
		for _, c := range mt.controllers {
			systemd = systemd || c == "name=systemd"
		}
		if !systemd {
			continue
		}
		var found string
		_ = filepath.WalkDir(mt.dir, func(at string, d fs.DirEntry, err error) error {
			if err != nil {
				if d != nil && d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			if d.IsDir() && d.Name() == name {
				found = at
				return fs.SkipAll
			}
			return nil
		})
		if found != "" {
			rel, err := filepath.Rel(mt.dir, found)
			if err != nil {
				return Paths{}, fmt.Errorf("find unit %s: %w", name, err)
			}
			return At(path.Join(mt.top, rel)), nil
		}
	}
	return Paths{}, fmt.Errorf("find unit %s: %w", name, errNoUnit)
}

var errNoUnit = errors.New("no cgroup has its name; is it running?")

// Unified returns the directory of a cgroup in the version 2 hierarchy; false
// if there is none, and for the root cgroup, which stands for the whole host.
func (m Mounts) Unified(p Paths) (dir string, ok bool) {
	dirs, version, err := m.levels(Paths{unified: p.unified}, "", "cgroup.procs", "\x00")
	if err != nil || version != 2 || path.Clean("/"+p.unified) == "/" {
		return "", false
	}
	return dirs[0], true
}

// root reports whether a process is in the root cgroup of a controller.
func (m Mounts) root(p Paths, controller string) bool {
	dir := p.unified
	for _, mt := range m.list {
		for _, c := range mt.controllers {
			if c == controller {
				dir = p.byResource[controller]
			}
		}
	}
	return dir == "/"
}
