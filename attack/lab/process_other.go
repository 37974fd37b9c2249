//go:build !linux

package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const onLinux = false

var errLinuxOnly = errors.New("this needs Linux")

func limitFiles(uint64) error { return errLinuxOnly }

func nameProcess(string) {}

func limitCores(int) error { return errLinuxOnly }

func outOfFiles(error) bool { return false }

// The signals are not sent here.
const sigReload, sigStop, sigContinue = syscall.SIGHUP, syscall.SIGHUP, syscall.SIGHUP

func signal(int, syscall.Signal) bool { return false }

func dieWithParent(*exec.Cmd) {}

func startIn(cmd *exec.Cmd, netns string, cgroups []string) error {
	if netns != "" || len(cgroups) > 0 {
		return errLinuxOnly
	}
	return cmd.Start()
}

func listenBacklog(addr string, _ int) (*net.TCPListener, error) {
	return nil, fmt.Errorf("set backlog of %s: %w", addr, errLinuxOnly)
}

// burn uses a processor for the given time.
func burn(d time.Duration) {
	for from := time.Now(); time.Since(from) < d; {
	}
}

func crash() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		p.Kill()
	}
	select {}
}

// awaitData gives the peer's first bytes a moment: nothing tells here whether
// they have come.
func awaitData(*net.TCPConn, time.Duration) { time.Sleep(5 * time.Millisecond) }
