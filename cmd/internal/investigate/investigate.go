// Package investigate carries out the experiments that tell apart what a report left
// open. It says what it is about to send before it sends it, never sends more than the run
// had, and writes what was learnt into a report. Which experiment tells most, and what
// follows from it, is decided in report/investigate; what sends the load is handed in.
package investigate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/format"
	tell "github.com/rampload/rampload/report/investigate"
)

// Bounds of an investigation.
const (
	Shortest = 3 * time.Second  // that one experiment may send load for
	Usual    = 15 * time.Second // without another wish
	Longest  = 30 * time.Second
	most     = 6 // experiments, beside the load unchanged
)

// Send carries one load out and returns its report. The name is that of the experiment. An
// error means that nothing was learnt; a report that was interrupted or aborted has what
// was sent until then.
type Send func(ctx context.Context, name string, p profiles.Profile) (*report.Report, error)

// Options are what an investigation needs beyond the report and its profile.
type Options struct {
	For    time.Duration // of each experiment: Shortest to Longest
	Direct string        // URL of the service behind the proxy; empty: it is not gone around
	Send   Send
	Stdout io.Writer // is told what is done
}

// Result is what came of it.
type Result struct {
	Report      *report.Report // the old one with what was learnt
	Decided     bool           // one cause is left
	Interrupted bool
}

// ErrNothing matches reports that leave nothing to tell apart.
var ErrNothing = errors.New("nothing to tell apart")

// Check refuses options out of range.
func (o Options) Check() error {
	if o.For < Shortest || o.For > Longest {
		return fmt.Errorf("--for %s is out of range: write a duration from %s to %s", o.For, Shortest, Longest)
	}
	return nil
}

// Run makes experiments until one cause is left or none can tell the others apart. The
// error matches ErrNothing where the report leaves nothing open.
func Run(ctx context.Context, before *report.Report, p profiles.Profile, opt Options) (Result, error) {
	target, belief, err := open(before)
	if err != nil {
		return Result{}, err
	}
	plan, err := tell.NewPlan(before, p, target, opt.For)
	if err != nil {
		return Result{}, err
	}
	plan.Direct = opt.Direct
	plan.First, plan.Beside = sources(p, target)
	v := &investigation{plan: plan, opt: opt, belief: belief, explores: len(belief) == 0, told: report.Investigation{
		Target: target, Started: time.Now().UTC().Truncate(time.Second), LoadRPS: plan.Load, Experiments: []report.Experiment{}, Candidates: []report.Candidate{},
	}}
	v.announce()
	if err := v.experiments(ctx); err != nil {
		return Result{}, err
	}
	for _, c := range v.belief {
		was := slices.IndexFunc(belief, func(b tell.Candidate) bool { return b.Cause == c.Cause })
		v.told.Candidates = append(v.told.Candidates, report.Candidate{Cause: c.Cause, Before: belief[was].Share, After: c.Share})
	}
	v.told.Depends = tell.Depends(v.told.Experiments)
	v.told.Confirm = confirmable(before, v.belief)
	decided := v.belief.Decided() && len(v.told.Experiments) > 0
	v.sum(decided)
	return Result{Report: tell.Conclude(before, v.told), Decided: decided, Interrupted: v.interrupted}, nil
}

// open returns what a report leaves open of its first target: causes, or none where the
// failures are unexplained.
func open(r *report.Report) (target string, b tell.Belief, err error) {
	target, b = tell.From(r)
	switch {
	case len(r.Findings) == 0:
		return "", nil, fmt.Errorf("%w: the report has no finding", ErrNothing)
	case b.Decided(), r.Findings[0].Verdict == "explains":
		return "", nil, fmt.Errorf("%w: the report explains the failures of %s by %s (%.2f)", ErrNothing, target, b[0].Cause, b[0].Share)
	case len(b) == 0 && r.Findings[0].Verdict != "unexplained":
		return "", nil, fmt.Errorf("%w: its verdict is %s", ErrNothing, r.Findings[0].Verdict)
	}
	return target, b, nil
}

// investigation is one that is under way.
type investigation struct {
	plan        *tell.Plan
	opt         Options
	belief      tell.Belief // most likely first; empty where nothing is suspected
	explores    bool        // nothing is suspected: it looks for what failures depend on
	told        report.Investigation
	interrupted bool
	repeated    bool // the load unchanged was sent again after failures had gone
}

// announce says what may come, before any of it.
func (v *investigation) announce() {
	loads := 1 + min(most, len(v.plan.Can())) + 1
	length := v.opt.For.Seconds() * float64(loads)
	v.say("At most %d loads of %s to %s, none above %s/s, which is no more than the run had sent:\nabout %s requests in all. Ctrl-C ends it; abort-if of the profile ends a load early.\n\n",
		loads, format.Seconds(v.opt.For.Seconds()), v.told.Target, format.Number(v.plan.Load), format.Number(v.plan.Load*length))
}

func (v *investigation) say(format string, args ...any) { fmt.Fprintf(v.opt.Stdout, format, args...) }

// experiments sends the load of the onset unchanged, and then with the one thing changed
// that tells most of what is left.
func (v *investigation) experiments(ctx context.Context) error {
	same := v.plan.Reference()
	v.begin("unchanged", "the load of the onset once more", same, "")
	reference, err := v.send(ctx, "unchanged", same)
	if err != nil {
		return err
	}
	if v.told.Ended != "" {
		return nil
	}
	v.told.Requests, v.told.Failed = uint64(reference.Requests), uint64(reference.Failed)
	v.outcome(reference, "")
	if reference.Failed < 5 || reference.Share() < 0.001 {
		v.told.Ended = "the load of the onset alone does not bring the failures back: they need what came before it, or time"
		return nil
	}
	can := v.plan.Can()
	for len(v.told.Experiments) < most {
		e, ok := v.next(can)
		if !ok {
			break
		}
		can = slices.DeleteFunc(can, func(x inquiry.Experiment) bool { return x == e })
		if err := v.experiment(ctx, e, reference); err != nil || v.told.Ended != "" {
			return err
		}
	}
	switch {
	case v.belief.Decided():
		v.told.Ended = "one cause is left"
	case len(v.told.Experiments) == most:
		v.told.Ended = fmt.Sprintf("%d experiments were made", most)
	case v.explores:
		v.told.Ended = "all that this profile allows to change was changed"
	default:
		v.told.Ended = "no experiment that this profile allows tells apart what is left"
	}
	return nil
}

func (v *investigation) next(can []inquiry.Experiment) (inquiry.Experiment, bool) {
	if v.explores {
		return tell.Explore(can)
	}
	return v.belief.Next(can)
}

// experiment makes one, and holds it against the load unchanged.
func (v *investigation) experiment(ctx context.Context, e inquiry.Experiment, reference tell.Counts) error {
	changed, what, _ := v.plan.Change(e)
	goes, stays := v.belief.Tells(e)
	v.begin(string(e), what, changed, predictions(goes, stays))
	counts, err := v.send(ctx, string(e), changed)
	if err != nil || v.told.Ended != "" {
		return err
	}
	result := tell.Compare(reference, counts)
	follows := told(result, goes, stays)
	if result == inquiry.Goes && !v.repeated {
		// Failures that went away by themselves would look the same.
		v.outcome(counts, "they end; once more unchanged, whether they come back")
		again, err := v.send(ctx, "unchanged-again", v.plan.Reference())
		if err != nil || v.told.Ended != "" {
			return err
		}
		v.repeated = true
		if again.Share() < reference.Share()/2 {
			v.told.Ended = "the failures went away by themselves meanwhile: nothing follows from that"
			v.outcome(again, "they do not come back")
			return nil
		}
		v.outcome(again, "they come back: "+follows)
	} else {
		v.outcome(counts, follows)
	}
	v.belief = v.belief.After(e, result)
	v.told.Experiments = append(v.told.Experiments, report.Experiment{
		Name: string(e), Changed: what, Requests: uint64(counts.Requests), Failed: uint64(counts.Failed), Outcome: result.String(), Tells: follows,
	})
	return nil
}

// send carries one load out and counts what became of the target's requests. It sets why
// no more is to be sent, where that is so.
func (v *investigation) send(ctx context.Context, name string, p profiles.Profile) (c tell.Counts, err error) {
	if rate := tell.Rate(p); rate > v.plan.Load*1.0001 {
		return c, fmt.Errorf("experiment %s: it would send %.0f/s, more than the run's %.0f/s", name, rate, v.plan.Load)
	}
	r, err := v.opt.Send(ctx, name, p)
	switch {
	case ctx.Err() != nil, err == nil && r.Interrupted:
		v.interrupted, v.told.Ended = true, "interrupted"
		return c, nil
	case err != nil && name != "unchanged":
		v.told.Ended = fmt.Sprintf("%s could not be sent: %s", name, err)
		return c, nil
	case err != nil:
		return c, err
	}
	for _, t := range r.Targets {
		if t.Name == v.plan.Target {
			c = tell.Counts{Requests: float64(t.Requests), Failed: float64(t.Failed)}
		}
	}
	// What is sent a little late still is the same load; what is not sent is another.
	if planned := tell.Rate(p) * tell.Length(p).Seconds(); r.Generator.Limited && r.Aborted == "" && c.Requests < 0.8*planned {
		v.told.Ended = "this machine was the limit: " + r.Generator.Reason
		return c, nil
	}
	if r.Aborted != "" {
		v.say("%-17sabort-if ended it early: %s\n", "", r.Aborted)
	}
	return c, nil
}

// begin announces a load before it is sent.
func (v *investigation) begin(name, what string, p profiles.Profile, predicts string) {
	rate, length := tell.Rate(p), tell.Length(p).Seconds()
	v.say("%-17s%s; %s at %s/s at most, about %s requests\n", name, what, format.Seconds(length), format.Number(rate), format.Number(rate*length))
	if predicts != "" {
		v.say("%-17s%s\n", "", predicts)
	}
}

func (v *investigation) outcome(c tell.Counts, told string) {
	v.say("%-17s%s of %s requests failed (%.2g%%)", "", format.Number(c.Failed), format.Number(c.Requests), 100*c.Share())
	if told != "" {
		v.say(": %s", told)
	}
	v.say("\n\n")
}

// sum says what is left.
func (v *investigation) sum(decided bool) {
	word := "OPEN"
	if decided {
		word = "DECIDED"
	}
	v.say("%s  %s: %s\n", word, v.told.Target, v.told.Ended)
	if v.told.Depends != "" {
		v.say("%s\n", v.told.Depends)
	}
	for i, c := range v.told.Candidates {
		if i == 0 {
			v.say("\n")
		}
		v.say("  %-28s %.2f, was %.2f\n", c.Cause, c.After, c.Before)
	}
	if v.told.Confirm != "" {
		v.say("\nto prove it  %s\n", v.told.Confirm)
	}
}

// predictions says what an experiment would show of each cause that is left.
func predictions(goes, stays []string) string {
	var parts []string
	if len(goes) > 0 {
		parts = append(parts, "failures end if it is "+strings.Join(goes, " or "))
	}
	if len(stays) > 0 {
		parts = append(parts, "they stay if it is "+strings.Join(stays, " or "))
	}
	return strings.Join(parts, ", ")
}

// told says what follows from an outcome.
func told(o inquiry.Outcome, goes, stays []string) string {
	switch {
	case o == inquiry.Unsure:
		return "fewer fail, or too few to tell"
	case o == inquiry.Goes && len(goes) > 0:
		return "they end, as with " + strings.Join(goes, " or ")
	case o == inquiry.Goes && len(stays) > 0:
		return "they end, which speaks against " + strings.Join(stays, " and ")
	case o == inquiry.Goes:
		return "they end"
	case len(stays) > 0:
		return "they stay, as with " + strings.Join(stays, " or ")
	case len(goes) > 0:
		return "they stay, which speaks against " + strings.Join(goes, " and ")
	}
	return "they stay"
}

// confirmable says how the user can prove a cause whose limit can be changed, empty where
// there is none.
func confirmable(r *report.Report, b tell.Belief) string {
	if len(b) == 0 {
		return ""
	}
	for _, f := range r.Findings {
		if f.Cause == b[0].Cause && f.Resource != "" {
			return fmt.Sprintf("raise only the limit of %s on %s, and run: rampload confirm REPORT", strings.ReplaceAll(f.Resource, "-", " "), f.Host)
		}
	}
	return ""
}
