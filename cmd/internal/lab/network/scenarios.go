// Package network is a family of the lab's scenarios: the network between client and service: loss, outages, tables and ports that run out.
package network

import (
	"slices"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// Scenarios returns the scenarios of the family.
func Scenarios() []lab.Scenario {
	return slices.Concat(networkScenarios(), unreachableScenarios(), conflictScenarios())
}
