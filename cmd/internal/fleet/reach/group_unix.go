//go:build unix

package reach

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps the terminal's interrupt from a command: what it records of the end
// is wanted.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
