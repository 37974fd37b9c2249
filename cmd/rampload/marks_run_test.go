//go:build linux

package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rampload/rampload/report"
)

// TestMarkIntoARun puts a release into a run that sends its load: the service fails from
// then on, and the verdict names the mark.
func TestMarkIntoARun(t *testing.T) {
	exe := buildProgram(t)
	var served atomic.Int64
	var broken atomic.Bool
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer service.Close()
	dir := t.TempDir()
	out := filepath.Join(dir, "out.json")
	profile := filepath.Join(dir, "peak.yaml")
	text := fmt.Sprintf("name: peak\ntargets: [{name: orders, url: '%s'}]\nload: [{at: 100/s, for: 20m}]\nabort-if: ['failures > 600']\n", service.URL)
	if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
	var said strings.Builder
	load := exec.Command(exe, "--profile", profile, "--out", out, "--no-trace")
	load.Env, load.Stdout, load.Stderr = environ, &said, &said
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = load.Process.Kill() }()
	until(t, "the load", func() bool { return served.Load() > 1000 })
	mark := exec.Command(exe, "mark", "deploy v2")
	mark.Env = environ
	answer, err := mark.CombinedOutput()
	if err != nil || !strings.Contains(string(answer), "marked peak at ") {
		t.Fatalf("%v: %s", err, answer)
	}
	broken.Store(true)
	_ = load.Wait() // the abort condition ends it
	if code := load.ProcessState.ExitCode(); code != report.ExitFailed {
		t.Fatalf("exit %d: %s", code, said.String())
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := report.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Marks) != 1 || r.Marks[0].Text != "deploy v2" {
		t.Errorf("marks %+v", r.Marks)
	}
	m := r.Targets[0].Onset.Mark
	if r.Targets[0].Onset.Status != report.OnsetFound || m == nil || m.Text != "deploy v2" || m.AfterS > 10 {
		t.Errorf("onset %+v, mark %+v", r.Targets[0].Onset, m)
	}
	if !strings.Contains(said.String(), `after "deploy v2"`) {
		t.Errorf("the verdict does not name the mark: %s", said.String())
	}
}
