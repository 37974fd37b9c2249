package yaml

import (
	"fmt"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/section"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// agentSyntax is "ssh", "ssh://user@host:port", the name of an agent, or the fields
// of one.
type agentSyntax struct{ agentFields }

func (a *agentSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	if n.Kind != tree.Scalar {
		d.Fields(bind.ValueOf(&a.agentFields), n, key)
		return
	}
	var t scalar.Text
	d.Scalar(&t, n, key)
	if t == "ssh" || strings.HasPrefix(string(t), "ssh:") {
		a.SSH = &t
		return
	}
	a.Name = &t
}

func (a *agentSyntax) Node() *tree.Node {
	switch {
	case a.Install != nil || a.Command != nil:
	case a.SSH != nil:
		return bind.TextNode(string(*a.SSH), false)
	case a.Name != nil && *a.Name != "ssh" && !strings.HasPrefix(string(*a.Name), "ssh:"):
		return bind.TextNode(string(*a.Name), false)
	}
	return bind.NodeOf(bind.ValueOf(&a.agentFields))
}

func (a *agentSyntax) agent() profiles.Agent {
	if a == nil {
		return profiles.Agent{}
	}
	out := profiles.Agent{Name: string(bind.Deref(a.Name)), SSH: string(bind.Deref(a.SSH)), Install: bool(bind.Deref(a.Install))}
	for _, word := range a.Command {
		out.Command = append(out.Command, string(word))
	}
	return out
}

func agentOf(a profiles.Agent) *agentSyntax {
	if !a.Given() && !a.Install {
		return nil
	}
	s := &agentSyntax{agentFields{SSH: bind.Given(scalar.Text(a.SSH)), Name: bind.Given(scalar.Text(a.Name)), Install: bind.Given(install(a.Install))}}
	for _, word := range a.Command {
		s.Command = append(s.Command, scalar.Text(word))
	}
	return s
}

// install is how rampload comes to a host; true is by copying it.
type install bool

func (v *install) Parse(text string, _ bool) error {
	if text != "copy" {
		return fmt.Errorf("%s is no way to install it: write copy, or leave install out", spelling.Cite(text))
	}
	*v = true
	return nil
}

func (v *install) Format() (string, bool) { return "copy", true }

// ceiling is the name of a metric, or a number.
type ceiling string

func (v *ceiling) Parse(text string, _ bool) error { *v = ceiling(text); return nil }
func (v *ceiling) Format() (string, bool)          { return string(*v), false }

// metricsSyntax is the URL of a page, or its fields.
type metricsSyntax struct{ metricsFields }

// Private keeps its keys, which have the names of resources, out of advice.
func (metricsFields) Private() {}

func (m *metricsSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	if n.Kind != tree.Scalar {
		d.Fields(bind.ValueOf(&m.metricsFields), n, key)
		return
	}
	m.URL = new(scalar.Text)
	d.Scalar(m.URL, n, key)
}

func (m *metricsSyntax) Node() *tree.Node {
	if (metricsFields{URL: m.URL}) == m.metricsFields && m.URL != nil {
		return bind.TextNode(string(*m.URL), false)
	}
	return bind.NodeOf(bind.ValueOf(&m.metricsFields))
}

// metricsList is one page, or a list of them.
type metricsList []metricsSyntax

func (l *metricsList) Decode(d *bind.Decoder, n *tree.Node, key string) {
	if n.Kind != tree.Sequence {
		*l = make(metricsList, 1)
		(*l)[0].Decode(d, n, key)
		return
	}
	for _, item := range n.Items {
		var m metricsSyntax
		m.Decode(d, item, key)
		*l = append(*l, m)
	}
}

func (l *metricsList) Node() *tree.Node {
	if len(*l) == 1 {
		return (*l)[0].Node()
	}
	n := &tree.Node{Kind: tree.Sequence}
	for i := range *l {
		n.Items = append(n.Items, (*l)[i].Node())
	}
	return n
}

func (m *metricsSyntax) metrics() profiles.Metrics {
	return profiles.Metrics{
		URL: string(bind.Deref(m.URL)), Username: string(bind.Deref(m.Username)), Password: string(bind.Deref(m.Password)),
		Bearer: string(bind.Deref(m.Bearer)), TLS: m.TLS.TLS(), Every: time.Duration(bind.Deref(m.Every)),
	}
}

func metricsOf(m profiles.Metrics) metricsSyntax {
	url := scalar.Text(m.URL)
	return metricsSyntax{metricsFields{
		URL: &url, Username: bind.Given(scalar.Text(m.Username)), Password: bind.Given(scalar.Text(m.Password)), Bearer: bind.Given(scalar.Text(m.Bearer)),
		TLS: section.TLSOf(m.TLS), Every: bind.Given(scalar.Duration(m.Every)),
	}}
}

func (s *fleetSyntax) fleet() profiles.Fleet {
	if s == nil {
		return profiles.Fleet{}
	}
	return profiles.Fleet{
		Workers: int(bind.Deref(s.Workers)), NATS: string(bind.Deref(s.NATS)), Creds: string(bind.Deref(s.Creds)),
		CA: string(bind.Deref(s.CA)), Listen: string(bind.Deref(s.Listen)), Within: time.Duration(bind.Deref(s.Within)),
	}
}

func fleetOf(f profiles.Fleet) *fleetSyntax {
	if f == (profiles.Fleet{}) {
		return nil
	}
	return &fleetSyntax{
		Workers: bind.Given(scalar.Count(f.Workers)), NATS: bind.Given(scalar.Text(f.NATS)), Creds: bind.Given(scalar.Text(f.Creds)),
		CA: bind.Given(scalar.Text(f.CA)), Listen: bind.Given(scalar.Text(f.Listen)), Within: bind.Given(scalar.Duration(f.Within)),
	}
}
