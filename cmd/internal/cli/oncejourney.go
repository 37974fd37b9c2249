package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/journey"
	"github.com/rampload/rampload/attack/ramp"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
)

// service is what a journey asks, over one connection.
type service struct {
	client attack.Client
	via    attack.Slot
}

func serviceKey(j profiles.Journey, step int) string {
	at := j.Service(step)
	return at.URL + " " + at.ConnectTo + " " + at.ServerName
}

// journey makes a journey once, and shows the answer of each step.
func (o *once) journey(ctx context.Context, p profiles.Profile, index int, j profiles.Journey) error {
	script, err := journey.Compile(j)
	if err != nil {
		return console.Usage(err)
	}
	var steps []profiles.Target
	for _, t := range p.Targets {
		if t.Journey == index+1 {
			steps = append(steps, t)
		}
	}
	services := make(map[string]service)
	for i, t := range steps {
		key := serviceKey(j, i)
		if _, open := services[key]; open {
			continue
		}
		cfg := attack.ClientConfig{
			Profile: t, Client: p.Client, Data: p.Data, Vars: script.Vars(), RunID: o.id, Tracing: attack.TracingOf(p.Traces),
			Clock: func() time.Duration { return time.Since(o.start) },
		}
		cfg.Profile.Requests, cfg.Profile.Expect = nil, nil // the steps judge their answers
		client, err := protocol.Open(cfg)
		if err != nil {
			return console.Usage(fmt.Errorf("step %s: %w", t.Name, err))
		}
		defer client.Close()
		defer context.AfterFunc(ctx, client.Abort)()
		via := client.Slot()
		defer via.Close()
		services[key] = service{client, via}
	}
	var first attack.Attempt
	for _, t := range steps {
		if !o.fill.Fill(t.Requests[0], &first) {
			return console.Usage(fmt.Errorf("journey %s: a table has no rows left for it", j.Name))
		}
	}
	user := ramp.Travel(script, first.Fill)
	for i, t := range steps {
		if pause := user.Pause(); i > 0 && pause > 0 {
			fmt.Fprintf(o.w, "(a pause of %s)\n\n", spelling.FormatDuration(pause.Round(time.Millisecond)))
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
		to := services[serviceKey(j, i)]
		compiled, err := to.client.Compile(t.Requests[0])
		if err != nil {
			return console.Usage(fmt.Errorf("step %s: %w", t.Name, err))
		}
		a := attack.Attempt{Request: uint64(o.sent)}
		more := user.Do(to.via, compiled, &a)
		if ctx.Err() != nil {
			return &console.Error{Code: report.ExitInterrupted, Err: errors.New("interrupted")}
		}
		o.sent++
		if a.Fault != attack.None {
			o.failed++
		}
		o.show(ctx, t, t.Requests[0], a)
		if left := len(steps) - i - 1; !more && left > 0 {
			fmt.Fprintf(o.w, "the journey ends here, %s before its end\n\n", format.Counted(left, "step"))
			break
		}
	}
	return nil
}
