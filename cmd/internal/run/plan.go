package run

import (
	"fmt"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/ramp"
	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/cmd/internal/topic"
	"github.com/rampload/rampload/profiles"
)

// loadPlan is how the load of a profile is sent: by a schedule that is known, or by
// one that grows as a search goes on; an idle stage sends none.
type loadPlan struct {
	profile profiles.Profile // with the stages that send load only
	Growing *schedule.Growing
	Rate    func(at time.Duration) float64
	End     func() time.Duration
	// watching: others send the load; nil: it is sent.
	watching *Watching
}

func PlanLoad(p profiles.Profile) (loadPlan, error) {
	out := loadPlan{profile: p}
	out.profile.Load = p.SendingStages()
	switch _, searches := p.SearchStage(); {
	case searches:
		out.Growing = new(schedule.Growing)
		out.Rate, out.End = out.Growing.Rate, out.Growing.End
	case len(out.profile.Load) == 0:
		out.Rate, out.End = func(time.Duration) float64 { return 0 }, func() time.Duration { return 0 }
	default:
		s, err := schedule.New(out.profile.Load, 0, p.Client.PerConnection)
		if err != nil {
			return out, fmt.Errorf("plan the load: %w", err)
		}
		each := p.PerArrival()
		out.Rate, out.End = func(at time.Duration) float64 { return each * s.Rate(at) }, s.End
	}
	return out, nil
}

// loader returns what sends the load, nil if there is none.
func (p loadPlan) loader(id attack.RunID, start func() time.Time, ended func(attack.Attempt), c *company) (attack.Loader, error) {
	switch {
	case len(p.profile.Load) == 0:
		return nil, nil
	case c.sends():
		return c.loader, nil
	}
	return p.Engine(ramp.Config{RunID: id, Start: start, Ended: ended})
}

// Engine returns what sends the load, or a slice of it, from this machine.
func (p loadPlan) Engine(cfg ramp.Config) (attack.Loader, error) {
	cfg.Profile, cfg.Window, cfg.Schedule, cfg.Open = p.profile, input.WindowInterval, p.Growing, protocol.Open
	cfg.Subscribe = topic.Subscribe
	if p.profile.Client.Engine == profiles.EngineDirect {
		return ramp.NewDirect(cfg)
	}
	return ramp.NewVegeta(cfg)
}

// search returns the search of the profile, nil if it has none.
func (p loadPlan) search(step func(attack.Step), c *company) *session.Search {
	stage, ok := p.profile.SearchStage()
	if !ok {
		return nil
	}
	var schedule session.Extender = p.Growing
	if c.sends() {
		schedule = c.lead.Schedule(p.Growing)
	}
	return &session.Search{Stage: stage, Gates: p.profile.SearchGates(), Client: p.profile.Client, Schedule: schedule, Step: step}
}
