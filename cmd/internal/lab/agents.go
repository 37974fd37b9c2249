package lab

import (
	"slices"

	"github.com/rampload/rampload/profiles"
)

// Twin is the name of a host's twin: the same host, watched by an agent there as one on
// another machine is.
func Twin(host string) string { return host + "-by-agent" }

// WithTwins adds a twin for every host of the scenario that is a network namespace: one
// run is recorded both ways then. exe is the program that has the agent. It reports
// whether there is any: hosts of the generator's own machine have no twins.
func (r *Running) WithTwins(exe string) bool {
	hosts := slices.Clone(r.Profile.Hosts)
	for _, h := range r.Profile.Hosts {
		if h.Netns == "" || h.Remote() {
			continue
		}
		// nsenter rather than ip netns exec: that one hides /sys/kernel/tracing.
		twin := profiles.Host{Name: Twin(h.Name), Processes: h.Processes, Logs: h.Logs}
		twin.Agent.Command = []string{"nsenter", "--net=/run/netns/" + h.Netns, "--", exe, "agent", "--stdio"}
		hosts = append(hosts, twin)
	}
	more := len(hosts) > len(r.Profile.Hosts)
	r.Profile.Hosts = hosts
	return more
}
