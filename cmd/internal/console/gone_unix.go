//go:build unix

package console

import "syscall"

// readerGone is the error of a write whose reader went away.
const readerGone = syscall.EPIPE
