package yaml

import (
	"errors"
	"slices"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

type journeySyntax struct {
	Name       *scalar.Word      `yaml:"name,required" about:"Name of the journey; its steps are JOURNEY/STEP in gates and reports." example:"write name: checkout"`
	URL        *scalar.Text      `yaml:"url,required" about:"Base URL of its steps: http://, https://, grpc:// or grpcs://." example:"write url: http://127.0.0.1:8080"`
	ConnectTo  *scalar.Text      `yaml:"connect-to" about:"host:port to connect to instead of the url's."`
	TLS        *targetTLS        `yaml:"tls" about:"How it is spoken to, when https."`
	Hosts      []scalar.Word     `yaml:"hosts" about:"Names of the hosts that serve it, the outermost first in a chain."`
	Share      *scalar.Share     `yaml:"share" about:"Share of all arrivals. Journeys and targets without one divide the rest equally."`
	Connection *scalar.Ownership `yaml:"connection" about:"pool: users take connections of the pool. own: each has one of its own, closed at its end. Without it: pool."`
	Expect     *scalar.Statuses  `yaml:"expect" about:"HTTP statuses that count as success, or those of gRPC such as ok and not-found. Without it: 2xx and 3xx, or ok."`
	Protos     []scalar.Text     `yaml:"protos" about:"The .proto files of a grpc:// service. Without them: it is asked, by server reflection."`
	ProtoPaths []scalar.Text     `yaml:"proto-paths" about:"Folders that imports of the .proto files are below. Without them: those of the files."`
	KeepAlive  *scalar.Duration  `yaml:"keep-alive" about:"Ping a connection of a grpc:// service that has calls and was silent for so long. Without it: never."`
	Steps      []stepSyntax      `yaml:"steps,required" about:"What a user does, in order, with cookies of its own." example:"write steps: [{name: login, path: /login}]"`
}

// stepSyntax is a step: its own keys, beside those of a request.
type stepSyntax struct {
	stepFields
	request requestSyntax
}

type stepFields struct {
	Name      *scalar.Word      `yaml:"name,required" about:"Name of the step in gates and reports, and of what it extracts." example:"write name: login"`
	URL       *scalar.Text      `yaml:"url" about:"Base URL of another service that the step asks, http:// or https://, instead of the journey's."`
	ConnectTo *scalar.Text      `yaml:"connect-to" about:"host:port to connect to instead of the step's url's."`
	TLS       *targetTLS        `yaml:"tls" about:"How the service of the step's url is spoken to, when https."`
	Hosts     []scalar.Word     `yaml:"hosts" about:"Names of the hosts that serve the step's url, the outermost first in a chain."`
	Think     *scalar.ThinkSpan `yaml:"think" about:"Pause before the step, such as 1s..3s: any time within."`
	Extract   *extracts         `yaml:"extract" about:"Values of the answer for later steps: {token: json access_token} is ${login.token}. From json PATH, header NAME, cookie NAME or regexp PATTERN."`
	Check     *checkSyntax      `yaml:"check" about:"What the answer has to be; else the step has failed."`
	OnFailure *scalar.OnFailure `yaml:"on-failure" about:"end: the journey ends where this step fails. skip: it goes on. Without it: end."`

	Completion *completionSyntax `yaml:"completion" about:"How it is learnt that what the step's answer accepted (202) and the service does later is done. The journey does not wait for it."`
}

type checkSyntax struct {
	Status  *scalar.Statuses `yaml:"status" about:"Statuses that count as success, instead of the journey's."`
	Body    *scalar.Text     `yaml:"body" about:"Text that the body contains."`
	Regexp  *scalar.Text     `yaml:"regexp" about:"Regular expression that the body matches."`
	JSON    *scalar.Headers  `yaml:"json" about:"Values by their paths, such as {status: paid, items.0.id: 7}."`
	Headers *scalar.Headers  `yaml:"headers" about:"Texts that header fields contain."`
}

type extracts []profiles.Extract

// Decode reads the names of values and where they are.
func (v *extracts) Decode(d *bind.Decoder, n *tree.Node, key string) {
	if n.Kind == tree.Null {
		return
	}
	if n.Kind != tree.Mapping {
		d.Problem(n.At, key, "these must be names with where the values are: write {token: json access_token}")
		return
	}
	for _, e := range n.Entries {
		var s scalar.Text
		before := len(d.Problems)
		if d.Scalar(&s, e.Value, e.Key); len(d.Problems) > before {
			continue
		}
		from, what, _ := strings.Cut(string(s), " ")
		if !slices.Contains(profiles.ExtractFroms(), profiles.ExtractFrom(from)) {
			d.Problem(e.Value.At, e.Key, "%s says not where the value is: write json items.0.id, header Location, cookie session or regexp id=([0-9]+)", spelling.Cite(string(s)))
			continue
		}
		*v = append(*v, profiles.Extract{Name: e.Key, From: profiles.ExtractFrom(from), What: strings.TrimSpace(what)})
	}
}

func (v *extracts) Node() *tree.Node {
	n := &tree.Node{Kind: tree.Mapping}
	for _, e := range *v {
		n.Entries = append(n.Entries, tree.Entry{Key: e.Name, Value: bind.TextNode(string(e.From)+" "+e.What, false)})
	}
	return n
}

// Decode reads the step's own keys, and leaves the others to its request.
func (s *stepSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	if n.Kind != tree.Mapping {
		d.Problem(n.At, key, "a step has keys with values: write {name: login, path: /login}")
		return
	}
	own, others := &tree.Node{Kind: tree.Mapping, At: n.At}, &tree.Node{Kind: tree.Mapping, At: n.At}
	fields, ofRequest := bind.FieldsOf(bind.ValueOf(&s.stepFields).Type()), bind.FieldsOf(bind.ValueOf(&s.request.requestFields).Type())
	for _, e := range n.Entries {
		if _, ok := bind.FieldNamed(fields, e.Key); ok {
			own.Entries = append(own.Entries, e)
		} else if _, ok := bind.FieldNamed(ofRequest, e.Key); ok {
			others.Entries = append(others.Entries, e)
		} else {
			d.Problem(e.At, "", "%s", bind.UnknownKey(d.Root, e.Key, slices.Concat(fields, ofRequest)))
		}
	}
	d.Fields(bind.ValueOf(&s.stepFields), own, key)
	s.request.Decode(d, others, key)
	if s.request.Weight != nil {
		d.Problem(n.Get("weight").At, "weight", "every step of a journey is made: leave it out")
	}
}

func (s *stepSyntax) Node() *tree.Node {
	n := bind.NodeOf(bind.ValueOf(&s.stepFields))
	request := bind.NodeOf(bind.ValueOf(&s.request.requestFields))
	if s.request.filled {
		request = request.Unescaped()
	}
	n.Entries = append(n.Entries, request.Entries...)
	return n
}

func (s *journeySyntax) journey() profiles.Journey {
	j := profiles.Journey{
		Name: string(bind.Deref(s.Name)), URL: string(bind.Deref(s.URL)), ConnectTo: string(bind.Deref(s.ConnectTo)),
		Share: float64(bind.Deref(s.Share)), Expect: profiles.StatusSet(bind.Deref(s.Expect)), OwnConn: bool(bind.Deref(s.Connection)),
	}
	j.GRPC = grpcFields{s.Protos, s.ProtoPaths, s.KeepAlive}.grpc()
	if s.TLS != nil {
		j.ServerName = string(bind.Deref(s.TLS.ServerName))
	}
	for _, h := range s.Hosts {
		j.Hosts = append(j.Hosts, string(h))
	}
	for _, step := range s.Steps {
		out := profiles.Step{
			Name: string(bind.Deref(step.Name)), Request: request(step.request),
			Extract: bind.Deref(step.Extract), SkipFailed: bool(bind.Deref(step.OnFailure)),
		}
		out.At.URL, out.At.ConnectTo = string(bind.Deref(step.URL)), string(bind.Deref(step.ConnectTo))
		if step.TLS != nil {
			out.At.ServerName = string(bind.Deref(step.TLS.ServerName))
		}
		for _, h := range step.Hosts {
			out.At.Hosts = append(out.At.Hosts, string(h))
		}
		think := bind.Deref(step.Think)
		out.ThinkFrom, out.ThinkTo = think.From, think.To
		out.Check, out.Completion = step.Check.check(), step.Completion.completion()
		j.Steps = append(j.Steps, out)
	}
	return j
}

func journeyOf(j profiles.Journey) journeySyntax {
	s := journeySyntax{
		Name: bind.Given(scalar.Word(j.Name)), URL: bind.Given(scalar.Text(j.URL)), ConnectTo: bind.Given(scalar.Text(j.ConnectTo)), Hosts: words(j.Hosts),
		Share: bind.Given(scalar.Share(j.Share)), Connection: bind.Given(scalar.Ownership(j.OwnConn)), Steps: []stepSyntax{},
	}
	g := grpcOf(j.GRPC)
	s.Protos, s.ProtoPaths, s.KeepAlive = g.Protos, g.ProtoPaths, g.KeepAlive
	if j.ServerName != "" {
		s.TLS = &targetTLS{ServerName: bind.Given(scalar.Text(j.ServerName))}
	}
	if j.Expect != nil {
		expect := scalar.Statuses(j.Expect)
		s.Expect = &expect
	}
	for _, step := range j.Steps {
		out := stepSyntax{request: requestOf(step.Request)}
		out.Name, out.OnFailure = bind.Given(scalar.Word(step.Name)), bind.Given(scalar.OnFailure(step.SkipFailed))
		out.URL, out.ConnectTo, out.Hosts = bind.Given(scalar.Text(step.At.URL)), bind.Given(scalar.Text(step.At.ConnectTo)), words(step.At.Hosts)
		if step.At.ServerName != "" {
			out.TLS = &targetTLS{ServerName: bind.Given(scalar.Text(step.At.ServerName))}
		}
		out.Think = bind.Given(scalar.ThinkSpan{From: step.ThinkFrom, To: step.ThinkTo})
		if len(step.Extract) > 0 {
			list := extracts(step.Extract)
			out.Extract = &list
		}
		out.Check, out.Completion = checkOf(step.Check), completionOf(step.Completion)
		s.Steps = append(s.Steps, out)
	}
	return s
}

func (c *checkSyntax) check() profiles.Check {
	if c == nil {
		return profiles.Check{}
	}
	out := profiles.Check{Body: string(bind.Deref(c.Body)), Regexp: string(bind.Deref(c.Regexp)), JSON: bind.Deref(c.JSON), Headers: bind.Deref(c.Headers)}
	if c.Status != nil {
		out.Status = profiles.StatusSet(*c.Status)
	}
	return out
}

func checkOf(c profiles.Check) *checkSyntax {
	s := checkSyntax{Body: bind.Given(scalar.Text(c.Body)), Regexp: bind.Given(scalar.Text(c.Regexp))}
	if c.Status != nil {
		status := scalar.Statuses(c.Status)
		s.Status = &status
	}
	if len(c.JSON) > 0 {
		list := scalar.Headers(c.JSON)
		s.JSON = &list
	}
	if len(c.Headers) > 0 {
		list := scalar.Headers(c.Headers)
		s.Headers = &list
	}
	if s == (checkSyntax{}) {
		return nil
	}
	return &s
}

// arrivalsEnd checks that a stage of journeys has the one length that it needs.
func (s *stageSyntax) arrivalsEnd() error {
	level := s.Arrivals.From == s.Arrivals.To
	switch {
	case s.Over == nil && s.For == nil, s.Over != nil && s.For != nil:
		return errors.New("journeys need one length: write {journeys: 20/s to 200/s, over: 2m}, or {journeys: 100/s, for: 1m}")
	case level && s.Over != nil:
		return errors.New("one rate of journeys is held for a time: write {journeys: 100/s, for: 1m}")
	case !level && s.For != nil:
		return errors.New("journeys rise over a time: write {journeys: 20/s to 200/s, over: 2m}")
	}
	return nil
}
