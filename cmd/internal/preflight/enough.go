package preflight

import (
	"fmt"
	"math"

	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/judge"
	"github.com/rampload/rampload/report/series"
)

// TooFew says that the load of a profile has too few requests to prove a gate,
// even if none fails; it is empty where it has enough, or where nobody knows: of
// a search, of a closed loop, and of what is no request.
func TooFew(p profiles.Profile, g profiles.Gate) string {
	need := judge.Enough(g)
	_, open := p.MaxRate()
	_, searches := p.SearchStage()
	stages := p.SendingStages()
	if need == 0 || !open || searches || len(stages) == 0 {
		return ""
	}
	s, err := schedule.New(stages, 0, p.Client.PerConnection)
	if err != nil {
		return "" // a run says so
	}
	share := 0.0
	for _, t := range p.Targets {
		if g.Of == "" || g.Of == t.Name {
			of := t.Share
			if t.Journey > 0 { // as far as nothing fails, each step is made once
				of = p.Journeys[t.Journey-1].Share
			}
			share += of
		}
	}
	if share == 0 {
		return "" // what is counted beside requests is not planned
	}
	planned := func(due uint64) uint64 { return uint64(math.Round(share * float64(due))) }
	due, seconds := s.Total(), input.WindowInterval.Seconds()
	if g.UpTo > 0 {
		due = 0
		before := uint64(0)
		for end := input.WindowInterval; before < s.Total() && planned(due) < need; end += input.WindowInterval {
			count := s.Count(end - 1)
			if n := count - before; series.Covers(g, float64(n)/seconds, input.WindowInterval) {
				due += n
			}
			before = count
		}
	}
	n := planned(due)
	if n >= need {
		return ""
	}
	at := ""
	if g.UpTo > 0 {
		at = " up to " + format.Rate(g.UpTo)
	}
	why := ""
	if g.Metric != profiles.GateLatency {
		why = fmt.Sprintf(", as up to %d may fail together", judge.Together)
	}
	return fmt.Sprintf("%s requests are planned%s, too few to prove it: %s without a single one beyond the limit would do%s",
		format.Count(n), at, format.Count(need), why)
}
