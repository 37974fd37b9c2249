package waiting

import (
	"fmt"
	"math"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
)

// Text says from hop to hop where requests stood; empty without a culprit.
func (w *Way) Text() string {
	if w == nil || w.Culprit == nil {
		return ""
	}
	var parts []string
	for _, s := range w.Walked {
		parts = append(parts, s.Text())
	}
	return strings.Join(parts, "; ")
}

// Text says where the requests of one hop stood: "web: 311 of 311 open requests wait for
// api:8080, the oldest for 2.9 s".
func (s *Step) Text() string {
	name := s.Hop.Short()
	switch {
	case s.Worst == nil && s.State == report.StandsBehind:
		return fmt.Sprintf("%s, which nobody watches: its requests stand at %s", name, s.To.Hop.Place())
	case s.Worst == nil:
		return name + ": nobody watches it"
	}
	open := s.Now.Open()
	if math.IsNaN(open) {
		return name + ": its sockets were not read in that time, and requests stand behind it"
	}
	head := fmt.Sprintf("%s: %s", name, format.Counted(open, "open request"))
	switch s.State {
	case report.StandsBehind, report.StandsNetwork:
		to := s.To
		waiting := finite(to.Requests) + finite(to.Connecting)
		served, queue := s.Now.Served(), finite(s.Now.NotAccepted)+finite(s.Now.NotRead)
		switch {
		case queue < 1 && waiting <= served:
			head = fmt.Sprintf("%s: %s of %s wait for %s", name, format.Number(waiting), format.Counted(open, "open request"), to.Hop.Place())
		case waiting <= served:
			head = fmt.Sprintf("%s, %s of them not read, and %s of the other %s wait for %s", head, format.Number(queue), format.Number(waiting), format.Number(served), to.Hop.Place())
		default:
			head = fmt.Sprintf("%s, and %s wait for %s", head, format.Number(waiting), to.Hop.Place())
		}
		if to.Oldest > 0 {
			head += ", the oldest for " + format.Seconds(to.Oldest)
		}
		switch {
		case to.Connecting >= 1 && to.Connecting >= finite(to.Requests):
			head += ", " + format.Counted(to.Connecting, "connection") + " did not come up"
		case s.State == report.StandsNetwork && to.late():
			head += fmt.Sprintf(", and packets there and back are under way for %s (%s before)", format.Seconds(to.RoundTrip), format.Seconds(to.RoundTripBefore))
		case to.Resent >= 1:
			head += ", " + format.Number(to.Resent) + " of them sent again and not acknowledged"
		case s.State == report.StandsNetwork:
			head += ", and they have not arrived there"
		case to.silent():
			head += ", and next to none of its streams is answered any more"
		case s.OneByOne(to):
			head += ": its one event loop makes one call at a time, and takes and reads nothing meanwhile"
		}
		return head
	case report.StandsCutOff:
		if s.To == nil {
			return name + ": nobody is connected to it any more"
		}
		return fmt.Sprintf("%s, the oldest for %s, and it has no connection to %s any more, of %s before", head, format.Seconds(s.Now.Oldest), s.To.Hop.Place(), format.Number(s.To.ConnectionsBefore))
	case report.StandsPool:
		if s.ByStrangers {
			return fmt.Sprintf("%s, the oldest for %s, and its %s to %s are all in use, the longest for %s, by others than those before it: %s", head, format.Seconds(s.Now.Oldest), format.Counted(s.To.Connections, "connection"), s.To.Hop.Place(), format.Seconds(s.To.Oldest), s.strangersText())
		}
		if s.To.Rests() {
			return fmt.Sprintf("%s, the oldest for %s, and its %s to %s rest: nothing is asked on them any more, of %s/s before", head, format.Seconds(s.Now.Oldest), format.Counted(s.To.Connections, "connection"), s.To.Hop.Place(), format.Number(s.To.AskedBefore))
		}
		if s.To.Streams != nil {
			return fmt.Sprintf("%s share %s", head, s.To.streamsText())
		}
		return fmt.Sprintf("%s share %s to %s, all in use, each for %s at a time", head, format.Counted(s.To.Connections, "connection"), s.To.Hop.Place(), format.Seconds(2*s.To.Median))
	}
	if s.Now.Oldest > 0 {
		head += ", the oldest for " + format.Seconds(s.Now.Oldest)
	}
	if s.Unfinished() {
		head += ", " + format.Counted(s.Now.Incomplete, "request") + " of which only a part has come in"
	}
	head += ", " + s.Now.text(s.State)
	if s.Loop() && s.State == report.StandsNotAccepted {
		head += ": its one event loop is held in a call, and takes and reads nothing meanwhile"
	}
	if s.Loop() && s.State == report.StandsNoProcessor {
		head += ": its one event loop computes, and takes and reads nothing meanwhile"
	}
	if s.Circular() {
		head += fmt.Sprintf(", and %s of its own wait for %s, which waits for it", format.Counted(s.Circle, "request"), s.Round.Place())
	}
	return head
}

// text says what the processes of a hop do while the requests stand there.
func (s Stood) text(state report.Stand) string {
	var parts []string
	if !math.IsNaN(s.Processor) {
		parts = append(parts, "processor "+format.Percent(s.Processor))
	}
	if s.Running >= 1 {
		parts = append(parts, "a thread of it always running")
	}
	if s.Throttled >= 0.05 {
		parts = append(parts, "throttled in "+format.Percent(s.Throttled)+" of the periods of its quota")
	}
	if s.NoProcessor >= 0.2 {
		parts = append(parts, fmt.Sprintf("%.1f threads ready without processor", s.NoProcessor))
	}
	if s.OnDisk >= 0.2 {
		parts = append(parts, fmt.Sprintf("%.1f threads on disk", s.OnDisk))
	}
	if s.FileLocked >= 1 {
		parts = append(parts, format.Counted(s.FileLocked, "thread")+" waiting for a lock on a file")
	}
	if s.Blocked >= 1 {
		parts = append(parts, format.Counted(s.Blocked, "thread")+" writing into a full pipe or local socket")
	}
	switch {
	case s.NotAccepted >= 1:
		parts = append(parts, format.Counted(s.NotAccepted, "connection")+" not accepted")
	case s.NotRead >= 1:
		parts = append(parts, format.Counted(s.NotRead, "request")+" not read")
	default:
		parts = append(parts, "no queue")
	}
	switch {
	case s.Stopped >= 1:
		parts = append(parts, format.Counted(s.Stopped, "thread")+" stopped by a signal")
	case state == report.StandsStill && s.Running >= 1:
		parts = append(parts, fmt.Sprintf("of its %s all others are held", format.Counted(s.Threads, "thread")))
	case state == report.StandsStill:
		parts = append(parts, "it does not run at all")
	case s.Locked >= 1:
		parts = append(parts, format.Counted(s.Locked, "session")+" waiting for a lock")
	case state == report.StandsNotAccepted && s.Accepted >= 1 && s.Threads >= 1:
		parts = append(parts, fmt.Sprintf("%s taken by %s", format.Counted(s.Accepted, "connection"), format.Counted(s.Threads, "thread")))
	case state == report.StandsInside || state == report.StandsNotAccepted:
		parts = append(parts, "its threads asleep")
	}
	return strings.Join(parts, ", ")
}

// Report returns the way in the form of the report. failing is the host of the instance at
// fault; empty where that is not known.
func (w *Way) Report(failing string) *report.Way {
	if w == nil {
		return nil
	}
	out := &report.Way{Line: w.First.Line(failing), Text: w.Text(), FromS: number(w.From), ToS: number(w.To), Hops: []report.WayHop{}}
	for _, s := range w.Steps {
		h := report.WayHop{
			Depth: s.Depth + 1, Process: s.Hop.Process, Port: int(s.Hop.Port), Instances: len(s.Hop.Instances), Known: s.Hop.Known,
			Watched: s.Worst != nil, State: s.State, Role: s.Role, Now: s.Now.report(), Before: s.Before.report(),
		}
		if s.Worst != nil {
			h.Host = s.Worst.Host
		} else {
			h.Address = s.Hop.Unwatched.String()
		}
		if s.Hop.OneOfSeveral(failing) {
			h.Failing = failing
		}
		for _, b := range s.Behind {
			h.Behind = append(h.Behind, report.Waiting{
				To: b.Hop.Place(), Requests: number(b.Requests), Connections: number(b.Connections),
				Connecting: number(b.Connecting), Unread: number(b.Unread), OldestS: number(b.Oldest),
			})
		}
		out.Hops = append(out.Hops, h)
	}
	return out
}

// report returns the readings in the form of the report, which leaves out what was not measured.
func (s Stood) report() report.Stood {
	return report.Stood{
		Open: number(s.Open()), NotAccepted: number(s.NotAccepted), NotRead: number(s.NotRead), OldestS: number(s.Oldest),
		Processor: number(s.Processor), NoProcessor: number(s.NoProcessor), Throttled: number(s.Throttled),
		OnDisk: number(s.OnDisk), Stopped: number(s.Stopped), Runs: number(s.Runs),
	}
}

// number returns a value as reports keep it: nil where it was not measured.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
