package profiles

import (
	"maps"
	"math"
	"reflect"
	"slices"
	"time"
)

// DefaultClient returns the client of a profile that says nothing of it.
func DefaultClient() Client {
	return Client{
		Connections:    256,
		StreamsPerConn: 100,
		MaxInFlight:    10000,
		Timeout:        5 * time.Second,
		IdleTimeout:    90 * time.Second,
		Engine:         EngineVegeta,
		Protocol:       ProtocolAuto,

		PerConnection: 1,
	}
}

// DefaultRetries returns the retry policy of a profile that gives only how often
// to retry: exponential from 50ms to 2s, with full jitter.
func DefaultRetries(maxRetries int) Retries {
	return Retries{Max: maxRetries, Exponential: true, Base: 50 * time.Millisecond, Cap: 2 * time.Second, FullJitter: true}
}

// RetryFaults returns the names of the faults that a retry policy may name.
func RetryFaults() []string {
	return []string{
		"reset", "refused", "eof", "broken-pipe", "timeout", "unreachable", "dns", "tls",
		"http2-reset", "http2-goaway", "protocol", "status",
	}
}

// DefaultExpect returns the statuses that count as success unless a target says
// otherwise: 200 to 399.
func DefaultExpect() StatusSet { return StatusSet{{Low: 200, High: 299}, {Low: 300, High: 399}} }

// DefaultAbortIf returns the condition that ends a run unless the profile names
// its own: failures within 10s > 50%.
func DefaultAbortIf() []Gate {
	return []Gate{{
		Text:   "failures within 10s > 50%",
		Metric: GateFailures, Within: 10 * time.Second, Op: Greater, Value: 0.5, Unit: UnitRatio,
	}}
}

// WithDefaults returns the profile with what it leaves open filled in; it
// changes nothing that is set, and is idempotent.
//
//   - Targets without a share divide the rest equally.
//   - A target with nil requests (and without a file) gets GET of its URL, PING or
//     SELECT 1; one of bytes alone none.
//   - A request without a method is a GET over HTTP, and weighs 1.
//   - A target of HTTP with nil expected statuses expects [DefaultExpect], one of gRPC
//     [DefaultGRPCExpect].
//   - The zero Client becomes [DefaultClient]. In any other, MaxInFlight, Timeout,
//     Engine and Protocol are filled when they are zero; zero Connections,
//     StreamsPerConn and IdleTimeout have a meaning of their own and stay.
//   - Each step of a journey becomes a target, in the place of those that were made
//     of journeys before.
//   - A search gets [DefaultSearch] where it leaves fields open, and a condition
//     where neither it nor the profile has one: failures < 0.1%.
//   - A nil AbortIf becomes [DefaultAbortIf]; an empty one stays empty. A search
//     goes beyond what its targets can bear, so there nil becomes empty.
func (p Profile) WithDefaults() Profile {
	p = p.Clone()
	p.Targets = p.withSteps()
	defaultShares(p.Targets)
	for _, t := range p.Targets {
		if t.Journey > 0 && t.Step == 0 {
			p.Journeys[t.Journey-1].Share = t.Share
		}
	}
	for i := range p.Targets {
		t := &p.Targets[i]
		t.Completion = t.Completion.withDefaults()
		speaks := t.Speaks()
		if t.Expect == nil && speaks.OverHTTP() {
			t.Expect = t.defaultExpect()
		}
		if t.Requests == nil && t.File == "" && speaks != SpeaksBytes && speaks != SpeaksWebSocket {
			t.Requests = []Request{{Command: defaultCommand(speaks)}}
		}
		for j := range t.Requests {
			r := &t.Requests[j]
			if r.Method == "" && speaks.OverHTTP() {
				r.Method = "GET"
			}
			if r.Weight == 0 {
				r.Weight = 1
			}
		}
	}
	for i := range p.Load {
		if s, ok := p.Load[i].(Search); ok {
			p.Load[i] = s.withDefaults(len(p.stepGates()) == 0)
		}
	}
	p.Client = p.Client.withDefaults()
	if p.AbortIf == nil {
		p.AbortIf = DefaultAbortIf()
		if _, searches := p.SearchStage(); searches {
			p.AbortIf = []Gate{}
		}
	}
	return p
}

// defaultCommand is what is asked of a target whose profile says nothing of it.
func defaultCommand(speaks Spoken) string {
	switch speaks {
	case SpeaksRedis:
		return "PING"
	case SpeaksPostgres:
		return "SELECT 1"
	}
	return ""
}

func (c Client) withDefaults() Client {
	d := DefaultClient()
	if reflect.DeepEqual(c, Client{}) {
		return d
	}
	if c.MaxInFlight == 0 {
		c.MaxInFlight = d.MaxInFlight
	}
	if c.Timeout == 0 {
		c.Timeout = d.Timeout
	}
	if c.Engine == "" {
		c.Engine = d.Engine
	}
	if c.Protocol == "" {
		c.Protocol = d.Protocol
	}
	if c.PerConnection == 0 {
		c.PerConnection = d.PerConnection
	}
	return c
}

// defaultShares gives targets without a share an equal part of what is left, and
// scales shares that leave something over: a profile's only target takes the
// whole load, whatever its share. Less than nothing left is nothing: profiles/rules says
// so.
func defaultShares(targets []Target) {
	left, without := 1.0, 0
	for _, t := range targets {
		left -= t.Share
		if t.Share == 0 && t.Step == 0 {
			without++
		}
	}
	if !(left > ShareTolerance) {
		return
	}
	if without == 0 { // less than the whole: shares are proportions of it
		for i := range targets {
			targets[i].Share = math.Round(targets[i].Share/(1-left)*1e12) / 1e12
		}
		return
	}
	each := math.Round(left/float64(without)*1e12) / 1e12 // 30%, not 30.000000000000004%
	for i := range targets {
		if targets[i].Share == 0 && targets[i].Step == 0 {
			targets[i].Share = each
		}
	}
}

// ShareTolerance is how far the sum of all shares may be from 1: three thirds
// written as 33.3% are near enough.
const ShareTolerance = 0.0015

// Clone copies the profile so that nothing in it is shared with the original.
func (p Profile) Clone() Profile {
	p.Targets = slices.Clone(p.Targets)
	for i := range p.Targets {
		t := &p.Targets[i]
		t.Hosts = slices.Clone(t.Hosts)
		t.GRPC, t.Completion = t.GRPC.clone(), t.Completion.clone()
		t.Expect = slices.Clone(t.Expect)
		t.OnConnect = slices.Clone(t.OnConnect)
		t.WebSocket.Headers, t.WebSocket.Subprotocols = slices.Clone(t.WebSocket.Headers), slices.Clone(t.WebSocket.Subprotocols)
		t.Requests = cloneRequests(t.Requests)
		t.Read = slices.Clone(t.Read)
		for j := range t.Read {
			t.Read[j].Requests = cloneRequests(t.Read[j].Requests)
		}
	}
	p.Data = slices.Clone(p.Data)
	p.Journeys = cloneJourneys(p.Journeys)
	p.Load = slices.Clone(p.Load)
	p.Client.LocalAddrs = slices.Clone(p.Client.LocalAddrs)
	p.Client.Retries.Faults = slices.Clone(p.Client.Retries.Faults)
	p.Hosts = slices.Clone(p.Hosts)
	for i := range p.Hosts {
		h := &p.Hosts[i]
		h.Processes, h.Prometheus, h.Pools = slices.Clone(h.Processes), slices.Clone(h.Prometheus), slices.Clone(h.Pools)
		h.Agent.Command = slices.Clone(h.Agent.Command)
		h.Logs = slices.Clone(h.Logs)
		for j := range h.Logs {
			h.Logs[j].Fields = maps.Clone(h.Logs[j].Fields)
		}
	}
	p.Notify = slices.Clone(p.Notify)
	for _, r := range p.Receivers() {
		r.Headers = slices.Clone(r.Headers)
	}
	p.Traces.To.Headers, p.Traces.From.Headers = slices.Clone(p.Traces.To.Headers), slices.Clone(p.Traces.From.Headers)
	p.Gate = slices.Clone(p.Gate)
	p.AbortIf = slices.Clone(p.AbortIf)
	p.Secrets.values = slices.Clone(p.Secrets.values)
	return p
}

func cloneRequests(requests []Request) []Request {
	requests = slices.Clone(requests)
	for i := range requests {
		requests[i].Headers = slices.Clone(requests[i].Headers)
		requests[i].Parts = slices.Clone(requests[i].Parts)
		requests[i].Script = slices.Clone(requests[i].Script)
		if c := requests[i].Call; c != nil {
			call := *c
			call.Messages = slices.Clone(c.Messages)
			requests[i].Call = &call
		}
	}
	return requests
}
