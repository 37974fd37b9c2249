package cli

import (
	"fmt"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/ramp"
	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/assemble"
	"github.com/rampload/rampload/report/runlog"
)

// loadPlan is how the load of a profile is sent: by a schedule that is known, or by
// one that grows as a search goes on; an idle stage sends none.
type loadPlan struct {
	profile profiles.Profile // with the stages that send load only
	growing *schedule.Growing
	rate    func(at time.Duration) float64
	end     func() time.Duration
}

func planLoad(p profiles.Profile) (loadPlan, error) {
	out := loadPlan{profile: p}
	out.profile.Load = p.SendingStages()
	switch _, searches := p.SearchStage(); {
	case searches:
		out.growing = new(schedule.Growing)
		out.rate, out.end = out.growing.Rate, out.growing.End
	case len(out.profile.Load) == 0:
		out.rate, out.end = func(time.Duration) float64 { return 0 }, func() time.Duration { return 0 }
	default:
		s, err := schedule.New(out.profile.Load, 0, p.Client.PerConnection)
		if err != nil {
			return out, fmt.Errorf("plan the load: %w", err)
		}
		out.rate, out.end = s.Rate, s.End
	}
	return out, nil
}

// loader returns what sends the load, nil if there is none.
func (p loadPlan) loader(id attack.RunID, start time.Time) (attack.Loader, error) {
	if len(p.profile.Load) == 0 {
		return nil, nil
	}
	cfg := ramp.Config{Profile: p.profile, RunID: id, Start: start, Window: windowInterval, Schedule: p.growing, Open: protocol.Open}
	if p.profile.Client.Engine == profiles.EngineDirect {
		return ramp.NewDirect(cfg)
	}
	return ramp.NewVegeta(cfg)
}

// search returns the search of the profile, nil if it has none.
func (p loadPlan) search(log *runlog.Writer) *session.Search {
	stage, ok := p.profile.SearchStage()
	if !ok {
		return nil
	}
	return &session.Search{Stage: stage, Gates: p.profile.SearchGates(), Client: p.profile.Client, Schedule: p.growing, Step: log.Step}
}

// searched is the search of a profile as a report needs it.
func searched(p profiles.Profile) *assemble.Search {
	stage, ok := p.SearchStage()
	if !ok {
		return nil
	}
	return &assemble.Search{Stage: stage, Until: p.SearchGates()}
}
