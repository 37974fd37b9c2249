package meter

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/rampload/rampload/cmd/internal/meter/family"
	"github.com/rampload/rampload/probe"
)

const (
	// mostResources and mostSenders bound the series of hosts; what comes later is not
	// told one by one.
	mostResources = 1000
	mostSenders   = 200
	// forgetAfter is after what time without a reading a resource is not told any more:
	// its process has ended.
	forgetAfter = 30 * time.Second
)

// others is in the place of names beyond a bound.
const others = "(others)"

// place is a metric that one machine read.
type place struct {
	worker string
	metric probe.Metric
}

// reading is its latest value.
type reading struct {
	value, limit float64
	kind         probe.Kind
	unit         string
	cumulative   bool
	at           time.Time // on this machine's clock
}

// sender is who sent resets, and why.
type sender struct{ worker, host, process, reason string }

// Samples takes readings that a machine made: limits and capacities with their limits,
// and counters that move only when something was full.
func (m *Meter) Samples(worker string, samples []probe.Sample) {
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range samples {
		def, known := m.definition(s.Metric.Name)
		if !known || math.IsNaN(s.Value) {
			continue
		}
		limited := def.Kind == probe.HardLimit || def.Kind == probe.Utilisation
		if limited && !(s.Limit > 0) || !limited && def.Kind != probe.Counter {
			continue
		}
		key := place{worker, s.Metric}
		if _, known := m.resources[key]; !known && len(m.resources) >= mostResources {
			m.forget(now)
			if len(m.resources) >= mostResources {
				m.leftOut++
				continue
			}
		}
		m.resources[key] = reading{s.Value, s.Limit, def.Kind, def.Unit, def.Cumulative, now}
	}
}

// definition looks the catalogue up once for each name.
func (m *Meter) definition(name string) (probe.Definition, bool) {
	d, known := m.catalogue[name]
	return d, known
}

// forget drops what was not read for a while.
func (m *Meter) forget(now time.Time) {
	for k, r := range m.resources {
		if now.Sub(r.at) > forgetAfter {
			delete(m.resources, k)
		}
	}
}

// Event takes what a machine saw: who sent resets.
func (m *Meter) Event(worker string, e probe.Event) {
	if e.Kind != probe.RSTSent && e.Kind != probe.RSTRejected {
		return
	}
	s := sender{worker: worker, host: e.Host, process: cmp.Or(e.Process, e.Comm), reason: e.Reason}
	if k := e.Kernel; k != nil {
		s.process = cmp.Or(s.process, k.OwnerComm)
		s.reason = cmp.Or(k.Path, s.reason)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.senders[s]; !known && len(m.senders) >= mostSenders {
		s = sender{worker: worker, host: e.Host, process: others, reason: others}
	}
	m.senders[s] += max(e.Count, 1)
}

// tellHosts adds the series of hosts.
func (m *Meter) tellHosts(b *builder) {
	keys := make([]place, 0, len(m.resources))
	for k := range m.resources {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y place) int {
		return cmp.Or(cmp.Compare(x.metric.Name, y.metric.Name), cmp.Compare(x.metric.Host, y.metric.Host), cmp.Compare(x.metric.Process, y.metric.Process),
			cmp.Compare(x.metric.PID, y.metric.PID), cmp.Compare(x.metric.Instance, y.metric.Instance), cmp.Compare(x.worker, y.worker))
	})
	for _, k := range keys {
		r, pid := m.resources[k], ""
		if k.metric.PID != 0 {
			pid = strconv.Itoa(int(k.metric.PID))
		}
		labels := b.labels(k.worker, "host", k.metric.Host, "process", k.metric.Process, "pid", pid, "resource", k.metric.Name, "instance", k.metric.Instance, "unit", r.unit)
		if r.kind == probe.Counter {
			b.addOnce(family.Counter, "rampload_exhaustion_total", "What a kernel or a service counts only when something was full, since its start.", r.value, labels)
			continue
		}
		b.once("rampload_resource_used", "What is in use of a resource that has a limit.", r.value, labels)
		b.once("rampload_resource_limit", "The limit of a resource.", r.limit, labels)
	}
	senders := make([]sender, 0, len(m.senders))
	for s := range m.senders {
		senders = append(senders, s)
	}
	slices.SortFunc(senders, func(x, y sender) int {
		return cmp.Or(cmp.Compare(x.host, y.host), cmp.Compare(x.process, y.process), cmp.Compare(x.reason, y.reason), cmp.Compare(x.worker, y.worker))
	})
	for _, s := range senders {
		b.addOnce(family.Counter, "rampload_resets_sent_total", "RSTs that the kernel of a watched host saw sent, by who sent them and why.", float64(m.senders[s]),
			b.labels(s.worker, "host", s.host, "process", s.process, "reason", s.reason))
	}
	b.counter("rampload_series_left_out_total", "Readings that are not told: there are too many resources.", m.leftOut, b.labels(Local))
}
