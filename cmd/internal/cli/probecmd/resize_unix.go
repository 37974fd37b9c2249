//go:build unix

package probecmd

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyResize sends a signal whenever the terminal changes its size.
func notifyResize(ch chan<- os.Signal) { signal.Notify(ch, syscall.SIGWINCH) }
