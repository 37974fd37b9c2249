package schedule

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rampload/rampload/profiles"
)

// Steering changes the load by hand while it is sent: it holds the load where it is,
// goes on, skips the rest of a stage, scales what is to come. Its methods may be called
// from several goroutines. Their times are from when a change holds, since the start of
// the load and ahead of what has been sent; see [Growing.Change]. They return what was
// changed, or why nothing was.
type Steering struct {
	growing *Growing

	mu     sync.Mutex
	of     []int // which stage of the plan a stage of the schedule is, or is part of
	held   bool
	rest   []part  // what follows when the load is no longer held
	factor float64 // by which the load was scaled in all; 0 stands for 1
}

// NewSteering steers a schedule.
func NewSteering(g *Growing) *Steering {
	s := &Steering{growing: g}
	for i := range g.Now().stages {
		s.of = append(s.of, i)
	}
	return s
}

// Action is what was done to a load.
type Action string

// The actions.
const (
	ActionHold   Action = "hold"   // at the load of the moment, until resumed or skipped
	ActionResume Action = "resume" // the stage where it was held
	ActionSkip   Action = "skip"   // the rest of the stage
	ActionScale  Action = "scale"  // all that is to come
)

// Change is a change of the load.
type Change struct {
	At     time.Duration
	Action Action
	Factor float64 // of ActionScale
	// Stages are the load from At on.
	Stages []profiles.Stage
}

// Errors of a change that cannot be made.
var (
	ErrClosedLoop = errors.New("a closed loop (at: max) cannot be held: it takes what the target gives")
	ErrHeld       = errors.New("the load is held already")
	ErrNotHeld    = errors.New("the load is not held")
)

const (
	// longest is how long a load is held at most.
	longest = 7 * 24 * time.Hour
	// mostFactor bounds what a load is scaled by in all, both ways.
	mostFactor = 100
)

// Held reports whether the load is held by hand, and the factor by which it is scaled.
func (s *Steering) Held() (held bool, factor float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held, s.scaled()
}

func (s *Steering) scaled() float64 {
	if s.factor == 0 {
		return 1
	}
	return s.factor
}

// Hold keeps the load as it is at a time. Bursts go on as they are.
func (s *Steering) Hold(at time.Duration) (Change, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held {
		return Change{}, ErrHeld
	}
	rest := s.coming(at)
	if len(rest) == 0 {
		return Change{}, ErrOver
	}
	held := rest[0]
	switch now := held.Stage.(type) {
	case profiles.Max:
		return Change{}, ErrClosedLoop
	case profiles.Connections:
		now.To = now.From
		held.Stage = now.Lasting(longest)
	case profiles.Burst:
		length := longest
		if bursts := maxPieces / 20 * now.Every; bursts > 0 {
			length = min(length, bursts)
		}
		held.Stage = now.Lasting(length)
	default:
		held.Stage = profiles.Hold{Rate: s.growing.Rate(at), For: longest}
	}
	return s.change(Change{At: at, Action: ActionHold}, []part{held}, rest)
}

// Resume goes on where the load was held.
func (s *Steering) Resume(at time.Duration) (Change, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.held {
		return Change{}, ErrNotHeld
	}
	return s.change(Change{At: at, Action: ActionResume}, s.rest, nil)
}

// Skip goes on with the next stage; after the last one the load ends.
func (s *Steering) Skip(at time.Duration) (Change, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.rest
	if !s.held {
		next = s.coming(at)
	}
	if len(next) == 0 {
		return Change{}, ErrOver
	}
	for this := next[0].of; len(next) > 0 && next[0].of == this; {
		next = next[1:]
	}
	return s.change(Change{At: at, Action: ActionSkip}, next, nil)
}

// Scale multiplies all that is to come, the load that is held too.
func (s *Steering) Scale(at time.Duration, factor float64) (Change, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.scaled() * factor
	if !(all >= 1.0/mostFactor && all <= mostFactor) {
		return Change{}, fmt.Errorf("the load cannot be scaled by %.4g in all: at most by %d, either way", all, mostFactor)
	}
	change, err := s.change(Change{At: at, Action: ActionScale, Factor: factor}, scaled(s.coming(at), factor), scaled(s.rest, factor))
	if err == nil {
		s.factor = all
	}
	return change, err
}

func scaled(parts []part, factor float64) []part {
	out := slices.Clone(parts)
	for i, stage := range Scaled(stagesOf(parts), factor) {
		out[i].Stage = stage
	}
	return out
}

// coming is what the schedule has from a time on, by the stages of the plan.
func (s *Steering) coming(at time.Duration) []part {
	parts := s.growing.Now().rest(at)
	for i := range parts {
		parts[i].of = s.of[parts[i].of]
	}
	return parts
}

// change makes the load from c.At on what parts are; rest follows when it is held.
func (s *Steering) change(c Change, parts, rest []part) (Change, error) {
	c.Stages = stagesOf(parts)
	if err := s.growing.Change(c.At, c.Stages...); err != nil {
		return Change{}, err
	}
	all := s.growing.Now().stages
	s.of = s.of[:min(len(s.of), len(all)-len(parts))]
	for _, p := range parts {
		s.of = append(s.of, p.of)
	}
	s.held, s.rest = len(rest) > 0, rest
	return c, nil
}
