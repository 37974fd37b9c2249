package rules

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/data"
	"github.com/rampload/rampload/profiles/spelling"
)

// place is a step of a journey.
type place struct {
	journey *profiles.Journey
	index   int
}

// journeyRules checks journeys and their steps.
type journeyRules struct{ *validator }

// journeys checks what virtual users do.
func (v journeyRules) journeys() {
	const mostSteps = 100
	seen := map[string]bool{}
	for _, t := range v.profile.Targets {
		if t.Journey == 0 {
			seen[t.Name] = true
		}
	}
	for i := range v.profile.Journeys {
		j := &v.profile.Journeys[i]
		path := at("journeys", i)
		switch {
		case j.Name == "":
			v.add(path, "the journey has no name: write one, such as name: checkout")
		case !v.name(path+".name", j.Name):
		case seen[j.Name]:
			v.add(path+".name", "something else is called %q: give each target and journey its own name", j.Name)
		}
		seen[j.Name] = true
		t := profiles.Target{
			Name: j.Name, URL: j.URL, ConnectTo: j.ConnectTo, ServerName: j.ServerName, Hosts: j.Hosts, Expect: j.Expect, GRPC: j.GRPC,
			Requests: []profiles.Request{{Method: "GET", Weight: 1}},
		}
		if !t.Speaks().OverHTTP() {
			v.add(path+".url", "steps are requests of HTTP or calls of gRPC, and the url is %s://: write one of those, or make it a target with requests or scripts", schemeOf(t))
			continue
		}
		v.ofJourney = true
		targetRules(v).target(path, t)
		v.ofJourney = false
		if t.Requests = nil; len(j.Steps) > 0 {
			for _, s := range j.Steps {
				t.Requests = append(t.Requests, s.Request)
			}
			callRules(v).calls(path+".steps", t)
		}
		switch {
		case len(j.Steps) == 0:
			v.add(path, "the journey has no steps: write some, such as steps: [{name: login, path: /login}]")
		case len(j.Steps) > mostSteps:
			v.add(path+".steps", "%d steps are more than %d: make several journeys", len(j.Steps), mostSteps)
		}
		names := map[string]bool{}
		for k := range j.Steps {
			v.journeyStep(at(path+".steps", k), place{j, k}, names)
		}
	}
}

func (v journeyRules) journeyStep(path string, p place, names map[string]bool) {
	s := &p.journey.Steps[p.index]
	switch {
	case s.Name == "":
		v.add(path, "the step has no name: write one, such as name: login")
	case !v.name(path+".name", s.Name):
	case !isSource(s.Name):
		v.add(path+".name", "the name %s cannot stand in ${...}: write letters, digits, \"_\" and \"-\" only", spelling.Quote(s.Name))
	case names[s.Name]:
		v.add(path+".name", "a second step is called %q: give each its own name", s.Name)
	case slices.Contains(data.Families(), s.Name) || slices.ContainsFunc(v.profile.Data, func(t profiles.Table) bool { return t.Name == s.Name }):
		v.add(path+".name", "%q is a source of values already: give the step another name", s.Name)
	}
	names[s.Name] = true
	v.stepService(path, p)
	v.step = &p
	requestRules(v).request(path, s.Request)
	v.step = nil
	v.stepCompletion(path, p)
	if s.ThinkFrom < 0 || s.ThinkTo < s.ThinkFrom || s.ThinkTo > time.Hour {
		v.add(path+".think", "a pause from %s to %s cannot be: write the shorter one first, at most 1h, such as think: 1s..3s",
			spelling.FormatDuration(s.ThinkFrom), spelling.FormatDuration(s.ThinkTo))
	}
	for _, e := range s.Extract {
		v.extract(path+".extract."+e.Name, e)
	}
	speaks := profiles.Target{URL: p.journey.URL}.Speaks()
	for _, r := range s.Check.Status {
		if speaks == profiles.SpeaksGRPC {
			callRules(v).grpcStatus(path+".check.status", r)
			continue
		}
		if r.Low < 100 || r.High > 599 || r.Low > r.High {
			v.add(path+".check.status", "%d to %d are not HTTP statuses: write some from 100 to 599, such as 2xx or 404", r.Low, r.High)
		}
	}
	if _, err := regexp.Compile(s.Check.Regexp); err != nil {
		v.add(path+".check.regexp", "%s is no regular expression (%s): write one such as order [0-9]+", spelling.Quote(s.Check.Regexp), reason(err))
	}
}

// stepCompletion checks how a step tells what became of what it accepted: as its target.
func (v journeyRules) stepCompletion(path string, p place) {
	for _, t := range v.profile.Targets {
		if t.Journey == 0 || &v.profile.Journeys[t.Journey-1] != p.journey || t.Step != p.index {
			continue
		}
		completionRules(v).completion(path, t)
		if t.Completion.Via != profiles.ViaCallback {
			return
		}
		for k, other := range p.journey.Steps[:p.index] {
			if other.Completion.Via == profiles.ViaCallback && p.journey.Service(k).URL == t.URL {
				v.add(path+".completion.callback", "the step %s waits for callbacks of the same service already: put this one into a journey of its own", other.Name)
			}
		}
	}
}

// stepService checks the service of its own that a step has.
func (v journeyRules) stepService(path string, p place) {
	at := p.journey.Steps[p.index].At
	t := profiles.Target{
		URL: at.URL, ConnectTo: at.ConnectTo, ServerName: at.ServerName, Hosts: at.Hosts, Expect: profiles.DefaultExpect(),
		Requests: []profiles.Request{{Method: "GET", Weight: 1}},
	}
	switch {
	case at.IsZero():
	case at.URL == "":
		v.add(path, "connect-to, tls and hosts go with a url of the step: write url: http://127.0.0.1:8080 too, or put them beside the journey's url")
	case t.Speaks() != profiles.SpeaksHTTP || profiles.Target{URL: p.journey.URL}.Speaks() != profiles.SpeaksHTTP:
		v.add(path+".url", "only steps over http:// and https:// have a service of their own, in a journey over HTTP: put this one into a journey of its own")
	default:
		v.ofJourney = true
		targetRules(v).target(path, t)
		v.ofJourney = false
	}
}

func (v journeyRules) extract(path string, e profiles.Extract) {
	_, err := regexp.Compile(e.What)
	switch {
	case !isSource(e.Name):
		v.add(path, "%s is no name for a value: write letters, digits, \"_\" and \"-\"", spelling.Quote(e.Name))
	case e.What == "":
		v.add(path, "it says not what to take: write json items.0.id, header Location, cookie session or regexp id=([0-9]+)")
	case e.From == profiles.FromRegexp && err != nil:
		v.add(path, "%s is no regular expression (%s): write one such as id=([0-9]+)", spelling.Quote(e.What), reason(err))
	}
}

// reason is what regexp says of an expression, without the expression.
func reason(err error) string {
	text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "error parsing regexp: "), ":")
	return text
}

// extracted reports whether a reference is to a step of the journey, and checks it.
func (v journeyRules) extracted(path string, ref data.Ref) bool {
	steps := v.step.journey.Steps
	i := slices.IndexFunc(steps, func(s profiles.Step) bool { return s.Name == ref.Source })
	if i < 0 {
		return false
	}
	var names []string
	for _, e := range steps[i].Extract {
		names = append(names, e.Name)
	}
	switch {
	case i >= v.step.index:
		v.add(path, "${%s} is known after the step %s only: put that before this one", ref, ref.Source)
	case len(names) == 0:
		v.add(path, "the step %s extracts nothing: write extract: {%s: json %s} there", ref.Source, ref.Name, ref.Name)
	case !slices.Contains(names, ref.Name):
		v.add(path, "the step %s extracts no %s%s", ref.Source, spelling.Quote(ref.Name), spelling.Suggest(ref.Name, names))
	}
	return true
}

// lastShare reports whether no target after i has a share of its own.
func (v journeyRules) lastShare(i int) bool {
	return !slices.ContainsFunc(v.profile.Targets[i+1:], func(t profiles.Target) bool { return t.Step == 0 })
}

// journeyStage checks a stage of a profile with journeys.
func (v journeyRules) journeyStage(path string, s profiles.Stage) {
	mixed := slices.ContainsFunc(v.profile.Targets, func(t profiles.Target) bool { return t.Journey == 0 })
	switch {
	case len(v.profile.Journeys) == 0 && ofJourneys(s):
		v.add(path, "there are no journeys: write some, or a rate of requests, such as {from: 50/s, to: 2000/s, over: 2m}")
	case len(v.profile.Journeys) == 0:
	case ofJourneys(s) && mixed:
		v.add(path, "the load is shared with targets: write {from: 20/s, to: 200/s, over: 2m}, of which each journey begins its share")
	default:
		switch s.(type) {
		case profiles.Max, profiles.Connections:
			v.add(path, "journeys begin at a rate, each user with its own pauses: write {journeys: 20/s to 200/s, over: 2m}")
		case profiles.Search, profiles.Idle:
			v.add(path, "a profile with journeys has no such stage: write a ramp, {journeys: 20/s to 200/s, over: 2m}, or put the requests into a profile of their own")
		}
	}
}

// ofJourneys reports whether a stage is written as a number of journeys.
func ofJourneys(s profiles.Stage) bool {
	switch s := s.(type) {
	case profiles.Ramp:
		return s.Journeys
	case profiles.Hold:
		return s.Journeys
	}
	return false
}
