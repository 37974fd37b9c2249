// Rampload-lab is rampload with the whole lab: "demo" runs any scenario, and
// "lab-eval" runs them all and measures how right the diagnosis is. It is for the
// development of rampload and is not installed with it.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/cli"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/lab/catalog"
	"github.com/rampload/rampload/cmd/internal/labeval"
)

func main() {
	os.Exit(cli.Main(context.Background(), console.Env{
		Args:      os.Args[1:],
		Stdin:     os.Stdin,
		Stdout:    os.Stdout,
		Stderr:    os.Stderr,
		LookupEnv: os.LookupEnv,
		Lab: console.Lab{
			Scenarios: catalog.Scenarios(),
			Commands:  []func(console.Env) *cobra.Command{labeval.New, labeval.NewFit},
			KeepTruth: labeval.KeepTruth,
		},
	}))
}
