package run

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/keep"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/cmd/internal/watch"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render"
	"github.com/rampload/rampload/report/runlog"
)

// Watching makes of a run one that sends no load: it watches that of others.
type Watching struct {
	For time.Duration // 0: until it is interrupted
}

// sendsNothing returns a profile without what only a load has.
func sendsNothing(p profiles.Profile) profiles.Profile {
	p.Load, p.AbortIf, p.Gate, p.Traces = nil, nil, nil, profiles.Traces{}
	p.Fleet.Workers = 0 // its agents watch
	return p
}

// traffic is what a watch tells while it goes on. Its methods may be called from several
// goroutines.
type traffic struct {
	session.Recorder
	log   *runlog.Writer
	ports map[uint16]bool

	mu      sync.Mutex
	arrived map[probe.Metric]total // of listeners and metrics pages
	resets  uint64
}

// total is a total and by how much it grew in a second.
type total struct {
	at     time.Duration
	value  float64
	perSec float64
}

func newTraffic(to session.Recorder, log *runlog.Writer, p profiles.Profile) *traffic {
	t := &traffic{Recorder: to, log: log, ports: map[uint16]bool{}, arrived: map[probe.Metric]total{}}
	for _, target := range p.Targets {
		for _, port := range watch.ListenPorts(target) {
			t.ports[uint16(port)] = true
		}
	}
	return t
}

// Samples records readings, and keeps how many requests came in.
func (t *traffic) Samples(s []probe.Sample) {
	t.Recorder.Samples(s)
	t.seen(s)
}

// seen takes readings of other machines too.
func (t *traffic) seen(s []probe.Sample) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range s {
		if x.Metric.Name != probe.Served && (x.Metric.Name != probe.Arrived || !t.serves(x.Metric.Instance)) {
			continue
		}
		last, known := t.arrived[x.Metric]
		switch age := x.At - last.at; {
		case !known:
			t.arrived[x.Metric] = total{at: x.At, value: x.Value}
		case age >= time.Second:
			t.arrived[x.Metric] = total{x.At, x.Value, max(0, x.Value-last.value) / age.Seconds()}
		}
	}
}

func (t *traffic) serves(instance string) bool {
	addr, err := netip.ParseAddrPort(instance)
	if err != nil { // "*:8080"
		addr, err = netip.ParseAddrPort("0.0.0.0" + instance[min(1, len(instance)):])
	}
	return err == nil && t.ports[addr.Port()]
}

// Event records an event, and counts resets that were sent to clients.
func (t *traffic) Event(e probe.Event) {
	t.Recorder.Event(e)
	if e.Kind == probe.RSTSent && t.ports[e.Local.Port()] {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.resets += max(e.Count, 1)
	}
}

// tell adds what is seen of the load to the state of the run. Where a service counts
// itself, its own number is told.
func (t *traffic) tell(p session.Progress) session.Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	own, kernel := 0.0, 0.0
	for m, x := range t.arrived {
		if m.Name == probe.Served {
			own += x.perSec
		} else {
			kernel += x.perSec
		}
	}
	p.Achieved, p.WireResets, p.Failures = kernel, t.resets, t.resets
	if own > 0 {
		p.Achieved = own
	}
	return p
}

// set makes of the configuration of a session one that watches.
func (w *Watching) set(cfg *session.Config, seen *traffic, v *view, record *keep.Record) {
	told, others := cfg.Progress, cfg.Others
	cfg.Progress = func(p session.Progress) { told(seen.tell(p)) }
	cfg.Others = func(full func([]probe.Sample)) {
		others(func(s []probe.Sample) {
			full(s)
			seen.seen(s)
		})
	}
	cfg.CoolDown = 0
	cfg.After = func(ctx context.Context) error { return w.wait(ctx, cfg.Clock, seen.log, v, record) }
}

// flushEvery is how often what was recorded is handed on: a watch has no windows that do.
const flushEvery = 250 * time.Millisecond

// wait waits for the end of a watch, and says meanwhile when resets begin.
func (w *Watching) wait(ctx context.Context, clock probe.Clock, log *runlog.Writer, v *view, record *keep.Record) error {
	if w.For > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, w.For-clock.Now())
		defer stop()
	}
	var judging sync.WaitGroup
	defer judging.Wait()
	judging.Go(func() { v.announceOnsets(ctx, record) })
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			log.Flush()
		}
	}
}

// announceOnsets judges the run so far, again and again, and says what it finds once it
// does, and when that changes.
func (view *view) announceOnsets(ctx context.Context, record *keep.Record) {
	if view.on() {
		return // it is on the screen
	}
	timer := time.NewTimer(judgeEvery)
	defer timer.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		began := time.Now()
		if r, err := view.soFar(record); err == nil && begun(r) {
			f := r.Findings[0]
			if now := f.Target + f.Verdict + f.Cause; now != told {
				told = now
				view.progress.announce(console.Message(render.Finding(r)))
			}
		}
		timer.Reset(max(judgeEvery, judgeShare*time.Since(began)))
	}
}

// begun reports whether the first finding of a report is about faults whose beginning is
// known.
func begun(r *report.Report) bool {
	if len(r.Findings) == 0 {
		return false
	}
	switch f := r.Findings[0]; f.Verdict {
	case "explains", "ambiguous", "unexplained":
		return slices.ContainsFunc(r.Targets, func(t report.Target) bool { return t.Name == f.Target && t.Onset.Status != report.OnsetNone })
	}
	return false
}

// tellAddresses records the addresses of the targets: what is watched there is theirs.
func tellAddresses(log session.Recorder, p profiles.Profile, addrs [][]netip.Addr) {
	for i, t := range p.Targets {
		index := uint16(0)
		for _, port := range watch.ListenPorts(t) {
			for _, a := range addrs[i] {
				index++
				log.Address(attack.Address{Target: uint16(i), Index: index, Addr: netip.AddrPortFrom(a, uint16(port))})
			}
		}
	}
}

// blind is the error of a watch that could see nothing of its targets: they are elsewhere,
// and no host of the profile is watched by an agent or a metrics page.
func blind(p profiles.Profile, w *watch.Watched) error {
	for i := range p.Targets {
		if len(w.TargetHosts[i]) > 0 {
			return nil
		}
	}
	t := p.Targets[0]
	return console.Usage(fmt.Errorf("nothing can be seen of %s: %s is not on this machine; name the host that serves it: hosts: [{name: %s-1, agent: ssh}], and targets: [{name: %s, hosts: [%s-1]}]",
		t.Name, t.URL, t.Name, t.Name, t.Name))
}
