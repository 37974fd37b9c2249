package eval

import (
	"fmt"
	"io"
	"slices"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

// Pair is one run whose hosts were watched twice, see [lab.Running.WithTwins], judged by
// what was seen of them as namespaces of the generator's machine, and by what their
// agents saw.
type Pair struct {
	Case
	Namespaces, Agents Judgement
}

// Same reports whether both name the same cause, host and resource that ran out there. Where
// nothing failed, nothing ran out, and which host came nearest to a limit does not count:
// the processors of the one machine are the generator's, and each agent's too.
func (p Pair) Same() bool {
	a, b := p.Namespaces, p.Agents
	return a.Cause == b.Cause && (a.Cause == "healthy" || a.Host == b.Host && a.Resource == b.Resource)
}

// AsSure reports whether both are as sure of it. On a busy machine one of them may have
// read later than the other, or have lost what the kernel told.
func (p Pair) AsSure() bool { return p.Namespaces.Verdict == p.Agents.Verdict }

// Disturbed reports whether the machine was too busy for either to be judged.
func (p Pair) Disturbed() bool { return p.Namespaces.Disturbed || p.Agents.Disturbed }

// Twins judges the runs that were recorded both ways, in the order of the cases.
func Twins(cases []Recorded) ([]Pair, error) {
	var out []Pair
	for _, c := range cases {
		log, err := c.Log()
		if err != nil {
			return nil, err
		}
		twins := map[string]string{} // the host of each twin
		for _, h := range log.Header.Hosts {
			twins[lab.Twin(h.Name)] = h.Name
		}
		named := func(h runlog.Host) bool { _, is := twins[h.Name]; return is }
		if !slices.ContainsFunc(log.Header.Hosts, named) {
			continue
		}
		seen, told := apart(log, twins)
		out = append(out, Pair{Case: c.Case, Namespaces: Judge(c.Case, seen, diagnose.Analyze(seen)), Agents: Judge(c.Case, told, diagnose.Analyze(told))})
	}
	return out, nil
}

// apart returns a log without the twins of its hosts, and one with them in the place of
// the hosts.
func apart(log *runlog.Log, twins map[string]string) (hosts, agents *runlog.Log) {
	paired := map[string]bool{}
	for _, h := range log.Header.Hosts {
		if of, is := twins[h.Name]; is {
			paired[of] = true
		}
	}
	hosts = only(log, func(host string) (string, bool) {
		_, twin := twins[host]
		return host, !twin
	})
	agents = only(log, func(host string) (string, bool) {
		if of, is := twins[host]; is {
			return of, true
		}
		return host, !paired[host]
	})
	return hosts, agents
}

// only returns a log with what is of some hosts, under the names that they are given.
func only(log *runlog.Log, name func(host string) (string, bool)) *runlog.Log {
	out := *log
	out.Series, out.Events, out.Header.Hosts, out.Parts = nil, nil, nil, nil
	for _, h := range log.Header.Hosts {
		var kept bool
		if h.Name, kept = name(h.Name); kept {
			out.Header.Hosts = append(out.Header.Hosts, h)
		}
	}
	for _, s := range log.Series {
		var kept bool
		if s.Metric.Host, kept = name(s.Metric.Host); kept {
			out.Series = append(out.Series, s)
		}
	}
	for _, e := range log.Events {
		var seen, of bool
		by := e.Source.Host
		if e.Source.Host, seen = name(by); !seen || e.Host == "" && by != e.Source.Host {
			continue // an agent elsewhere would not see the client's own namespace
		}
		if e.Host, of = name(e.Host); of {
			out.Events = append(out.Events, e)
		}
	}
	out.Trailer = withSources(log.Trailer, func(s probe.Status) probe.Status { return s })
	if out.Trailer == nil {
		return &out
	}
	out.Trailer.Sources = nil
	for _, s := range log.Trailer.Sources {
		var kept bool
		if s.Source.Host, kept = name(s.Source.Host); kept {
			out.Trailer.Sources = append(out.Trailer.Sources, s)
		}
	}
	return &out
}

// WritePairs writes how many runs get the same verdict, and a row for each (Markdown).
func WritePairs(w io.Writer, pairs []Pair) error {
	same, sure, namespaces, agents, disturbed := 0, 0, 0, 0, 0
	for _, p := range pairs {
		if p.Disturbed() {
			disturbed++
			continue
		}
		same, sure = same+one(p.Same()), sure+one(p.Same() && p.AsSure())
		namespaces, agents = namespaces+one(p.Namespaces.Right), agents+one(p.Agents.Right)
	}
	said := func(j Judgement) string {
		text := fmt.Sprintf("%s (%s, %.2f)", j.Cause, j.Verdict, j.Confidence)
		if j.Host != "" {
			text += " on " + j.Host
		}
		if !j.Right {
			text = "*" + text + "*"
		}
		return text
	}
	_, err := fmt.Fprintf(w, `# The lab with agents

Each run was recorded both ways at once: its hosts were watched as network namespaces of the
generator's machine, and by an agent in each, as if they were other machines.

%d of %d runs get the same cause, host and resource that ran out there, %d of them with the same
verdict. %d are right by namespaces and %d by agents; what is not right is in italics. %d more
say that the machine was too busy to judge by, and are not counted.

| run | by namespaces | by agents | same |
|---|---|---|---|
`, same, len(pairs)-disturbed, sure, namespaces, agents, disturbed)
	for _, p := range pairs {
		if err != nil {
			break
		}
		is := "**no**"
		switch {
		case p.Disturbed():
			is = "not counted"
		case p.Same() && p.AsSure():
			is = "yes"
		case p.Same():
			is = "yes, not as sure"
		}
		_, err = fmt.Fprintf(w, "| %s | %s | %s | %s |\n", p.Name(), said(p.Namespaces), said(p.Agents), is)
	}
	if err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	return nil
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}
