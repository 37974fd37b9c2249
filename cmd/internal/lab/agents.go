package lab

import (
	"slices"

	"github.com/rampload/rampload/profiles"
)

// ByAgents lets every host of the scenario but the generator be watched by an agent of
// its own, as one on another machine is: exe is the program that has the agent. A host
// that is a network namespace gets its agent there.
func (r *Running) ByAgents(exe string) {
	r.Profile.Hosts = slices.Clone(r.Profile.Hosts)
	for i := range r.Profile.Hosts {
		h := &r.Profile.Hosts[i]
		if h.Name == profiles.LocalHost || h.Remote() {
			continue
		}
		h.Agent.Command = []string{exe, "agent", "--stdio"}
		if h.Netns != "" {
			// nsenter rather than ip netns exec: that one hides /sys/kernel/tracing.
			h.Agent.Command = append([]string{"nsenter", "--net=/run/netns/" + h.Netns, "--"}, h.Agent.Command...)
			h.Netns = ""
		}
	}
}
