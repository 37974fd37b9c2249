//go:build !linux

package neighbours

import (
	"context"
	"runtime"

	"github.com/rampload/rampload/probe"
)

// Watcher cannot be opened on this system.
type Watcher struct{ options Options }

// New returns a watcher that watches nothing.
func New(o Options) *Watcher { return &Watcher{options: o} }

// Source names the watcher in reports.
func (w *Watcher) Source() probe.Source { return w.options.source() }

// Watch returns an error that matches [probe.ErrUnsupported].
func (w *Watcher) Watch(context.Context, func(probe.Event)) error {
	return &probe.Unsupported{What: "neighbours", Reason: "this system is " + runtime.GOOS, Needs: "Linux"}
}
