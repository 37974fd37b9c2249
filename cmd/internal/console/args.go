package console

import (
	"fmt"

	"github.com/spf13/cobra"
)

// ExactArgs is cobra.ExactArgs with an error that shows the right call.
func ExactArgs(use string, n int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return Usage(fmt.Errorf("got %d arguments: write %s", len(args), use))
		}
		return nil
	}
}
