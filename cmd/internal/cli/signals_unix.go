//go:build unix

package cli

import (
	"os"
	"syscall"
)

// writeSignals are sent to a process whose write fails, on top of the error that
// the write returns: its reader went away, or a file reached the limit of its size
// (setrlimit(2)).
func writeSignals() []os.Signal { return []os.Signal{syscall.SIGPIPE, syscall.SIGXFSZ} }
