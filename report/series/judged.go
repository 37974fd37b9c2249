package series

import (
	"slices"

	"github.com/rampload/rampload/profiles"
)

// Role returns what a target of the series counts.
func (series *Series) Role(target int) profiles.Role {
	if target >= len(series.Roles) {
		return profiles.RoleRequests
	}
	return series.Roles[target]
}

// Judged returns the positions of the targets that a gate is judged on; none when no
// target has its name. A gate about failures is one about transactions that were accepted
// too, one about latencies is not, and polls count where wire resets do.
func (series *Series) Judged(g profiles.Gate) []int {
	var out []int
	for i, name := range series.Names {
		role := series.Role(i)
		if g.Of != "" && name != g.Of && (role != profiles.RoleCompletion || name != g.Of+":"+string(role)) {
			continue
		}
		named := g.Of == name
		var counts bool
		switch g.Metric {
		case profiles.GateLost:
			counts = role == profiles.RoleCompletion
		case profiles.GateFailures, profiles.GateOnset, profiles.GateCrosses:
			counts = named || !role.Aside()
		case profiles.GateWireResets:
			counts = named || role == profiles.RoleRequests || role == profiles.RoleStatus
		default:
			counts = named || role == profiles.RoleRequests
		}
		if counts {
			out = append(out, i)
		}
	}
	return out
}

// Tally returns what a gate counts of a target in a window: see [Point.Tally]. A
// transaction that came to nothing is a failure of the request that it began with, which
// counts already.
func (series *Series) Tally(g profiles.Gate, target, window int) Tally {
	t := series.Points[target][window].Tally(g)
	if g.Metric == profiles.GateFailures && series.Role(target) == profiles.RoleCompletion && series.Names[target] != g.Of {
		t.N = 0
	}
	return t
}

// Unknown returns of how many transactions that a gate is about nobody knows what became
// of them, in windows that are included.
func (series *Series) Unknown(g profiles.Gate, includes func(window int) bool) uint64 {
	var n uint64
	if g.Metric != profiles.GateLost && g.Metric != profiles.GateFailures {
		return 0
	}
	for _, i := range series.Judged(g) {
		if series.Role(i) != profiles.RoleCompletion {
			continue
		}
		for w := range series.Points[i] {
			if includes(w) {
				n += series.Points[i][w].Unknown
			}
		}
	}
	return n
}

// Requests returns the positions of the targets that are requests of the load.
func (series *Series) Requests() []int {
	return slices.DeleteFunc(series.Index(""), func(i int) bool { return series.Role(i) != profiles.RoleRequests })
}
