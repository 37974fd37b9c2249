// Package runlog is the append-only record of a run: what the loader and the
// probes reported, framed, written as the run goes and read back whole.
// Everything that rampload concludes is a pure function of a Log. It knows
// nothing of how a record is interpreted (see report/diagnose).
package runlog

import (
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

// Header is what is known before the load begins.
type Header struct {
	Schema      int           `json:"schema"`
	RunID       string        `json:"run_id"` // 16 hex digits
	Name        string        `json:"name"`
	Label       string        `json:"label,omitempty"`
	Started     time.Time     `json:"started"` // wall clock at time 0
	Interval    time.Duration `json:"interval_ns"`
	Profile     string        `json:"profile"`     // YAML, redacted
	Fingerprint string        `json:"fingerprint"` // of the profile
	Rampload    string        `json:"rampload"`
	Go          string        `json:"go"`
	OS          string        `json:"os"`
	Kernel      string        `json:"kernel"`
	Host        string        `json:"host"` // host name of the generator
	CPUs        int           `json:"cpus"`
	GitCommit   string        `json:"git_commit,omitempty"`
	Targets     []Target      `json:"targets"`
	Stages      []Stage       `json:"stages"`
	Generator   Generator     `json:"generator"`
	Hosts       []Host        `json:"hosts"`
	// Role says what the machine that recorded this did in the run, Member what it
	// is called in it.
	Role   Role   `json:"role,omitempty"`
	Member string `json:"member,omitempty"`
	// Slice is which part of the schedule a worker sends, of how many: request n is
	// its own where n mod Slices == Slice. Slices is 0 where one machine sends all.
	Slice  int `json:"slice,omitempty"`
	Slices int `json:"slices,omitempty"`
}

// Role is what a machine does in a run.
type Role string

// The roles.
const (
	RoleAlone       Role = ""            // sends the load and watches
	RoleCoordinator Role = "coordinator" // sends none, others do
	RoleWorker      Role = "worker"      // sends a slice of the load
	RoleAgent       Role = "agent"       // sends no load, watches
	RoleWatcher     Role = "watcher"     // leads, while nobody sends a load but those who use the service
)

// ClockReading is one comparison of the clock of a part with the run's: four times,
// as in NTP (RFC 5905, section 8). Asked and Returned are of the run's clock,
// Received and Answered of the part's.
type ClockReading struct {
	Member   string        `json:"member"`
	Asked    time.Duration `json:"asked_ns"`
	Received time.Duration `json:"received_ns"`
	Answered time.Duration `json:"answered_ns"`
	Returned time.Duration `json:"returned_ns"`
}

// Takeover is that a worker was lost and what became of its slice of the load: what
// was due until somebody else sends it is unsent.
type Takeover struct {
	Member string        `json:"member"` // the lost one
	Slice  int           `json:"slice"`
	By     string        `json:"by,omitempty"` // who sends the slice from the window Until on; empty: nobody
	At     time.Duration `json:"at_ns"`        // when it counted as lost, on the run's clock
	Why    string        `json:"why"`
	// From is the first window of which nothing was known then, Until the first one
	// that is By's.
	From  int32 `json:"from"`
	Until int32 `json:"until"`
	// Due is what was due of the slice in the windows from From to Until, by window
	// and target. Where the record of the lost worker turns out to go on, what it
	// counted stands, and the rest is unsent.
	Due [][]uint64 `json:"due"`
	// InFlight is how many of the lost worker's requests were under way in the last
	// window that is known: their ends are not.
	InFlight int64 `json:"in_flight,omitempty"`
}

// Hand is what a person did to the load while it was sent.
type Hand struct {
	At     time.Duration `json:"at_ns"`            // from when it held
	Action string        `json:"action"`           // hold, resume, skip, scale, stop
	Factor float64       `json:"factor,omitempty"` // of a scale
	By     string        `json:"by"`               // where it was done: "terminal"
	// Stages are the load from At on; none: it ended.
	Stages []Stage `json:"stages"`
}

// Mark is what a person, or a script of theirs, said of a time: a release was begun.
type Mark struct {
	At   time.Duration `json:"at_ns"`
	Text string        `json:"text"`
}

// Target is what analysis needs to know of a target.
type Target struct {
	Name  string   `json:"name"`
	URL   string   `json:"url"`   // without user and password
	Hosts []string `json:"hosts"` // watched hosts that serve it, outermost first
	// Part says what of the target Of this counts, where it is not the requests of the
	// load: its Name is TARGET:PART then.
	Part  profiles.Role `json:"part,omitempty"`
	Of    string        `json:"of,omitempty"`
	Share float64       `json:"share"`
	// ListenPort is the port that connections go to.
	ListenPort int `json:"listen_port"`
	// Requests is how many different requests are sent to it, 0 if not known.
	Requests int `json:"requests,omitempty"`
	// Endpoints are those requests by their number in attempts, where there are not
	// too many to list.
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	// Content names the checks and extracts of a step that answers can fail, by the
	// number in [attack.Content].
	Content []string `json:"content,omitempty"`
}

// Endpoint is one of the requests that a target is sent.
type Endpoint struct {
	Name  string  `json:"name"`  // such as GET /orders/42, without secrets
	Share float64 `json:"share"` // of the target's requests
}

// Host is a watched host and the addresses that belong to it.
type Host struct {
	Name  string   `json:"name"`
	Addrs []string `json:"addrs,omitempty"` // IP addresses without ports
	// SameAs names the host whose kernel and clock this one shares: a host entry
	// without an agent lives on the generator's machine.
	SameAs string `json:"same_as,omitempty"`
	// Generator says that load is sent from the host. Where no host says so, it is
	// "local" alone.
	Generator bool `json:"generator,omitempty"`
	// Traced says that a reset trace of the host was opened before the load. Whether it told
	// of resets to the end stands in the trailer; while a run goes on there is none yet.
	Traced bool `json:"traced,omitempty"`
	// ClockError is how far the times of the host may be off the run's after
	// correction (one standard deviation); nil: not compared.
	ClockError *time.Duration `json:"clock_error_ns,omitempty"`
}

// Stage is one stage of the load as it was scheduled.
type Stage struct {
	Text  string        `json:"text"`
	Kind  string        `json:"kind"` // ramp, hold, staircase, burst, max, connections
	Start time.Duration `json:"start_ns"`
	End   time.Duration `json:"end_ns"`
	From  float64       `json:"from_rps"`
	To    float64       `json:"to_rps"`
	// PerConnection is the rate of each connection of a stage that holds
	// connections, in requests per second; 0 for others.
	PerConnection float64 `json:"per_connection_rps,omitempty"`
}

// StageAt returns the stage in which a time lies, the last one for what is behind
// it; the zero Stage without any.
func (h Header) StageAt(at time.Duration) Stage {
	for _, s := range h.Stages {
		if at < s.End {
			return s
		}
	}
	if len(h.Stages) == 0 {
		return Stage{}
	}
	return h.Stages[len(h.Stages)-1]
}

// Generator is the client's configuration that bears on its own limits.
type Generator struct {
	Engine      string        `json:"engine"`
	Connections int           `json:"connections"`
	MaxInFlight int           `json:"max_in_flight"`
	Timeout     time.Duration `json:"timeout_ns"`
	IdleTimeout time.Duration `json:"idle_timeout_ns"`
	Retries     int           `json:"retries"`
	SkipVerify  bool          `json:"tls_skip_verify"`
	NoFile      uint64        `json:"nofile"`                // own soft RLIMIT_NOFILE
	Ineffective []string      `json:"ineffective,omitempty"` // what of the profile has no effect, and why
}

// Trailer is what is known at the end.
type Trailer struct {
	Ended       time.Duration  `json:"ended_ns"` // of the load
	Interrupted bool           `json:"interrupted"`
	Aborted     string         `json:"aborted,omitempty"` // the abort-if expression
	Error       string         `json:"error,omitempty"`   // the run could not be carried out
	Sources     []probe.Status `json:"sources"`
	// ClockErrors is how far the clock of a watched host may be off the
	// generator's after correction (one standard deviation), by the host's name.
	// A host that is missing was not compared.
	ClockErrors map[string]time.Duration `json:"clock_errors_ns,omitempty"`
}

// Log is a run in memory, as read back or as collected by a test. Windows are
// in order of target and index; samples and events in order of time.
type Log struct {
	Header    Header
	Addresses []attack.Address
	Windows   [][]attack.Window // by target
	Failures  []attack.Failure
	Series    []Series
	Events    []probe.Event
	Steps     []attack.Step      // of a search, by number
	Idle      []attack.IdleSweep // of an idle stage
	Clocks    []ClockReading     // of the parts, in order of time
	Takeovers []Takeover         // of slices of lost workers, in order of time
	Hands     []Hand             // in order of time
	Marks     []Mark             // in order of time
	Trailer   *Trailer           // nil: the run log has no end
	// Truncated says that bytes at the end could not be read.
	Truncated bool
	// Folded says that the run is too long to be kept as it was recorded: windows are of
	// Header.Interval, longer than those recorded, and samples are the highest and the last
	// of such times.
	Folded bool
	// Parts are what other machines recorded of the run, as they recorded it. What
	// [Merge] returns has it in its own records too, on the run's clock.
	Parts []*Log
}

// Series is all samples of one metric.
type Series struct {
	Metric probe.Metric
	At     []time.Duration
	Value  []float64
	Limit  []float64 // NaN without
}

// NeverAnswered begins the reason of the source [OfTarget] of a target that gave no answer in
// the whole run, and at whose address something else than its protocol was found by asking:
// what was found follows.
const NeverAnswered = "no request was answered: "

// OfTarget is the source of what is known of a target beside the load.
func OfTarget(name string) probe.Source {
	return probe.Source{Host: profiles.LocalHost, Name: "target " + name}
}
