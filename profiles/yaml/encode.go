package yaml

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/section"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// Marshal writes a profile as YAML. It writes defaults out, so that the text
// means the same in later versions, and escapes "$". For a valid profile with
// its defaults, Decode without options gives the profile back, without the
// secrets, which have no YAML; headers of one name are brought together. Pass it
// a profile that is [profiles.Profile.Redacted] if anybody is to see the text.
func Marshal(p profiles.Profile) ([]byte, error) {
	s := syntaxOf(p)
	root := bind.NodeOf(reflect.ValueOf(s))
	if bad := root.NotUTF8(); bad != "" {
		return nil, fmt.Errorf("write profile %s: %s is not UTF-8: put such a body into a file (body-file)", spelling.Quote(p.Name), spelling.Quote(bad))
	}
	return []byte(root.Print()), nil
}

// Node writes a request without anything special on one line.
func (r *requestSyntax) Node() *tree.Node {
	if r.filled {
		return r.shortest().Unescaped()
	}
	return r.shortest()
}

// shortest writes a request in one line where that says all.
func (r *requestSyntax) shortest() *tree.Node {
	short := r.requestFields
	short.Method, short.Path = nil, nil
	if short.Command != nil {
		line := string(*short.Command)
		if short.Command = nil; reflect.ValueOf(short).IsZero() && r.Method == nil && r.Path == nil {
			return bind.TextNode(line, false)
		}
	}
	short.Command = r.Command
	if short.Call = nil; reflect.ValueOf(short).IsZero() && r.Call != nil && isCall(string(*r.Call)) {
		return bind.TextNode(string(*r.Call), false)
	}
	short.Call = r.Call
	if reflect.ValueOf(short).IsZero() && r.Method != nil && r.Path != nil {
		line := string(*r.Method) + " " + string(*r.Path)
		if _, _, ok := splitRequest(&tree.Node{Text: line}); ok && strings.TrimSpace(line) == line {
			return bind.TextNode(line, false)
		}
	}
	return bind.NodeOf(reflect.ValueOf(r.requestFields))
}

// syntaxOf is the inverse of profileSyntax.profile.
func syntaxOf(p profiles.Profile) profileSyntax {
	s := profileSyntax{Name: bind.Given(scalar.Word(p.Name)), Client: clientOf(p.Client), Fleet: fleetOf(p.Fleet), Traces: section.TracesOf(p.Traces), Metrics: section.ExportOf(p.Export), Notify: section.NoticesOf(p.Notify)}
	if len(p.Data) > 0 {
		s.Data = tablesOf(p.Data)
	}
	for _, j := range p.Journeys {
		s.Journeys = append(s.Journeys, journeyOf(j))
	}
	for _, t := range p.Targets {
		if t.Journey > 0 {
			continue // made of a journey
		}
		s.Targets = append(s.Targets, targetOf(t))
	}
	for _, stage := range p.Load {
		s.Load = append(s.Load, stageOf(stage))
	}
	for _, h := range p.Hosts {
		s.Hosts = append(s.Hosts, hostOf(h))
	}
	s.Gate = gatesOf(p.Gate)
	s.AbortIf = gatesOf(p.AbortIf)
	return s
}

func words(list []string) []scalar.Word {
	var out []scalar.Word
	for _, w := range list {
		out = append(out, scalar.Word(w))
	}
	return out
}

func gatesOf(gates []profiles.Gate) []scalar.Gate {
	if gates == nil {
		return nil
	}
	out := make([]scalar.Gate, 0, len(gates))
	for _, g := range gates {
		out = append(out, scalar.Gate(g))
	}
	return out
}

func targetOf(t profiles.Target) targetSyntax {
	s := targetSyntax{
		Name: bind.Given(scalar.Word(t.Name)), URL: bind.Given(scalar.Text(t.URL)), Hosts: words(t.Hosts),
		Share: bind.Given(scalar.Share(t.Share)), File: bind.Given(scalar.Text(t.File)),
	}
	s.ConnectTo, s.Completion = bind.Given(scalar.Text(t.ConnectTo)), completionOf(t.Completion)
	g := grpcOf(t.GRPC)
	s.Protos, s.ProtoPaths, s.KeepAlive = g.Protos, g.ProtoPaths, g.KeepAlive
	if w := t.WebSocket; w.KeepAlive != 0 {
		s.KeepAlive = bind.Given(scalar.Duration(w.KeepAlive))
	}
	s.FirstMessage = bind.Given(scalar.Duration(t.WebSocket.FirstMessage))
	if t.ServerName != "" {
		s.TLS = &targetTLS{ServerName: bind.Given(scalar.Text(t.ServerName))}
	}
	if t.Expect != nil {
		expect := scalar.Statuses(t.Expect)
		s.Expect = &expect
	}
	s.OnConnect = turnsOf(t.OnConnect)
	if len(t.WebSocket.Headers) > 0 {
		list := scalar.Headers(t.WebSocket.Headers)
		s.Headers = &list
	}
	for _, name := range t.WebSocket.Subprotocols {
		s.Subprotocols = append(s.Subprotocols, scalar.Text(name))
	}
	for _, r := range t.Requests {
		s.Requests = append(s.Requests, requestOf(r))
	}
	return s
}

func requestOf(r profiles.Request) requestSyntax {
	q := requestFields{
		Method: bind.Given(scalar.Word(r.Method)), Path: bind.Given(scalar.Text(r.Path)), Body: bind.Given(scalar.Text(r.Body)), BodyFile: bind.Given(scalar.Text(r.BodyFile)),
		Template: bind.Given(scalar.Toggle(r.Template)), Chunked: bind.Given(scalar.Toggle(r.Chunked)),
		Name: bind.Given(scalar.Word(r.Name)), Command: bind.Given(scalar.Text(r.Command)), Script: turnsOf(r.Script),
	}
	for _, part := range r.Parts {
		name := scalar.Text(part.Name)
		q.Multipart = append(q.Multipart, partSyntax{
			Name: &name, Value: bind.Given(scalar.Text(part.Value)), File: bind.Given(scalar.Text(part.File)), Type: bind.Given(scalar.Text(part.Type)),
		})
	}
	if len(r.Headers) > 0 {
		list := scalar.Headers(r.Headers)
		q.Headers = &list
	}
	if r.Call != nil {
		callOf(r, &q)
	}
	if r.Weight != 1 {
		w := scalar.Weight(r.Weight)
		q.Weight = &w
	}
	if r.Filled { // of the language, but for names of files
		q.BodyFile = bind.Given(scalar.Text(bind.Escape(r.BodyFile)))
		for k := range q.Multipart {
			q.Multipart[k].File = bind.Given(scalar.Text(bind.Escape(r.Parts[k].File)))
		}
		for _, t := range expectedTexts(q.Script) {
			*t = scalar.Text(bind.Escape(string(*t)))
		}
	}
	return requestSyntax{q, r.Filled}
}

func stageOf(stage profiles.Stage) stageSyntax {
	switch s := stage.(type) {
	case profiles.Ramp:
		over := scalar.Duration(s.For)
		if s.Journeys {
			return stageSyntax{Arrivals: &scalar.Arrivals{From: s.From, To: s.To}, Over: &over}
		}
		return stageSyntax{From: &scalar.Level{Rate: s.From}, To: &scalar.Level{Rate: s.To}, Over: &over}
	case profiles.Hold:
		length := scalar.Duration(s.For)
		if s.Journeys {
			return stageSyntax{Arrivals: &scalar.Arrivals{From: s.Rate, To: s.Rate}, For: &length}
		}
		return stageSyntax{At: &scalar.Peak{Level: scalar.Level{Rate: s.Rate}}, For: &length}
	case profiles.Staircase:
		step, every := scalar.Rate(s.Step), scalar.Duration(s.Every)
		return stageSyntax{From: &scalar.Level{Rate: s.From}, To: &scalar.Level{Rate: s.To}, Step: &step, Every: &every}
	case profiles.Burst:
		size, every, length := scalar.Count(s.Size), scalar.Duration(s.Every), scalar.Duration(s.For)
		return stageSyntax{Burst: &size, Every: &every, Jitter: bind.Given(scalar.Duration(s.Jitter)), For: &length}
	case profiles.Max:
		length := scalar.Duration(s.For)
		return stageSyntax{At: &scalar.Peak{Max: true}, For: &length}
	case profiles.Connections:
		from, to, length := scalar.Level{Conns: s.From, IsConns: true}, scalar.Level{Conns: s.To, IsConns: true}, scalar.Duration(s.For)
		if from == to {
			return stageSyntax{At: &scalar.Peak{Level: from}, For: &length}
		}
		return stageSyntax{From: &from, To: &to, Over: &length}
	case profiles.Search:
		return stageSyntax{Search: searchOf(s)}
	case profiles.Idle:
		return stageSyntax{Idle: &scalar.IdleSpan{From: s.From, To: s.To}}
	}
	return stageSyntax{} // nil: profiles/rules has refused it
}

func searchOf(stage profiles.Search) *searchSyntax {
	from, to, near := scalar.Rate(stage.From), scalar.Rate(stage.To), scalar.Precision(stage.Precision)
	hold, pause := scalar.Duration(stage.HoldFor), scalar.Duration(stage.CoolDown)
	s := &searchSyntax{From: &from, To: &to, Hold: &hold, CoolDown: &pause, Precision: &near}
	if stage.Until != (profiles.Gate{}) {
		until := scalar.Gate(stage.Until)
		s.Until = &until
	}
	return s
}

// clientOf writes out what every client has, and the rest where it is used.
func clientOf(c profiles.Client) *clientSyntax {
	if reflect.DeepEqual(c, profiles.Client{}) {
		return nil // the profile says nothing of it
	}
	connections, inFlight := scalar.Count(c.Connections), scalar.Limit(c.MaxInFlight)
	attempt, idle, streams := scalar.Timeout(c.Timeout), scalar.Duration(c.IdleTimeout), scalar.Count(c.StreamsPerConn)
	s := &clientSyntax{
		Connections: &connections, StreamsPerConn: &streams, MaxInFlight: &inFlight, Timeout: &attempt, IdleTimeout: &idle,
		Engine: bind.Given(scalar.Engine(c.Engine)), Protocol: bind.Given(scalar.Protocol(c.Protocol)),
		PerConnection: bind.Given(scalar.Rate(c.PerConnection)), Proxy: bind.Given(scalar.Proxy(c.Proxy)), ExpectContinue: bind.Given(scalar.Toggle(c.ExpectContinue)),
		CloseBy: bind.Given(scalar.Closer(c.CloseFirst)),
	}
	for _, a := range c.LocalAddrs {
		s.LocalAddresses = append(s.LocalAddresses, scalar.Address(a))
	}
	if r := c.Retries; r.Max > 0 {
		maxRetries, base, limit := scalar.Count(r.Max), scalar.Duration(r.Base), scalar.Duration(r.Cap)
		exponential, full := scalar.Backoff(r.Exponential), scalar.Jitter(r.FullJitter)
		s.Retries = &retriesSyntax{
			Max: &maxRetries, Backoff: &exponential, Base: &base, Cap: &limit, Jitter: &full,
			On: words(r.Faults), NonIdempotent: bind.Given(scalar.Toggle(r.NonIdempotent)), RetryAfter: bind.Given(scalar.Duration(r.RetryAfter)),
		}
	}
	s.TLS = section.TLSOf(c.TLS)
	return s
}

func hostOf(h profiles.Host) hostSyntax {
	s := hostSyntax{Name: bind.Given(scalar.Word(h.Name)), Agent: agentOf(h.Agent), Netns: bind.Given(scalar.Text(h.Netns)), Kubernetes: bind.Given(scalar.Text(h.Kubernetes)), Logs: section.LogsOf(h)}
	for _, m := range h.Prometheus {
		s.Prometheus = append(s.Prometheus, metricsOf(m))
	}
	for _, p := range h.Pools {
		name, use := scalar.Word(p.Name), scalar.Text(p.Use)
		s.Pools = append(s.Pools, poolSyntax{Name: &name, Use: &use, Limit: bind.Given(ceiling(p.Limit))})
	}
	for _, p := range h.Processes {
		s.Processes = append(s.Processes, processSyntax{
			Listen: bind.Given(scalar.Count(p.Listen)), PID: bind.Given(scalar.Count(p.PID)), Name: bind.Given(scalar.Text(p.Name)),
			Cgroup: bind.Given(scalar.Text(p.Cgroup)), Unit: bind.Given(scalar.Text(p.Unit)),
			Container: bind.Given(scalar.Text(p.Container)), Pod: bind.Given(scalar.Text(p.Pod)),
		})
	}
	return s
}
