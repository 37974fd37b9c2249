package report

import (
	"fmt"

	"github.com/rampload/rampload/report/format"
)

// How the load of a target was counted that rampload watched and did not send.
const (
	CountedByService = "service" // by a metric of its own
	CountedByKernel  = "kernel"  // by the data that came in: an estimate
	CountedNot       = "not"     // nothing told it
)

// Counted is how the load of a target and its resets were counted, where rampload sent
// none itself.
type Counted struct {
	Target string `json:"target"`
	By     string `json:"by"`               // service, kernel, not
	Metric string `json:"metric,omitempty"` // of a service
	Traced bool   `json:"traced"`           // resets were told one by one, by the kernel that sent them
	// HostWide says that resets are what the host counted of all its services.
	HostWide bool `json:"host_wide,omitempty"`
	// GivenUp is how many connections were reset from their clients' side: clients that
	// gave up, or something on the way that resets both ends. They are no failures.
	GivenUp uint64 `json:"given_up,omitempty"`
}

// String says it in words.
func (c Counted) String() string {
	s := ""
	switch c.By {
	case CountedByService:
		s = "requests as the service counts them (" + c.Metric + ")"
	case CountedByKernel:
		s = "requests as the kernel sees them come in, estimated by their data"
	default:
		s = "nothing told how many requests came in"
	}
	switch {
	case c.Traced:
		s += "; resets one by one, as the kernel sent them"
	case c.HostWide:
		s += "; resets as its host counts them, of all its services and whoever sent them"
	default:
		s += "; resets were not told"
	}
	if c.GivenUp > 0 {
		s += fmt.Sprintf("; %s more came from clients", format.Count(c.GivenUp))
	}
	return s
}

// EventMark is the kind of the event that is a mark.
const EventMark = "mark"

// Mark is what a person, or a script of theirs, said of a time: a release was begun.
type Mark struct {
	AtS  float64 `json:"at_s"`
	Text string  `json:"text"`
}

// MarkBefore is the mark that an onset follows.
type MarkBefore struct {
	Mark
	// AfterS is how long after the mark the onset is, in seconds.
	AfterS float64 `json:"after_s"`
}
