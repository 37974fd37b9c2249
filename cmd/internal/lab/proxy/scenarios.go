// Package proxy is a family of the lab's scenarios: hops between client and service: nginx and haproxy, chains of them, and the instances behind them.
package proxy

import (
	"slices"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// Scenarios returns the scenarios of the family.
func Scenarios() []lab.Scenario {
	return slices.Concat(proxyScenarios(), relayScenarios(), instanceScenarios())
}
