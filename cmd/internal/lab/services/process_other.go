//go:build !linux

package services

import (
	"fmt"
	"net"
	"os"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

func limitFiles(uint64) error { return lab.ErrLinuxOnly }

func nameProcess(string) {}

func limitCores(int) error { return lab.ErrLinuxOnly }

func outOfFiles(error) bool { return false }

func listenBacklog(addr string, _ int) (*net.TCPListener, error) {
	return nil, fmt.Errorf("set backlog of %s: %w", addr, lab.ErrLinuxOnly)
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
func awaitData(*net.TCPConn, time.Duration) { <-time.After(5 * time.Millisecond) }
