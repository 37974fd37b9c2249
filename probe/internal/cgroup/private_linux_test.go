package cgroup_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe/internal/cgroup"
)

func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("RAMPLOAD_NO_SKIP") == "1" {
		t.Fatalf("must not skip: "+format, args...)
	}
	t.Skipf(format, args...)
}

// A real private namespace of control groups, as a container has: of a process
// outside nothing is known, of the own group what is mounted there is.
func TestPrivateNamespace(t *testing.T) {
	if os.Getenv("CGROUP_TEST_NEIGHBOUR") != "" {
		insidePrivate(t)
		return
	}
	if os.Geteuid() != 0 {
		skip(t, "needs root")
	}
	root := ""
	for _, at := range []string{"/sys/fs/cgroup/pids", "/sys/fs/cgroup"} { // version 1, version 2
		if _, err := os.Stat(filepath.Join(at, "cgroup.procs")); err == nil {
			root = at
			break
		}
	}
	if root == "" {
		skip(t, "needs a mounted hierarchy of control groups")
	}
	top := filepath.Join(root, fmt.Sprintf("rampload-private-%d", os.Getpid()))
	group := func(dir, limit string) {
		if err := os.Mkdir(dir, 0o755); err != nil {
			skip(t, "needs to make a control group: %v", err)
		}
		t.Cleanup(func() {
			for unix.Rmdir(dir) == unix.EBUSY { // until the kernel has seen its processes end
			}
		})
		if err := os.WriteFile(filepath.Join(dir, "pids.max"), []byte(limit), 0o600); err != nil {
			t.Skipf("the pids controller is not enabled here: %v", err) // version 2 hands it on only if told to
		}
	}
	group(top, "200")
	group(filepath.Join(top, "own"), "150")
	group(filepath.Join(top, "other"), "160")
	neighbour := exec.Command("sh", "-c", "echo $$ > "+filepath.Join(top, "other/cgroup.procs")+"; echo in; read x")
	out, err := neighbour.StdoutPipe()
	if err == nil {
		_, err = neighbour.StdinPipe()
	}
	if err == nil {
		err = neighbour.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = neighbour.Process.Kill(); _ = neighbour.Wait() }()
	if _, err := out.Read(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sh", "-c", `echo $$ > "$1/own/cgroup.procs" && exec unshare --cgroup --mount "$2" -test.run='^TestPrivateNamespace$' -test.v`, "sh", top, exe)
	child.Env = append(os.Environ(), "CGROUP_TEST_NEIGHBOUR="+strconv.Itoa(neighbour.Process.Pid), "CGROUP_TEST_ROOT="+root)
	if text, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// insidePrivate is what a process in the namespace sees.
func insidePrivate(t *testing.T) {
	read := func(m cgroup.Mounts, pid string) *cgroup.Group {
		b, err := os.ReadFile("/proc/" + pid + "/cgroup")
		if err != nil {
			t.Fatal(err)
		}
		g := m.Open(cgroup.ParsePaths(b))
		t.Cleanup(func() { _ = g.Close() })
		return g
	}
	all := func() cgroup.Mounts {
		m, err := cgroup.ReadMounts("/")
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	// What a container runtime does: the tree is mounted again, from the namespace's
	// own top.
	root := os.Getenv("CGROUP_TEST_ROOT")
	kind, data := "cgroup2", ""
	if filepath.Base(root) == "pids" {
		kind, data = "cgroup", "pids"
	}
	if err := errors.Join(unix.Unmount(root, unix.MNT_DETACH), unix.Mount("cgroup", root, kind, 0, data)); err != nil {
		t.Fatal(err)
	}
	if own := read(all(), "self"); own.PIDsLimit() != 150 {
		t.Errorf("own limit %v, want 150", own.PIDsLimit())
	}
	other := read(all(), os.Getenv("CGROUP_TEST_NEIGHBOUR"))
	if limit := other.PIDsLimit(); !math.IsNaN(limit) || !errors.Is(other.Hidden("pids"), cgroup.ErrOutside) {
		t.Errorf("limit of a process outside: %v, %v", limit, other.Hidden("pids"))
	}
	if _, err := other.PIDs(); !errors.Is(err, cgroup.ErrOutside) {
		t.Errorf("tasks of a process outside: %v", err)
	}
}
