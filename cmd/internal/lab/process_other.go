//go:build !linux

package lab

import (
	"errors"
	"os/exec"
	"syscall"
)

const onLinux = false

// ErrLinuxOnly is what scenarios and services return elsewhere.
var ErrLinuxOnly = errors.New("this needs Linux")

// The signals are not sent here.
const SigReload, SigStop, SigContinue = syscall.SIGHUP, syscall.SIGHUP, syscall.SIGHUP

// Signal sends nothing here.
func Signal(int, syscall.Signal) bool { return false }

func dieWithParent(*exec.Cmd) {}

func startIn(cmd *exec.Cmd, netns string, cgroups []string) error {
	if netns != "" || len(cgroups) > 0 {
		return ErrLinuxOnly
	}
	return cmd.Start()
}
