// Package python is a family of the lab's scenarios: servers in Python: gunicorn, uWSGI, the standard library and event loops.
package python

import (
	"slices"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// Scenarios returns the scenarios of the family.
func Scenarios() []lab.Scenario {
	return slices.Concat(gunicornScenarios(), pythonScenarios(), stdlibScenarios(), eventLoopScenarios(), uwsgiScenarios())
}
