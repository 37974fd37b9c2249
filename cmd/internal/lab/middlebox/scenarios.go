// Package middlebox is a family of the lab's scenarios: packet filters, balancers and other boxes on the path.
package middlebox

import (
	"slices"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// Scenarios returns the scenarios of the family.
func Scenarios() []lab.Scenario {
	return slices.Concat(middleboxScenarios(), rulesetScenarios(), edgeScenarios())
}
