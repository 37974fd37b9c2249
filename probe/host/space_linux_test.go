package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

func TestMountsThatAProcessUses(t *testing.T) {
	mounts := parseMounts([]byte(`21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
22 21 0:20 / /proc rw - proc proc rw
23 21 0:21 / /tmp rw - tmpfs tmpfs rw
24 21 8:2 / /srv/app\040data rw shared:1 - xfs /dev/sdb rw
25 21 8:3 / /srv/app\040data/uploads rw - xfs /dev/sdc rw
26 21 7:0 / /snap/x ro - squashfs /dev/loop0 ro
27 21 0:30 / /srv/app\040data/remote rw - nfs host:/x rw
28 21 8:4 / /other rw - ext4 /dev/sdd rw
29 21 8:5 / /frozen rw - ext4 /dev/sde ro
30 21 8:1 /bound /srv/app\040data/bound rw - ext4 /dev/sda1 rw
31 24 8:6 / /srv/app\040data rw - xfs /dev/sdf rw
broken line
`))
	var got []string
	for _, m := range chosen(mounts, append(slices.Clone(usual), "/srv/app data", "/frozen/x", "/proc/1", "/otherwise")) {
		got = append(got, m.device+" "+m.point)
	}
	want := []string{"8:3 /srv/app data/uploads", "8:1 /srv/app data/bound", "8:6 /srv/app data", "0:21 /tmp"}
	if !slices.Equal(got, want) {
		t.Errorf("chosen %q, want %q", got, want)
	}
}

func FuzzParseMounts(f *testing.F) {
	f.Add([]byte("21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"), "/a")
	f.Add([]byte(`24 21 8:2 / /srv/app\04 rw - xfs /dev/sdb rw`), "")
	f.Fuzz(func(t *testing.T, text []byte, p string) {
		if n := len(chosen(parseMounts(text), []string{p})); n > maxSpaces {
			t.Errorf("%d mounts", n)
		}
	})
}

// A full file system that a process works in is told as full, and one that it has
// nothing to do with is not.
func TestFullFileSystem(t *testing.T) {
	mountAt := func(name string) string {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,nr_inodes=100"); err != nil {
			if errors.Is(err, unix.EPERM) {
				skip(t, "needs root to mount")
			}
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
		return dir
	}
	mine, other := mountAt("mine"), mountAt("other")
	cmd := exec.Command("sleep", "60")
	cmd.Dir = mine
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p, err := NewProcess(profiles.Process{PID: cmd.Process.Pid}, "app", Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	read := func() map[string]probe.Sample {
		p.spaceAt = time.Time{} // do not wait for the next reading
		got := map[string]probe.Sample{}
		if err := p.Sample(context.Background(), func(s probe.Sample) {
			if s.Metric.Name == probe.FileSystem || s.Metric.Name == probe.FileSystemInodes {
				got[s.Metric.Name+" "+s.Metric.Instance] = s
			}
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	if s, ok := read()["file-system "+mine]; ok {
		t.Errorf("an empty file system is told: %+v", s)
	}
	for _, dir := range []string{mine, other} {
		if err := os.WriteFile(filepath.Join(dir, "log"), make([]byte, 2<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
			t.Fatalf("fill %s: %v", dir, err)
		}
	}
	got := read()
	if s := got["file-system "+mine]; s.Value != 1<<20 || s.Limit != 1<<20 {
		t.Errorf("full: %+v", got)
	}
	if s := got["file-system-inodes "+mine]; s.Value > 10 || s.Limit != 100 {
		t.Errorf("inodes: %+v", s)
	}
	if _, ok := got["file-system "+other]; ok {
		t.Error("a file system of nobody is told")
	}
	if err := os.Remove(filepath.Join(mine, "log")); err != nil {
		t.Fatal(err)
	}
	if s := read()["file-system "+mine]; s.Value != 0 {
		t.Errorf("after making room: %+v", s)
	}
}

// Services are told by their environment where to keep what they write.
func TestNamedPaths(t *testing.T) {
	environ := "STORE=/srv/uploads/\x00PATH=/usr/bin:/bin\x00PWD=/srv\x00HOME=/root\x00EMPTY=\x00NAME=shop\x00URL=http://x/y\x00CACHE_DIR=/var/cache/../spool\x00"
	if got, want := namedPaths([]byte(environ)), []string{"/srv/uploads", "/var/spool"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	many := strings.Repeat("A=/x\x00", 1000)
	if n := len(namedPaths([]byte(many))); n > maxOpenPaths {
		t.Errorf("%d paths", n)
	}
}

// However many mounts lie below a directory that is named, those that hold a path are watched.
func TestOwnMountsFirst(t *testing.T) {
	mounts := []mount{{point: "/", device: "8:1", kind: "ext4"}, {point: "/var/lib/app", device: "8:2", kind: "ext4"}}
	for i := range 9 {
		mounts = append(mounts, mount{point: fmt.Sprintf("/var/lib/docker/overlay2/%02d/merged", i), device: fmt.Sprintf("0:%d", 50+i), kind: "overlay"})
	}
	got := chosen(mounts, append(slices.Clone(usual), namedPaths([]byte("STATE_DIRECTORY=/var/lib\x00DATA=/var/lib/app\x00"))...))
	for _, want := range []string{"/", "/var/lib/app"} {
		if !slices.ContainsFunc(got, func(m mount) bool { return m.point == want }) {
			t.Errorf("%s is not watched: %v", want, got)
		}
	}
}
