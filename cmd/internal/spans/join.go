package spans

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/traces"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/redaction"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/runlog"
)

// Tracing is what a run does about traces. A nil one does nothing.
type Tracing struct {
	cfg      Config
	exporter *Exporter // nil: no spans are sent
}

// Open begins what a profile asks for; nil where it asks for nothing. An error is one of
// the configuration.
func Open(cfg Config) (*Tracing, error) {
	t := &Tracing{cfg: cfg}
	if !cfg.Profile.Traces.To.Given() && !cfg.Profile.Traces.From.Given() {
		return nil, nil
	}
	if cfg.Profile.Traces.To.Given() && cfg.Profile.Fleet.Workers == 0 {
		var err error
		if t.exporter, err = New(cfg); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Ended takes the attempts whose spans are sent; it is nil where none are.
func (t *Tracing) Ended() func(attack.Attempt) {
	if t == nil || t.exporter == nil {
		return nil
	}
	return t.exporter.Take
}

// Stop ends the sending where the run did not begin.
func (t *Tracing) Stop() {
	if t != nil && t.exporter != nil {
		_, _ = t.exporter.Close()
	}
}

// interruptedFor is how long a store is asked after a run that was interrupted: whoever
// did wants to see the end.
const interruptedFor = 4 * time.Second

// Finish sends what is left, and asks for the traces of the failed requests of a record.
// read returns the record so far, and tell says what takes its time. The statuses and the
// warnings say what is missing.
func (t *Tracing) Finish(ctx context.Context, read func() (*runlog.Log, error), tell func(string), emit func(probe.Event)) (statuses []probe.Status, warnings []string) {
	if t == nil {
		return nil, nil
	}
	p := t.cfg.Profile
	if p.Traces.To.Given() {
		s := probe.Status{Source: probe.Source{Host: profiles.LocalHost, Name: "traces sent"}, State: probe.Measured}
		if t.exporter == nil {
			s.State, s.Reason = probe.NotMeasured, "workers send the load, and no spans of their own"
		} else if sent, missing := t.exporter.Close(); missing != "" {
			s.State, s.Reason = probe.Partial, "traces not sent: "+missing
			if sent == 0 {
				s.State = probe.NotMeasured
			}
			warnings = append(warnings, s.Reason)
		}
		statuses = append(statuses, s)
	}
	if !p.Traces.From.Given() {
		return statuses, warnings
	}
	log, err := read()
	if err != nil {
		return statuses, append(warnings, "traces not joined: "+err.Error())
	}
	wanted, failed := Wanted(log, t.cfg.RunID, p.Traces)
	if len(wanted) == 0 {
		s := probe.Status{Source: probe.Source{Host: profiles.LocalHost, Name: "traces"}, State: probe.Measured}
		if failed > 0 {
			s.State, s.Reason = probe.NotMeasured, fmt.Sprintf("not joined: services were asked to record none of the %s requests that failed (traces.sample is %s)", format.Count(failed), spelling.FormatPercent(p.Traces.Sample))
			warnings = append(warnings, "traces "+s.Reason)
		}
		return append(statuses, s), warnings
	}
	from := p.Traces.From
	if ctx.Err() != nil {
		from.Within = interruptedFor
	}
	n := 0
	for _, w := range wanted {
		if !w.Good {
			n++
		}
	}
	tell(fmt.Sprintf("asking for the traces of %s failed requests, for at most %s", format.Count(uint64(n)), spelling.FormatDuration(cmp.Or(from.Within, profiles.DefaultSpansWithin))))
	redact := redaction.Of(p)
	s := traces.Collect(context.WithoutCancel(ctx), from, wanted, Service, func(e probe.Event) {
		e.Reason, e.Trace.Operation, e.Trace.Peer = redact.Redact(e.Reason), redact.Redact(e.Trace.Operation), redact.Redact(e.Trace.Peer)
		emit(e)
	})
	s.Reason = redact.Redact(s.Reason)
	if s.State == probe.NotMeasured {
		warnings = append(warnings, "traces "+s.Reason)
	}
	return append(statuses, s), warnings
}

// Bounds of what is asked for.
const (
	mostOfKind = 60 // failed requests that look alike
	mostFailed = 300
	mostGood   = 60
)

// Wanted returns which traces of a run are asked for: of failed requests that services were
// asked to record, some of each kind, evenly over time, and some of good ones to compare.
// Where services record by themselves (sample: 0%), any may be there. failed is how many
// failed requests were kept.
func Wanted(log *runlog.Log, run attack.RunID, tr profiles.Traces) (wanted []traces.Wanted, failed uint64) {
	type kind struct {
		target uint16
		fault  attack.Fault
		status uint16
		detail attack.Detail
	}
	sampling := attack.TracingOf(tr)
	kinds := map[kind][]*attack.Failure{}
	bad := map[uint64]bool{}
	var order []kind
	for i := range log.Failures {
		f := &log.Failures[i]
		if f.Phase == attack.PhaseIdle || f.Held || !f.Fault.Failure() || bad[f.Request] {
			continue
		}
		bad[f.Request] = true
		failed++
		if sampling.Any() && !sampling.Samples(run, f.Request) {
			continue
		}
		k := kind{f.Target, f.Fault, f.Status, f.Detail}
		if kinds[k] == nil {
			order = append(order, k)
		}
		kinds[k] = append(kinds[k], f)
	}
	for _, k := range order {
		of := kinds[k]
		n := min(len(of), mostOfKind, mostFailed-len(wanted))
		for i := range n {
			f := of[i*len(of)/n]
			wanted = append(wanted, traces.Wanted{ID: run.TraceID(f.Request).String(), At: f.End})
		}
	}
	if len(wanted) == 0 {
		return nil, failed
	}
	return append(wanted, goodOnes(log, run, sampling, bad)...), failed
}

// goodOnes returns some of the requests that went well, of those that services were asked
// to record. Where not all failures were kept, nobody knows which they are.
func goodOnes(log *runlog.Log, run attack.RunID, sampling attack.Tracing, bad map[uint64]bool) (out []traces.Wanted) {
	var sent, dropped uint64
	for _, windows := range log.Windows {
		for _, w := range windows {
			sent += w.Sent
			dropped += w.FailuresDropped
		}
	}
	if dropped > 0 || !sampling.Any() || sent == 0 {
		return nil
	}
	step := max(sent/(4*mostGood), 1) // spread over the run: from each step the first that is sampled
	for from := uint64(0); from < sent && len(out) < mostGood; from += step {
		for n := from; n < min(from+step, sent); n++ {
			if !bad[n] && sampling.Samples(run, n) {
				out = append(out, traces.Wanted{ID: run.TraceID(n).String(), Good: true})
				break
			}
		}
	}
	return slices.Clip(out)
}
