package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/rampload/rampload/profiles"
)

// Need is something that a scenario cannot do without on this machine.
type Need string

// The needs. Every other value is the name of a program that must be in PATH.
const (
	NeedLinux Need = "linux" // a Linux kernel
	NeedRoot  Need = "root"  // network namespaces, cgroups, packet filters: CAP_SYS_ADMIN and CAP_NET_ADMIN
)

// Env is what a scenario is started with.
type Env struct {
	Dir    string   // an existing empty folder for configuration, logs and sockets
	Exe    string   // the program that runs services, usually os.Executable()
	Prefix []string // its arguments before the name of a service; empty: {"lab-service"}
	Seed   uint64   // varies limits, loads and times within the scenario's bounds
}

// Scenario is one reproducible fault, or its absence.
type Scenario struct {
	Name   string // as in "rampload demo NAME"
	About  string // one line for people: what fails and why
	Family string // of causes.md: scenarios of one family share the kind of evidence
	Cause  string // the expected cause key; "healthy" for controls, "unexplained" where no probe can see it
	Needs  []Need

	// Start brings the scenario up and returns when it can be loaded. What it
	// started ends with Running.Stop or, at the latest, with ctx.
	Start func(ctx context.Context, env Env) (*Running, error)
}

// Running is a scenario that is up.
type Running struct {
	// Profile loads the scenario from below the fault to beyond it, in 15 to 40 s.
	// Its gate is empty.
	Profile profiles.Profile

	// Where the load generator has to run, if not here: the scenario's client has
	// the given named network namespace, soft limit of open files, and directory of
	// a CPU control group. Zero values mean that it does not matter. The caller
	// enters them, for instance by re-executing itself there.
	ClientNetns  string
	ClientFiles  uint64
	ClientCgroup string

	// What a right diagnosis says, beyond Scenario.Cause.
	Expect Expect

	// Truth returns what happened, as the injector, the kernel or the logs of the
	// real component counted it. It is complete after Stop; before, what services
	// in processes of their own have counted is missing.
	Truth func() Truth

	// Stop ends everything that Start brought up, and may be called twice.
	Stop func() error
}

// Expect is what a right diagnosis names. Empty fields are not judged.
type Expect struct {
	Causes []string // further cause keys that are also right
	// OnlyLate is the cause instead, where nothing was counted but answers that came
	// after their callers had gone: a service that was to shed load and was slow.
	OnlyLate string
	Host     string // as named in the profile
	Process  string // command name
	Resource string // catalogue name of the resource that ran out
	// LoadLow and LoadHigh bound the total offered load at the onset, in requests
	// per second, as computed from the limits; 0 where only Truth can tell.
	LoadLow, LoadHigh float64
}

// Truth is what really happened, from counts that rampload has no part in.
type Truth struct {
	Source string           `json:"source"` // who counted
	Resets uint64           `json:"resets"` // RSTs sent towards clients while their side was open, as far as the source can know
	First  time.Time        `json:"first"`  // first harm (reset, drop, refusal, kill); zero if there was none; up to 0.2 s late where it was found by polling
	Counts map[string]int64 `json:"counts,omitempty"`
	Log    []TruthPoint     `json:"log,omitempty"`
}

// TruthPoint counts one kind of event in one tenth of a second.
type TruthPoint struct {
	At   time.Time `json:"at"` // begin of the tenth
	What string    `json:"what"`
	N    int64     `json:"n"`
}

// Missing returns what of the scenario's needs this machine does not have, as a
// sentence for people, and "" if it can run.
func (s Scenario) Missing() string {
	for _, n := range s.Needs {
		switch n {
		case NeedLinux:
			if !onLinux {
				return fmt.Sprintf("scenario %s needs Linux", s.Name)
			}
		case NeedRoot:
			if !onLinux || os.Geteuid() != 0 {
				return fmt.Sprintf("scenario %s needs root (network namespaces, packet filters or cgroups): run it with sudo", s.Name)
			}
		default:
			if _, err := exec.LookPath(string(n)); err != nil {
				return fmt.Sprintf("scenario %s needs %s: install it (Debian: apt-get install %s)", s.Name, n, n)
			}
		}
	}
	return ""
}

// Lookup returns the scenario of a name.
func Lookup(all []Scenario, name string) (Scenario, bool) {
	if i := slices.IndexFunc(all, func(s Scenario) bool { return s.Name == name }); i >= 0 {
		return all[i], true
	}
	return Scenario{}, false
}
