// Package run carries a profile out in three phases: it prepares what the load needs before
// any of it is sent, records the run, and concludes with the verdict of what was recorded.
package run

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/input"
	"github.com/rampload/rampload/cmd/internal/keep"
	"github.com/rampload/rampload/cmd/internal/spans"
	"github.com/rampload/rampload/cmd/internal/watch"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render/layout"
	"github.com/rampload/rampload/report/runlog"
)

const (
	// baseline is the time until the load begins: the probes are opened in it, and
	// look long enough for rates of counters and for what was full from the start.
	baseline = 2 * time.Second
	CoolDown = time.Second
)

// Options are what a run needs beyond its profile.
type Options struct {
	*input.Globals
	SampleEvery time.Duration
	Trace       bool
	Baseline    input.Baseline
	UI          bool          // show the run on the full screen
	Web         string        // address at which browsers can watch; empty: none
	Assets      layout.Assets // of the page there
	Metrics     string        // address at which Prometheus fetches; empty: as the profile says
	Watch       *Watching     // nil: the load of the profile is sent
}

// Finished is a run that was carried out, well or not.
type Finished struct {
	Report  *report.Report
	log     *runlog.Log
	Path    string
	logPath string
}

// Run carries a profile out from preflight to printed report. From its first load
// on no file, and no reader of the output, can end it.
func Run(ctx context.Context, env console.Env, p profiles.Profile, opt Options) (*Finished, error) {
	run := &running{env: env, terminal: console.NewTerminal(env), profile: p, sends: p, opt: opt}
	defer run.release()
	if err := run.prepare(ctx); err != nil {
		return nil, err
	}
	if err := run.record(ctx); err != nil {
		return nil, err
	}
	return run.conclude(ctx)
}

// running is a run under way. Each phase fills what the later ones need.
type running struct {
	env      console.Env
	terminal console.Terminal
	profile  profiles.Profile
	sends    profiles.Profile // without the load that others send, and with the hosts that were found
	opt      Options
	atEnd    []func() // what is given back at the end, the last first

	// Of prepare.
	id       attack.RunID
	plan     loadPlan
	stderr   *console.Voice
	progress *progress
	files    *keep.Outputs
	begun    bool // the files are the run's
	company  *company
	others   *watch.Agents
	places   profiles.Profile // the hosts and targets of sends, with pods found
	addrs    [][]netip.Addr   // of each target
	view     *view
	tracing  *spans.Tracing
	loader   attack.Loader
	start    time.Time // when the load begins
	warnings []string

	// Of record.
	kept       *keep.Record
	log        *runlog.Writer
	watched    *watch.Watched
	unanswered *unanswered
}

// later has something done at the end of the run, before what stands there already.
func (run *running) later(do func()) { run.atEnd = append(run.atEnd, do) }

func (run *running) release() {
	for _, do := range slices.Backward(run.atEnd) {
		do()
	}
}

func TargetNames(p profiles.Profile) []string {
	var names []string
	for _, c := range p.Counted() {
		names = append(names, c.Name)
	}
	return names
}

// Roles returns what is counted under each of the names of [TargetNames].
func Roles(p profiles.Profile) []profiles.Role {
	var roles []profiles.Role
	for _, c := range p.Counted() {
		roles = append(roles, c.Role)
	}
	return roles
}
