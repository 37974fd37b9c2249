// Rampload ramps load against services, counts every connection reset at the
// connection, and names the resource that ran out, the host and who sent the
// reset. See the README for its commands and exit codes.
package main

import (
	"context"
	"os"

	"github.com/rampload/rampload/cmd/internal/cli"
	"github.com/rampload/rampload/cmd/internal/console"
)

func main() {
	os.Exit(cli.Main(context.Background(), console.Env{
		Args:      os.Args[1:],
		Stdin:     os.Stdin,
		Stdout:    os.Stdout,
		Stderr:    os.Stderr,
		LookupEnv: os.LookupEnv,
	}))
}
