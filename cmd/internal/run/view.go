package run

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/cmd/internal/broadcast"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/keep"
	"github.com/rampload/rampload/cmd/internal/live"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/cmd/internal/web"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/render"
	"github.com/rampload/rampload/report/render/layout"
	"github.com/rampload/rampload/report/runlog"
)

// view is what a person watches of a run beside the progress line: the full screen, or a
// page in a browser. The zero value shows nothing.
type view struct {
	feed     *live.Feed
	web      *web.Server // nil: no browser watches
	assets   layout.Assets
	screen   bool
	in       *os.File
	out      *os.File
	environ  []string
	progress *progress
	cast     *broadcast.Broadcast // nil: nobody else is told

	steering *schedule.Steering // nil: the load cannot be changed
	growing  *schedule.Growing
	profile  profiles.Profile
	log      *runlog.Writer
	clock    probe.Clock
	stop     context.CancelFunc
	done     sync.WaitGroup
	closing  context.CancelFunc

	suspected bool // of judge: something has failed
}

// canShow refuses a view that this process's terminal cannot show.
func canShow(env console.Env, opt Options) error {
	if !opt.UI {
		return nil
	}
	if console.NewTerminal(env).Plain {
		return console.Usage(errors.New("--ui draws the full screen, which --plain is not for: leave one of them out"))
	}
	in, inOK := env.Stdin.(*os.File)
	out, outOK := env.Stderr.(*os.File)
	if !inOK || !outOK || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) || env.Env("TERM") == "dumb" {
		return console.Usage(errors.New("--ui needs a terminal on standard input and error: leave it out, and the progress is told in lines"))
	}
	return nil
}

// watched makes the view of a run, and its load one that can be changed, where it can.
func (p *loadPlan) watched(env console.Env, id attack.RunID, c *company, opt Options, progress *progress) (*view, error) {
	v := &view{progress: progress, profile: p.Profile}
	if !opt.UI && opt.Web == "" {
		return v, nil
	}
	plan := live.Plan{Name: p.Profile.Name, Targets: TargetNames(p.Profile)}
	if opt.Label != "" {
		plan.Name += " " + opt.Label
	}
	for _, s := range stagesOf(p.Profile, p.Profile.Load, 0) {
		plan.Stages = append(plan.Stages, live.Stage{Start: s.Start, End: s.End, From: s.From, To: s.To, Text: s.Text})
	}
	switch {
	case c.sends():
		plan.Unsteered = "workers send this load"
	case p.Growing != nil:
		plan.Unsteered, plan.Stages = "a search decides its loads", nil
	case len(p.Profile.Load) == 0:
		plan.Unsteered = "this run sends no load"
	case !opt.UI: // a page has no keys
	default:
		var err error
		if v.growing, err = schedule.NewChangeable(p.Profile.Load, binary.LittleEndian.Uint64(id[:]), p.Profile.Client.PerConnection); err != nil {
			return nil, fmt.Errorf("plan the load: %w", err)
		}
		v.steering = schedule.NewSteering(v.growing)
		p.Growing, p.Rate, p.End = v.growing, v.growing.Rate, v.growing.End
		progress.plan = *p
		plan.Steered = true
	}
	v.feed = live.NewFeed(plan)
	if opt.Web != "" {
		var err error
		if v.web, err = web.Listen(opt.Web); err != nil {
			return nil, fmt.Errorf("show the run with --web: %w", err)
		}
		v.assets = opt.Assets
	}
	if !opt.UI {
		return v, nil
	}
	v.screen = true
	v.in, v.out = env.Stdin.(*os.File), env.Stderr.(*os.File)
	for _, name := range []string{"TERM", "COLORTERM", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TMUX", "STY", "WT_SESSION"} {
		if value, set := env.LookupEnv(name); set {
			v.environ = append(v.environ, name+"="+value)
		}
	}
	return v, nil
}

// on reports whether somebody watches.
func (view *view) on() bool { return view.feed != nil }

// begin shows the run, until end is called or ctx is done. The context that it returns
// ends when the person who watches ends the run.
func (view *view) begin(ctx context.Context, clock probe.Clock, log *runlog.Writer, record *keep.Record) context.Context {
	if !view.on() && !view.cast.Judges() {
		return ctx
	}
	view.clock, view.log = clock, log
	ctx, view.stop = context.WithCancel(ctx)
	showing, closing := context.WithCancel(ctx)
	view.closing = closing
	view.done.Go(func() { view.judge(showing, record) })
	if !view.on() {
		return ctx
	}
	if view.web != nil {
		view.progress.announce("watch the run at " + view.web.URL())
	}
	if view.screen {
		view.progress.hide(view.feed.Note)
		view.done.Go(func() {
			err := live.Screen(showing, view.in, view.out, view.environ, view.feed, view)
			view.progress.show()
			if err != nil {
				view.progress.warn(fmt.Sprintf("the full screen ended: %s; the run goes on", err))
			}
		})
	}
	return ctx
}

// patience is how long a terminal may take to be as it was.
const patience = 3 * time.Second

// end ends what is shown. A terminal that takes no output is left as it is.
func (view *view) end() {
	if view.closing == nil {
		return
	}
	view.closing()
	settled := make(chan struct{})
	go func() { // outlives end only while the terminal is stuck
		defer close(settled)
		view.done.Wait()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-settled:
	case <-timer.C:
	}
	view.stop()
}

func (view *view) tap(to session.Recorder) session.Recorder {
	if !view.on() {
		return to
	}
	return view.feed.Tap(to)
}

// told passes the state of the run on, once a window.
func (view *view) told(p session.Progress) {
	view.progress.update(p)
	if view.on() {
		view.feed.Progress(p)
	}
	if view.web != nil {
		view.web.Now(moment{view.progress.words(p)})
	}
}

// moment is the state of a run as the page's first line tells it.
type moment struct {
	Text string `json:"text"`
}

// over hands the page of the whole run to the browsers that watch, and ends their
// watch; nil: there is none. It is called when nothing else is shown any more.
func (view *view) over(r *report.Report) {
	if view.web == nil {
		return
	}
	var last bytes.Buffer
	if r == nil || render.HTML(&last, r, view.assets) != nil {
		view.web.Close(nil)
		return
	}
	view.web.Close(last.Bytes())
}

// show hands the page of the run so far to the browsers that watch.
func (view *view) show(r *report.Report) {
	if view.web == nil {
		return
	}
	var page bytes.Buffer
	if err := render.LiveHTML(&page, r, view.assets); err == nil {
		view.web.Page(page.Bytes())
	}
}

func (view *view) soFar(record *keep.Record) (*report.Report, error) {
	log, err := soFar(record)
	if err != nil {
		return nil, err
	}
	return input.BuildReport(log, view.profile)
}

// soFar reads what is recorded of a run that goes on.
func soFar(record *keep.Record) (*runlog.Log, error) {
	written, err := record.Written()
	if err != nil {
		return nil, err
	}
	return runlog.Read(written)
}

// A change of the load is planned so long before it holds: no window that it changes
// has been counted, and no request of it has been sent.
const changeLead = 500 * time.Millisecond

// Hold keeps the load as it is, or goes on; see [live.Controls].
func (view *view) Hold() (string, error) {
	return view.change(func(at time.Duration) (schedule.Change, error) {
		if held, _ := view.steering.Held(); held {
			return view.steering.Resume(at)
		}
		return view.steering.Hold(at)
	})
}

// Skip goes on with the next stage.
func (view *view) Skip() (string, error) {
	return view.change(func(at time.Duration) (schedule.Change, error) { return view.steering.Skip(at) })
}

// Scale multiplies what is to come.
func (view *view) Scale(factor float64) (string, error) {
	return view.change(func(at time.Duration) (schedule.Change, error) { return view.steering.Scale(at, factor) })
}

// Stop ends the run as an interrupt does.
func (view *view) Stop() {
	if at := view.clock.Now(); at > 0 {
		view.log.Hand(runlog.Hand{At: at, Action: "stop", By: "terminal"})
	}
	view.stop()
}

// change changes the load, records that and says it.
func (view *view) change(do func(at time.Duration) (schedule.Change, error)) (string, error) {
	if view.steering == nil {
		return "", nil
	}
	now := view.clock.Now()
	if now < 0 {
		return "", errors.New("the load has not begun")
	}
	at := (now + changeLead + input.WindowInterval - 1).Truncate(input.WindowInterval)
	change, err := do(at)
	if err != nil {
		return "", err
	}
	hand := runlog.Hand{At: at, Action: string(change.Action), Factor: change.Factor, By: "terminal"}
	hand.Stages = stagesOf(view.profile, change.Stages, at)
	view.log.Hand(hand)

	held, factor := view.steering.Held()
	load := live.Load{Held: held, Factor: factor}
	load.Stages = passed(view.growing.Now(), at)
	for i, s := range hand.Stages {
		if held && i == 0 { // it has no end
			s.Text = "held by hand"
			if s.Kind == (profiles.Hold{}).Kind() {
				s.Text += " at " + format.Rate(s.From)
			}
		}
		load.Stages = append(load.Stages, live.Stage{Start: s.Start, End: s.End, From: s.From, To: s.To, Text: s.Text})
	}
	view.feed.Changed(load)
	view.cast.Stages(toldStages(load.Stages))
	told := report.Hand{AtS: at.Seconds(), Action: hand.Action, Factor: hand.Factor, By: hand.By}
	if len(hand.Stages) > 0 && hand.Stages[0].Kind != (profiles.Max{}).Kind() {
		told.LoadRPS = &hand.Stages[0].From
	}
	return fmt.Sprintf("%s: %s", Clock(at), told), nil
}

// passed is a schedule until a time, as it was sent.
func passed(s *schedule.Schedule, until time.Duration) []live.Stage {
	var out []live.Stage
	for start := time.Duration(0); start < until; {
		n, _ := s.StageAt(start)
		_, end := s.StageSpan(n)
		end = min(end, until)
		from, to := s.Rate(start), s.Rate(end-1)
		out = append(out, live.Stage{Start: start, End: end, From: from, To: to, Text: format.Rate(from) + " to " + format.Rate(to)})
		start = end
	}
	return out
}

// stagesOf are stages as a run log tells them, from a time on.
func stagesOf(p profiles.Profile, stages []profiles.Stage, at time.Duration) []runlog.Stage {
	var out []runlog.Stage
	for _, s := range stages {
		end := at + s.Duration()
		from, to := s.Ends(p.Client.PerConnection)
		kind := s.Kind()
		if len(p.Journeys) > 0 { // the requests of their steps are the load, as far as it gets
			kind, from, to = "journeys", from*p.PerArrival(), to*p.PerArrival()
		}
		stage := runlog.Stage{Text: s.String(), Kind: kind, Start: at, End: end, From: from, To: to}
		if _, ok := s.(profiles.Connections); ok {
			stage.PerConnection = p.Client.PerConnection
		}
		out = append(out, stage)
		at = end
	}
	return out
}

var _ live.Controls = (*view)(nil)
