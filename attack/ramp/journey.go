package ramp

import (
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/journey"
	"github.com/rampload/rampload/profiles"
)

// route is a journey as it is sent: a target for each step, and connections that all
// steps of one service share.
type route struct {
	script *journey.Script
	own    bool // each user has a connection of its own to each service
	steps  []stop
	tables []int // of the profile, that a user needs a row of
}

// stop is a step of a route.
type stop struct {
	target uint16
	at     profiles.Service
	via    *group // that of the first step that goes there
}

// of returns the connections of the first step that goes to a service, nil if none does.
func (j *route) of(at profiles.Service) *group {
	for _, s := range j.steps {
		if s.at.URL == at.URL && s.at.ConnectTo == at.ConnectTo && s.at.ServerName == at.ServerName {
			return s.via
		}
	}
	return nil
}

// senders are what one user sends over.
type senders struct {
	own   bool
	slots map[*group]attack.Slot
}

// to returns what a user sends to a service over.
func (s *senders) to(g *group) attack.Sender {
	if !s.own {
		return g.via
	}
	slot := s.slots[g]
	if slot == nil {
		if s.slots == nil {
			s.slots = make(map[*group]attack.Slot)
		}
		slot = g.via.Slot()
		s.slots[g] = slot
	}
	return slot
}

func (s *senders) close() {
	for _, slot := range s.slots {
		slot.Close()
	}
}

// stepShift is where the number of a step stands in the number of its request: that of
// the first is the arrival's.
const stepShift = 56

// needs adds what a step needs of the tables.
func (j *route) needs(tables []int) {
	for _, t := range tables {
		if !slices.Contains(j.tables, t) {
			j.tables = append(j.tables, t)
		}
	}
}

// travel makes one journey, that of arrival a, and waits for its end. Its first request
// is due when the arrival is; each other one when the pause before it is over.
func (run *run) travel(hint uint32, j *route, a *attack.Attempt) uint32 {
	if !run.fill(j.tables, a, nil) {
		run.agg.Unsent(hint, a.Target, run.now())
		return hint
	}
	var rows []int
	if a.Fill != nil {
		rows = a.Fill.Rows
	}
	user := j.script.User(rows)
	via := senders{own: j.own}
	defer via.close()
	arrival, due := a.Request, a.Due
	for i, step := range j.steps {
		target := step.target
		if pause := user.Think(i); i > 0 {
			if !run.pause(pause) {
				return hint // stopped: the step was not due
			}
			due = run.now()
		} else if pause > 0 {
			if !run.pause(pause) {
				run.agg.Unsent(hint, target, run.now())
				return hint
			}
			due += pause
		}
		*a = attack.Attempt{Request: arrival + uint64(i)<<stepShift, Target: target, Due: due}
		hint = run.agg.Begin(hint, target, due, max(run.now(), due), i > 0)
		ep := &run.targets[target].endpoints[0]
		hint = run.performFor(hint, via.to(step.via), ep, a, &traveller{user, i, run.followers[target]})
		if a.Fault != attack.None && !user.Skips(i) {
			return hint
		}
	}
	return hint
}

// traveller is a user at a step.
type traveller struct {
	user   *journey.User
	step   int
	behind *follower // of what the step accepts, nil: nothing follows
}

// Begin gives an attempt what the user has in hand.
func (t *traveller) Begin(a *attack.Attempt) {
	t.user.Begin(t.step, a)
	if t.behind != nil {
		a.Reply.Limit = max(a.Reply.Limit, t.behind.Reads())
	}
}

// End judges the attempt, and keeps what its answer gives.
func (t *traveller) End(a *attack.Attempt) {
	reply := a.Reply
	t.user.End(t.step, a)
	if t.behind != nil {
		t.behind.See(a, reply)
	}
}

// Traveller makes journeys outside of a load, one step after the other.
type Traveller struct {
	user  *journey.User
	steps int
	next  int
}

// Travel returns a user of a journey, with the rows that an attempt was given.
func Travel(s *journey.Script, fill *attack.Fill) *Traveller {
	var rows []int
	if fill != nil {
		rows = fill.Rows
	}
	return &Traveller{user: s.User(rows), steps: s.Steps()}
}

// Do makes the next step over a client, and reports whether another one follows.
func (t *Traveller) Do(via attack.Sender, r attack.Request, a *attack.Attempt) (more bool) {
	step := t.next
	t.next++
	t.user.Begin(step, a)
	reply := a.Reply
	via.Do(r, a)
	t.user.End(step, a)
	a.Reply = reply
	return t.next < t.steps && (a.Fault == attack.None || t.user.Skips(step))
}

// Pause returns how long the user waits before its next step.
func (t *Traveller) Pause() time.Duration { return t.user.Think(t.next) }
