package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Disk is a small file system of its own that can stand still: whoever writes to it or
// waits for it then stands in the kernel, as for a disk that does not answer.
type Disk struct{ Dir string }

// Disk mounts a file system of some MiB in a file. It is thawed and unmounted at the end.
// It needs root and the programs mkfs.ext4, mount and fsfreeze.
func (machine *Machine) Disk(mib int) (*Disk, error) {
	image, dir := filepath.Join(machine.Env.Dir, "disk.img"), filepath.Join(machine.Env.Dir, "disk")
	f, err := os.Create(image)
	if err != nil {
		return nil, fmt.Errorf("make disk: %w", err)
	}
	err = f.Truncate(int64(mib) << 20)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return nil, fmt.Errorf("make disk: %w", err)
	}
	if err := os.Mkdir(dir, 0o777); err != nil {
		return nil, fmt.Errorf("make disk: %w", err)
	}
	d := &Disk{Dir: dir}
	for _, args := range [][]string{{"mkfs.ext4", "-q", "-F", "-m", "0", image}, {"mount", "-o", "loop", image, dir}} {
		if err := program(args...); err != nil {
			return nil, err
		}
	}
	machine.Undo(func() error {
		_ = d.Thaw() // it may not be frozen
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", dir, err)
		}
		return nil
	})
	return d, nil
}

// Freeze lets the disk stand still.
func (d *Disk) Freeze() error { return program("fsfreeze", "-f", d.Dir) }

// Thaw lets it go on.
func (d *Disk) Thaw() error { return program("fsfreeze", "-u", d.Dir) }

func program(args ...string) error {
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}
