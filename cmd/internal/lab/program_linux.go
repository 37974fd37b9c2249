package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Program starts a real server program in a namespace and control groups and
// ends it, with its children, at the end. Its output goes to Dir.
func (b *Bench) Program(netns string, cgroups []string, name string, args ...string) (*exec.Cmd, error) {
	return b.Logged(name, netns, cgroups, name, args...)
}

// Logged is Program with a name for the file of its output.
func (b *Bench) Logged(log, netns string, cgroups []string, name string, args ...string) (*exec.Cmd, error) {
	return b.program(filepath.Join(b.Env.Dir, log+".log"), netns, cgroups, name, args)
}

func (b *Bench) program(path, netns string, cgroups []string, name string, args []string) (*exec.Cmd, error) {
	log, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer log.Close()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.Env.Dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	ended := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		err := startIn(cmd, netns, cgroups)
		started <- err
		if err == nil {
			cmd.Wait() // however it ends: Stop ends it by a signal
			close(ended)
		}
		if netns == "" {
			runtime.UnlockOSThread()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	b.undo = append(b.undo, func() error {
		unix.Kill(-cmd.Process.Pid, unix.SIGTERM)
		timer := time.NewTimer(3 * time.Second)
		defer timer.Stop()
		select {
		case <-ended:
		case <-timer.C:
		}
		unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		<-ended
		return nil
	})
	return cmd, nil
}

// Cgroup makes a control group with the given files set and removes it at the
// end. Version 1 has a hierarchy per controller, version 2 one for all.
func (b *Bench) Cgroup(controller string, v1, v2 map[string]string) (string, error) {
	removeStale()
	name := fmt.Sprintf("rl-%d-%d", os.Getpid(), networks.Add(1))
	const mount = cgroupMount
	dir, settings := filepath.Join(mount, controller, name), v1
	if _, err := os.Stat(filepath.Join(mount, "cgroup.controllers")); err == nil {
		dir, settings = filepath.Join(mount, name), v2
		if err := os.WriteFile(filepath.Join(mount, "cgroup.subtree_control"), []byte("+"+controller), 0); err != nil {
			return "", fmt.Errorf("enable cgroup controller %s: %w", controller, err)
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", fmt.Errorf("make cgroup: %w", err)
	}
	b.undo = append(b.undo, func() error {
		// The last processes may be leaving still.
		var err error
		for range 50 {
			if err = unix.Rmdir(dir); err == nil || errors.Is(err, unix.ENOENT) {
				return nil
			}
			time.Sleep(20 * time.Millisecond) //nolint:forbidigo // cleaning up has no context; it is bounded
		}
		return fmt.Errorf("remove cgroup %s: %w", dir, err)
	})
	for file, value := range settings {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0); err != nil {
			return "", fmt.Errorf("set cgroup's %s: %w", file, err)
		}
	}
	return dir, nil
}
