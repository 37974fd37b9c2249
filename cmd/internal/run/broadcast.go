package run

import (
	"cmp"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/broadcast"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/fleet"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/live"
	"github.com/rampload/rampload/cmd/internal/meter"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/redaction"
)

// broadcasts begins to tell services beyond the run of it, as its profile and the flags
// say; nil: nobody is told.
func broadcasts(p profiles.Profile, plan loadPlan, id attack.RunID, start time.Time, opt Options, progress *progress) (*broadcast.Broadcast, error) {
	export := p.Export
	export.Listen = cmp.Or(opt.Metrics, export.Listen)
	told := meter.Plan{
		Run: id.String(), Name: p.Name, Label: opt.Label, Rampload: console.Version(), Engine: string(p.Client.Engine),
		Started: start, Targets: TargetNames(p), Interval: input.WindowInterval,
	}
	for _, g := range p.RunGates() {
		told.Gates = append(told.Gates, g.Text)
	}
	if plan.Growing == nil && plan.watching == nil {
		for _, s := range stagesOf(p, plan.Profile.Load, 0) {
			told.Stages = append(told.Stages, meter.Stage{Start: s.Start, End: s.End, Kind: s.Kind, Text: s.Text})
		}
	}
	redact := redaction.Of(p)
	return broadcast.Open(broadcast.Config{
		Export: export, Notify: p.Notify, Plan: told, Redact: redact.Redact, Say: progress.announce, Warn: progress.warn,
	})
}

// observer is what others' records are shown to; nil: nothing is.
func (view *view) observer() fleet.Observer {
	if m := view.cast.Meter(); m != nil {
		return m
	}
	return nil
}

// toldStages are stages as they were changed by hand.
func toldStages(stages []live.Stage) []meter.Stage {
	out := make([]meter.Stage, len(stages))
	for i, s := range stages {
		out[i] = meter.Stage{Start: s.Start, End: s.End, Text: s.Text}
	}
	return out
}
