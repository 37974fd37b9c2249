package report

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/report/compare"
)

// release describes the runs of one side for tests. Runs differ by themselves by
// the coefficient of variation.
type release struct {
	label  string
	runs   int
	onset  float64 // 0: none up to 2,000/s
	p99    float64 // factor on the latency
	resets float64 // share at every load
	files  float64 // utilisation of open files
	cv     float64
	seed   uint64
}

func (rel release) reports() []*Report {
	r := rand.New(rand.NewPCG(rel.seed, 7))
	vary := func(v float64) float64 { return v * (1 + rel.cv*r.NormFloat64()) }
	var out []*Report
	for range rel.runs {
		t := Target{Name: "orders", Onset: Onset{Status: "none"}}
		if rel.onset > 0 {
			at := vary(rel.onset)
			t.Onset = Onset{Status: "onset", Fault: "reset", LoadRPS: &at, LoadLowRPS: number(at * 0.99), LoadHighRPS: number(at * 1.01)}
		}
		top, slow := vary(1900), vary(rel.p99)
		for low := 0.0; low < 2000; low += 100 {
			mid := low + 50
			n := uint64(mid * 10)
			resets := uint64(rel.resets * float64(n))
			if t.Onset.LoadRPS != nil && mid > *t.Onset.LoadRPS {
				resets += n / 20
			}
			ok := min(mid, top)
			p99 := slow * (10 + mid/100)
			t.ByLoad = append(t.ByLoad, LoadBin{
				LowRPS: low, HighRPS: low + 100, Seconds: 10, Requests: n, Attempts: n, Failed: n - uint64(ok*10) + min(resets, uint64(ok*10)),
				WireResets: resets, AchievedRPS: mid, P99MS: &p99,
			})
		}
		used := min(1, vary(rel.files))
		rep := &Report{
			Schema: 1, Name: "peak", Label: rel.label, Complete: true, Profile: Profile{Fingerprint: "f00dfeedcafe", Engine: "vegeta"},
			Totals: Totals{AchievedRPSMax: 1995}, Targets: []Target{t},
			Resources: []Resource{{Host: "orders-1", Process: "orders", PID: 100 + len(out), Name: "open-files", Kind: "hard-limit", Utilisation: &used, Verdict: "headroom"}},
			Findings:  []Finding{{Verdict: "healthy", Cause: "healthy"}},
		}
		if t.Onset.LoadRPS != nil {
			rep.Resources[0].Verdict, rep.Resources[0].SaturatedAtS, rep.Resources[0].LoadRPS = "cause", number(90), t.Onset.LoadRPS
			rep.Findings[0] = Finding{Verdict: "explains", Cause: "server-file-descriptors"}
		}
		out = append(out, rep)
	}
	return out
}

func metric(t *testing.T, c Comparison, name string) MetricComparison {
	t.Helper()
	for _, m := range c.Metrics {
		if m.Metric == name {
			return m
		}
	}
	t.Fatalf("no metric %q in %+v", name, c.Metrics)
	return MetricComparison{}
}

func TestCompare(t *testing.T) {
	base := release{label: "v1", runs: 6, onset: 1500, p99: 1, files: 0.6, cv: 0.01, seed: 1}
	with := func(change func(*release)) release {
		r := base
		r.label, r.seed = "v2", 2
		change(&r)
		return r
	}
	tests := []struct {
		name     string
		old, new release
		opt      CompareOptions
		exit     int
		outcomes map[string]string
		summary  string
	}{
		{
			"unchanged", base, with(func(r *release) {}),
			CompareOptions{},
			0,
			map[string]string{"onset load": Equivalent, "p99": Equivalent, "reset share": Equivalent},
			"no regression",
		},
		{
			"resets sooner", base, with(func(r *release) { r.onset = 1320 }),
			CompareOptions{},
			1,
			map[string]string{"onset load": Regression, "p99": Equivalent},
			"regressed: orders onset load",
		},
		{
			"resets later", base, with(func(r *release) { r.onset = 1700 }),
			CompareOptions{},
			0,
			map[string]string{"onset load": Improvement},
			"no regression; improved: orders onset load",
		},
		{
			"slower", base, with(func(r *release) { r.p99 = 1.3 }),
			CompareOptions{},
			1,
			map[string]string{"p99": Regression, "onset load": Equivalent},
			"regressed: orders p99",
		},
		{
			"resets at every load", base, with(func(r *release) { r.resets = 0.01 }),
			CompareOptions{},
			1,
			map[string]string{"reset share": Regression, "failed share": Regression},
			"regressed: ",
		},
		{
			"less headroom", base, with(func(r *release) { r.files = 0.8 }),
			CompareOptions{},
			1,
			map[string]string{"headroom open-files": Regression},
			"regressed: headroom open-files",
		},
		{
			"a new onset where there was none", with(func(r *release) { r.onset = 0 }), base,
			CompareOptions{},
			1,
			map[string]string{"onset load": Regression},
			"regressed: ",
		},
		{
			"no onset on either side", with(func(r *release) { r.onset = 0 }), with(func(r *release) { r.onset, r.seed = 0, 3 }),
			CompareOptions{},
			0,
			map[string]string{"onset load": Equivalent},
			"no regression",
		},
		{
			"noise hides it", with(func(r *release) { r.cv, r.runs = 0.1, 5 }), with(func(r *release) { r.cv, r.onset, r.seed, r.runs = 0.1, 1400, 9, 5 }),
			CompareOptions{},
			0,
			map[string]string{"onset load": Inconclusive},
			"no regression proven; inconclusive: ",
		},
		{
			"noise hides it, strictly", with(func(r *release) { r.cv, r.runs = 0.1, 5 }), with(func(r *release) { r.cv, r.onset, r.seed, r.runs = 0.1, 1400, 9, 5 }),
			CompareOptions{Strict: true},
			4,
			map[string]string{"onset load": Inconclusive},
			"undecided: orders onset load (inconclusive)",
		},
		{
			"one run each, sooner", with(func(r *release) { r.runs = 1 }), with(func(r *release) { r.runs, r.onset = 1, 1320 }),
			CompareOptions{},
			0,
			map[string]string{"onset load": IndicativeRegression},
			"indicative regression, not proven: orders onset load",
		},
		{
			"one run each, sooner, strictly", with(func(r *release) { r.runs = 1 }), with(func(r *release) { r.runs, r.onset = 1, 1320 }),
			CompareOptions{Strict: true},
			1,
			map[string]string{"onset load": IndicativeRegression},
			"indicative regression, not proven",
		},
		{
			"one run each, within the intervals", with(func(r *release) { r.runs = 1 }), with(func(r *release) { r.runs, r.onset = 1, 1495 }),
			CompareOptions{Strict: true},
			0,
			map[string]string{"onset load": NoDifference, "p99": NoDifference},
			"no regression seen",
		},
		{
			"one new run against the spread of old ones", base, with(func(r *release) { r.runs, r.onset = 1, 1380 }),
			CompareOptions{},
			0,
			map[string]string{"onset load": IndicativeRegression},
			"indicative regression",
		},
		{
			"one run each, new resets", with(func(r *release) { r.runs = 1 }), with(func(r *release) { r.runs, r.resets = 1, 0.01 }),
			CompareOptions{},
			0,
			map[string]string{"reset share": IndicativeRegression},
			"indicative regression",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Compare(tt.old.reports(), tt.new.reports(), tt.opt)
			if err != nil {
				t.Fatal(err)
			}
			if c.ExitCode != tt.exit || !strings.HasPrefix(c.Summary, tt.summary) {
				t.Errorf("exit %d %q, want %d %q", c.ExitCode, c.Summary, tt.exit, tt.summary)
			}
			for name, want := range tt.outcomes {
				if m := metric(t, c, name); m.Outcome != want {
					t.Errorf("%s: %s, want %s (%v -> %v, shift %v, p %v, %s)", name, m.Outcome, want, show(m.Old), show(m.New), show(m.Shift), show(m.P), m.Note)
				}
			}
			indicative := tt.old.runs < compare.MinRuns || tt.new.runs < compare.MinRuns
			warned := slices.ContainsFunc(c.Warnings, func(w string) bool { return strings.HasPrefix(w, "indicative only") })
			if c.Indicative != indicative || warned != indicative {
				t.Errorf("indicative %v, warned %v; want %v", c.Indicative, warned, indicative)
			}
		})
	}
}

func TestCompareNotes(t *testing.T) {
	noisy := release{runs: 5, onset: 1500, p99: 1, files: 0.6, cv: 0.1, seed: 1}
	lower := noisy
	lower.onset, lower.seed = 1400, 9
	c, err := Compare(noisy.reports(), lower.reports(), CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if m := metric(t, c, "onset load"); m.NeedRuns <= 5 {
		t.Errorf("an inconclusive metric does not say how many runs it takes: %+v", m)
	}
	if c.NewFull[0][:len("open-files on orders-1 at ")] != "open-files on orders-1 at " {
		t.Errorf("first full: %q", c.NewFull)
	}
}

func TestCompareRefuses(t *testing.T) {
	old := release{label: "v1", runs: 1, onset: 1500, p99: 1, cv: 0.01, seed: 1}.reports()
	tests := []struct {
		name   string
		change func(*Report)
		says   string
	}{
		{
			"profile", func(r *Report) { r.Name, r.Profile.Fingerprint = "spike", "badc0ffee" },
			"compare reports: reports differ in more than the release: profile peak (f00dfeedcafe) and profile spike (badc0ffee); compare runs of one profile, or pass --force to compare all the same",
		},
		{"engine", func(r *Report) { r.Profile.Engine = "direct" }, "engine vegeta and engine direct"},
		{"hand", func(r *Report) { r.Hands = []Hand{{AtS: 3, Action: "skip"}} }, "was changed by hand (skipped the rest at 3 s)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			new := release{label: "v2", runs: 1, onset: 1500, p99: 1, cv: 0.01, seed: 2}.reports()
			tt.change(new[0])
			if _, err := Compare(old, new, CompareOptions{}); !errors.Is(err, ErrDifferent) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Compare = %v, want %q", err, tt.says)
			}
			c, err := Compare(old, new, CompareOptions{Force: true})
			if err != nil || !strings.Contains(strings.Join(c.Warnings, "\n"), "may be of the profile") {
				t.Errorf("forced: %v, warnings %q", err, c.Warnings)
			}
		})
	}
	if _, err := Compare(nil, old, CompareOptions{}); err == nil {
		t.Error("no error without old runs")
	}
	elsewhere := release{runs: 1}.reports()
	elsewhere[0].Targets[0].Name = "baskets"
	if _, err := Compare(old, elsewhere, CompareOptions{Force: true}); !errors.Is(err, ErrDifferent) || !strings.Contains(err.Error(), "no target in common (orders; baskets)") {
		t.Errorf("without a target in common: %v", err)
	}
	blank := []*Report{{Name: old[0].Name, Profile: old[0].Profile, Targets: []Target{{Name: "orders"}}}}
	if c, err := Compare(old, blank, CompareOptions{Force: true}); err != nil || c.ExitCode != ExitUndecided || !strings.Contains(c.Summary, "undecided: ") {
		t.Errorf("with nothing to compare: %d, %q, %v", c.ExitCode, c.Summary, err)
	}
}

func TestCompareDoubts(t *testing.T) {
	old := release{label: "v1", runs: 1, onset: 1500, p99: 1, seed: 1}.reports()
	new := release{label: "v2", runs: 1, onset: 1500, p99: 1, seed: 2}.reports()
	new[0].Generator.Limited, new[0].Complete, new[0].Environment.Kernel, new[0].Environment.Rampload = true, false, "6.19", "2.0"
	c, err := Compare(old, new, CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(c.Warnings, "\n")
	for _, want := range []string{"new release was limited by its generator", "cut short", "different machines or kernels", "different versions"} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning says %q: %s", want, all)
		}
	}
}

// Unchanged releases must not be flagged more often than the error rate allows,
// and a real loss of 5 % must be found with six runs a side.
func TestCompareErrorRates(t *testing.T) {
	const pairs = 200
	flagged, found := 0, 0
	for i := range uint64(pairs) {
		old := release{runs: 6, onset: 1500, p99: 1, files: 0.6, cv: 0.02, seed: 2*i + 1000}
		same, worse := old, old
		same.seed++
		worse.seed++
		worse.onset *= 0.95
		for k, side := range []release{same, worse} {
			c, err := Compare(old.reports(), side.reports(), CompareOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if hit := metric(t, c, "onset load").Outcome == Regression; hit && k == 0 {
				flagged++
			} else if hit {
				found++
			}
		}
	}
	t.Logf("flagged %d of %d unchanged, found %d of %d at -5%%", flagged, pairs, found, pairs)
	if flagged > pairs*5/100 || found < pairs*70/100 {
		t.Errorf("flagged %d of %d unchanged pairs, found %d of %d losses of 5%%", flagged, pairs, found, pairs)
	}
}

// TestCompareTellsPassingOnsets: a run whose faults ended again has no onset load, and
// the row of the onset says where they were, as the verdict of that run does.
func TestCompareTellsPassingOnsets(t *testing.T) {
	t.Parallel()
	run := func(passing bool) *Report {
		r := release{runs: 1, p99: 1, files: 0.5}.reports()[0]
		for i := range r.Targets {
			r.Targets[i].Onset = Onset{Status: OnsetNone}
			if passing {
				r.Targets[i].Onset = Onset{Status: OnsetPassing, Fault: "timeout", LoadRPS: number(1369)}
			}
		}
		return r
	}
	for _, tc := range []struct {
		old, new bool
		want     string
	}{
		{false, false, "reached on neither side"},
		{false, true, "new: faults for a while at 1,369/s; reached on neither side"},
		{true, true, "old: faults for a while at 1,369/s; new: faults for a while at 1,369/s; reached on neither side"},
	} {
		c, err := Compare([]*Report{run(tc.old)}, []*Report{run(tc.new)}, CompareOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if m := metric(t, c, "onset load"); m.Note != tc.want {
			t.Errorf("%v %v: %q", tc.old, tc.new, m.Note)
		}
	}
}
