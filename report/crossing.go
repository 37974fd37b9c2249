package report

import (
	"cmp"
	"fmt"
	"math"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/judge"
	"github.com/rampload/rampload/report/series"
)

// Crossing is where the share of a target's requests that fail passes a stated share.
type Crossing = series.Crossing

// CrossingShare is the share of a crossing for which no gate states another.
const CrossingShare = series.CrossingShare

// CrossingShareOf is the share of a target's crossing that the gates ask for: that of
// the first about a crossing, else of the first about failures, else [CrossingShare].
func CrossingShareOf(gates []profiles.Gate, target string) float64 {
	share := 0.0
	for _, g := range gates {
		switch {
		case g.Of != "" && g.Of != target:
		case g.Metric == profiles.GateCrosses:
			return g.Share
		case share == 0 && g.Metric == profiles.GateFailures && g.Unit == profiles.UnitRatio && g.Value > 0 && g.Value < 1 &&
			(g.Op == profiles.Less || g.Op == profiles.LessOrEqual):
			share = g.Value
		}
	}
	return cmp.Or(share, CrossingShare)
}

// judgeCrossing judges "crosses(0.1%) > 1500/s" on the target that passes the share at
// the lowest load.
func judgeCrossing(g profiles.Gate, e *evidence) GateResult {
	r := GateResult{Unit: judge.UnitName(profiles.UnitRate), Result: GateUndecided}
	if len(e.targets) == 0 {
		r.Reason = fmt.Sprintf("no target is named %q", g.Of)
		return r
	}
	share := format.FinePercent(g.Share)
	var first, least *Crossing
	where, unproven := "", ""
	for _, t := range e.targets {
		c := e.series.Crossing(t, e.end, g.Share)
		switch {
		case c == nil:
			r.Reason = "no request of " + e.series.Names[t] + " ended"
			return r
		case c.AtS != nil && (first == nil || *c.LoadHighRPS < *first.LoadHighRPS):
			first, where = c, e.series.Names[t]
		}
		if least == nil || *c.LoadLowRPS < *least.LoadLowRPS {
			least, unproven = c, e.series.Names[t]
		}
	}
	if first == nil {
		sent := format.Rate(math.Round(e.series.Achieved(e.end)))
		proven := format.Rate(math.Floor(*least.LoadLowRPS + 1e-9))
		switch {
		case e.missing != "":
			r.Reason = fmt.Sprintf("%s; so far failures of %s stay below %s up to %s", e.missing, unproven, share, proven)
		case *least.LoadLowRPS >= judge.FairCrossing*g.Value-e.series.Roundings():
			r.Result = GatePassed
			r.Reason = fmt.Sprintf("failures stay below %s up to %s", share, sent)
		default:
			r.Reason = fmt.Sprintf("failures of %s are not seen to pass %s up to %s, but that they do not is proven up to %s only: hold %s for longer",
				unproven, share, sent, proven, format.Rate(g.Value))
		}
		return r
	}
	r.Value = first.LoadRPS
	r.Reason = fmt.Sprintf("failures of %s pass %s at %s (%s to %s) at %s", where, share, format.Rate(math.Round(*first.LoadRPS)),
		format.Number(math.Round(*first.LoadLowRPS)), format.Number(math.Round(*first.LoadHighRPS)), format.Seconds(*first.AtS))
	switch {
	case g.Op.Holds(*least.LoadLowRPS, g.Value):
		r.Result = GatePassed
	case !g.Op.Holds(*first.LoadHighRPS, g.Value):
		r.Result = GateFailed
	default:
		r.Reason += "; the interval holds " + format.Rate(g.Value) + ": send more requests near it"
	}
	return r
}
