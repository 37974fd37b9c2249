package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rampload/rampload/cmd/internal/boards"
	"github.com/rampload/rampload/cmd/internal/console"
)

// newDashboard and newAlerts print what is made of a run's metrics elsewhere.
func newDashboard(env console.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "dashboard",
		Short: "Print a Grafana dashboard of a run's metrics",
		Long: `dashboard prints a dashboard for Grafana as JSON: load, resets and other faults,
latency, resources against their limits, and the verdict, of the runs that a
Prometheus knows. Import it under Dashboards, New, Import, and choose the Prometheus
there. See rampload help metrics.`,
		Example: `  rampload dashboard > rampload-dashboard.json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return console.Printed(fmt.Fprint(env.Stdout, boards.Dashboard()))
		},
	}
}

func newAlerts(env console.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "alerts",
		Short: "Print Prometheus rules over a run's metrics",
		Long: `alerts prints a file of rules for Prometheus: alerts of connections that are reset,
requests that fail, limits that are reached, a generator that is late, and gates that
failed, and rates that are recorded. Thresholds are meant to be changed. What a run
tells an Alertmanager itself is said with notify in its profile: see rampload help
metrics.`,
		Example: `  rampload alerts > rampload.rules.yml && promtool check rules rampload.rules.yml`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return console.Printed(fmt.Fprint(env.Stdout, boards.RulesFile()))
		},
	}
}
