package lab

import "slices"

// Scenarios returns all scenarios, those that need no privileges first. Which of
// them this machine can run, [Scenario.Missing] tells.
func Scenarios() []Scenario {
	return slices.Concat(
		serverScenarios(), softwareScenarios(), controlScenarios(), gunicornScenarios(), pythonScenarios(),
		networkScenarios(), proxyScenarios(), resourceScenarios(), nginxScenarios(), haproxyScenarios(), containerScenarios(), instanceScenarios(), middleboxScenarios(), applicationScenarios(), lookalikeScenarios(), eventLoopScenarios(), edgeScenarios(), relayScenarios(),
		apacheScenarios(), lighttpdScenarios(), stunnelScenarios(), transparentScenarios(), stdlibScenarios(), rulesetScenarios(),
		dependencyScenarios(), unreachableScenarios(), nearLimitScenarios(),
		uwsgiScenarios(), nodeScenarios(), caddyScenarios(), phpScenarios(), rubyScenarios(), tomcatScenarios(), squidScenarios(), varnishScenarios(),
	)
}
