package profiles

import (
	"slices"
	"time"
)

// Journey is what one virtual user does: steps in order, with cookies of its own. Each
// arrival of the load that falls to it begins one.
type Journey struct {
	Name string
	// URL, ConnectTo, ServerName, Hosts, Share and Expect are as those of a [Target];
	// Share is of all arrivals.
	URL        string
	ConnectTo  string
	ServerName string
	Hosts      []string
	GRPC       GRPC
	Share      float64
	Expect     StatusSet
	OwnConn    bool // each user has a connection of its own, which ends with the journey
	Steps      []Step
}

// Step is one request of a journey.
type Step struct {
	Name string
	// At is the service that is asked instead of the journey's; the zero value for that.
	At                 Service
	Request            Request
	ThinkFrom, ThinkTo time.Duration // pause before the step, any time within
	Extract            []Extract
	Check              Check
	SkipFailed         bool       // go on with the next step where this one fails; else the journey ends
	Completion         Completion // of what it accepts and does later; the journey does not wait for it
}

// Service is where a step of a journey goes: see the fields of a [Target].
type Service struct {
	URL        string
	ConnectTo  string
	ServerName string
	Hosts      []string
}

// IsZero reports whether the service is none.
func (s Service) IsZero() bool {
	return s.URL == "" && s.ConnectTo == "" && s.ServerName == "" && len(s.Hosts) == 0
}

// Service returns where a step goes. Steps of one URL, ConnectTo and ServerName have
// their connections in common.
func (j Journey) Service(step int) Service {
	if at := j.Steps[step].At; !at.IsZero() {
		return at
	}
	return Service{URL: j.URL, ConnectTo: j.ConnectTo, ServerName: j.ServerName, Hosts: j.Hosts}
}

// ExtractFrom is the part of an answer that a value is taken from.
type ExtractFrom string

// The parts of an answer.
const (
	FromJSON   ExtractFrom = "json"   // by a path, such as items.0.id
	FromHeader ExtractFrom = "header" // by its name
	FromCookie ExtractFrom = "cookie" // by its name
	FromRegexp ExtractFrom = "regexp" // the first group of the expression, or all of it, in the body
)

// ExtractFroms returns the parts of an answer.
func ExtractFroms() []ExtractFrom {
	return []ExtractFrom{FromJSON, FromHeader, FromCookie, FromRegexp}
}

// Extract takes a value from an answer; later steps refer to it as ${STEP.NAME}.
type Extract struct {
	Name string
	From ExtractFrom
	What string
}

// Check is what the answer of a step has to be. The zero value asks for the statuses of
// the journey.
type Check struct {
	Status  StatusSet // instead of the journey's
	Body    string    // a text that the body contains
	Regexp  string    // an expression that it matches
	JSON    []Header  // values by their paths
	Headers []Header  // texts that header fields contain
}

// withSteps returns the targets with one for each step of the journeys: it is what the
// step is counted as, JOURNEY/STEP.
func (p *Profile) withSteps() []Target {
	targets := slices.DeleteFunc(slices.Clone(p.Targets), func(t Target) bool { return t.Journey > 0 })
	for j := range p.Journeys {
		journey := &p.Journeys[j]
		if journey.Expect == nil {
			journey.Expect = Target{URL: journey.URL}.defaultExpect()
		}
		for s := range journey.Steps {
			step := &journey.Steps[s]
			if step.Request.Method == "" {
				step.Request.Method = "GET"
			}
			step.Request.Weight, step.Request.Cookies = 1, true
			at := journey.Service(s)
			t := Target{
				Name: journey.Name + "/" + step.Name, URL: at.URL, ConnectTo: at.ConnectTo, ServerName: at.ServerName,
				GRPC: journey.GRPC, Hosts: at.Hosts, Expect: journey.Expect, Requests: []Request{step.Request}, Journey: j + 1, Step: s,
				Completion: step.Completion.clone(),
			}
			if step.Check.Status != nil {
				t.Expect = step.Check.Status
			}
			if s == 0 {
				t.Share = journey.Share
			}
			targets = append(targets, t)
		}
	}
	return targets
}

// PerArrival returns how many requests an arrival of the load makes on average, where
// nothing fails: one, or the steps of a journey.
func (p Profile) PerArrival() float64 {
	if len(p.Journeys) == 0 {
		return 1
	}
	sum := 0.0
	for _, t := range p.Targets {
		n := 1
		if t.Journey > 0 {
			n = len(p.Journeys[t.Journey-1].Steps)
		}
		sum += t.Share * float64(n)
	}
	return sum
}

func cloneJourneys(list []Journey) []Journey {
	list = slices.Clone(list)
	for i := range list {
		j := &list[i]
		j.GRPC = j.GRPC.clone()
		j.Hosts, j.Expect, j.Steps = slices.Clone(j.Hosts), slices.Clone(j.Expect), slices.Clone(j.Steps)
		for k := range j.Steps {
			s := &j.Steps[k]
			s.Request, s.Completion = cloneRequests([]Request{s.Request})[0], s.Completion.clone()
			s.At.Hosts = slices.Clone(s.At.Hosts)
			s.Extract = slices.Clone(s.Extract)
			c := &s.Check
			c.Status, c.JSON, c.Headers = slices.Clone(c.Status), slices.Clone(c.JSON), slices.Clone(c.Headers)
		}
	}
	return list
}
