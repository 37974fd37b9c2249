package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/report"
)

// obeyWithin is the time that a command has to end by itself after a signal, to
// restore a terminal for instance. One that is stuck in a read is left where it is.
const obeyWithin = time.Second

// Main runs a command and returns the process's exit code. The first SIGINT,
// SIGTERM or SIGHUP cancels the command's context; Main waits for a command that
// ends in order and for any other one second. At the second signal Main returns
// at once. In both cases the caller is expected to end the process. A SIGHUP that
// is ignored from the start (nohup) stays ignored.
//
// A reader of stdout or stderr that goes away is an error of the write (EPIPE) and
// never the end of the process: while Main runs, SIGPIPE does nothing.
func Main(ctx context.Context, env console.Env) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := make(chan os.Signal, 2)
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		ends = append(ends, syscall.SIGHUP)
	}
	signal.Notify(signals, ends...)
	defer signal.Stop(signals)
	// Caught rather than ignored, because processes that are started here would
	// inherit what is ignored. Nobody reads the channel: the write's error tells.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, writeSignals()...)
	defer signal.Stop(broken)

	env.Endings = new(console.Endings)
	done := make(chan int, 1)
	go func() { done <- execute(ctx, env) }()
	var late <-chan time.Time
	for interrupts := 0; ; {
		select {
		case code := <-done:
			return code
		case <-signals:
			interrupts++
			if interrupts == 2 {
				return report.ExitInterrupted
			}
			cancel()
			late = time.After(obeyWithin)
		case <-late:
			if env.Endings.Held.Load() == 0 {
				return report.ExitInterrupted
			}
			late = time.After(obeyWithin)
		}
	}
}
