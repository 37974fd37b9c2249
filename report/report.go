// Package report holds what a run showed: the versioned Report, the judgement
// of gates over it and the comparison of reports across releases. It imports
// the domain packages only, and the arithmetic that it stands on: report/series
// counts, report/judge and report/compare decide. report/assemble makes Reports
// from run logs and report/render prints them.
//
// Field names of the JSON are a stable interface: more may be added, none is
// changed within a schema. Every load is the total offered load over all
// targets in requests per second, as profiles state it. A value that was not
// measured is null, never 0.
package report

import (
	"strconv"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/answers"
	"github.com/rampload/rampload/report/judge"
)

// Schema is the version of the report that this package writes.
const Schema = 1

// Report is the record of one run.
type Report struct {
	Schema        int          `json:"schema"`
	Name          string       `json:"name"`
	Label         string       `json:"label,omitempty"`
	Started       time.Time    `json:"started"` // instant of at_s 0: the load begins
	Ended         time.Time    `json:"ended"`
	Complete      bool         `json:"complete"` // false: the run log has no end (a crash)
	Interrupted   bool         `json:"interrupted"`
	ExitCode      int          `json:"exit_code"`
	Aborted       string       `json:"aborted,omitempty"` // the abort-if expression that struck
	Error         string       `json:"error,omitempty"`   // why the run could not be carried out
	Profile       Profile      `json:"profile"`
	Environment   Environment  `json:"environment"`
	Totals        Totals       `json:"totals"`
	Targets       []Target     `json:"targets"`
	Journeys      []Journey    `json:"journeys,omitempty"`    // by their steps, which are targets too
	Completions   []Completion `json:"completions,omitempty"` // what became of the transactions that targets accepted
	Resources     []Resource   `json:"resources"`
	Findings      []Finding    `json:"findings"` // the first is the verdict
	Gates         []GateResult `json:"gates"`
	Capacity      *Capacity    `json:"capacity,omitempty"` // of a search
	Hands         []Hand       `json:"hands,omitempty"`    // what was done to the load by hand: it is not the profile's
	Watched       []Counted    `json:"watched,omitempty"`  // how the load was counted that others sent; empty: rampload sent it
	Marks         []Mark       `json:"marks,omitempty"`    // what people said of times, in their order
	Baseline      *Baseline    `json:"baseline,omitempty"` // what the run was held against
	Generator     Generator    `json:"generator"`
	Sources       []Source     `json:"sources"`
	Traces        *TraceCount  `json:"traces,omitempty"` // of failed transactions, that a store was asked for
	Events        []Event      `json:"events"`
	EventsLeftOut int          `json:"events_left_out"`
	Windows       Windows      `json:"windows"`
	Warnings      []string     `json:"warnings,omitempty"`
	// Investigation is what experiments told of what the run left open.
	Investigation *Investigation `json:"investigation,omitempty"`
}

// Investigation is the load at the onset sent again, each time with one thing changed,
// to tell causes apart that look alike from one run.
type Investigation struct {
	Target      string       `json:"target"`
	Started     time.Time    `json:"started"`
	LoadRPS     float64      `json:"load_rps"` // of all targets
	Requests    uint64       `json:"requests"` // of the load unchanged, to the target
	Failed      uint64       `json:"failed"`
	Experiments []Experiment `json:"experiments"`
	Candidates  []Candidate  `json:"candidates"` // most likely first
	Ended       string       `json:"ended"`      // why no more experiments were made
	// Depends says what the failures depend on, and on what not; empty: nothing showed.
	Depends string `json:"depends,omitempty"`
	Confirm string `json:"confirm,omitempty"`
}

// Experiment is one of them.
type Experiment struct {
	Name     string `json:"name"`
	Changed  string `json:"changed"` // what was
	Requests uint64 `json:"requests"`
	Failed   uint64 `json:"failed"`
	Outcome  string `json:"outcome"` // goes, stays, unsure: what became of the failures
	Tells    string `json:"tells"`   // what follows
}

// Candidate is a cause with its share of belief before and after the experiments.
type Candidate struct {
	Cause  string  `json:"cause"`
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

// Profile is the profile that was run, redacted, and what identifies it.
type Profile struct {
	YAML        string   `json:"yaml"`
	Fingerprint string   `json:"fingerprint"` // equal for runs that may be compared
	Engine      string   `json:"engine"`
	DurationS   float64  `json:"duration_s"`
	MaxRPS      *float64 `json:"max_rps"` // null for a closed loop
	Stages      []Stage  `json:"stages,omitempty"`
}

// Stage is one stage of the load as it was scheduled.
type Stage struct {
	Kind    string  `json:"kind"` // ramp, hold, staircase, burst, max, connections
	StartS  float64 `json:"start_s"`
	EndS    float64 `json:"end_s"`
	FromRPS float64 `json:"from_rps"`
	ToRPS   float64 `json:"to_rps"`
	// LoadUnit is what the stage sets: "rps", or "connections", each of which
	// carries PerConnectionRPS.
	LoadUnit         string  `json:"load_unit"`
	PerConnectionRPS float64 `json:"per_connection_rps,omitempty"`
}

// The units of a load.
const (
	LoadRPS         = "rps"
	LoadConnections = "connections"
)

// Environment is what ran where.
type Environment struct {
	Rampload   string `json:"rampload"`
	Go         string `json:"go"`
	OS         string `json:"os"`
	Kernel     string `json:"kernel"`
	Host       string `json:"host"`
	CPUs       int    `json:"cpus"`
	GitCommit  string `json:"git_commit,omitempty"`
	RunID      string `json:"run_id"`
	SkipVerify bool   `json:"tls_skip_verify"`
}

// Totals counts a run or a target. Its loads are of what it counts: all targets
// or the one.
type Totals struct {
	Requests       uint64                       `json:"requests"` // sent and ended: OK + Failed
	Attempts       uint64                       `json:"attempts"` // of any request, without canceled ones and local faults
	OK             uint64                       `json:"ok"`
	Failed         uint64                       `json:"failed"` // requests that ended in a fault of the target
	Unsent         uint64                       `json:"unsent"`
	Canceled       uint64                       `json:"canceled"`
	WireResets     uint64                       `json:"wire_resets"`    // connections, idle ones included
	VisibleResets  uint64                       `json:"visible_resets"` // requests
	IdleResets     uint64                       `json:"idle_resets"`
	LocalFaults    uint64                       `json:"local_faults"`      // attempts
	Faults         map[string]map[string]uint64 `json:"faults"`            // attempts by fault and phase, local ones and canceled too; reset at idle counts connections
	Details        map[string]map[string]uint64 `json:"details,omitempty"` // attempts by fault and by what its protocol said: a certificate's error, a TLS alert, an HTTP/2 code
	StatusCodes    map[string]uint64            `json:"status_codes"`
	OfferedRPSMax  float64                      `json:"offered_rps_max"`  // over 1 s
	AchievedRPSMax float64                      `json:"achieved_rps_max"` // over 1 s
}

// Target is what happened to one target.
type Target struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	// Part says what of the target Of is counted here, where it is not the requests of the
	// load: transactions that it accepted, or the polls for their state.
	Part profiles.Role `json:"part,omitempty"`
	Of   string        `json:"of,omitempty"`
	Totals
	LatencyMS         Latency           `json:"latency_ms"` // of successful requests, from due time
	LatencyFromSendMS Latency           `json:"latency_from_send_ms"`
	ByAddress         []Address         `json:"by_address"`
	ByRequest         []answers.Request `json:"by_request,omitempty"` // where a target has several that are counted one by one
	Answers           []answers.Answer  `json:"answers,omitempty"`    // what failures were answered: a sample
	Said              []Said            `json:"said,omitempty"`       // what logs say of its failures, the commonest first
	ByLoad            []LoadBin         `json:"by_load"`
	Onset             Onset             `json:"onset"`              // the headline: the earliest of Onsets
	Onsets            []Onset           `json:"onsets"`             // one for each fault class that was scanned
	Crossing          *Crossing         `json:"crossing,omitempty"` // where failures pass the share of a gate, else 0.1 %; left out without requests
	// MinDetectable is the share of faults of which a rise for DetectableS, at the end of the
	// load, would have been found as an onset in nine of ten such runs; null: none would.
	MinDetectable *float64 `json:"min_detectable"`
	DetectableS   *float64 `json:"detectable_s"`
	RecoveryRPS   *float64 `json:"recovery_rps"` // load on a ramp down at which the faults ended; null: no ramp down or no onset

	FailureGroups        []FailureGroup `json:"failure_groups,omitempty"`          // the largest first
	FailureGroupsLeftOut uint64         `json:"failure_groups_left_out,omitempty"` // failed attempts that are in no group
	LatencyHeat          *Heat          `json:"latency_heat,omitempty"`

	Way      *Way            `json:"way,omitempty"`      // where requests went and stood, as far as sockets were read
	Capacity *TargetCapacity `json:"capacity,omitempty"` // where the load varied enough to tell
	Idle     *IdleSweep      `json:"idle,omitempty"`     // of an idle stage
}

// Latency is a distribution in milliseconds; null without a value.
type Latency struct {
	P50 *float64 `json:"p50"`
	P90 *float64 `json:"p90"`
	P99 *float64 `json:"p99"`
	Max *float64 `json:"max"`
}

// Address is what happened at one remote address of a target.
type Address struct {
	Address    string            `json:"address"`
	Attempts   uint64            `json:"attempts"`
	Failed     uint64            `json:"failed"`
	WireResets uint64            `json:"wire_resets"`
	Faults     map[string]uint64 `json:"faults"`
}

// LoadBin is what happened to one target while the offered load was in
// [LowRPS, HighRPS). Bin borders are the same for every run of a profile.
type LoadBin struct {
	LowRPS      float64  `json:"low_rps"`
	HighRPS     float64  `json:"high_rps"`
	Seconds     float64  `json:"seconds"`
	Requests    uint64   `json:"requests"`
	Attempts    uint64   `json:"attempts"`
	Failed      uint64   `json:"failed"`
	WireResets  uint64   `json:"wire_resets"`
	AchievedRPS float64  `json:"achieved_rps"` // all targets
	P50MS       *float64 `json:"p50_ms"`
	P99MS       *float64 `json:"p99_ms"`
}

// OnsetStatus says what was found where an onset was looked for.
type OnsetStatus string

// The outcomes.
const (
	OnsetNone      OnsetStatus = "none"
	OnsetFound     OnsetStatus = "onset"
	OnsetFromStart OnsetStatus = "left-censored" // at or below the first load
	OnsetPassing   OnsetStatus = "transient"     // did not last
	OnsetPeriodic  OnsetStatus = "periodic"      // bursts at regular intervals
)

// Onset is where a fault class of a target begins to rise and stays.
type Onset struct {
	Status      OnsetStatus `json:"status"`
	Fault       string      `json:"fault,omitempty"`
	AtS         *float64    `json:"at_s"`
	LowS        *float64    `json:"low_s"` // 95 % interval, see Coverage
	HighS       *float64    `json:"high_s"`
	LoadRPS     *float64    `json:"load_rps"`
	LoadLowRPS  *float64    `json:"load_low_rps"`
	LoadHighRPS *float64    `json:"load_high_rps"`
	UpperBound  *float64    `json:"upper_bound"` // without an onset: the share of faults is at most this (95 %)
	Before      uint64      `json:"before"`      // faults before the onset
	BeforeOf    uint64      `json:"before_of"`   // requests before the onset
	RateAfter   *float64    `json:"rate_after"`  // share of faults after it
	// LoadUnit is what the stage of the onset sets: "rps", or "connections", of
	// which there were load_rps by the stage's per_connection_rps.
	LoadUnit string `json:"load_unit,omitempty"`
	// ConstantRPS is the load until then, where it had not changed: the faults came
	// with time, and no load is their onset.
	ConstantRPS *float64 `json:"constant_rps,omitempty"`
	// DelayS is how long after they were due, which at_s is, the first faults came.
	DelayS *float64 `json:"delay_s,omitempty"`
	// Coverage is in what share of simulated runs like this one the interval holds the onset;
	// null: not known.
	Coverage *float64 `json:"interval_coverage,omitempty"`
	Note     string   `json:"note,omitempty"`
	// Mark is the mark that it follows; null: none.
	Mark *MarkBefore `json:"mark,omitempty"`
}

// Resource is one limit that was watched.
type Resource struct {
	Host         string   `json:"host"`
	Process      string   `json:"process,omitempty"`
	PID          int      `json:"pid,omitempty"`
	Name         string   `json:"name"`
	Instance     string   `json:"instance,omitempty"`
	Kind         string   `json:"kind"`
	Unit         string   `json:"unit"`
	Limit        *float64 `json:"limit"`
	Peak         *float64 `json:"peak"`
	Utilisation  *float64 `json:"utilisation"` // Peak/Limit
	SaturatedAtS *float64 `json:"saturated_at_s"`
	LoadRPS      *float64 `json:"load_rps"` // offered load at saturation
	LagS         *float64 `json:"lag_s"`    // onset less saturation: positive when it was full first
	Verdict      string   `json:"verdict"`  // cause, candidate, ruled-out, full-throughout, headroom, symptom, not-measured
	Reason       string   `json:"reason"`
	Score        *float64 `json:"score"` // posterior share in [0,1]
}

// Label names the resource in one string, unique in a report:
// "payments-1/payments[4127]/open-files", "orders-1/listen-queue *:8080".
func (r Resource) Label() string {
	s := r.Owner() + "/" + r.Name
	if r.Instance != "" {
		s += " " + r.Instance
	}
	return s
}

// Owner names the host, and the process where the resource is of one:
// "payments-1/payments[4127]".
func (r Resource) Owner() string {
	s := r.Host
	if r.Process != "" || r.PID != 0 {
		s += "/" + r.Process
		if r.PID != 0 {
			s += "[" + strconv.Itoa(r.PID) + "]"
		}
	}
	return s
}

// Finding is one conclusion.
type Finding struct {
	Target     string     `json:"target"`
	Verdict    string     `json:"verdict"`             // healthy, degraded, explains, ambiguous, unexplained, inconclusive, generator-limited
	Cause      string     `json:"cause"`               // a key of the cause catalogue
	Tier       Tier       `json:"tier,omitempty"`      // where the cause lives, as far as it is known; empty: it is not
	Mechanism  Mechanism  `json:"mechanism,omitempty"` // what happened there, as far as it is known
	Host       string     `json:"host,omitempty"`
	Process    string     `json:"process,omitempty"`
	PID        int        `json:"pid,omitempty"`
	Resource   string     `json:"resource,omitempty"`
	Confidence float64    `json:"confidence"`
	Summary    string     `json:"summary"` // two or three plain sentences
	Evidence   []Evidence `json:"evidence"`
	RuledOut   []RuledOut `json:"ruled_out"`
	Advice     []string   `json:"advice"`
	// IdleS is the rest, in seconds, from which on connections failed; null: it is not
	// about connections at rest.
	IdleS *float64 `json:"idle_s,omitempty"`
	// Nearest names, of a pass, the resource that came nearest to its limit, and a
	// capacity that was busy beside it, by their labels (see Resource.Label).
	Nearest []string `json:"nearest,omitempty"`
}

// Evidence is one observed fact.
type Evidence struct {
	Source string   `json:"source"`
	Text   string   `json:"text"`
	AtS    *float64 `json:"at_s"`
}

// RuledOut is one thing that did not cause it, and why.
type RuledOut struct {
	What   string `json:"what"` // a resource or cause, with its host
	Reason string `json:"reason"`
}

// GateResult is one judged gate.
type GateResult = judge.Result

// The results of a gate.
const (
	GatePassed    = judge.Passed
	GateFailed    = judge.Failed
	GateUndecided = judge.Undecided
)

// Generator says whether this machine was the limit.
type Generator struct {
	Limited          bool     `json:"limited"`
	Reason           string   `json:"reason,omitempty"`
	AtS              *float64 `json:"at_s"`
	LoadRPS          *float64 `json:"load_rps"`
	CPU              *float64 `json:"cpu"` // peak share of the cores it may use
	LagMSP99         *float64 `json:"lag_ms_p99"`
	ProbesCPUPercent *float64 `json:"probes_cpu_percent"` // of one core, all sources of this process
}

// Source says what was and was not measured.
type Source struct {
	Host   string `json:"host"`
	Source string `json:"source"`
	State  string `json:"state"` // measured, partial, not-measured
	Reason string `json:"reason,omitempty"`
}

// Event is something that happened on a host.
type Event struct {
	AtS     float64 `json:"at_s"`
	Kind    string  `json:"kind"`
	Host    string  `json:"host"`
	Process string  `json:"process,omitempty"`
	PID     int     `json:"pid,omitempty"`
	Local   string  `json:"local,omitempty"`
	Remote  string  `json:"remote,omitempty"`
	Reason  string  `json:"reason,omitempty"`
	State   string  `json:"state,omitempty"`
	Count   uint64  `json:"count"`
	Text    string  `json:"text,omitempty"`
}

// Windows is the time series, one slice a column, all of one length. A missing
// value is null. Columns of the run are at_s (the row's begin), offered_rps and
// achieved_rps; columns of a target "<target>/requests", "/failures",
// "/wire_resets" (counts in the row, by the time at which they were due),
// "/p50_ms", "/p90_ms", "/p99_ms" and "/max_ms" (of successes that ended in it, from due
// time), and "/faults/<fault>" (attempts, idle resets among them); where connections
// were to be held, at the row's end, "/connections_wanted", "/connections_open" and
// "/connections_late" (wanted and due, and rampload had not even begun to open them).
// Columns of a resource are "utilisation:<resource>" (highest share of the limit) and
// "counter:<resource>" (increase); see [Resource.Label] for the name.
type Windows struct {
	IntervalMS float64               `json:"interval_ms"`
	Columns    map[string][]*float64 `json:"columns"`
}

// Tier is where a cause lives.
type Tier string

// The tiers, from the generator inwards.
const (
	TierClient   Tier = "client"
	TierPath     Tier = "path"
	TierProxy    Tier = "proxy"
	TierServer   Tier = "server"
	TierUpstream Tier = "upstream" // any hop behind the first
)

// Mechanism is what happened at the cause.
type Mechanism string

// The mechanisms.
const (
	MechanismExhausted Mechanism = "exhausted"
	MechanismDied      Mechanism = "died"
	MechanismPolicy    Mechanism = "policy"
	MechanismIdle      Mechanism = "idle"
	MechanismLoss      Mechanism = "loss"
	MechanismBug       Mechanism = "bug"
	MechanismSlow      Mechanism = "slow"
	MechanismTLS       Mechanism = "tls"
	MechanismDNS       Mechanism = "dns"
)
