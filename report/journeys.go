package report

import (
	"slices"
	"strings"

	"github.com/rampload/rampload/profiles"
)

// Journey counts what became of the journeys of one kind: those that began are those
// that were completed and those that ended at a step, in the order of the steps.
type Journey struct {
	Name      string       `json:"name"`
	Began     uint64       `json:"began"`
	Completed uint64       `json:"completed"`
	Ended     []JourneyEnd `json:"ended_at,omitempty"`
}

// JourneyEnd is a step after which journeys did not go on: it failed, or the load was
// over before the next one.
type JourneyEnd struct {
	Step  string `json:"step"`
	Count uint64 `json:"count"`
}

// Journeys counts the journeys by their steps, which are targets called JOURNEY/STEP.
func Journeys(targets []Target) []Journey {
	var out []Journey
	// What follows from what a step accepted is no step.
	targets = slices.DeleteFunc(slices.Clone(targets), func(t Target) bool { return t.Part != profiles.RoleRequests })
	for i, t := range targets {
		name, step, ok := strings.Cut(t.Name, "/")
		if !ok {
			continue
		}
		if len(out) == 0 || out[len(out)-1].Name != name {
			out = append(out, Journey{Name: name, Began: t.Requests})
		}
		j := &out[len(out)-1]
		next := t.OK
		last := i+1 == len(targets) || !strings.HasPrefix(targets[i+1].Name, name+"/")
		if last {
			j.Completed = t.OK
		} else {
			next = targets[i+1].Requests
		}
		if gone := t.Requests - min(next, t.Requests); gone > 0 {
			j.Ended = append(j.Ended, JourneyEnd{step, gone})
		}
	}
	return out
}
