package assemble

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

// maxAddresses bounds by_address; the busiest are kept.
const maxAddresses = 200

func targets(log *runlog.Log, series *report.Series, result diagnose.Result, gates []profiles.Gate) []report.Target {
	end := series.Len()
	if result.Generator.Limited {
		end = min(end, int(result.Generator.At/series.Interval))
	}
	sent := senders(log)
	out := make([]report.Target, len(log.Header.Targets))
	for i, h := range log.Header.Targets {
		t := report.Target{Name: h.Name, URL: h.URL, Part: h.Part, Of: h.Of, Totals: emptyTotals()}
		var fromDue, fromSend attack.Histogram
		for _, w := range windowsOf(log, i) {
			addWindow(&t.Totals, w, h.Content)
			fromDue = fromDue.Merge(w.FromDue)
			fromSend = fromSend.Merge(w.FromSend)
		}
		t.OfferedRPSMax, t.AchievedRPSMax = peaks(series, i, i+1)
		t.LatencyMS, t.LatencyFromSendMS = latency(fromDue), latency(fromSend)
		t.ByAddress = byAddress(log, i)
		t.ByRequest, t.Answers = byRequest(log, i), answersOf(log, i)
		t.ByLoad = byLoad(log.Header, series, i)
		t.FailureGroups, t.FailureGroupsLeftOut = failureGroups(log, sent, i)
		t.LatencyHeat = heat(series, i)
		t.Onset, t.Onsets, t.RecoveryRPS = onsets(log, result, h.Name)
		t.Way = way(result, h.Name)
		t.Said = said(result, h.Name)
		t.MinDetectable, t.DetectableS = detectable(result, h.Name)
		if log.Header.Role == runlog.RoleWatcher { // its load went as it liked: none is a limit
			out[i] = t
			continue
		}
		t.Crossing = series.Crossing(i, end, report.CrossingShareOf(gates, h.Name))
		if len(log.Steps) == 0 {
			t.Capacity = targetCapacity(series, i, t.Onset, result.Generator)
		}
		for _, s := range log.Idle {
			if int(s.Target) == i {
				t.Idle = new(report.DescribeIdle(s, log.Header.Generator.IdleTimeout))
			}
		}
		out[i] = t
	}
	return out
}

func windowsOf(log *runlog.Log, target int) []attack.Window {
	if target >= len(log.Windows) {
		return nil
	}
	return log.Windows[target]
}

func emptyTotals() report.Totals {
	return report.Totals{Faults: map[string]map[string]uint64{}, StatusCodes: map[string]uint64{}}
}

func runTotals(log *runlog.Log, series *report.Series) report.Totals {
	sum := emptyTotals()
	for i := range log.Header.Targets {
		if log.Header.Targets[i].Part != profiles.RoleRequests {
			continue
		}
		for _, w := range windowsOf(log, i) {
			addWindow(&sum, w, log.Header.Targets[i].Content)
		}
	}
	addParts(&sum, log)
	sum.OfferedRPSMax, sum.AchievedRPSMax = peaks(series, 0, len(series.Names))
	return sum
}

// addParts adds what came of the requests later: a transaction that came to nothing makes
// a failure of the request that was answered well. Of polls the resets count, for
// connections broke.
func addParts(sum *report.Totals, log *runlog.Log) {
	for i, h := range log.Header.Targets {
		part := emptyTotals()
		if h.Part == profiles.RoleRequests {
			continue
		}
		for _, w := range windowsOf(log, i) {
			addWindow(&part, w, h.Content)
		}
		sum.WireResets += part.WireResets
		sum.IdleResets += part.IdleResets
		if h.Part != profiles.RoleCompletion {
			continue
		}
		failed := min(part.Failed, sum.OK)
		sum.Failed, sum.OK = sum.Failed+failed, sum.OK-failed
		for fault, phases := range part.Faults {
			if fault == attack.Canceled.String() {
				continue // its request was not
			}
			if sum.Faults[fault] == nil {
				sum.Faults[fault] = map[string]uint64{}
			}
			for phase, n := range phases {
				sum.Faults[fault][phase] += n
			}
		}
	}
}

// addWindow adds a window of a target, whose checks and extracts are named.
func addWindow(t *report.Totals, w attack.Window, content []string) {
	t.Unsent += w.Unsent
	for _, s := range w.Statuses {
		t.StatusCodes[strconv.Itoa(int(s.Status))] += s.Count
	}
	for _, c := range w.Cells {
		t.WireResets += c.WireResets
		if c.Phase == attack.PhaseIdle {
			t.IdleResets += c.WireResets
		}
		switch f := c.Fault; {
		case f == attack.None:
			t.OK += c.Requests
			t.Attempts += c.Attempts
			continue
		case f == attack.Canceled:
			t.Canceled += c.Requests
		case f.Local():
			t.LocalFaults += c.Attempts
		default:
			t.Failed += c.Requests
			t.Attempts += c.Attempts
		}
		if c.Fault == attack.Reset {
			t.VisibleResets += c.Requests
		}
		n := c.Attempts
		if c.Phase == attack.PhaseIdle {
			n = c.WireResets
		}
		if n == 0 {
			continue
		}
		phases := t.Faults[c.Fault.String()]
		if phases == nil {
			phases = map[string]uint64{}
			t.Faults[c.Fault.String()] = phases
		}
		phases[c.Phase.String()] += n
		if c.Detail.IsZero() {
			continue
		}
		if t.Details == nil {
			t.Details = map[string]map[string]uint64{}
		}
		details := t.Details[c.Fault.String()]
		if details == nil {
			details = map[string]uint64{}
			t.Details[c.Fault.String()] = details
		}
		details[c.Detail.Told(content)] += n
	}
	t.Requests = t.OK + t.Failed
}

// peaks returns the highest scheduled and sent load over one second of targets
// [from, to).
func peaks(s *report.Series, from, to int) (offered, achieved float64) {
	n := min(max(1, int(time.Second/s.Interval)), s.Len())
	var scheduled, sent uint64
	for i := range s.Len() {
		for t := from; t < to; t++ {
			scheduled += s.Points[t][i].Scheduled
			sent += s.Points[t][i].Sent
			if i >= n {
				scheduled -= s.Points[t][i-n].Scheduled
				sent -= s.Points[t][i-n].Sent
			}
		}
		if i >= n-1 {
			seconds := (time.Duration(n) * s.Interval).Seconds()
			offered = max(offered, float64(scheduled)/seconds)
			achieved = max(achieved, float64(sent)/seconds)
		}
	}
	return offered, achieved
}

func latency(h attack.Histogram) report.Latency {
	if h.Total() == 0 {
		return report.Latency{}
	}
	return report.Latency{P50: quantileMS(h, 0.5), P90: quantileMS(h, 0.9), P99: quantileMS(h, 0.99), Max: number(float64(h.Max()) / 1e3)}
}

// quantileMS returns a quantile of a histogram in µs as milliseconds, nil
// without a value.
func quantileMS(h attack.Histogram, q float64) *float64 {
	v, ok := h.Quantile(q)
	if !ok {
		return nil
	}
	return number(float64(v) / 1e3)
}

// byAddress counts by remote address, the busiest first. What never had a
// connection is left out: it has no address.
func byAddress(log *runlog.Log, target int) []report.Address {
	names := map[uint16]string{}
	for _, a := range log.Addresses {
		if int(a.Target) == target {
			names[a.Index] = a.Addr.String()
		}
	}
	rows := map[string]*report.Address{}
	for _, w := range windowsOf(log, target) {
		for _, c := range w.Cells {
			name, known := names[c.Remote]
			if !known {
				continue
			}
			row := rows[name]
			if row == nil {
				row = &report.Address{Address: name, Faults: map[string]uint64{}}
				rows[name] = row
			}
			row.WireResets += c.WireResets
			if c.Fault == attack.None || c.Fault.Failure() {
				row.Attempts += c.Attempts
			}
			if c.Fault.Failure() {
				row.Failed += c.Requests
				if c.Attempts > 0 {
					row.Faults[c.Fault.String()] += c.Attempts
				}
			}
		}
	}
	out := make([]report.Address, 0, len(rows))
	for _, row := range rows {
		out = append(out, *row)
	}
	slices.SortFunc(out, func(a, b report.Address) int {
		return cmp.Or(cmp.Compare(b.Attempts, a.Attempts), cmp.Compare(a.Address, b.Address))
	})
	return out[:min(len(out), maxAddresses)]
}

// said returns what logs say of the failures of a target.
func said(result diagnose.Result, target string) []report.Said {
	for _, t := range result.Targets {
		if t.Name == target {
			return t.Said
		}
	}
	return nil
}

// way returns which way the requests of a target took; nil: not seen.
func way(result diagnose.Result, target string) *report.Way {
	for _, t := range result.Targets {
		if t.Name == target {
			return t.Way
		}
	}
	return nil
}
