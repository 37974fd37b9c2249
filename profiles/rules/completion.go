package rules

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/data"
	"github.com/rampload/rampload/profiles/spelling"
)

// acceptedSource is what the path of a poll has values of.
const acceptedSource = "accepted"

// completionRules checks how it is found out what became of accepted transactions.
type completionRules struct{ *validator }

// completion checks how a target tells what became of what it accepted.
func (v completionRules) completion(path string, t profiles.Target) {
	calls := slices.ContainsFunc(t.Requests, func(r profiles.Request) bool {
		return slices.ContainsFunc(data.Refs(r), func(ref data.Ref) bool { return ref.Source == "callback" })
	})
	c := t.Completion
	if c.Via != profiles.ViaCallback && calls {
		v.add(path, "its requests have ${callback.url}, and nobody listens: write completion: {callback: 127.0.0.1:9099}, or leave it out")
	}
	if !c.Given() {
		return
	}
	path += ".completion"
	if t.Speaks() != profiles.SpeaksHTTP || t.File != "" {
		v.add(path, "completions are of targets with an http:// or https:// url and requests: leave it out")
		return
	}
	switch c.Via {
	case profiles.ViaPoll:
		v.poll(path+".poll", c)
	case profiles.ViaCallback:
		v.callback(path+".callback", c.Callback, calls)
	case profiles.ViaNATS:
		v.topic(path+".nats", c)
	}
	for _, s := range c.Accepted {
		if s.Low < 200 || s.High > 399 || s.Low > s.High {
			v.add(path+".accepted", "%d to %d are no answers of success: write some such as 202", s.Low, s.High)
		}
		if !t.Expect.Contains(s.Low) {
			v.add(path+".accepted", "%d is not among what the target is expected to answer: add it to expect", s.Low)
		}
	}
	seen := map[string]bool{}
	for _, e := range c.Extract {
		if seen[e.Name] {
			v.add(path+".extract", "%s is there twice: give each value its own name", spelling.Quote(e.Name))
		}
		seen[e.Name] = true
		journeyRules(v).extract(path+".extract."+e.Name, e)
	}
	v.outcome(path+".done", c, c.Done)
	v.outcome(path+".failed", c, c.Failed)
	if c.Timeout < time.Millisecond || c.Timeout > 24*time.Hour {
		v.add(path+".timeout", "%s is not from 1ms to 24h: write one such as 30s", spelling.FormatDuration(c.Timeout))
	}
}

// outcome checks what says how a transaction ended.
func (v completionRules) outcome(path string, c profiles.Completion, check profiles.Check) {
	if check.Status != nil && c.Via != profiles.ViaPoll {
		v.add(path+".status", "only the answer to a poll has a status: write json, body, regexp or headers")
	}
	for _, s := range check.Status {
		if s.Low < 100 || s.High > 599 || s.Low > s.High {
			v.add(path+".status", "%d to %d are not HTTP statuses: write some from 100 to 599, such as 2xx or 404", s.Low, s.High)
		}
	}
	if _, err := regexp.Compile(check.Regexp); err != nil {
		v.add(path+".regexp", "%s is no regular expression (%s): write one such as order [0-9]+", spelling.Quote(check.Regexp), reason(err))
	}
}

func (v completionRules) poll(path string, c profiles.Completion) {
	if c.Poll.URL != "" {
		targetRules(v).url(path+".url", c.Poll.URL)
		if speaks := (profiles.Target{URL: c.Poll.URL}).Speaks(); speaks != profiles.SpeaksHTTP {
			v.add(path+".url", "polls are HTTP: write a url such as http://127.0.0.1:8080")
		}
	}
	for i, h := range c.Poll.Headers {
		requestRules(v).header(at(path+".headers", i), h)
	}
	if c.Poll.Every < 10*time.Millisecond || c.Poll.Every > time.Hour {
		v.add(path+".every", "%s is not from 10ms to 1h: write one such as 1s", spelling.FormatDuration(c.Poll.Every))
	}
	if v.finite(path+".at-most", c.Poll.AtMost) && (c.Poll.AtMost <= 0 || c.Poll.AtMost > 100_000) {
		v.add(path+".at-most", "%s is not above 0/s and up to 100000/s: write one such as 200/s", spelling.FormatRate(c.Poll.AtMost))
	}
	if c.Poll.Path == "" {
		return
	}
	pieces, err := data.Parse(c.Poll.Path)
	if err != nil {
		v.add(path, "%s", err)
		return
	}
	var names []string
	for _, e := range c.Extract {
		names = append(names, e.Name)
	}
	for _, p := range pieces {
		switch ref := p.Ref; {
		case p.Literal():
		case ref.Source == "request":
			requestRules(v).reference(path, ref)
		case ref.Source != acceptedSource:
			v.add(path, "${%s} is not known to a poll: write ${accepted.id}, with extract: {id: json id}, or ${request.id}", ref)
		case !slices.Contains(names, ref.Name):
			v.add(path, "no %s is extracted%s: write extract: {%s: json %s}", spelling.Quote(ref.Name), spelling.Suggest(ref.Name, names), ref.Name, ref.Name)
		}
	}
	if plain, err := data.Mask(c.Poll.Path, "0"); err == nil {
		requestRules(v).path(path, "GET", plain)
	}
}

func (v completionRules) callback(path string, c profiles.Callback, calls bool) {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil || port != "0" && !validPort(port) || strings.ContainsAny(host, "/@?# ") {
		v.add(path, "%s is no address to listen at: write host and port, such as 127.0.0.1:9099 or 0.0.0.0:0", spelling.Quote(c.Listen))
	}
	if u, err := url.Parse(c.URL); c.URL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "") {
		v.add(path+".url", "%s is no URL that can be called: write one such as http://10.0.0.7:9099", spelling.Quote(c.URL))
	}
	if c.URL != "" && v.profile.Fleet.Workers > 1 {
		v.add(path+".url", "each of the workers is called at its own address: leave it out")
	}
	if !calls {
		v.add(path, "no request tells the target whom to call: put ${callback.url} into a body, a path or a header")
	}
}

func (v completionRules) topic(path string, c profiles.Completion) {
	t := c.Topic
	if u, err := url.Parse(t.URL); err != nil || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) || u.Host == "" {
		v.add(path+".url", "%s is no URL of a NATS server: write one such as nats://127.0.0.1:4222", spelling.Quote(t.URL))
	}
	if strings.ContainsAny(t.Subject, " \t\r\n") || strings.Contains(t.Subject, "..") || strings.HasPrefix(t.Subject, ".") || strings.HasSuffix(t.Subject, ".") {
		v.add(path+".subject", "%s is no subject: write one such as orders.done", spelling.Quote(t.Subject))
	}
	if t.ID.From == profiles.FromRegexp {
		if _, err := regexp.Compile(t.ID.What); err != nil {
			v.add(path+".id", "%s is no regular expression (%s): write one such as id=([0-9]+)", spelling.Quote(t.ID.What), reason(err))
		}
	}
	extracted := slices.ContainsFunc(c.Extract, func(e profiles.Extract) bool { return e.Name == profiles.AcceptedID })
	if extracted && t.ID.What == "" {
		v.add(path+".id", "the answer has an id of its own, and messages do not say theirs: write id: json id")
	}
}
