// Package redaction takes what nobody may read out of profiles and of any text: what came
// from the environment, and what stands where credentials stand.
package redaction

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rampload/rampload/profiles"
)

// redacted stands where a secret was. It is valid wherever a secret may be: in a
// header, a path, a body, a host name.
const redacted = "REDACTED"

// Redactor removes a profile's secrets from text. It may be used by several
// goroutines. The zero value removes nothing.
type Redactor struct{ values []string } // longest first

// Of returns what removes the profile's secrets from any text: the values
// of [Profile.Secrets], of its sensitive headers (see [SensitiveHeader]) and the
// passwords of its URLs, as they are and as they appear in a URL or in quotes.
// Values of fewer than four bytes are removed only where they stand as a word of
// their own.
func Of(p profiles.Profile) Redactor {
	var secrets profiles.Secrets
	for _, v := range p.Secrets.Values() {
		secrets.Add(v)
	}
	fromURL := func(text string) {
		u, err := url.Parse(text)
		if err != nil {
			return
		}
		// By itself a name says nothing, and may be a word of any text. What it stands
		// for alone (http://token@host) is a secret.
		if password, ok := u.User.Password(); ok {
			secrets.Add(password)
		} else {
			secrets.Add(u.User.Username())
		}
	}
	fromHeader := func(h profiles.Header) {
		if !SensitiveHeader(h.Name) {
			return
		}
		secrets.Add(h.Value)
		if _, credentials, ok := strings.Cut(h.Value, " "); ok { // after the scheme
			secrets.Add(strings.TrimSpace(credentials))
		}
	}
	for _, t := range p.Targets {
		fromURL(t.Completion.Poll.URL)
		fromURL(t.Completion.Topic.URL)
		for _, h := range t.Completion.Poll.Headers {
			fromHeader(h)
		}
		for _, base := range t.Bases() {
			fromURL(base.URL)
			for _, r := range base.Requests {
				for _, h := range r.Headers {
					fromHeader(h)
				}
			}
		}
	}
	for _, t := range p.Data {
		for i, column := range t.Columns {
			for _, row := range t.Rows[:min(len(t.Rows), mostSecretRows)] {
				if SensitiveKey(column) {
					secrets.Add(row[i])
				}
			}
		}
	}
	fromURL(p.Fleet.NATS)
	for _, r := range p.Receivers() {
		fromURL(r.URL)
		secrets.Add(r.Password)
		secrets.Add(r.Bearer)
		for _, h := range r.Headers {
			fromHeader(h)
		}
	}
	fromURL(p.Traces.To.URL)
	fromURL(p.Traces.From.URL)
	for _, list := range [][]profiles.Header{p.Traces.To.Headers, p.Traces.From.Headers} {
		for _, h := range list {
			fromHeader(h)
		}
	}
	for _, h := range p.Hosts {
		for _, m := range h.Prometheus {
			fromURL(m.URL)
			secrets.Add(m.Password)
			secrets.Add(m.Bearer)
		}
		for _, l := range h.Logs {
			fromURL(l.URL)
		}
	}
	return newRedactor(secrets.Values())
}

// mostSecretRows is from how many rows of a table the values of columns such as password
// are hidden wherever they stand: each costs time with every text.
const mostSecretRows = 500

func newRedactor(secrets []string) Redactor {
	var values []string
	for _, v := range secrets {
		if v == redacted {
			continue
		}
		quoted := strconv.Quote(v)
		values = append(values, v, url.QueryEscape(v), url.PathEscape(v), quoted[1:len(quoted)-1])
	}
	slices.SortFunc(values, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	return Redactor{slices.Compact(values)}
}

// Redact returns the text without the secrets: each is replaced by REDACTED, and so
// is what stands where secrets stand, whatever it is: the user and password of a
// URL, and the value of a query key that [SensitiveKey] knows.
func (r Redactor) Redact(text string) string {
	for _, v := range r.values {
		if !strings.Contains(text, v) {
			continue
		}
		if len(v) < 4 {
			text = replaceWord(text, v)
		} else {
			text = strings.ReplaceAll(text, v, redacted)
		}
	}
	return redactPlaces(text)
}

// replaceWord replaces the value where neither neighbour continues it.
func replaceWord(text, value string) string {
	var b strings.Builder
	for rest := text; ; {
		i := strings.Index(rest, value)
		if i < 0 {
			b.WriteString(rest)
			return b.String()
		}
		end := i + len(value)
		before, _ := utf8.DecodeLastRuneInString(text[:len(text)-len(rest)+i])
		after, _ := utf8.DecodeRuneInString(rest[end:])
		b.WriteString(rest[:i])
		if isWord(before) || isWord(after) {
			b.WriteString(value)
		} else {
			b.WriteString(redacted)
		}
		rest = rest[end:]
	}
}

func isWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}

// Profile returns the profile as any output may show it: without the values of
// sensitive headers, the user information of URLs, and whatever came from the
// environment. It stays valid where the profile was, it has the same
// fingerprint, and it holds no secrets itself. Names of the profile, of
// targets and of hosts, and gates, are what outputs are about: they stay.
func Profile(p profiles.Profile) profiles.Profile {
	r := Of(p)
	p = p.Clone()
	p.Secrets = profiles.Secrets{}
	for i := range p.Targets {
		t := &p.Targets[i]
		t.URL = r.url(t.URL)
		t.File = r.Redact(t.File)
		r.turns(t.OnConnect)
		r.headers(t.WebSocket.Headers)
		t.GRPC = r.grpc(t.GRPC)
		r.requests(t.Requests)
		t.Completion = r.completion(t.Completion)
		for j := range t.Read {
			t.Read[j].URL = r.url(t.Read[j].URL)
			r.requests(t.Read[j].Requests)
		}
	}
	for i := range p.Journeys {
		j := &p.Journeys[i]
		j.URL = r.url(j.URL)
		j.GRPC = r.grpc(j.GRPC)
		for k := range j.Steps {
			s := &j.Steps[k]
			one := []profiles.Request{s.Request}
			r.requests(one)
			s.Request = one[0]
			if s.At.URL != "" {
				s.At.URL = r.url(s.At.URL)
			}
			s.Check.Body, s.Check.Regexp = r.Redact(s.Check.Body), r.Redact(s.Check.Regexp)
			s.Completion = r.completion(s.Completion)
		}
	}
	for i := range p.Data {
		d := &p.Data[i]
		d.File, d.Columns, d.Rows = r.Redact(d.File), nil, nil
	}
	c := &p.Client.TLS
	c.ServerName, c.CAFile = r.Redact(c.ServerName), r.Redact(c.CAFile)
	c.CertFile, c.KeyFile = r.Redact(c.CertFile), r.Redact(c.KeyFile)
	p.Fleet.NATS, p.Fleet.Creds, p.Fleet.CA = r.url(p.Fleet.NATS), r.Redact(p.Fleet.Creds), r.Redact(p.Fleet.CA)
	for _, receiver := range p.Receivers() {
		r.receiver(receiver)
	}
	for i := range p.Notify { // the path of a webhook is what lets one in
		hook := &p.Notify[i].Webhook
		if u, err := url.Parse(hook.URL); err == nil && len(u.Path) > 1 {
			u.Path, u.RawPath = "/"+redacted, ""
			hook.URL = u.String()
		}
	}
	t := &p.Traces
	t.To.URL, t.From.URL = r.url(t.To.URL), r.url(t.From.URL)
	r.headers(t.To.Headers)
	r.headers(t.From.Headers)
	for i := range p.Hosts {
		h := &p.Hosts[i]
		r.watched(h)
		for j := range h.Processes {
			q := &h.Processes[j]
			q.Name, q.Cgroup = r.Redact(q.Name), r.Redact(q.Cgroup)
			q.Container, q.Pod = r.Redact(q.Container), r.Redact(q.Pod)
			if unit := r.Redact(q.Unit); unit != q.Unit {
				q.Unit = unit
				if !strings.Contains(unit, ".") {
					q.Unit += ".service"
				}
			}
		}
	}
	return p
}

// receiver redacts how a service is told of the run in place.
func (r Redactor) receiver(to *profiles.Receiver) {
	to.URL, to.Username = r.url(to.URL), r.Redact(to.Username)
	to.Password, to.Bearer = "", ""
	r.headers(to.Headers)
	s := &to.TLS
	s.ServerName, s.CAFile, s.CertFile, s.KeyFile = r.Redact(s.ServerName), r.Redact(s.CAFile), r.Redact(s.CertFile), r.Redact(s.KeyFile)
}

// watched redacts how a host is watched in place.
func (r Redactor) watched(h *profiles.Host) {
	h.Netns, h.Kubernetes = r.Redact(h.Netns), r.Redact(h.Kubernetes)
	h.Agent.Name, h.Agent.SSH = r.Redact(h.Agent.Name), r.Redact(h.Agent.SSH)
	for i, word := range h.Agent.Command {
		h.Agent.Command[i] = r.Redact(word)
	}
	for i := range h.Prometheus {
		m := &h.Prometheus[i]
		m.URL, m.Username = r.url(m.URL), r.Redact(m.Username)
		m.Password, m.Bearer = "", ""
	}
	for i := range h.Logs {
		l := &h.Logs[i]
		l.File, l.URL, l.Query, l.Service = r.Redact(l.File), r.url(l.URL), r.Redact(l.Query), r.Redact(l.Service)
	}
	for i := range h.Pools {
		h.Pools[i].Use, h.Pools[i].Limit = r.Redact(h.Pools[i].Use), r.Redact(h.Pools[i].Limit)
	}
}

// turns redacts the turns of a script in place.
func (r Redactor) turns(turns []profiles.Turn) {
	for i := range turns {
		turns[i].Text = r.Redact(turns[i].Text)
	}
}

// grpc redacts how a gRPC target is spoken to, without its schema.
func (r Redactor) grpc(g profiles.GRPC) profiles.GRPC {
	g.Schema = nil
	for _, list := range [][]string{g.Protos, g.ProtoPaths} {
		for i := range list {
			list[i] = r.Redact(list[i])
		}
	}
	return g
}

// requests redacts requests in place.
func (r Redactor) requests(requests []profiles.Request) {
	for i := range requests {
		q := &requests[i]
		q.Path = r.path(q.Path)
		q.Body, q.BodyFile = r.Redact(q.Body), r.Redact(q.BodyFile)
		q.Name, q.Command = r.Redact(q.Name), r.Redact(q.Command)
		r.turns(q.Script)
		if q.Call != nil {
			for k, m := range q.Call.Messages {
				q.Call.Messages[k] = r.Redact(m)
			}
		}
		for k := range q.Parts {
			part := &q.Parts[k]
			part.Value, part.File = r.Redact(part.Value), r.Redact(part.File)
			if SensitiveKey(part.Name) && part.Value != "" {
				part.Value = redacted
			}
		}
		r.headers(q.Headers)
	}
}

// headers redacts headers in place.
func (r Redactor) headers(list []profiles.Header) {
	for k := range list {
		h := &list[k]
		h.Value = r.Redact(h.Value)
		if SensitiveHeader(h.Name) {
			h.Value = redacted
		}
	}
}

// url redacts a URL and keeps it one.
func (r Redactor) url(text string) string {
	if text == "" {
		return ""
	}
	was, err := url.Parse(text)
	if err != nil {
		return redacted
	}
	shown := r.Redact(text)
	u, err := url.Parse(shown)
	switch {
	case err == nil && u.Scheme == was.Scheme && (u.Host != "" || was.Host == ""):
		if u.User != nil {
			u.User = url.User(redacted)
			shown = u.String()
		}
		return shown
	case was.Host == "":
		return was.Scheme + ":///" + redacted
	}
	return was.Scheme + "://" + redacted
}

// path redacts a path and keeps it one.
func (r Redactor) path(text string) string {
	shown := r.Redact(text)
	if text != "" && text[0] == '/' && (shown == "" || shown[0] != '/') {
		return "/" + shown
	}
	return shown
}

// completion returns one that any output may show; it is changed in place where it has
// lists.
func (r Redactor) completion(c profiles.Completion) profiles.Completion {
	c.Poll.Path, c.Poll.URL = r.Redact(c.Poll.Path), r.url(c.Poll.URL)
	r.headers(c.Poll.Headers)
	c.Callback.Listen, c.Callback.URL = r.Redact(c.Callback.Listen), r.url(c.Callback.URL)
	c.Topic.URL, c.Topic.Subject = r.url(c.Topic.URL), r.Redact(c.Topic.Subject)
	c.Topic.Creds, c.Topic.CA = r.Redact(c.Topic.Creds), r.Redact(c.Topic.CA)
	for _, check := range []*profiles.Check{&c.Done, &c.Failed} {
		check.Body, check.Regexp = r.Redact(check.Body), r.Redact(check.Regexp)
	}
	return c
}
