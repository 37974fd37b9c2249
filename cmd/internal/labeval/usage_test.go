package labeval_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/cli"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/lab/catalog"
	"github.com/rampload/rampload/cmd/internal/labeval"
	"github.com/rampload/rampload/report"
)

// The evaluation says what it needs, before it runs anything.
func TestUsage(t *testing.T) {
	for _, test := range []struct{ args, says string }{
		{"lab-eval", "no folder for the run logs: name one with --dir DIR"},
		{"lab-eval --dir runs --seeds 3-1", "write 1 or 1-3"},
		{"lab-eval --dir runs --scenarios no-such-*", "rampload-lab demo --list names them"},
		{"lab-eval --dir runs --scenarios [x", "is not a pattern"},
		{"lab-eval --replay " + t.TempDir(), "no recorded runs in "},
		{"demo healthy --shorten 0.5", "write a number from 1 to 10"},
		{"demo nginx-connection", "nginx-connections"},
	} {
		var out, errs bytes.Buffer
		code := cli.Main(t.Context(), console.Env{
			Args: strings.Fields(test.args), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
			LookupEnv: func(string) (string, bool) { return "", false },
			Lab:       console.Lab{Scenarios: catalog.Scenarios(), Commands: []func(console.Env) *cobra.Command{labeval.New}},
		})
		if code != report.ExitUsage || !strings.Contains(errs.String(), test.says) {
			t.Errorf("rampload-lab %s: exit %d, %s", test.args, code, errs.String())
		}
	}
}
