package fleet

import (
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// watch begins an agent's record of a run.
func (j *job) watch(o protocol.Order) protocol.Answer {
	m, r := j.member, *o.Request
	r.Version, r.RunID = protocol.Version, o.Run
	if err := r.Check(); err != nil {
		return protocol.Answer{Error: err.Error()}
	}
	sources, hosts := m.Watch(j.ctx, r, m.Clock)
	kept, err := j.record(o.Part)
	if err != nil {
		sources.Close()
		return protocol.Answer{Error: err.Error()}
	}
	header := agentHeader(r, m.Clock, hosts, m.Info)
	log, err := runlog.NewWriter(kept, header)
	if err != nil {
		sources.Close()
		kept.Close()
		return protocol.Answer{Error: err.Error()}
	}
	m.say("watching for run %s as %s", o.Run, r.Name)
	j.wg.Go(func() { flush(j.ctx, log) })
	j.wg.Go(func() {
		defer kept.Close()
		to := &bounded{log: log, full: kept.Full, now: m.Clock.Now, source: probe.Source{Host: r.Name, Name: string(runlog.RoleAgent)}}
		if err := observe(j.ctx, r, m.Clock, sources, log, to); err != nil {
			m.say("the record of run %s is not whole: %s", o.Run, err)
		}
	})
	return protocol.Answer{Header: header}
}

// bounded records as long as there is room, and marks the time in which there was
// none: a partition that lasts must not fill a machine.
type bounded struct {
	log    *runlog.Writer
	full   func() bool
	now    func() time.Duration
	source probe.Source

	mu     sync.Mutex
	paused bool
	since  time.Duration
}

var _ session.Recorder = (*bounded)(nil)

// room reports whether there is room, and marks the end of a time without.
func (b *bounded) room() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	full := b.full()
	switch now := b.now(); {
	case full && !b.paused:
		b.paused, b.since = true, now
	case !full && b.paused:
		b.paused = false
		b.log.Event(probe.Event{Kind: probe.Gap, At: b.since, Source: b.source, Host: b.source.Host, Value: (now - b.since).Seconds()})
	}
	return !full
}

// Samples records readings while there is room.
func (b *bounded) Samples(s []probe.Sample) {
	if b.room() {
		b.log.Samples(s)
	}
}

// Event records an event while there is room.
func (b *bounded) Event(e probe.Event) {
	if b.room() {
		b.log.Event(e)
	}
}

// Address, Window and Failure are of load, which an agent does not send.
func (b *bounded) Address(attack.Address) {}

// Window does nothing.
func (b *bounded) Window(attack.Window) {}

// Failure does nothing.
func (b *bounded) Failure(attack.Failure) {}
