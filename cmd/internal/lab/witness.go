package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Witness follows what really happens, by counts that rampload has no part in: those of the
// kernel, of a packet filter, and of logs.
type Witness struct {
	*ground
	Tally    *Tally
	Final    []func()       // last readings, before children and what undo removes are gone
	watching []func() error // ends a watch after a last look
}

// end takes the last readings.
func (witness *Witness) end() error {
	var errs []error
	for _, stop := range witness.watching {
		errs = append(errs, stop())
	}
	for _, f := range witness.Final {
		f()
	}
	return errors.Join(errs...)
}

// Watch calls look regularly, and once more at the end.
func (witness *Witness) Watch(look func(), every time.Duration) {
	ctx, cancel := context.WithCancel(witness.Ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for Wait(ctx, every) {
			look()
		}
		look()
	}()
	witness.watching = append(witness.watching, func() error {
		cancel()
		<-done
		return nil
	})
}

// Later calls f beside the run; f returns when its context ends. Its error is
// that of Running.Stop.
func (witness *Witness) Later(f func(context.Context) error) {
	ctx, cancel := context.WithCancel(witness.Ctx)
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	witness.watching = append(witness.watching, func() error {
		cancel()
		return <-done
	})
}

// WatchOOM follows the kills for the memory limit of a cgroup, as harm.
func (witness *Witness) WatchOOM(dir string) {
	last := int64(0)
	witness.Watch(func() {
		for _, file := range []string{"memory.oom_control", "memory.events"} {
			raw, _ := os.ReadFile(filepath.Join(dir, file))
			for line := range strings.Lines(string(raw)) {
				if text, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
					if n, err := strconv.ParseInt(text, 10, 64); err == nil {
						witness.Tally.HarmBy("oom-kills", n-last)
						last = n
					}
				}
			}
		}
	}, 100*time.Millisecond)
}

// WatchLog follows lines that a log in Dir gets from now on: those that hold one
// of the texts are harm under that text.
func (witness *Witness) WatchLog(file string, texts ...string) {
	last := make(map[string]int64)
	look := func(note bool) {
		raw, err := os.ReadFile(filepath.Join(witness.Env.Dir, file))
		if err != nil {
			return
		}
		for _, text := range texts {
			n := int64(strings.Count(string(raw), text))
			if note {
				witness.Tally.HarmBy("log: "+text, n-last[text])
			}
			last[text] = n
		}
	}
	look(false)
	witness.Watch(func() { look(true) }, 200*time.Millisecond)
}
