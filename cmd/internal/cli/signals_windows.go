package cli

import (
	"os"
	"syscall"
)

// writeSignals are sent to a process whose write fails: none here.
func writeSignals() []os.Signal { return []os.Signal{syscall.SIGPIPE} }
