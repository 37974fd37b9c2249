//go:build !linux

package replies

import (
	"context"

	"github.com/rampload/rampload/probe"
)

// Replies reads error replies between services: on Linux alone.
type Replies struct{ opts Options }

// New returns a watcher that says that it cannot.
func New(o Options) *Replies { return &Replies{opts: o} }

// Source names the source in reports.
func (r *Replies) Source() probe.Source {
	return probe.Source{Host: r.opts.Host, Name: sourceName}
}

// Missing is nil: nothing is read.
func (r *Replies) Missing() []*probe.Unsupported { return nil }

// Watch says that it cannot.
func (r *Replies) Watch(context.Context, func(probe.Event)) error {
	return &probe.Unsupported{What: sourceName, Reason: "packets are read on Linux alone"}
}
