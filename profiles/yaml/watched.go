package yaml

import (
	"fmt"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// agentSyntax is "ssh", "ssh://user@host:port", the name of an agent, or the fields
// of one.
type agentSyntax struct{ agentFields }

func (a *agentSyntax) decode(d *decoder, n *tree.Node, key string) {
	if n.Kind != tree.Scalar {
		d.fields(valueOf(&a.agentFields), n, key)
		return
	}
	var t text
	d.scalar(&t, n, key)
	if t == "ssh" || strings.HasPrefix(string(t), "ssh:") {
		a.SSH = &t
		return
	}
	a.Name = &t
}

func (a *agentSyntax) node() *tree.Node {
	switch {
	case a.Install != nil || a.Command != nil:
	case a.SSH != nil:
		return textNode(string(*a.SSH), false)
	case a.Name != nil && *a.Name != "ssh" && !strings.HasPrefix(string(*a.Name), "ssh:"):
		return textNode(string(*a.Name), false)
	}
	return nodeOf(valueOf(&a.agentFields))
}

func (a *agentSyntax) agent() profiles.Agent {
	if a == nil {
		return profiles.Agent{}
	}
	out := profiles.Agent{Name: string(deref(a.Name)), SSH: string(deref(a.SSH)), Install: bool(deref(a.Install))}
	for _, word := range a.Command {
		out.Command = append(out.Command, string(word))
	}
	return out
}

func agentOf(a profiles.Agent) *agentSyntax {
	if !a.Given() && !a.Install {
		return nil
	}
	s := &agentSyntax{agentFields{SSH: given(text(a.SSH)), Name: given(text(a.Name)), Install: given(install(a.Install))}}
	for _, word := range a.Command {
		s.Command = append(s.Command, text(word))
	}
	return s
}

// install is how rampload comes to a host; true is by copying it.
type install bool

func (v *install) parse(text string, _ bool) error {
	if text != "copy" {
		return fmt.Errorf("%s is no way to install it: write copy, or leave install out", cite(text))
	}
	*v = true
	return nil
}

func (v *install) format() (string, bool) { return "copy", true }

// ceiling is the name of a metric, or a number.
type ceiling string

func (v *ceiling) parse(text string, _ bool) error { *v = ceiling(text); return nil }
func (v *ceiling) format() (string, bool)          { return string(*v), false }

// metricsSyntax is the URL of a page, or its fields.
type metricsSyntax struct{ metricsFields }

func (m *metricsSyntax) decode(d *decoder, n *tree.Node, key string) {
	if n.Kind != tree.Scalar {
		d.fields(valueOf(&m.metricsFields), n, key)
		return
	}
	m.URL = new(text)
	d.scalar(m.URL, n, key)
}

func (m *metricsSyntax) node() *tree.Node {
	if (metricsFields{URL: m.URL}) == m.metricsFields && m.URL != nil {
		return textNode(string(*m.URL), false)
	}
	return nodeOf(valueOf(&m.metricsFields))
}

// metricsList is one page, or a list of them.
type metricsList []metricsSyntax

func (l *metricsList) decode(d *decoder, n *tree.Node, key string) {
	if n.Kind != tree.Sequence {
		*l = make(metricsList, 1)
		(*l)[0].decode(d, n, key)
		return
	}
	for _, item := range n.Items {
		var m metricsSyntax
		m.decode(d, item, key)
		*l = append(*l, m)
	}
}

func (l *metricsList) node() *tree.Node {
	if len(*l) == 1 {
		return (*l)[0].node()
	}
	n := &tree.Node{Kind: tree.Sequence}
	for i := range *l {
		n.Items = append(n.Items, (*l)[i].node())
	}
	return n
}

func (m *metricsSyntax) metrics() profiles.Metrics {
	return profiles.Metrics{
		URL: string(deref(m.URL)), Username: string(deref(m.Username)), Password: string(deref(m.Password)),
		Bearer: string(deref(m.Bearer)), TLS: m.TLS.tls(), Every: time.Duration(deref(m.Every)),
	}
}

func metricsOf(m profiles.Metrics) metricsSyntax {
	url := text(m.URL)
	return metricsSyntax{metricsFields{
		URL: &url, Username: given(text(m.Username)), Password: given(text(m.Password)), Bearer: given(text(m.Bearer)),
		TLS: tlsOf(m.TLS), Every: given(duration(m.Every)),
	}}
}

func (s *tlsSyntax) tls() profiles.TLS {
	if s == nil {
		return profiles.TLS{}
	}
	return profiles.TLS{
		ServerName: string(deref(s.ServerName)), CAFile: string(deref(s.CA)),
		CertFile: string(deref(s.Cert)), KeyFile: string(deref(s.Key)), SkipVerify: bool(deref(s.SkipVerify)),
		Resume: bool(deref(s.Resume)),
	}
}

func tlsOf(t profiles.TLS) *tlsSyntax {
	if t == (profiles.TLS{}) {
		return nil
	}
	return &tlsSyntax{
		ServerName: given(text(t.ServerName)), CA: given(text(t.CAFile)),
		Cert: given(text(t.CertFile)), Key: given(text(t.KeyFile)), SkipVerify: given(toggle(t.SkipVerify)),
		Resume: given(toggle(t.Resume)),
	}
}

func (s *fleetSyntax) fleet() profiles.Fleet {
	if s == nil {
		return profiles.Fleet{}
	}
	return profiles.Fleet{
		Workers: int(deref(s.Workers)), NATS: string(deref(s.NATS)), Creds: string(deref(s.Creds)),
		CA: string(deref(s.CA)), Listen: string(deref(s.Listen)), Within: time.Duration(deref(s.Within)),
	}
}

func fleetOf(f profiles.Fleet) *fleetSyntax {
	if f == (profiles.Fleet{}) {
		return nil
	}
	return &fleetSyntax{
		Workers: given(count(f.Workers)), NATS: given(text(f.NATS)), Creds: given(text(f.Creds)),
		CA: given(text(f.CA)), Listen: given(text(f.Listen)), Within: given(duration(f.Within)),
	}
}
