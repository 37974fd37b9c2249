package main_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/cmd/internal/eval"
	"github.com/rampload/rampload/report/diagnose"
)

// TestLabEval is the smallest evaluation: a fault that begins at a load, one
// that is there at any load, and a healthy service, through the built program
// from the injector to the table. "make eval" runs all of the lab.
func TestLabEval(t *testing.T) {
	if testing.Short() {
		t.Skip("runs scenarios for 40 s")
	}
	if runtime.GOOS != "linux" {
		t.Skip("the lab's scenarios need Linux")
	}
	scenarios := []string{"descriptors", "abort-before-response", "healthy-keep-alive-requests"}
	exe, dir := buildLab(t), t.TempDir()
	var table []byte
	for range 3 { // a busy machine disturbs single runs
		table = labEval(t, exe, "--scenarios", strings.Join(scenarios, ","), "--shorten", "2.5", "--dir", dir, "--resume", "--repeat-disturbed")
		if !disturbed(t, dir) {
			break
		}
	}
	cases, err := eval.ReadDir(dir)
	if err != nil || len(cases) != len(scenarios) {
		t.Fatalf("%d runs recorded: %v", len(cases), err)
	}
	for _, c := range cases {
		j := judge(t, c)
		switch {
		case j.Disturbed && os.Getenv("RAMPLOAD_NO_SKIP") != "1":
			t.Skipf("%s: the machine is too busy to load anything", c.Name())
		case !j.Right:
			t.Errorf("%s: %s expected, %s (%s, %.2f) found", c.Name(), c.Causes[0], j.Cause, j.Verdict, j.Confidence)
		}
		if harmed := c.Truth.Resets > 0; harmed == (c.Kind() == eval.Control) {
			t.Errorf("%s: the injector counted %d resets", c.Name(), c.Truth.Resets)
		}
	}
	for _, want := range []string{"3 runs of 3 scenarios with seed 1", "| all sources | 2 of 2, 100 %", "| controls with a false onset | 0 of 1"} {
		if !bytes.Contains(table, []byte(want)) {
			t.Errorf("the table does not say %q:\n%s", want, table)
		}
	}
}

// buildLab builds the program.
func buildLab(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "rampload-lab")
	if out, err := exec.Command("go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		t.Fatalf("build rampload-lab: %v\n%s", err, out)
	}
	return exe
}

// TestAgentsSayTheSame runs a scenario whose hosts are watched twice, as namespaces of this
// machine and by agents: the verdict is the same. "make eval-agents" does so with the
// whole lab.
func TestAgentsSayTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a scenario for 20 s")
	}
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("needs root: the hosts are network namespaces")
	}
	exe, dir := buildLab(t), t.TempDir()
	var pairs []eval.Pair
	for range 2 { // a busy machine disturbs single runs
		table := labEval(t, exe, "--agents", "--scenarios", "proxy-descriptors", "--shorten", "2", "--dir", dir, "--resume", "--repeat-disturbed")
		t.Logf("%s", table)
		cases, err := eval.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if pairs, err = eval.Twins(cases); err != nil || len(pairs) != 1 {
			t.Fatalf("%d runs were recorded both ways: %v", len(pairs), err)
		}
		if !slices.ContainsFunc(pairs, eval.Pair.Disturbed) {
			break
		}
	}
	for _, p := range pairs {
		switch {
		case p.Disturbed():
			t.Skipf("%s: the machine is too busy to load anything", p.Name())
		case !p.Same():
			t.Errorf("%s: by namespaces %+v, by agents %+v", p.Name(), p.Namespaces, p.Agents)
		}
	}
}

func labEval(t *testing.T, exe string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, append([]string{"lab-eval"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	t.Logf("%s", said.Bytes())
	if err != nil {
		t.Fatalf("rampload-lab lab-eval: %v", err)
	}
	return out
}

func judge(t *testing.T, c eval.Recorded) eval.Judgement {
	t.Helper()
	log, err := c.Log()
	if err != nil {
		t.Fatal(err)
	}
	return eval.Judge(c.Case, log, diagnose.Analyze(log))
}

func disturbed(t *testing.T, dir string) bool {
	t.Helper()
	cases, err := eval.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if judge(t, c).Disturbed {
			return true
		}
	}
	return false
}
