// Package application is a family of the lab's scenarios: services and applications that fail by their own code, limits and policies, on this machine's loopback, and the controls that do not.
package application

import (
	"slices"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// Scenarios returns the scenarios of the family.
func Scenarios() []lab.Scenario {
	return slices.Concat(applicationScenarios(), controlScenarios(), serverScenarios(), softwareScenarios(), lookalikeScenarios(), nearLimitScenarios(), waitingScenarios())
}
