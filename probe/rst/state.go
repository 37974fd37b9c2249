package rst

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rampload/rampload/probe"
)

// state is what a watch tells others while it runs.
type state struct {
	ready chan struct{}

	mu     sync.Mutex
	status probe.Status
	parts  []*probe.Unsupported // what it cannot measure
	early  string               // why it ended before it was told to
	lost   uint64
}

func newState(source probe.Source) *state {
	return &state{
		ready:  make(chan struct{}),
		status: probe.Status{Source: source, State: probe.NotMeasured, Reason: "not started"},
	}
}

// began marks the source as measured, but for some parts.
func (s *state) began(parts []*probe.Unsupported) {
	s.mu.Lock()
	s.parts = parts
	s.status.State = probe.Measured
	s.mu.Unlock()
	close(s.ready)
}

// failed marks the source as ended by err.
func (s *state) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status.State != probe.NotMeasured {
		s.early = err.Error()
		return
	}
	s.status.Reason = err.Error()
	if u := (*probe.Unsupported)(nil); errors.As(err, &u) {
		s.status.Reason = u.Reason
		if u.Needs != "" {
			s.status.Reason += "; needs " + u.Needs
		}
	}
}

// read counts one reading with the CPU used so far.
func (s *state) read(cpu time.Duration) {
	s.mu.Lock()
	s.status.Reads++
	s.status.CPU = cpu
	s.mu.Unlock()
}

func (s *state) lose(n uint64) {
	s.mu.Lock()
	s.lost += n
	s.mu.Unlock()
}

// lacks replaces the parts that are not measured.
func (s *state) lacks(parts []*probe.Unsupported) {
	s.mu.Lock()
	s.parts = parts
	s.mu.Unlock()
}

// missing returns the parts that are not measured.
func (s *state) missing() []*probe.Unsupported {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.parts)
}

func (s *state) report() probe.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	if st.State == probe.NotMeasured {
		return st
	}
	var why []string
	for _, u := range s.parts {
		why = append(why, u.Error())
	}
	if s.early != "" {
		why = append(why, "ended early: "+s.early)
	}
	if s.lost > 0 {
		why = append(why, fmt.Sprintf("%d events lost", s.lost))
	}
	if st.Reason = ""; len(why) > 0 {
		st.State, st.Reason = probe.Partial, strings.Join(why, "; ")
	}
	return st
}
