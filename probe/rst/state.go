package rst

import (
	"errors"
	"fmt"
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
	limits []string // why the measurement is only partial
	lost   uint64
}

func newState(source probe.Source) *state {
	return &state{
		ready:  make(chan struct{}),
		status: probe.Status{Source: source, State: probe.NotMeasured, Reason: "not started"},
	}
}

// began marks the source as measured, with what it cannot see.
func (s *state) began(limits []string) {
	s.mu.Lock()
	s.limits = limits
	s.status.State = probe.Measured
	s.mu.Unlock()
	close(s.ready)
}

// failed marks the source as ended by err.
func (s *state) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status.State != probe.NotMeasured {
		s.limits = append(s.limits, "ended early: "+err.Error())
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

func (s *state) report() probe.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, why := s.status, s.limits
	if st.State == probe.NotMeasured {
		return st
	}
	if s.lost > 0 {
		why = append(why[:len(why):len(why)], fmt.Sprintf("%d events lost", s.lost))
	}
	if st.Reason = ""; len(why) > 0 {
		st.State, st.Reason = probe.Partial, strings.Join(why, "; ")
	}
	return st
}
