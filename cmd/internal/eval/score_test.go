package eval

import (
	"bytes"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestRankResources(t *testing.T) {
	log := sampleLog()
	r := finds(diagnose.Explains, "server-file-descriptors")
	r.Findings[0].Host, r.Findings[0].Resource = "orders-1", probe.OpenFiles
	r.Targets = []diagnose.TargetResult{{Name: "orders", Onsets: []diagnose.Onset{{Status: diagnose.Found, At: diagnose.Span{Value: 10}}}}}
	c := Case{Causes: []string{"server-file-descriptors"}, Resource: probe.OpenFiles}
	got := RankResources(c, log, r)
	if len(got) != len(Baselines())+1 {
		t.Fatalf("%d rankings", len(got))
	}
	for i, b := range Baselines() {
		// The files reach nine tenths of their limit at the onset and are the fullest;
		// what only follows the load looks better to a plain correlation.
		want := 1
		if b.Name == "Pearson correlation with failures" {
			want = 2
		}
		if g := got[i]; g.Right != 1 || g.Among != 5 || (g.Rank > 1) != (want > 1) {
			t.Errorf("%s: place %d of %d, %d right", b.Name, g.Rank, g.Among, g.Right)
		}
	}
	if last := got[len(got)-1]; last.Rank != 1 {
		t.Errorf("the findings name it in place %d", last.Rank)
	}
	if chance := got[0].chance(1); math.Abs(chance-0.2) > 1e-9 {
		t.Errorf("chance@1 %v", chance)
	}
	if chance := got[0].chance(9); chance != 1 {
		t.Errorf("chance@9 %v", chance)
	}
	if RankResources(Case{Causes: c.Causes, Resource: probe.Conntrack}, log, r) != nil {
		t.Error("a resource that was not measured was ranked")
	}
	r.Targets = nil
	if RankResources(c, log, r) != nil {
		t.Error("ranked without an onset")
	}
}

func evaluation() *Evaluation {
	at := time.Unix(1010, 0)
	e := &Evaluation{Ablations: []Evidence{{Name: "all sources"}, {Name: "the client alone"}}}
	add := func(c Case, all, alone Judgement) {
		e.Results = append(e.Results, Result{Case: c, By: []Judgement{all, alone}})
	}
	no := Onset{Windows: math.NaN(), First: math.NaN(), Due: math.NaN(), Percent: math.NaN(), Width: math.NaN()}
	explains := func(cause string, right bool, confidence float64) Judgement {
		j := Judgement{Verdict: diagnose.Explains, Cause: cause, Right: right, Confidence: confidence, WrongExplains: !right, Onset: no}
		if right {
			j.Rank = 1
		}
		return j
	}
	abstains := Judgement{Verdict: diagnose.Unexplained, Cause: "unexplained", Confidence: 0.6, Abstained: true, Onset: no}
	backlog := Case{Scenario: "backlog", Family: "listen-backlog", Seed: 1, Causes: []string{"listen-backlog"}, LoadLow: 1, LoadHigh: 2, Truth: lab.Truth{First: at}}
	good := explains("listen-backlog", true, 0.995)
	good.Place = WrongPlace
	good.Host, good.Resource = "orders-1", "open-files"
	good.Onset = Onset{Status: diagnose.Found, Windows: -1, First: -1, Due: -0.5, Percent: -2, Width: 6, Covered: true, Expect: 1}
	add(backlog, good, abstains)
	backlog.Seed = 3
	bad := explains("conntrack-table", false, 0.92)
	bad.RuledOut, bad.Onset = true, Onset{Status: diagnose.Found, Windows: 4, First: 14, Due: 5, Percent: 8, Width: 6, Expect: -1}
	add(backlog, bad, abstains)
	e.Results[1].Ranked = []Ranked{{2, 10, 1}, {1, 10, 1}, {0, 10, 1}, {3, 10, 1}, {4, 10, 1}, {1, 10, 1}}
	third := Judgement{Verdict: diagnose.Ambiguous, Cause: "packet-loss", Rank: 2, Confidence: 0.55, Abstained: true, Onset: Onset{Status: diagnose.LeftCensored, Windows: math.NaN(), First: math.NaN(), Due: math.NaN(), Percent: math.NaN()}}
	add(Case{Scenario: "mtu", Family: "mtu", Seed: 1, Causes: []string{"mtu-black-hole"}, Truth: lab.Truth{First: at}}, third, third)
	well := Judgement{Verdict: diagnose.Healthy, Cause: "healthy", Right: true, Rank: 1, Confidence: 1, Onset: no}
	add(Case{Scenario: "healthy", Family: "controls", Seed: 1, Causes: []string{"healthy"}}, well, well)
	unwell := explains("process-crash", false, 0.99)
	unwell.FalseOnset = true
	add(Case{Scenario: "healthy", Family: "controls", Seed: 3, Causes: []string{"healthy"}}, unwell, well)
	busy := Judgement{Verdict: diagnose.GeneratorLimited, Cause: "client-cpu", Abstained: true, Disturbed: true, Confidence: 0.99, Onset: no}
	add(Case{Scenario: "crash", Family: "crash", Seed: 1, Causes: []string{"process-crash"}}, busy, Judgement{Verdict: diagnose.Healthy, Cause: "healthy", Missed: true, Onset: no})
	add(Case{Scenario: "hidden", Family: "confounders", Seed: 1, Causes: []string{"unexplained"}}, abstains, explains("process-crash", false, 0.9))
	return e
}

func TestScore(t *testing.T) {
	e := evaluation()
	if got, want := e.Score(0, nil), (Score{
		All: 5, Wrong: 1, Runs: 4, First: 1, Third: 2, Abstained: 2, Disturbed: 1, RuledOut: 1, Placed: 1, Commonest: 2,
		Controls: 2, Healthy: 1, FalseOnsets: 1, Unseen: 1,
	}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := e.Score(1, nil); got.Missed != 1 || got.Invented != 1 || got.First != 0 || got.Healthy != 2 {
		t.Errorf("the client alone: %+v", got)
	}
	if got := e.Score(0, func(c Case) bool { return c.Seed == 3 }); got.Runs != 1 || got.All != 1 || got.Wrong != 1 || got.Controls != 1 {
		t.Errorf("seed 3: %+v", got)
	}
	o := e.Onsets()
	if o.Runs != 3 || o.Found != 2 || o.FromStart != 1 || o.Covered != 1 || o.Windows.Median != 2.5 || o.Bounded != 2 || o.Within != 1 {
		t.Errorf("onsets: %+v", o)
	}
	scores, one, three := e.Ranking()
	if scores[1].First != 1 || scores[0].First != 0 || scores[0].Third != 1 || scores[5].First != 1 || math.Abs(one-0.1) > 1e-9 || math.Abs(three-0.3) > 1e-9 {
		t.Errorf("ranking: %+v, chance %v %v", scores, one, three)
	}
	runs, right := 0, 0
	for _, b := range e.Calibration() {
		runs, right = runs+b.Runs, right+b.Right
	}
	if runs != 3 || right != 1 {
		t.Errorf("calibration over %d runs, %d right", runs, right)
	}
}

func TestWriteMarkdown(t *testing.T) {
	var got bytes.Buffer
	if err := evaluation().WriteMarkdown(&got, []Skipped{{"oom", "scenario oom needs root"}}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "evaluation.golden")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the table changed; look at it and run with -update\n%s", got.Bytes())
	}
}

func TestCases(t *testing.T) {
	dir := t.TempDir()
	c := NewCase(lab.Scenario{Name: "oom", Family: "memory", Cause: "server-memory-oom"}, 3,
		lab.Expect{Causes: []string{"process-crash"}, Resource: "rss", LoadLow: 1, LoadHigh: 2}, lab.Truth{Resets: 5, First: time.Unix(7, 0).UTC()})
	if err := c.Write(filepath.Join(dir, c.Name()+caseEnding)); err != nil {
		t.Fatal(err)
	}
	recorder := Recorder{Dir: dir}
	if got, err := ReadDir(dir); err != nil || len(got) != 0 || recorder.Has(Run{"oom", 3}) {
		t.Errorf("without a run log: %v, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, c.Name()+logEnding), encode(t, sampleLog()), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadDir(dir)
	if err != nil || len(got) != 1 || got[0].Truth.Resets != 5 || !slices.Equal(got[0].Causes, c.Causes) || !recorder.Has(Run{"oom", 3}) {
		t.Fatalf("%+v, %v", got, err)
	}
	if log, err := got[0].Log(); err != nil || log.Header.Name != "sample" {
		t.Errorf("run log: %v, %v", log, err)
	}
	if one, err := ReadRun(dir, Run{"oom", 3}); err != nil || one.LogPath != got[0].LogPath {
		t.Errorf("%+v, %v", one, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"+caseEnding), []byte(`{"scenario": "x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadDir(dir); err == nil {
		t.Error("a case without causes was read")
	}
	var order []string
	for _, r := range (Plan{Scenarios: []string{"a", "b", "c"}, Seeds: []uint64{1, 2}}).Order(rand.New(rand.NewPCG(1, 1))) {
		order = append(order, r.Name())
	}
	if slices.IsSorted(order) {
		t.Errorf("in order: %v", order)
	}
	if slices.Sort(order); !slices.Equal(order, []string{"a-1", "a-2", "b-1", "b-2", "c-1", "c-2"}) {
		t.Errorf("runs %v", order)
	}
}
