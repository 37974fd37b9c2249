package fleet

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
)

// Slice is what of a run's load a worker sends: of the requests of the schedule those
// whose number n is Index modulo Of.
type Slice struct {
	Index, Of int
	From      time.Duration // what is due before is somebody else's; a whole window
	Start     time.Time     // t = 0 on this machine's clock
	Schedule  *schedule.Growing
	// Own says that this is the worker's own slice: with it, the worker is watched.
	Own bool
	Out io.Writer // takes the record
}

// sending is a worker's part in a run.
type sending struct {
	job        *job
	assignment protocol.Assignment
	part       int
	dir        string            // with the files of the profile
	growing    *schedule.Growing // nil: the load is planned

	mu      sync.Mutex
	started bool
	start   time.Time
}

// prepare gets ready to send.
func (j *job) prepare(o protocol.Order) protocol.Answer {
	dir, err := os.MkdirTemp("", "rampload-worker-")
	if err != nil {
		return protocol.Answer{Error: fmt.Sprintf("make a folder for the run: %s", err)}
	}
	s := &sending{job: j, assignment: *o.Assignment, part: o.Part, dir: dir}
	if err = s.assignment.Check(); err == nil {
		err = s.assignment.Unpack(dir)
	}
	if err != nil {
		s.clean()
		return protocol.Answer{Error: err.Error()}
	}
	if s.assignment.Search {
		s.growing = new(schedule.Growing)
	}
	warnings, err := j.member.Send.Prepare(j.ctx, s.assignment)
	if err != nil {
		s.clean()
		return protocol.Answer{Error: err.Error()}
	}
	j.sending = s
	j.member.say("ready to send slice %d of %d of run %s (%s)", s.assignment.Slice+1, s.assignment.Of, o.Run, s.assignment.Header.Name)
	return protocol.Answer{Warnings: warnings}
}

func (s *sending) clean() { os.RemoveAll(s.dir) }

// obey carries out an order.
func (s *sending) obey(o protocol.Order) protocol.Answer {
	switch o.Kind {
	case protocol.OrderStart:
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.started {
			return protocol.Answer{} // it was told twice
		}
		s.started, s.start = true, s.job.member.Clock.Start().Add(o.StartAt)
		return s.load(s.part, s.assignment.Slice, 0, true)
	case protocol.OrderTake:
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.started || o.Slice < 0 || o.Slice >= s.assignment.Of {
			return protocol.Answer{Error: fmt.Sprintf("slice %d cannot be taken over", o.Slice)}
		}
		s.job.mu.Lock()
		twice := s.job.parts[o.Part]
		s.job.mu.Unlock()
		if twice {
			return protocol.Answer{} // it was told twice
		}
		s.job.member.say("taking over slice %d of run %s", o.Slice+1, o.Run)
		return s.load(o.Part, o.Slice, o.From, false)
	case protocol.OrderExtend:
		return s.extend(o)
	}
	return protocol.Answer{Error: fmt.Sprintf("a worker cannot %s", o.Kind)}
}

// extend lets the schedule grow.
func (s *sending) extend(o protocol.Order) protocol.Answer {
	if s.growing == nil {
		return protocol.Answer{Error: "the load is planned, and does not grow"}
	}
	if len(o.Stages) > 0 {
		if err := s.growing.Extend(o.Stages...); err != nil {
			return protocol.Answer{Error: err.Error()}
		}
	}
	if o.Final {
		s.growing.Finish()
	}
	return protocol.Answer{}
}

// load begins to send a slice, with a record of its own.
func (s *sending) load(part, index int, from time.Duration, own bool) protocol.Answer {
	j := s.job
	if j.ctx.Err() != nil {
		return protocol.Answer{Error: fmt.Sprintf("the run has ended here: %s", context.Cause(j.ctx))}
	}
	kept, err := j.record(part)
	if err != nil {
		return protocol.Answer{Error: err.Error()}
	}
	slice := Slice{Index: index, Of: s.assignment.Of, From: from, Start: s.start, Schedule: s.growing, Own: own, Out: kept}
	j.wg.Go(func() {
		defer kept.Close()
		if err := j.member.Send.Load(j.ctx, s.assignment, slice); err != nil {
			j.member.say("run %s: %s", j.run, err)
		}
	})
	return protocol.Answer{}
}
