package input

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/profiles"
)

const WindowInterval = 250 * time.Millisecond

// Flags are the flags of a run.
type Flags struct {
	Profile     string
	Targets     []string
	Scale       float64
	NoTrace     bool
	SampleEvery time.Duration
	Baseline    string
	only        []string
	Once        bool   // not of check
	UI          bool   // not of check
	Web         string // not of check
	Metrics     string // not of check
	Investigate bool   // of run
}

func (r *Flags) Register(f *pflag.FlagSet) {
	f.StringVarP(&r.Profile, "profile", "p", "", "profile to run: a `FILE`, or builtin:demo, builtin:peak, builtin:spike, builtin:soak")
	f.StringArrayVar(&r.Targets, "target", nil, "send a target's load to another URL: `NAME=URL` (repeatable)")
	f.Float64Var(&r.Scale, "scale", 1, "multiply every rate of the profile by `FACTOR`")
	f.DurationVar(&r.SampleEvery, "sample-every", WindowInterval, "how often the probes read: `DURATION` from 100ms")
	f.StringArrayVar(&r.only, "only", nil, "leave out all targets but this, with their share of the load: `TARGET` (repeatable)")
	f.BoolVar(&r.NoTrace, "no-trace", false, "do not trace or capture resets in the kernel")
}

// RegisterAll adds what only a run of its own takes.
func (r *Flags) RegisterAll(f *pflag.FlagSet) {
	r.Register(f)
	BaselineFlag(f, &r.Baseline)
	ViewFlags(f, &r.UI, &r.Web)
	MetricsFlag(f, &r.Metrics)
	f.BoolVar(&r.Once, "once", false, "send each request once, show the answers, and end")
	f.BoolVar(&r.Investigate, "investigate", false, "where the run leaves several causes open: tell them apart by experiments (see rampload investigate)")
}

// ViewFlags adds how a run can be watched besides its line of progress.
func ViewFlags(f *pflag.FlagSet, ui *bool, web *string) {
	f.StringVar(web, "web", "", "show the run in a browser: `ADDRESS` such as :8089, this machine only; beyond it, such as 0.0.0.0:8089, with a token")
	f.BoolVar(ui, "ui", false, "show the run on the full screen, with keys to hold the load, skip a stage, scale and stop")
}

// MetricsFlag adds where Prometheus fetches a run's metrics.
func MetricsFlag(f *pflag.FlagSet, metrics *string) {
	f.StringVar(metrics, "metrics", "", "let Prometheus fetch the metrics of the run: `ADDRESS` such as :9464, this machine only; see rampload help metrics")
}

// RegisterWatch adds what a watch takes of the flags of a run.
func (r *Flags) RegisterWatch(f *pflag.FlagSet) {
	r.Scale = 1
	f.StringArrayVar(&r.Targets, "target", nil, "watch a target at another URL: `NAME=URL` (repeatable)")
	f.DurationVar(&r.SampleEvery, "sample-every", WindowInterval, "how often the probes read: `DURATION` from 100ms")
	f.StringArrayVar(&r.only, "only", nil, "leave out all targets but this: `TARGET` (repeatable)")
	f.BoolVar(&r.NoTrace, "no-trace", false, "do not trace or capture resets in the kernel")
	f.StringVar(&r.Web, "web", "", "show the watch in a browser: `ADDRESS` such as :8089, this machine only; beyond it, such as 0.0.0.0:8089, with a token")
	f.BoolVar(&r.UI, "ui", false, "show the watch on the full screen")
	MetricsFlag(f, &r.Metrics)
}

// Check refuses values of flags that are out of range.
func (r *Flags) Check() error {
	if r.SampleEvery < 100*time.Millisecond || r.SampleEvery > 10*time.Second {
		return console.Usage(fmt.Errorf("--sample-every %s is out of range: write a duration from 100ms to 10s", r.SampleEvery))
	}
	return nil
}

// Globals are the flags of every command.
type Globals struct {
	Set       []string
	Label     string
	Out       string
	LogFormat string
	Quiet     bool

	// Reflect asks gRPC targets for their schema: see yaml.Options. Nil: they are not asked.
	Reflect func(profiles.Target, profiles.Client) ([]byte, error)
}
