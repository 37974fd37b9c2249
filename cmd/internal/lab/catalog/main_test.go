package catalog_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"testing"

	"github.com/rampload/rampload/cmd/internal/lab/services"
)

// TestMain lets the test binary be the process of a lab service, as the command
// line is for its users.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "lab-service" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		if err := services.Run(ctx, os.Args[2], os.Args[3:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) > 2 && os.Args[1] == "lab-client" {
		if err := clientMain(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}
