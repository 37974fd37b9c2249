package catalog_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/rampload/rampload/profiles/rules"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/catalog"
)

var (
	full = flag.Bool("lab.full", false, "run all scenarios at their full length")
	only = flag.String("lab.only", "", "run the scenarios whose names match this expression")
	seed = flag.Uint64("lab.seed", 1, "seed of the scenarios")
)

// brief are scenarios that show their fault within a fraction of their length.
// One of each mechanism runs by default; the others with -lab.full.
var brief = map[string]bool{
	"descriptors": true, "connection-slots": true, "tls-shedding": true, "abort-in-body": true, "http2-streams": true,
	"rate-limit": true, "keep-alive-race": true, "gateway": true, "healthy": true, "client-descriptors": true,
	"path-connection-limit": true, "rst-injection-often": true, "nginx-connections": true, "upstream-abort": true,
}

// parts is how many times shorter a brief run is.
const parts = 14

// exact are scenarios whose every reset the plain client sees, once.
var exact = map[string]bool{
	"descriptors": true, "tls-shedding": true, "abort-in-body": true, "rate-limit": true, "rst-injection-often": true,
}

// TestScenarios loads each scenario with a plain client and looks at what it
// injects: harm where there is to be some, none in the controls.
func TestScenarios(t *testing.T) {
	pattern := regexp.MustCompile(*only)
	for _, s := range catalog.Scenarios() {
		if !pattern.MatchString(s.Name) || !*full && *only == "" && !brief[s.Name] {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			if why := s.Missing(); why != "" {
				if os.Getenv("RAMPLOAD_NO_SKIP") == "1" {
					t.Fatal(why)
				}
				t.Skip(why)
			}
			// A forged RST comes too late when the forger had no processor for as long as
			// an answer takes, and nobody but the client knows.
			for try := 1; ; try++ {
				off := loadScenario(t, s)
				if late := exact[s.Name] && s.Family == "injection" && off < 0; late && try < 4 {
					t.Logf("%d forged RSTs came too late", -off)
					continue
				}
				if exact[s.Name] && off != 0 {
					t.Errorf("the client saw %+d resets more than the truth says", off)
				}
				break
			}
		})
	}
}

// loadScenario runs a scenario once. It returns how many resets more the client
// saw than the truth says, beyond what nobody can tell.
func loadScenario(t *testing.T, s lab.Scenario) int64 {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run, err := s.Start(t.Context(), lab.Env{Dir: t.TempDir(), Exe: exe, Seed: *seed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run.Stop() })
	if problems := rules.Profile(run.Profile.WithDefaults(), nil); len(problems) > 0 {
		t.Errorf("profile: %v", problems)
	}
	plan := plan{Profile: run.Profile}
	if !*full {
		plan.Brief, plan.Until = parts, untilOf(s)
		if s.Cause == "healthy" {
			// A machine that stands still for two seconds is no fault of the service.
			plan.Profile.Client.Timeout = patience
		}
	}
	got := client(t, run, plan)
	if err := run.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	truth := run.Truth()
	t.Logf("\nclient %+v\ntruth resets %d, %v", got, truth.Resets, truth.Counts)
	if !truth.First.IsZero() && !got.FirstFailure.IsZero() {
		after := truth.First.Sub(got.Began)
		if !*full {
			after *= parts
		}
		at := offered(run.Profile, after)
		t.Logf("first harm at %.0f/s, due between %.0f and %.0f/s; the client's first failure %v later",
			at, run.Expect.LoadLow, run.Expect.LoadHigh, got.FirstFailure.Sub(truth.First).Round(time.Millisecond))
		if *full && run.Expect.LoadLow > 0 && (at < run.Expect.LoadLow || at > run.Expect.LoadHigh) {
			t.Errorf("the onset is not where it was computed to be")
		}
	}
	switch {
	case s.Cause == "healthy":
		if got.failed() > 0 || !truth.First.IsZero() {
			t.Errorf("a control failed")
		}
	case s.Family == "client":
		// Without CPU the plain client is late, and sees that as timeouts.
		if got.Local == 0 && (s.Cause != "client-cpu" || got.Timeout == 0) {
			t.Errorf("no local fault")
		}
	default:
		if got.failed() == 0 && got.Wire == 0 {
			t.Errorf("the client saw no fault")
		}
		if truth.First.IsZero() {
			t.Errorf("the truth knows no harm")
		}
	}
	// Whoever gives up closes, and may meet a RST that is on its way; and what a
	// caller sends to a connection just closed is answered by a RST.
	off := got.Wire - int64(truth.Resets)
	untold := got.Timeout + truth.Counts["closed"]
	return max(0, off-untold) + min(0, off+got.Timeout)
}

// untilOf is what a brief run of a scenario waits for.
func untilOf(s lab.Scenario) until {
	switch {
	case s.Cause == "healthy":
		return untilEnd
	case s.Cause == "idle-timeout-race":
		// A close that the client learns of in time to fail is no harm.
		return untilReset
	case s.Cause == "client-cpu":
		return untilLate
	case s.Family == "client":
		return untilLocal
	}
	return untilFailed
}

// client runs the test binary as the scenario's client, where it has to be.
func client(t *testing.T, run *lab.Running, plan plan) seen {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "plan.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	script := "exec \"$@\""
	if run.ClientFiles > 0 {
		script = fmt.Sprintf("ulimit -n %d; ", run.ClientFiles) + script
	}
	if run.ClientCgroup != "" {
		script = fmt.Sprintf("echo $$ > %s/cgroup.procs; ", run.ClientCgroup) + script
	}
	args := []string{"sh", "-c", script, "sh", exe, "lab-client", file}
	if run.ClientNetns != "" {
		args = append([]string{"nsenter", "--net=/run/netns/" + run.ClientNetns, "--"}, args...)
	}
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("client: %v", err)
	}
	var got seen
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("client: %v in %s", err, out)
	}
	return got
}

func TestScenarioNames(t *testing.T) {
	families := make(map[string]int)
	names := make(map[string]bool)
	for _, s := range catalog.Scenarios() {
		if s.Name == "" || s.About == "" || s.Family == "" || s.Cause == "" || s.Start == nil || names[s.Name] {
			t.Errorf("scenario %q is incomplete or not unique", s.Name)
		}
		names[s.Name] = true
		families[s.Family]++
		if got, ok := lab.Lookup(catalog.Scenarios(), s.Name); !ok || got.About != s.About {
			t.Errorf("scenario %s is not found by its name", s.Name)
		}
	}
	for f, n := range families {
		if n < 2 {
			t.Errorf("family %s has %d scenario, want at least 2", f, n)
		}
	}
	for name := range brief {
		if !names[name] {
			t.Errorf("no scenario %s", name)
		}
	}
}
