package cli

import (
	"os"
	"syscall"
)

// writeSignals are sent to a process whose write fails: none here.
func writeSignals() []os.Signal { return []os.Signal{syscall.SIGPIPE} }

// readerGone is the error of a write whose reader went away (ERROR_BROKEN_PIPE is
// what reads get).
const readerGone = syscall.Errno(232) // ERROR_NO_DATA
