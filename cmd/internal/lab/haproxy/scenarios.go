// Package haproxy is a family of the lab's scenarios: haproxy as a proxy, in the open and unseen.
package haproxy

import (
	"slices"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// Scenarios returns the scenarios of the family.
func Scenarios() []lab.Scenario {
	return slices.Concat(haproxyScenarios(), transparentScenarios())
}
