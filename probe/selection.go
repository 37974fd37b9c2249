package probe

import (
	"context"

	"github.com/rampload/rampload/profiles"
)

// Host is a place that can be watched: this machine, one of its network
// namespaces, a metrics page, a machine with an agent.
type Host interface {
	// Name is the host's name in the profile.
	Name() string
	// Open opens what was selected. What cannot be opened is Missing, each with its
	// reason; it never fails as a whole. The sources belong to the caller, who closes
	// them. ctx bounds the opening alone.
	Open(ctx context.Context, selected Selection) Sources
}

// Selection says what of a host is to be watched.
type Selection struct {
	Processes []profiles.Process
	Logs      []profiles.Log
	Written   bool // follow the files that the processes write text into, too
}

// Sources are the sources of a host that could be opened, and those that could not.
type Sources struct {
	Samplers []Sampler
	Watchers []Watcher
	Missing  []Status // all with State NotMeasured and a Reason
}

// Add adds a sampler, or what stands in its place: why there is none. A caller
// passes on what a constructor returned.
func (s *Sources) Add(source Source, sampler Sampler, err error) {
	if err != nil {
		s.Missing = append(s.Missing, Status{Source: source, State: NotMeasured, Reason: err.Error()})
		return
	}
	s.Samplers = append(s.Samplers, sampler)
}

// Append adds all sources of another host.
func (s *Sources) Append(other Sources) {
	s.Samplers = append(s.Samplers, other.Samplers...)
	s.Watchers = append(s.Watchers, other.Watchers...)
	s.Missing = append(s.Missing, other.Missing...)
}

// Close ends the samplers that no session has taken over.
func (s *Sources) Close() {
	for _, sampler := range s.Samplers {
		sampler.Close()
	}
}
