package meter

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/meter/family"
)

// counts is what one worker's windows of one target add up to. It adds what a report adds,
// in the same way, so that both are equal.
type counts struct {
	scheduled, sent, unsent, retries, dials, dropped uint64

	ok, failed, canceled uint64 // requests
	attempts             uint64
	wireResets           uint64 // connections
	visibleResets        uint64 // requests
	faults               [attack.Faults][attack.Phases]uint64
	statuses             map[uint16]uint64

	open, inFlight, wanted int64 // at the end of the last window

	fromDue, fromSend, lag family.Distribution
	recent                 []rate // windows of the last second
}

// rate is what was due and sent in a window.
type rate struct{ scheduled, sent uint64 }

// mostStatuses bounds the statuses of one target that are told one by one.
const mostStatuses = 40

// otherStatus stands for statuses beyond the bound.
const otherStatus = 0

func (c *counts) add(w attack.Window, inSecond int) {
	c.scheduled += w.Scheduled
	c.sent += w.Sent
	c.unsent += w.Unsent
	c.retries += w.Retries
	c.dials += w.Dials
	c.dropped += w.FailuresDropped
	c.open, c.inFlight, c.wanted = w.Open, w.InFlight, w.Wanted
	for _, s := range w.Statuses {
		if c.statuses == nil {
			c.statuses = map[uint16]uint64{}
		}
		status := s.Status
		if _, known := c.statuses[status]; !known && len(c.statuses) >= mostStatuses {
			status = otherStatus
		}
		c.statuses[status] += s.Count
	}
	for _, cell := range w.Cells {
		c.addCell(cell)
	}
	addAll(&c.fromDue, w.FromDue)
	addAll(&c.fromSend, w.FromSend)
	addAll(&c.lag, w.Lag)
	c.recent = append(c.recent, rate{w.Scheduled, w.Sent})
	c.recent = c.recent[max(0, len(c.recent)-inSecond):]
}

// addCell counts as report/assemble does.
func (c *counts) addCell(cell attack.Cell) {
	c.wireResets += cell.WireResets
	switch f := cell.Fault; {
	case f == attack.None:
		c.ok += cell.Requests
		c.attempts += cell.Attempts
		return
	case f == attack.Canceled:
		c.canceled += cell.Requests
	case !f.Local():
		c.failed += cell.Requests
		c.attempts += cell.Attempts
	}
	if cell.Fault == attack.Reset {
		c.visibleResets += cell.Requests
	}
	n := cell.Attempts
	if cell.Phase == attack.PhaseIdle {
		n = cell.WireResets
	}
	if int(cell.Fault) < attack.Faults && int(cell.Phase) < attack.Phases {
		c.faults[cell.Fault][cell.Phase] += n
	}
}

func addAll(to *family.Distribution, h attack.Histogram) {
	for _, b := range h {
		to.Add(b.Value, b.Count)
	}
}

// usual are the faults and phases that have a series from the start, so that a rate of
// them is seen from the first one on.
var usual = [...]struct {
	fault attack.Fault
	phase attack.Phase
}{
	{attack.Reset, attack.PhaseDial},
	{attack.Reset, attack.PhaseWrite},
	{attack.Reset, attack.PhaseAwait},
	{attack.Reset, attack.PhaseBody},
	{attack.Reset, attack.PhaseIdle},
	{attack.Refused, attack.PhaseDial},
	{attack.EOF, attack.PhaseAwait},
	{attack.BrokenPipe, attack.PhaseWrite},
	{attack.Timeout, attack.PhaseDial},
	{attack.Timeout, attack.PhaseAwait},
	{attack.Status, attack.PhaseDone},
}

func isUsual(f attack.Fault, p attack.Phase) bool {
	for _, u := range usual {
		if u.fault == f && u.phase == p {
			return true
		}
	}
	return false
}

// tell adds the series of one worker and target.
func (c *counts) tell(b *builder, worker, target string, perSecond float64) {
	at := func(pairs ...string) []family.Label {
		return b.labels(worker, append(pairs, "target", target)...)
	}
	b.counter("rampload_requests_scheduled_total", "Requests that the schedule wanted sent.", c.scheduled, at())
	b.counter("rampload_requests_sent_total", "Requests whose first try began.", c.sent, at())
	b.counter("rampload_requests_unsent_total", "Requests that were due and never sent: the limit of requests in flight, or the run was stopped.", c.unsent, at())
	for _, o := range []struct {
		name string
		n    uint64
	}{{"ok", c.ok}, {"failed", c.failed}, {"canceled", c.canceled}} {
		b.counter("rampload_requests_total", "Requests that ended, by how: ok, failed (a fault of the target) or canceled.", o.n, at("outcome", o.name))
	}
	b.counter("rampload_attempts_total", "Tries on the wire, without canceled ones and faults of the generator.", c.attempts, at())
	b.counter("rampload_retries_total", "Tries after the first of their request.", c.retries, at())
	b.counter("rampload_dials_total", "Connections that were opened, or tried to be.", c.dials, at())
	b.counter("rampload_wire_resets_total", "Connections on which a RST was seen, busy or idle, each once.", c.wireResets, at())
	b.counter("rampload_visible_resets_total", "Requests that finally failed because of a reset.", c.visibleResets, at())
	b.counter("rampload_failures_not_kept_total", "Failures that are counted and not kept one by one.", c.dropped, at())
	for f := attack.None + 1; int(f) < attack.Faults; f++ {
		for p := range attack.Phase(attack.Phases) {
			if n := c.faults[f][p]; n > 0 || isUsual(f, p) {
				b.counter("rampload_faults_total", "Failed attempts by fault and phase; resets at idle are connections.", n, at("fault", f.String(), "phase", p.String()))
			}
		}
	}
	for _, s := range slices.SortedFunc(maps.Keys(c.statuses), func(x, y uint16) int { return cmp.Compare(x, y) }) {
		name := "other"
		if s != otherStatus {
			name = strconv.Itoa(int(s))
		}
		b.counter("rampload_responses_total", "Complete responses by status.", c.statuses[s], at("status", name))
	}
	b.gauge("rampload_connections_open", "Open connections.", float64(c.open), at())
	b.gauge("rampload_connections_wanted", "Connections that a stage wants held.", float64(c.wanted), at())
	b.gauge("rampload_requests_in_flight", "Requests that are under way.", float64(c.inFlight), at())
	var scheduled, sent uint64
	for _, r := range c.recent {
		scheduled, sent = scheduled+r.scheduled, sent+r.sent
	}
	share := perSecond / max(1, float64(len(c.recent)))
	b.gauge("rampload_offered_requests_per_second", "Load that was offered over the last second.", float64(scheduled)*share, at())
	b.gauge("rampload_achieved_requests_per_second", "Load that was sent over the last second.", float64(sent)*share, at())
	b.histogram("rampload_request_duration_seconds", "Time of successful requests from when they were due.", &c.fromDue, at())
	b.histogram("rampload_response_duration_seconds", "Time of successful requests from when their last try began.", &c.fromSend, at())
	b.histogram("rampload_schedule_lag_seconds", "By how much the generator sent requests late.", &c.lag, at())
}
