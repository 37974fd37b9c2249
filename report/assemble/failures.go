package assemble

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/runlog"
)

// maxGroups bounds the groups of failures of a target; the largest are kept.
const maxGroups = 400

// flow is a connection as its sender of a RST names it: from, to.
type flow struct{ from, to netip.AddrPort }

// senders are the RSTs that the kernels of hosts told of, by connection and in order
// of time: a port is used again.
func senders(log *runlog.Log) map[flow][]probe.Event {
	out := map[flow][]probe.Event{}
	for _, e := range log.Events {
		if (e.Kind == probe.RSTSent || e.Kind == probe.RSTRejected) && e.Remote.IsValid() {
			f := flow{unmapped(e.Local), unmapped(e.Remote)}
			out[f] = append(out[f], e)
		}
	}
	for _, list := range out {
		slices.SortStableFunc(list, func(a, b probe.Event) int { return cmp.Compare(a.At, b.At) })
	}
	return out
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// sameReset is how far apart the clocks of both ends may see one RST.
const sameReset = 2 * time.Second

// senderOf finds who sent the RST of a failed attempt, to us or from here.
func senderOf(sent map[flow][]probe.Event, f attack.Failure) (sender, reason string) {
	local, remote := unmapped(f.Conn.Local), unmapped(f.Conn.Remote)
	best := sameReset
	for _, way := range []flow{{remote, local}, {local, remote}} {
		for _, e := range sent[way] {
			if apart := (e.At - f.End).Abs(); apart <= best {
				best = apart
				sender, reason = report.Resource{Host: e.Host, Process: e.Process, PID: int(e.PID)}.Owner(), e.Reason
				if e.Kernel != nil && e.Kernel.Path != "" {
					reason = e.Kernel.Path
				}
			}
		}
	}
	return sender, reason
}

// step is the lower end of the step of 1, 2, 5, 10, 20 ... in which v lies.
func step(v float64) *float64 {
	low := 0.0
	for decade := 1.0; decade <= v && decade < 1e9; decade *= 10 {
		for _, m := range []float64{1, 2, 5} {
			if m*decade <= v {
				low = m * decade
			}
		}
	}
	return &low
}

// failureGroups groups the failures of a target that were kept one by one.
func failureGroups(log *runlog.Log, sent map[flow][]probe.Event, target int) (groups []report.FailureGroup, leftOut uint64) {
	type key struct {
		report.FailureGroup
		idle, served float64
	}
	counts := map[key]uint64{}
	for _, f := range log.Failures {
		if int(f.Target) != target || f.Fault == attack.Canceled {
			continue
		}
		k := key{idle: math.Inf(1), served: math.Inf(1)}
		k.Fault, k.Phase, k.State = f.Fault.String(), f.Phase.String(), report.ConnectionNone
		if !f.Detail.IsZero() {
			k.Detail = f.Detail.Told(log.Header.Targets[target].Content)
		}
		if f.Conn.ID != 0 {
			k.State = report.ConnectionFresh
		}
		if f.Conn.Remote.IsValid() {
			k.Address = f.Conn.Remote.String()
		}
		if f.Conn.Reused || f.Phase == attack.PhaseIdle {
			k.State = report.ConnectionReused
			k.idle = *step(float64(f.Conn.Idle) / float64(time.Millisecond))
			k.served = *step(float64(f.Conn.Served))
		}
		k.Sender, k.Reason = senderOf(sent, f)
		counts[k]++
	}
	for k, n := range counts {
		g := k.FailureGroup
		g.IdleMS, g.Served, g.Count = number(k.idle), number(k.served), n
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b report.FailureGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Fault, b.Fault), cmp.Compare(a.Phase, b.Phase),
			cmp.Compare(a.Detail, b.Detail), cmp.Compare(a.State, b.State), cmp.Compare(a.Address, b.Address),
			cmp.Compare(a.Sender, b.Sender), cmp.Compare(a.Reason, b.Reason),
			cmp.Compare(orZero(a.IdleMS), orZero(b.IdleMS)), cmp.Compare(orZero(a.Served), orZero(b.Served)))
	})
	for _, w := range windowsOf(log, target) {
		leftOut += w.FailuresDropped
	}
	if len(groups) > maxGroups {
		for _, g := range groups[maxGroups:] {
			leftOut += g.Count
		}
		groups = groups[:maxGroups]
	}
	return groups, leftOut
}

func orZero(v *float64) float64 {
	if v == nil {
		return -1
	}
	return *v
}

// The heat map has at most this many intervals, and this many steps to a decade.
const (
	maxHeatRows   = 240
	stepsOfDecade = 6
)

// heat is the latency of a target over time, nil without a success.
func heat(series *report.Series, target int) *report.Heat {
	n := series.Len()
	factor := max(1, (n+maxHeatRows-1)/maxHeatRows)
	lowest, highest := math.MaxInt, 0
	bin := func(us int64) int {
		return int(math.Ceil(stepsOfDecade * math.Log10(max(1, float64(us)))))
	}
	for i := range n {
		for _, b := range series.Points[target][i].Latency {
			lowest, highest = min(lowest, bin(b.Value)), max(highest, bin(b.Value))
		}
	}
	if lowest > highest {
		return nil
	}
	out := &report.Heat{IntervalMS: float64(time.Duration(factor)*series.Interval) / float64(time.Millisecond)}
	for b := lowest; b <= highest; b++ {
		upper := math.Pow(10, float64(b)/stepsOfDecade) / 1e3
		out.UpperMS = append(out.UpperMS, math.Round(upper*1e4)/1e4)
	}
	for from := 0; from < n; from += factor {
		row := make([]uint64, len(out.UpperMS))
		for i := from; i < min(n, from+factor); i++ {
			for _, b := range series.Points[target][i].Latency {
				row[bin(b.Value)-lowest] += b.Count
			}
		}
		out.Counts = append(out.Counts, row)
	}
	return out
}

// faultCounts are the failed attempts of a target by fault and window of their due
// time, idle resets among them, for rows of factor windows.
func faultCounts(log *runlog.Log, target, rows, factor int) map[string][]*float64 {
	out := map[string][]*float64{}
	for _, w := range windowsOf(log, target) {
		for _, c := range w.Cells {
			n := c.Attempts
			if c.Phase == attack.PhaseIdle {
				n = c.WireResets
			}
			row := int(max(0, c.DueWindow)) / factor
			if n == 0 || c.Fault == attack.None || c.Fault == attack.Canceled || row >= rows {
				continue
			}
			column := out[c.Fault.String()]
			if column == nil {
				column = make([]*float64, rows)
				for i := range column {
					column[i] = new(float64)
				}
				out[c.Fault.String()] = column
			}
			*column[row] += float64(n)
		}
	}
	return out
}
