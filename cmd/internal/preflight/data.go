package preflight

import (
	"fmt"
	"math"
	"slices"

	"github.com/rampload/rampload/attack/fill"
	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/format"
)

// TooFewRows says which tables whose rows are used once have fewer rows than the load
// needs, with both numbers. Nothing is said of a search and of a closed loop, whose requests
// nobody can count beforehand.
func TooFewRows(p profiles.Profile) []string {
	stages := p.SendingStages()
	if _, searches := p.SearchStage(); searches || len(stages) == 0 {
		return nil
	}
	s, err := schedule.New(stages, 0, p.Client.PerConnection)
	if err != nil {
		return nil // a run says so
	}
	var out []string
	for i, table := range p.Data {
		rows, share := float64(len(table.Rows)), shareOfTable(p, i)
		need := math.Round(share * float64(s.Total()))
		if table.Pick != profiles.PickOnce || need <= rows {
			continue
		}
		at, _ := s.Due(uint64(rows / share))
		out = append(out, fmt.Sprintf("data %s: the load needs about %s rows, each once, and there are %s: it will end after about %s; add rows, or write pick: sequential",
			table.Name, format.Number(need), format.Number(rows), format.Seconds(at.Seconds())))
	}
	return out
}

// shareOfTable returns which share of all arrivals takes a row of a table.
func shareOfTable(p profiles.Profile, table int) float64 {
	scope := fill.Scope{Tables: p.Data}
	takes := func(r profiles.Request) bool { return slices.Contains(scope.TablesOf(r), table) }
	share := 0.0
	for _, t := range p.Targets {
		all, of := 0.0, 0.0
		for _, r := range t.Requests {
			all += r.Weight
			if takes(r) {
				of += r.Weight
			}
		}
		if all > 0 && t.Journey == 0 {
			share += t.Share * of / all
		}
	}
	for _, j := range p.Journeys { // whose users keep their rows for all steps
		if slices.ContainsFunc(j.Steps, func(s profiles.Step) bool { return takes(s.Request) }) {
			share += j.Share
		}
	}
	return share
}
