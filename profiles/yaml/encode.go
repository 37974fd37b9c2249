package yaml

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// Marshal writes a profile as YAML. It writes defaults out, so that the text
// means the same in later versions, and escapes "$". For a valid profile with
// its defaults, Decode without options gives the profile back, without the
// secrets, which have no YAML; headers of one name are brought together. Pass it
// a profile that is [profiles.Profile.Redacted] if anybody is to see the text.
func Marshal(p profiles.Profile) ([]byte, error) {
	s := syntaxOf(p)
	root := nodeOf(reflect.ValueOf(s))
	if bad := root.NotUTF8(); bad != "" {
		return nil, fmt.Errorf("write profile %s: %s is not UTF-8: put such a body into a file (body-file)", quote(p.Name), quote(bad))
	}
	return []byte(root.Print()), nil
}

// nodeOf turns a value of the syntax into a node, nil for what is left out.
func nodeOf(v reflect.Value) *tree.Node {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
	}
	pointer := reflect.New(v.Type())
	pointer.Elem().Set(v)
	switch x := pointer.Interface().(type) {
	case *requestSyntax:
		if x.filled {
			return x.node().Unescaped()
		}
		return x.node()
	case *agentSyntax:
		return x.node()
	case *metricsSyntax:
		return x.node()
	case *logSyntax:
		return x.node()
	case *metricsList:
		return x.node()
	case *headers:
		return x.node()
	case *tables:
		return x.node()
	case *jsonText:
		return x.node()
	case *extracts:
		return x.node()
	case *stepSyntax:
		return x.node()
	case *turnSyntax:
		return x.node()
	case *gate:
		return textNode(x.format())
	case *statuses:
		return x.node()
	case value:
		return textNode(x.format())
	}
	if v.Kind() == reflect.Slice {
		n := &tree.Node{Kind: tree.Sequence}
		for i := range v.Len() {
			n.Items = append(n.Items, nodeOf(v.Index(i)))
		}
		return n
	}
	n := &tree.Node{Kind: tree.Mapping}
	for _, f := range fieldsOf(v.Type()) {
		if child := nodeOf(v.Field(f.index)); child != nil {
			n.Entries = append(n.Entries, tree.Entry{Key: f.key, Value: child})
		}
	}
	return n
}

func textNode(text string, plain bool) *tree.Node {
	if !plain {
		text = escape(text)
	}
	return &tree.Node{Kind: tree.Scalar, Text: text, Plain: plain || tree.IsPlain(text)}
}

// node writes a request without anything special on one line.
func (r *requestSyntax) node() *tree.Node {
	short := r.requestFields
	short.Method, short.Path = nil, nil
	if short.Command != nil {
		line := string(*short.Command)
		if short.Command = nil; reflect.ValueOf(short).IsZero() && r.Method == nil && r.Path == nil {
			return textNode(line, false)
		}
	}
	short.Command = r.Command
	if short.Call = nil; reflect.ValueOf(short).IsZero() && r.Call != nil && isCall(string(*r.Call)) {
		return textNode(string(*r.Call), false)
	}
	short.Call = r.Call
	if reflect.ValueOf(short).IsZero() && r.Method != nil && r.Path != nil {
		line := string(*r.Method) + " " + string(*r.Path)
		if _, _, ok := splitRequest(&tree.Node{Text: line}); ok && strings.TrimSpace(line) == line {
			return textNode(line, false)
		}
	}
	return nodeOf(reflect.ValueOf(r.requestFields))
}

func (v *headers) node() *tree.Node {
	n := &tree.Node{Kind: tree.Mapping}
	for _, h := range *v {
		value := textNode(h.Value, false)
		switch present := n.Get(h.Name); {
		case present == nil:
			n.Put(h.Name, value)
		case present.Kind == tree.Sequence:
			present.Items = append(present.Items, value)
		default:
			n.Put(h.Name, &tree.Node{Kind: tree.Sequence, Items: []*tree.Node{present, value}})
		}
	}
	return n
}

func (v *statuses) node() *tree.Node {
	n := &tree.Node{Kind: tree.Sequence}
	for _, r := range *v {
		one := statuses{r}
		n.Items = append(n.Items, textNode(one.format()))
	}
	if len(n.Items) == 1 {
		return n.Items[0]
	}
	return n
}

// syntaxOf is the inverse of profileSyntax.profile.
func syntaxOf(p profiles.Profile) profileSyntax {
	s := profileSyntax{Name: given(word(p.Name)), Client: clientOf(p.Client), Fleet: fleetOf(p.Fleet)}
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

// given returns a pointer to a value, nil for a zero value.
func given[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func words(list []string) []word {
	var out []word
	for _, w := range list {
		out = append(out, word(w))
	}
	return out
}

func gatesOf(gates []profiles.Gate) []gate {
	if gates == nil {
		return nil
	}
	out := make([]gate, 0, len(gates))
	for _, g := range gates {
		out = append(out, gate(g))
	}
	return out
}

func targetOf(t profiles.Target) targetSyntax {
	s := targetSyntax{
		Name: given(word(t.Name)), URL: given(text(t.URL)), Hosts: words(t.Hosts),
		Share: given(share(t.Share)), File: given(text(t.File)),
	}
	s.ConnectTo = given(text(t.ConnectTo))
	g := grpcOf(t.GRPC)
	s.Protos, s.ProtoPaths, s.KeepAlive = g.Protos, g.ProtoPaths, g.KeepAlive
	if t.ServerName != "" {
		s.TLS = &targetTLS{ServerName: given(text(t.ServerName))}
	}
	if t.Expect != nil {
		expect := statuses(t.Expect)
		s.Expect = &expect
	}
	s.OnConnect = turnsOf(t.OnConnect)
	if len(t.WebSocket.Headers) > 0 {
		list := headers(t.WebSocket.Headers)
		s.Headers = &list
	}
	for _, name := range t.WebSocket.Subprotocols {
		s.Subprotocols = append(s.Subprotocols, text(name))
	}
	for _, r := range t.Requests {
		s.Requests = append(s.Requests, requestOf(r))
	}
	return s
}

func requestOf(r profiles.Request) requestSyntax {
	q := requestFields{
		Method: given(word(r.Method)), Path: given(text(r.Path)), Body: given(text(r.Body)), BodyFile: given(text(r.BodyFile)),
		Template: given(toggle(r.Template)), Chunked: given(toggle(r.Chunked)),
		Name: given(word(r.Name)), Command: given(text(r.Command)), Script: turnsOf(r.Script),
	}
	for _, part := range r.Parts {
		name := text(part.Name)
		q.Multipart = append(q.Multipart, partSyntax{
			Name: &name, Value: given(text(part.Value)), File: given(text(part.File)), Type: given(text(part.Type)),
		})
	}
	if len(r.Headers) > 0 {
		list := headers(r.Headers)
		q.Headers = &list
	}
	if r.Call != nil {
		callOf(r, &q)
	}
	if r.Weight != 1 {
		w := weight(r.Weight)
		q.Weight = &w
	}
	if r.Filled { // of the language, but for names of files
		q.BodyFile = given(text(escape(r.BodyFile)))
		for k := range q.Multipart {
			q.Multipart[k].File = given(text(escape(r.Parts[k].File)))
		}
		for _, t := range expectedTexts(q.Script) {
			*t = text(escape(string(*t)))
		}
	}
	return requestSyntax{q, r.Filled}
}

func stageOf(stage profiles.Stage) stageSyntax {
	switch s := stage.(type) {
	case profiles.Ramp:
		over := duration(s.For)
		if s.Journeys {
			return stageSyntax{Arrivals: &arrivals{s.From, s.To}, Over: &over}
		}
		return stageSyntax{From: &level{rate: s.From}, To: &level{rate: s.To}, Over: &over}
	case profiles.Hold:
		length := duration(s.For)
		if s.Journeys {
			return stageSyntax{Arrivals: &arrivals{s.Rate, s.Rate}, For: &length}
		}
		return stageSyntax{At: &peak{level: level{rate: s.Rate}}, For: &length}
	case profiles.Staircase:
		step, every := rate(s.Step), duration(s.Every)
		return stageSyntax{From: &level{rate: s.From}, To: &level{rate: s.To}, Step: &step, Every: &every}
	case profiles.Burst:
		size, every, length := count(s.Size), duration(s.Every), duration(s.For)
		return stageSyntax{Burst: &size, Every: &every, Jitter: given(duration(s.Jitter)), For: &length}
	case profiles.Max:
		length := duration(s.For)
		return stageSyntax{At: &peak{max: true}, For: &length}
	case profiles.Connections:
		from, to, length := level{conns: s.From, isConns: true}, level{conns: s.To, isConns: true}, duration(s.For)
		if from == to {
			return stageSyntax{At: &peak{level: from}, For: &length}
		}
		return stageSyntax{From: &from, To: &to, Over: &length}
	case profiles.Search:
		return stageSyntax{Search: searchOf(s)}
	case profiles.Idle:
		return stageSyntax{Idle: &idleSpan{s.From, s.To}}
	}
	return stageSyntax{} // nil: profiles/rules has refused it
}

func searchOf(stage profiles.Search) *searchSyntax {
	from, to, near := rate(stage.From), rate(stage.To), precision(stage.Precision)
	hold, pause := duration(stage.HoldFor), duration(stage.CoolDown)
	s := &searchSyntax{From: &from, To: &to, Hold: &hold, CoolDown: &pause, Precision: &near}
	if stage.Until != (profiles.Gate{}) {
		until := gate(stage.Until)
		s.Until = &until
	}
	return s
}

// clientOf writes out what every client has, and the rest where it is used.
func clientOf(c profiles.Client) *clientSyntax {
	if reflect.DeepEqual(c, profiles.Client{}) {
		return nil // the profile says nothing of it
	}
	connections, inFlight := count(c.Connections), limit(c.MaxInFlight)
	attempt, idle, streams := timeout(c.Timeout), duration(c.IdleTimeout), count(c.StreamsPerConn)
	s := &clientSyntax{
		Connections: &connections, StreamsPerConn: &streams, MaxInFlight: &inFlight, Timeout: &attempt, IdleTimeout: &idle,
		Engine: given(engine(c.Engine)), Protocol: given(protocol(c.Protocol)),
		PerConnection: given(rate(c.PerConnection)), Proxy: given(proxy(c.Proxy)), ExpectContinue: given(toggle(c.ExpectContinue)),
		CloseBy: given(closer(c.CloseFirst)),
	}
	for _, a := range c.LocalAddrs {
		s.LocalAddresses = append(s.LocalAddresses, address(a))
	}
	if r := c.Retries; r.Max > 0 {
		maxRetries, base, limit := count(r.Max), duration(r.Base), duration(r.Cap)
		exponential, full := backoff(r.Exponential), jitter(r.FullJitter)
		s.Retries = &retriesSyntax{
			Max: &maxRetries, Backoff: &exponential, Base: &base, Cap: &limit, Jitter: &full,
			On: words(r.Faults), NonIdempotent: given(toggle(r.NonIdempotent)), RetryAfter: given(duration(r.RetryAfter)),
		}
	}
	s.TLS = tlsOf(c.TLS)
	return s
}

func hostOf(h profiles.Host) hostSyntax {
	s := hostSyntax{Name: given(word(h.Name)), Agent: agentOf(h.Agent), Netns: given(text(h.Netns))}
	for _, m := range h.Prometheus {
		s.Prometheus = append(s.Prometheus, metricsOf(m))
	}
	for _, p := range h.Pools {
		name, use := word(p.Name), text(p.Use)
		s.Pools = append(s.Pools, poolSyntax{Name: &name, Use: &use, Limit: given(ceiling(p.Limit))})
	}
	for _, l := range h.Logs {
		s.Logs = append(s.Logs, logOf(l))
	}
	for _, p := range h.Processes {
		s.Processes = append(s.Processes, processSyntax{
			Listen: given(count(p.Listen)), PID: given(count(p.PID)), Name: given(text(p.Name)),
			Cgroup: given(text(p.Cgroup)), Unit: given(text(p.Unit)),
			Container: given(text(p.Container)), Pod: given(text(p.Pod)),
		})
	}
	return s
}
