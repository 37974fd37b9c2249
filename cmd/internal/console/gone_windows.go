package console

import "syscall"

// readerGone is the error of a write whose reader went away (ERROR_BROKEN_PIPE is
// what reads get).
const readerGone = syscall.Errno(232) // ERROR_NO_DATA
