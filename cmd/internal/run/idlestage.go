package run

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/idle"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/runlog"
)

// idleStage returns what carries the idle stage of a profile out, nil if it has
// none: a sweep of every target, side by side, each with a handful of connections.
func idleStage(p profiles.Profile, id attack.RunID, log *runlog.Writer, progress *progress) func(context.Context) error {
	stage, ok := p.IdleStage()
	if !ok {
		return nil
	}
	return func(ctx context.Context) error {
		stop := progress.idling(stage)
		defer stop()
		var wg sync.WaitGroup
		for i, t := range p.Targets {
			wg.Go(func() {
				s, err := sweepTarget(ctx, t, p.Client, p.Data, id, stage)
				if errors.Is(err, context.Canceled) {
					return
				}
				s.Target = uint16(i)
				if err != nil {
					s.Error = err.Error()
				}
				log.IdleSweep(s)
			})
		}
		wg.Wait()
		return nil
	}
}

// sweepTarget finds out how long idle connections to one target live. A target
// that could not be asked is no reason to end the run: the error is for its
// report.
func sweepTarget(ctx context.Context, t profiles.Target, c profiles.Client, tables []profiles.Table, id attack.RunID, stage profiles.Idle) (attack.IdleSweep, error) {
	out := attack.IdleSweep{From: stage.From, To: stage.To}
	if t.File != "" {
		first := t.Bases()[0]
		t.URL, t.Requests, t.File, t.Read = first.URL, first.Requests[:1], "", nil
	}
	cfg := idle.Config{Target: t, Client: c, Data: tables, RunID: id, Min: stage.From, Max: stage.To}
	if t.Speaks() != profiles.SpeaksHTTP {
		cfg.Exchange = protocol.New
	}
	sweep, err := idle.Find(ctx, cfg)
	if err != nil {
		if errors.Is(err, idle.ErrNoKeepAlive) {
			err = fmt.Errorf("%w: none of its connections is ever idle", idle.ErrNoKeepAlive)
		}
		return out, err
	}
	return RecordOf(sweep, out), nil
}

// RecordOf turns a sweep into its record.
func RecordOf(s idle.Result, out attack.IdleSweep) attack.IdleSweep {
	out.End, out.Alive, out.Gone = string(s.End), s.Alive, s.Gone
	for _, t := range s.Tries {
		out.Tries = append(out.Tries, attack.IdleTry{Planned: t.Planned, Lasted: t.Lasted, End: string(t.End)})
	}
	return out
}
