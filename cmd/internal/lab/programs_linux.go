package lab

import (
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
func (programs *Programs) Program(netns string, cgroups []string, name string, args ...string) (*exec.Cmd, error) {
	return programs.Logged(name, netns, cgroups, name, args...)
}

// Logged is Program with a name for the file of its output.
func (programs *Programs) Logged(log, netns string, cgroups []string, name string, args ...string) (*exec.Cmd, error) {
	return programs.program(filepath.Join(programs.Env.Dir, log+".log"), netns, cgroups, name, args)
}

func (programs *Programs) program(path, netns string, cgroups []string, name string, args []string) (*exec.Cmd, error) {
	log, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer log.Close()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = programs.Env.Dir, log, log
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
	programs.Undo(func() error {
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
