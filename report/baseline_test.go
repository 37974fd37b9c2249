package report

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/stats/calibration"
)

func gateOf(t *testing.T, text string) profiles.Gate {
	t.Helper()
	g, err := profiles.ParseGate(text)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// against judges one gate on the first run of a release.
func against(t *testing.T, gate string, base, now release) GateResult {
	t.Helper()
	r := now.reports()[0]
	if err := r.HoldAgainst([]profiles.Gate{gateOf(t, gate)}, base.reports(), []string{"v1.json"}); err != nil {
		t.Fatal(err)
	}
	if r.Baseline == nil || r.Baseline.Runs != base.runs || len(r.Baseline.Metrics) == 0 {
		t.Errorf("the report does not say what it was held against: %+v", r.Baseline)
	}
	if want := Outcome(Ending{Gates: r.Gates}); r.ExitCode != want {
		t.Errorf("exit %d, want %d", r.ExitCode, want)
	}
	return r.Gates[0]
}

func TestGatesAgainstABaseline(t *testing.T) {
	base := release{label: "v1", runs: 8, onset: 1500, p99: 1, files: 0.6, cv: 0.01, seed: 1}
	with := func(change func(*release)) release {
		r := base
		r.label, r.seed, r.runs = "v2", 2, 1
		change(&r)
		return r
	}
	one := with(func(r *release) { r.label, r.cv = "v1", 0 })
	for _, tt := range []struct {
		gate      string
		base, now release
		want, why string
	}{
		{"onset >= 0.95 * baseline", base, with(func(*release) {}), GatePassed, "8 baseline runs differ by"},
		{"onset >= 0.95 * baseline", base, with(func(r *release) { r.onset = 1300 }), GateFailed, "of it"},
		{"onset >= 0.99 * baseline", base, with(func(r *release) { r.onset, r.cv = 1490, 0 }), GateUndecided, "one run tells only"},
		{"onset >= 0.95 * baseline", one, with(func(*release) {}), GateUndecided, "taken to differ by 3%"},
		{"onset >= 0.85 * baseline", one, with(func(*release) {}), GatePassed, "taken to differ by 3%"},
		{"onset >= 0.95 * baseline", one, with(func(r *release) { r.onset = 1200 }), GateFailed, ""},
		{"onset >= 0.95 * baseline", base, with(func(r *release) { r.onset = 0 }), GatePassed, "none up to"},
		{"onset >= 0.95 * baseline", with(func(r *release) { r.onset = 0 }), with(func(r *release) { r.onset = 0 }), GatePassed, "none up to"},
		{"onset >= 0.95 * baseline", with(func(r *release) { r.onset = 0 }), with(func(r *release) { r.onset = 1500 }), GateFailed, "none up to"},
		{"onset >= 1.5 * baseline", base, with(func(r *release) { r.onset = 0 }), GateUndecided, "go higher"},
		{"p99 <= 1.1 * baseline", base, with(func(*release) {}), GatePassed, "baseline has"},
		{"p99 <= 1.1 * baseline", base, with(func(r *release) { r.p99 = 1.4 }), GateFailed, "baseline has"},
		{"p99 <= 1.1 * baseline up to 1000/s", base, with(func(r *release) { r.p99 = 1.4 }), GateFailed, "baseline has"},
		{"headroom(open-files) >= 0.9 * baseline", base, with(func(r *release) { r.files = 0.9 }), GateFailed, "baseline has"},
		{"wire-resets <= 2 * baseline", with(func(r *release) { r.resets, r.onset = 0.01, 0 }), with(func(r *release) { r.resets, r.onset = 0.01, 0 }), GatePassed, "baseline has"},
		{"wire-resets <= 2 * baseline", with(func(r *release) { r.resets, r.onset = 0.01, 0 }), with(func(r *release) { r.resets, r.onset = 0.05, 0 }), GateFailed, "baseline has"},
		{"onset(pay) >= 0.9 * baseline", base, with(func(*release) {}), GateUndecided, "no value"},
	} {
		got := against(t, tt.gate, tt.base, tt.now)
		if got.Result != tt.want || !strings.Contains(got.Reason, tt.why) {
			t.Errorf("%s: %s (%s), want %s (%s)", tt.gate, got.Result, got.Reason, tt.want, tt.why)
		}
	}
}

// An unchanged release is failed by chance in at most 5 % of runs at the limit itself.
func TestBaselineGateErrors(t *testing.T) {
	for _, runs := range []int{1, 5, 10} {
		n := calibrationRuns(300, 2000)
		series := "onset >= 0.9 * baseline at 0.9 of it, 1 run and 1 of the baseline, 3 % between runs"
		if runs > 1 {
			series = strings.Replace(series, "1 of", map[int]string{5: "5 of", 10: "10 of"}[runs], 1)
		}
		both, ok := cell(t, "wrongly passed", series, "≤ 5 %", n, func(row *calibration.Row) {
			passed, failed := 0, 0
			for s := range uint64(n) {
				r := rand.New(rand.NewPCG(s, 31))
				at := func(v float64) *Report { return censoredReport("a", v*(1+0.03*r.NormFloat64()), 2000) }
				var base []*Report
				for range runs {
					base = append(base, at(1500))
				}
				now := at(0.9 * 1500)
				if err := now.HoldAgainst([]profiles.Gate{gateOf(t, "onset >= 0.9 * baseline")}, base, nil); err != nil {
					t.Fatal(err)
				}
				switch now.Gates[0].Result {
				case GatePassed:
					passed++
				case GateFailed:
					failed++
				}
			}
			row.K, row.N, row.Parts = passed, n, map[string][2]int{GateFailed: {failed, n}}
		})
		if !ok {
			continue
		}
		failed, _ := cell(t, "wrongly failed", series, "≤ 5 %", n, func(row *calibration.Row) { row.K, row.N = both.Parts[GateFailed][0], n })
		if slack := n * 65 / 1000; both.K > slack || failed.K > slack {
			t.Errorf("%s: passed %d, failed %d of %d", series, both.K, failed.K, n)
		}
	}
}

func TestBaselineOfAnotherProfileIsRefusedByName(t *testing.T) {
	r := censoredReport("a", 1500, 2000)
	for _, tt := range []struct{ fingerprint, engine, want string }{
		{"other", "vegeta", "v1.json"}, {r.Profile.Fingerprint, "direct", "engine vegeta, not direct"},
	} {
		if err := SameAs("v1.json", tt.fingerprint, tt.engine, r); !errors.Is(err, ErrDifferent) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v", err)
		}
	}
	if err := SameAs("v1.json", r.Profile.Fingerprint, "vegeta", r); err != nil {
		t.Error(err)
	}
}
