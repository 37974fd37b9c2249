package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const onLinux = true

// dieWithParent kills the command when the thread that starts it ends.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// startIn starts a command in a network namespace and in control groups. The
// calling goroutine is locked to its thread; with a namespace it is never
// unlocked again.
func startIn(cmd *exec.Cmd, netns string, cgroups []string) error {
	if netns != "" {
		if err := enterNetns(netns); err != nil {
			return err
		}
	}
	// The child is moved while it waits for its go-ahead.
	if err := cmd.Start(); err != nil {
		return err
	}
	for _, dir := range cgroups {
		pid := strconv.Itoa(cmd.Process.Pid)
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(pid), 0); err != nil {
			cmd.Process.Kill()
			cmd.Wait()
			return fmt.Errorf("enter cgroup: %w", err)
		}
	}
	return nil
}

// enterNetns moves the calling thread to a named network namespace. The
// goroutine must be locked to it, and not be unlocked afterwards.
func enterNetns(name string) error {
	f, err := os.Open(filepath.Join("/run/netns", name))
	if err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace %s: %w", name, err)
	}
	return nil
}

// Signals that are not known everywhere. sigReload asks haproxy in master-worker
// mode for new workers.
const (
	SigReload   = syscall.SIGUSR2
	SigStop     = syscall.SIGSTOP
	SigContinue = syscall.SIGCONT
)

// Signal sends a signal to a process and reports whether there is one.
func Signal(pid int, sig syscall.Signal) bool { return unix.Kill(pid, sig) == nil }
