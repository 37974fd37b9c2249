package labeval

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/eval"
)

// NewFit is how "make fit" measures what other strengths of evidence would be worth.
func NewFit(env console.Env) *cobra.Command {
	var dir, table string
	every := 1
	cmd := &cobra.Command{
		Use:   "lab-fit",
		Short: "Measure what other strengths of evidence would be worth",
		Long: `lab-fit analyses recorded runs with the strengths of evidence weaker and stronger
than the rules have them, and judges each family of faults with those that fit all
others best (Markdown).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := eval.FitRuns(cmd.Context(), dir, every)
			if err != nil {
				return console.Usage(err)
			}
			text := eval.FitTable(all, eval.Folds(all))
			if table == "" {
				fmt.Fprint(env.Stdout, text)
				return nil
			}
			if err := os.WriteFile(table, []byte(text), 0o644); err != nil {
				return console.NotRun(fmt.Errorf("write the table: %w", err))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "runs", "report/diagnose/testdata/runs", "recorded runs with what is expected of them: `DIR`")
	f.IntVar(&every, "every", 1, "take every `N`th run")
	f.StringVar(&table, "table", "", "write the table to `FILE` instead of printing it")
	return cmd
}
