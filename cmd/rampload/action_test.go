package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// action is what the test reads of a composite action.
type action struct {
	Inputs map[string]struct {
		Default  string
		Required bool
	}
	Runs struct {
		Steps []struct {
			ID, Run, Uses, If, Shell string
			Env                      map[string]string
		}
	}
}

// The steps of the GitHub action, run in a shell as a runner would: a failed gate is
// summed up, annotated at its line, and fails the job with rampload's exit code.
func TestGitHubAction(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("needs bash")
	}
	text, err := os.ReadFile("../../.ci/action/action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var a action
	if err := yaml.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	binary, err := exec.LookPath("rampload") // what the scripts run
	if err != nil {
		t.Fatal(err)
	}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	defer service.Close()

	dir := t.TempDir()
	profile := fmt.Sprintf("name: ci\ntargets: [{name: api, url: %q}]\nload: [{at: 40/s, for: 2s}]\ngate:\n  - wire-resets == 0\n  - failures < 1%%\nabort-if: []\n", service.URL)
	files := map[string]string{}
	for _, name := range []string{"GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		files[name] = filepath.Join(dir, name)
		if err := os.WriteFile(files[name], nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "ci.yaml"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	given := map[string]string{
		"${{ inputs.profile }}": "ci.yaml", "${{ inputs.args }}": "--no-trace --quiet", "${{ inputs.label }}": "v1",
		"${{ inputs.baseline }}": "", "${{ inputs.binary }}": binary, "${{ inputs.directory }}": a.Inputs["directory"].Default,
		"${{ inputs.version }}": "v1",
	}
	path := os.Getenv("PATH")
	code := 0
	var shown string
	for _, step := range a.Runs.Steps {
		if step.Uses != "" || step.ID == "comment" { // the runner's own, and GitHub's
			continue
		}
		if step.Shell != "bash" || strings.Contains(step.Run, "${{") {
			t.Errorf("step %s: what is given must come by the environment, never be put into the script", step.ID)
		}
		cmd := exec.Command(bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", step.Run)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + path, "HOME=" + dir, "RUNNER_TEMP=" + dir}
		for name, file := range files {
			cmd.Env = append(cmd.Env, name+"="+file)
		}
		for name, value := range step.Env {
			if value == "${{ steps.run.outputs.exit-code }}" {
				value = output(t, files["GITHUB_OUTPUT"], "exit-code")
			} else if v, ok := given[value]; ok {
				value = v
			}
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		switch {
		case step.ID == "verdict" && errors.As(err, &exit):
			code = exit.ExitCode()
		case err != nil:
			t.Fatalf("step %s: %v\n%s", step.ID, err, out)
		}
		if step.ID == "show" {
			shown = string(out)
		}
		if added, err := os.ReadFile(files["GITHUB_PATH"]); err == nil {
			path = strings.TrimSpace(string(added)) + ":" + os.Getenv("PATH")
		}
	}
	if code != 1 {
		t.Errorf("the job ends with %d, want 1", code)
	}
	if !strings.Contains(shown, "::error file=ci.yaml,line=6,title=gate failed::failures < 1%25") {
		t.Errorf("annotations:\n%s", shown)
	}
	summary, err := os.ReadFile(files["GITHUB_STEP_SUMMARY"])
	if err != nil || !bytes.HasPrefix(summary, []byte("### FAILED: ")) {
		t.Errorf("summary: %v %.200s", err, summary)
	}
	for _, name := range []string{"rampload.json", "rampload.html", "rampload.xml", "rampload.md"} {
		if st, err := os.Stat(filepath.Join(dir, "rampload-report", name)); err != nil || st.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// output is what a step has put out under a name.
func output(t *testing.T, file, name string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
