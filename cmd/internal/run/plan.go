package run

import (
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/ramp"
	"github.com/rampload/rampload/cmd/internal/plan"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/profiles"
)

// loadPlan is how the load is sent: from here, by workers, or by others that are watched.
type loadPlan struct {
	plan.Load
	watching *Watching // others send the load; nil: it is sent
}

func planLoad(p profiles.Profile) (loadPlan, error) {
	load, err := plan.Of(p)
	return loadPlan{Load: load}, err
}

// loader returns what sends the load, nil if there is none.
func (p loadPlan) loader(id attack.RunID, start func() time.Time, ended func(attack.Attempt), c *company) (attack.Loader, error) {
	switch {
	case len(p.Profile.Load) == 0:
		return nil, nil
	case c.sends():
		return c.loader, nil
	}
	return p.Engine(ramp.Config{RunID: id, Start: start, Ended: ended})
}

// search returns the search of the profile, nil if it has none.
func (p loadPlan) search(step func(attack.Step), c *company) *session.Search {
	stage, ok := p.Profile.SearchStage()
	if !ok {
		return nil
	}
	var schedule session.Extender = p.Growing
	if c.sends() {
		schedule = c.lead.Schedule(p.Growing)
	}
	return &session.Search{Stage: stage, Gates: p.Profile.SearchGates(), Client: p.Profile.Client, Schedule: schedule, Step: step}
}
