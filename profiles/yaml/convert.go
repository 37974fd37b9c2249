package yaml

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// profile turns the syntax into the vocabulary of profiles. What may be left out
// and has a zero value of its own gets its default here; everything else is for
// profiles.WithDefaults.
func (s profileSyntax) profile() profiles.Profile {
	p := profiles.Profile{Name: string(bind.Deref(s.Name)), Client: client(s.Client), Fleet: s.Fleet.fleet(), Export: s.Metrics.Export(), Traces: s.Traces.Traces()}
	for _, n := range s.Notify {
		p.Notify = append(p.Notify, n.Notice())
	}
	if s.Data != nil {
		p.Data = s.Data.tables()
	}
	for i := range s.Journeys {
		p.Journeys = append(p.Journeys, s.Journeys[i].journey())
	}
	for _, t := range s.Targets {
		p.Targets = append(p.Targets, target(t))
	}
	for _, stage := range s.Load {
		p.Load = append(p.Load, stage.stage())
	}
	for _, h := range s.Hosts {
		p.Hosts = append(p.Hosts, host(h))
	}
	for _, g := range s.Gate {
		p.Gate = append(p.Gate, profiles.Gate(g))
	}
	if s.AbortIf != nil {
		p.AbortIf = make([]profiles.Gate, 0, len(s.AbortIf))
		for _, g := range s.AbortIf {
			p.AbortIf = append(p.AbortIf, profiles.Gate(g))
		}
	}
	return p
}

func target(s targetSyntax) profiles.Target {
	t := profiles.Target{
		Name:   string(bind.Deref(s.Name)),
		URL:    string(bind.Deref(s.URL)),
		Share:  float64(bind.Deref(s.Share)),
		File:   string(bind.Deref(s.File)),
		Expect: profiles.StatusSet(bind.Deref(s.Expect)),
	}
	t.ConnectTo, t.Completion = string(bind.Deref(s.ConnectTo)), s.Completion.completion()
	t.GRPC = grpcFields{s.Protos, s.ProtoPaths, s.KeepAlive}.grpc()
	if t.Speaks() == profiles.SpeaksWebSocket {
		t.WebSocket.KeepAlive, t.GRPC.KeepAlive = t.GRPC.KeepAlive, 0
	}
	t.WebSocket.FirstMessage = time.Duration(bind.Deref(s.FirstMessage))
	if s.TLS != nil {
		t.ServerName = string(bind.Deref(s.TLS.ServerName))
	}
	for _, h := range s.Hosts {
		t.Hosts = append(t.Hosts, string(h))
	}
	t.OnConnect = turns(s.OnConnect)
	t.WebSocket.Headers = bind.Deref(s.Headers)
	for _, name := range s.Subprotocols {
		t.WebSocket.Subprotocols = append(t.WebSocket.Subprotocols, string(name))
	}
	if s.Requests != nil {
		t.Requests = make([]profiles.Request, 0, len(s.Requests)) // an empty list is a mistake
	}
	for _, r := range s.Requests {
		out := request(r)
		if r.Method == nil && !t.Speaks().OverHTTP() {
			out.Method = ""
		}
		t.Requests = append(t.Requests, out)
	}
	return t
}

// request makes a request; one with a form has its body and header.
func request(s requestSyntax) profiles.Request {
	r := profiles.Request{
		Method:   string(bind.Or(s.Method, "GET")),
		Path:     string(bind.Deref(s.Path)),
		Headers:  bind.Deref(s.Headers),
		Body:     string(bind.Deref(s.Body)),
		BodyFile: string(bind.Deref(s.BodyFile)),
		Template: bool(bind.Deref(s.Template)),
		Chunked:  bool(bind.Deref(s.Chunked)),
		Filled:   s.filled,
		Name:     string(bind.Deref(s.Name)),
		Command:  string(bind.Deref(s.Command)),
		Script:   turns(s.Script),
		Weight:   float64(bind.Or(s.Weight, 1)),
	}
	if s.Call != nil {
		return call(s, r)
	}
	for _, part := range s.Multipart {
		r.Parts = append(r.Parts, profiles.Part{
			Name: string(bind.Deref(part.Name)), Value: string(bind.Deref(part.Value)), File: string(bind.Deref(part.File)), Type: string(bind.Deref(part.Type)),
		})
	}
	if s.Form != nil {
		r.Body = encodeForm(*s.Form, s.filled)
		const name = "Content-Type"
		if !slices.ContainsFunc(r.Headers, func(h profiles.Header) bool { return strings.EqualFold(h.Name, name) }) {
			r.Headers = append(slices.Clip(r.Headers), profiles.Header{Name: name, Value: "application/x-www-form-urlencoded"})
		}
	}
	if s.Method == nil && (s.Form != nil || len(s.Multipart) > 0) {
		r.Method = "POST"
	}
	return r
}

// encodeForm returns the fields as a body of a form has them, in the order written.
func encodeForm(fields scalar.Form, filled bool) string {
	escape := url.QueryEscape
	if filled {
		escape = escapeAround
	}
	var b strings.Builder
	for i, field := range fields {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(field.Name))
		b.WriteByte('=')
		b.WriteString(escape(field.Value))
	}
	return b.String()
}

func client(s *clientSyntax) profiles.Client {
	c := profiles.DefaultClient()
	if s == nil {
		return c
	}
	c.Connections = int(bind.Or(s.Connections, scalar.Count(c.Connections)))
	c.StreamsPerConn = int(bind.Or(s.StreamsPerConn, scalar.Count(c.StreamsPerConn)))
	c.MaxInFlight = int(bind.Or(s.MaxInFlight, scalar.Limit(c.MaxInFlight)))
	c.Timeout = time.Duration(bind.Or(s.Timeout, scalar.Timeout(c.Timeout)))
	c.IdleTimeout = time.Duration(bind.Or(s.IdleTimeout, scalar.Duration(c.IdleTimeout)))
	c.Engine = profiles.Engine(bind.Or(s.Engine, scalar.Engine(c.Engine)))
	c.Protocol = profiles.Protocol(bind.Or(s.Protocol, scalar.Protocol(c.Protocol)))
	c.PerConnection = float64(bind.Or(s.PerConnection, scalar.Rate(c.PerConnection)))
	for _, a := range s.LocalAddresses {
		c.LocalAddrs = append(c.LocalAddrs, netip.Addr(a))
	}
	c.Retries = retries(s.Retries)
	c.Proxy = bool(bind.Deref(s.Proxy))
	c.ExpectContinue = bool(bind.Deref(s.ExpectContinue))
	c.CloseFirst = bool(bind.Deref(s.CloseBy))
	c.TLS = s.TLS.TLS()
	return c
}

// retries returns the policy; one without retries is the zero value, however it
// waits.
func retries(s *retriesSyntax) profiles.Retries {
	if s == nil || bind.Deref(s.Max) == 0 {
		return profiles.Retries{}
	}
	r := profiles.DefaultRetries(int(*s.Max))
	r.Exponential = bool(bind.Or(s.Backoff, scalar.Backoff(r.Exponential)))
	r.Base = time.Duration(bind.Or(s.Base, scalar.Duration(r.Base)))
	r.Cap = time.Duration(bind.Or(s.Cap, scalar.Duration(r.Cap)))
	r.FullJitter = bool(bind.Or(s.Jitter, scalar.Jitter(r.FullJitter)))
	for _, fault := range s.On {
		r.Faults = append(r.Faults, string(fault))
	}
	r.NonIdempotent = bool(bind.Deref(s.NonIdempotent))
	r.RetryAfter = time.Duration(bind.Deref(s.RetryAfter))
	return r
}

func host(s hostSyntax) profiles.Host {
	h := profiles.Host{
		Name:  string(bind.Deref(s.Name)),
		Agent: s.Agent.agent(),
		Netns: string(bind.Deref(s.Netns)),

		Kubernetes: string(bind.Deref(s.Kubernetes)),
	}
	for i := range s.Prometheus {
		h.Prometheus = append(h.Prometheus, s.Prometheus[i].metrics())
	}
	for _, p := range s.Pools {
		h.Pools = append(h.Pools, profiles.Pool{Name: string(bind.Deref(p.Name)), Use: string(bind.Deref(p.Use)), Limit: string(bind.Deref(p.Limit))})
	}
	s.Logs.To(&h)
	for _, p := range s.Processes {
		h.Processes = append(h.Processes, profiles.Process{
			Listen: int(bind.Deref(p.Listen)),
			PID:    int(bind.Deref(p.PID)),
			Name:   string(bind.Deref(p.Name)),
			Cgroup: string(bind.Deref(p.Cgroup)),
			Unit:   string(bind.Deref(p.Unit)),

			Container: string(bind.Deref(p.Container)),
			Pod:       string(bind.Deref(p.Pod)),
		})
	}
	return h
}

// shape is one way to write a stage: the keys that it needs, the first of which
// no later shape has, those it may have, and an example.
type shape struct {
	name         string
	needs, maybe []string
	example      string
}

// stageShapes returns the ways to write a stage, in the order in which they are
// told apart.
func stageShapes() []shape {
	return []shape{
		{"bursts", []string{"burst", "every", "for"}, []string{"jitter"}, "{burst: 40, every: 950ms, jitter: 150ms, for: 25s}"},
		{"a hold", []string{"at", "for"}, nil, "{at: 2000/s, for: 1m}"},
		{"a staircase", []string{"step", "from", "to", "every"}, nil, "{from: 500/s, to: 1500/s, step: 100/s, every: 10s}"},
		{"a search", []string{"search"}, nil, "{search: {from: 100/s, to: 5000/s, until: failures < 0.1%}}"},
		{"an idle stage", []string{"idle"}, nil, "{idle: 1s..120s}"},
		{"journeys", []string{"journeys"}, []string{"over", "for"}, "{journeys: 20/s to 200/s, over: 2m}"},
		{"a ramp", []string{"from", "to", "over"}, nil, "{from: 50/s, to: 2000/s, over: 2m}"},
	}
}

// shapeOf returns the shape that a stage with these keys was meant to have: the
// first whose telling key it has. One with neither is a ramp when it has any of
// its keys.
func shapeOf(has func(key string) bool) (shape, bool) {
	shapes := stageShapes()
	for _, s := range shapes {
		if has(s.needs[0]) {
			return s, true
		}
	}
	ramp := shapes[len(shapes)-1]
	return ramp, slices.ContainsFunc(ramp.needs, has)
}

// Decode reads the keys of a stage, and checks that they belong together.
func (s *stageSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	before := len(d.Problems)
	d.Fields(bind.ValueOf(s), n, key)
	if n.Kind != tree.Mapping || len(d.Problems) > before {
		return
	}
	has := func(key string) bool { return n.Get(key) != nil }
	shape, ok := shapeOf(has)
	if !ok {
		var examples []string
		for _, s := range stageShapes() {
			examples = append(examples, s.example)
		}
		d.Problem(n.At, key, "this is no stage: write one of %s", strings.Join(examples, ", "))
		return
	}
	for _, e := range n.Entries {
		if !slices.Contains(shape.needs, e.Key) && !slices.Contains(shape.maybe, e.Key) {
			d.Problem(e.At, "", "%s does not belong to %s: write it as %s", e.Key, shape.name, shape.example)
			return
		}
	}
	for _, k := range shape.needs {
		if !has(k) {
			d.Problem(n.At, key, "%s needs %s: write it as %s", shape.name, k, shape.example)
			return
		}
	}
	if s.Arrivals != nil {
		if err := s.arrivalsEnd(); err != nil {
			d.Problem(n.At, key, "%s", err)
		}
		return
	}
	s.units(d, n, key)
}

// units checks that both ends of a ramp are of one kind.
func (s *stageSyntax) units(d *bind.Decoder, n *tree.Node, key string) {
	if s.From == nil {
		return
	}
	switch {
	case s.From.IsConns != s.To.IsConns:
		d.Problem(n.At, key, "from and to are a rate and a number of connections: write both with /s, or both with conns")
	case s.From.IsConns && s.Step != nil:
		d.Problem(n.At, key, "connections have no staircase: write a ramp, {from: 100 conns, to: 10000 conns, over: 2m}")
	}
}

// stage returns the stage of a syntax that decode found right.
func (s *stageSyntax) stage() profiles.Stage {
	from, to := bind.Deref(s.From), bind.Deref(s.To)
	every, length := time.Duration(bind.Deref(s.Every)), time.Duration(bind.Deref(s.For))
	switch {
	case s.Arrivals != nil && s.Over != nil:
		return profiles.Ramp{From: s.Arrivals.From, To: s.Arrivals.To, For: time.Duration(*s.Over), Journeys: true}
	case s.Arrivals != nil:
		return profiles.Hold{Rate: s.Arrivals.From, For: length, Journeys: true}
	case s.Search != nil:
		return s.Search.stage()
	case s.Idle != nil:
		return profiles.Idle{From: s.Idle.From, To: s.Idle.To}
	case s.Burst != nil:
		return profiles.Burst{
			Size: int(*s.Burst), Every: every,
			Jitter: time.Duration(bind.Deref(s.Jitter)), For: length,
		}
	case s.At != nil && s.At.Max:
		return profiles.Max{For: length}
	case s.At != nil && s.At.IsConns:
		return profiles.Connections{From: s.At.Conns, To: s.At.Conns, For: length}
	case s.At != nil:
		return profiles.Hold{Rate: s.At.Rate, For: length}
	case s.Step != nil:
		return profiles.Staircase{From: from.Rate, To: to.Rate, Step: float64(*s.Step), Every: every}
	case from.IsConns:
		return profiles.Connections{From: from.Conns, To: to.Conns, For: time.Duration(bind.Deref(s.Over))}
	}
	return profiles.Ramp{From: from.Rate, To: to.Rate, For: time.Duration(bind.Deref(s.Over))}
}

func (s *searchSyntax) stage() profiles.Search {
	stage := profiles.DefaultSearch(float64(bind.Deref(s.From)), float64(bind.Deref(s.To)))
	stage.Until = profiles.Gate(bind.Deref(s.Until))
	stage.HoldFor = time.Duration(bind.Or(s.Hold, scalar.Duration(stage.HoldFor)))
	stage.CoolDown = time.Duration(bind.Or(s.CoolDown, scalar.Duration(stage.CoolDown)))
	stage.Precision = float64(bind.Or(s.Precision, scalar.Precision(stage.Precision)))
	return stage
}
