// Package resource is a family of the lab's scenarios: memory, processor, and what a service depends on, in control groups.
package resource

import (
	"slices"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// Scenarios returns the scenarios of the family.
func Scenarios() []lab.Scenario {
	return slices.Concat(resourceScenarios(), containerScenarios(), dependencyScenarios(), diskScenarios())
}
