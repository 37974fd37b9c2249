// Package plan makes of the load of a profile what sends it: by a schedule that is known,
// or by one that grows as a search goes on.
package plan

import (
	"fmt"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/ramp"
	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/topic"
	"github.com/rampload/rampload/profiles"
)

// Load is how the load of a profile is sent; an idle stage sends none.
type Load struct {
	Profile profiles.Profile  // with the stages that send load only
	Growing *schedule.Growing // of a search; nil: the schedule is known
	// Rate is what is offered at a time since the load began, in requests per second of all
	// targets, and End is when the last is due.
	Rate func(at time.Duration) float64
	End  func() time.Duration
}

// Of plans the load of a profile.
func Of(p profiles.Profile) (Load, error) {
	out := Load{Profile: p}
	out.Profile.Load = p.SendingStages()
	switch _, searches := p.SearchStage(); {
	case searches:
		out.Growing = new(schedule.Growing)
		out.Rate, out.End = out.Growing.Rate, out.Growing.End
	case len(out.Profile.Load) == 0:
		out.Rate, out.End = func(time.Duration) float64 { return 0 }, func() time.Duration { return 0 }
	default:
		s, err := schedule.New(out.Profile.Load, 0, p.Client.PerConnection)
		if err != nil {
			return out, fmt.Errorf("plan the load: %w", err)
		}
		each := p.PerArrival()
		out.Rate, out.End = func(at time.Duration) float64 { return each * s.Rate(at) }, s.End
	}
	return out, nil
}

// Engine returns what sends the load, or a slice of it, from this machine.
func (l Load) Engine(cfg ramp.Config) (attack.Loader, error) {
	cfg.Profile, cfg.Window, cfg.Schedule, cfg.Open = l.Profile, input.WindowInterval, l.Growing, protocol.Open
	cfg.Subscribe = topic.Subscribe
	if l.Profile.Client.Engine == profiles.EngineDirect {
		return ramp.NewDirect(cfg)
	}
	return ramp.NewVegeta(cfg)
}
