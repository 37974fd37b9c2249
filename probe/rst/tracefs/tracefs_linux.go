package tracefs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// tracefs is the root of the kernel's tracing files.
type tracefs struct {
	Root  string
	mount int // descriptor of a mount of our own, or -1
}

// OpenFS finds tracefs where it is mounted by custom, or mounts it for this
// process alone: the mount is attached nowhere, so nobody sees it and it ends
// with the descriptor (fsmount, Linux 5.2).
func OpenFS(root string) (tracefs, error) {
	if root != "" {
		return tracefs{root, -1}, nil
	}
	for _, dir := range []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"} {
		if unix.Access(filepath.Join(dir, "instances"), unix.W_OK) == nil {
			return tracefs{dir, -1}, nil
		}
	}
	fd, err := MountDetached("tracefs")
	if err != nil {
		return tracefs{}, unsupportedTrace(fmt.Errorf("mount tracefs: %w", err))
	}
	return tracefs{fmt.Sprintf("/proc/self/fd/%d", fd), fd}, nil
}

func MountDetached(fstype string) (int, error) {
	fs, err := unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	return unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
}

func (t tracefs) Close() {
	if t.mount >= 0 {
		unix.Close(t.mount)
	}
}

func (t tracefs) read(path ...string) (string, error) {
	b, err := os.ReadFile(filepath.Join(append([]string{t.Root}, path...)...))
	return string(b), err
}

var instanceName = regexp.MustCompile(`^rampload-(\d+)-(\d+)$`)

// Instance makes a trace instance of our own, with its own buffers, clock and
// events, and removes those of processes that died without doing so. One in use
// cannot be removed (EBUSY), so a live one of another pid namespace is safe.
func (t tracefs) Instance() (string, error) {
	dir := filepath.Join(t.Root, "instances")
	if entries, err := os.ReadDir(dir); err == nil {
		for _, e := range entries {
			m := instanceName.FindStringSubmatch(e.Name())
			if m == nil {
				continue
			}
			if pid, err := strconv.Atoi(m[1]); err == nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
				_ = unix.Rmdir(filepath.Join(dir, e.Name()))
			}
		}
	}
	for n := 0; ; n++ {
		path := filepath.Join(dir, fmt.Sprintf("rampload-%d-%d", os.Getpid(), n))
		err := os.Mkdir(path, 0o700)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, fs.ErrExist) || n == 1000 {
			return "", unsupportedTrace(fmt.Errorf("make trace instance: %w", err))
		}
	}
}

// unsupportedTrace explains why tracefs cannot be used. An error that says
// nothing about support is returned as it is.
func unsupportedTrace(err error) error {
	u := &probe.Unsupported{What: sourceName}
	switch {
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		u.Reason, u.Needs = "the kernel shows its tracepoints to root only", "root"
	case errors.Is(err, fs.ErrPermission) && lockedDown():
		u.Reason, u.Needs = "the kernel is locked down for confidentiality", "a boot without lockdown=confidentiality"
	case errors.Is(err, fs.ErrPermission):
		u.Reason, u.Needs = "this container may not use tracefs", "CAP_SYS_ADMIN (a privileged container)"
	case errors.Is(err, unix.EROFS):
		u.Reason, u.Needs = "tracefs is mounted read-only", "a writable /sys/kernel/tracing"
	case errors.Is(err, unix.ENODEV):
		u.Reason, u.Needs = "the kernel was built without tracing", "CONFIG_FTRACE"
	case errors.Is(err, unix.ENOSYS):
		u.Reason, u.Needs = "tracefs is not mounted", "mount -t tracefs tracefs /sys/kernel/tracing"
	case errors.Is(err, fs.ErrNotExist):
		u.Reason, u.Needs = "tracefs has no such file ("+err.Error()+")", "tracefs at /sys/kernel/tracing and Linux 4.16"
	default:
		return err
	}
	return u
}

func lockedDown() bool {
	b, err := os.ReadFile("/sys/kernel/security/lockdown")
	return err == nil && strings.Contains(string(b), "[confidentiality]")
}

// traceCPUs lists the CPUs of an instance in order.
func traceCPUs(instance string) ([]int, error) {
	entries, err := os.ReadDir(filepath.Join(instance, "per_cpu"))
	if err != nil {
		return nil, fmt.Errorf("list trace buffers: %w", err)
	}
	var cpus []int
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimPrefix(e.Name(), "cpu")); err == nil {
			cpus = append(cpus, n)
		}
	}
	if len(cpus) == 0 {
		return nil, fmt.Errorf("list trace buffers: none in %s", instance)
	}
	slices.Sort(cpus)
	return cpus, nil
}

// overwritten is how many entries of a CPU's buffer were thrown away so far,
// from its stats file.
func overwritten(instance string, cpu int) (uint64, error) {
	b, err := os.ReadFile(filepath.Join(instance, "per_cpu", fmt.Sprintf("cpu%d", cpu), "stats"))
	if err != nil {
		return 0, fmt.Errorf("read trace buffer statistics: %w", err)
	}
	var total uint64
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "overrun", "commit overrun", "dropped events":
			n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read trace buffer statistics: %w", err)
			}
			total += n
		}
	}
	return total, nil
}
