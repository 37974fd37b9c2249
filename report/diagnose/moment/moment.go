// Package moment asks what happened to a hop at the onset: a process that ended and what it logged just
// before, a kernel that refuses because nothing listens any more, a new configuration, one kind of
// request that always fails. Whatever is seen later may be a consequence of these.
package moment

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/says"
	"github.com/rampload/rampload/report/diagnose/spoken"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

// Observe adds the facts of the onset to those of a hop. It needs the facts about its processes, its
// kernel and what was said of it.
func Observe(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	deaths, _ := kernels.WithoutOrdinary(c, kernels.Deaths(c, h))
	observeInstances(c, f, h, deaths)
	observeNobody(c, f, h, deaths)
	observeLastWords(c, f, h, deaths)
	observeStandingWords(c, f, h)
	observePart(c, f, h)
	kind, constant := gather.FailingKinds(c)
	if constant {
		f.Set(evidence.OneKindAlways, evidence.Yes, "client", "%s, at every load", kind)
	}
	observeReload(c, f, h, deaths, kind != "")
	observeDenial(c, f, h, kind != "")
}

// observeInstances asks whether failures came while one or another of several instances was gone.
func observeInstances(c *evidence.Case, f *evidence.Facts, h evidence.Hop, deaths []evidence.Death) {
	if len(deaths) == 0 || h.Index == 0 || h.Station == nil || f[evidence.DiedWithFaults].Is == evidence.Yes {
		return
	}
	all, hosts := slices.Clone(deaths), []string{h.Host}
	for _, host := range h.Station.Hosts() {
		other := h
		other.Host, other.Also = host, nil
		if slices.Contains(hosts, host) {
			continue
		}
		ends := slices.DeleteFunc(kernels.Deaths(c, other), func(d evidence.Death) bool { return d.Process != deaths[0].Process })
		if len(ends) > 0 {
			all, hosts = append(all, ends...), append(hosts, host)
		}
	}
	if near, of := kernels.FailuresNear(c, all); len(hosts) > 1 && near >= 0.6*of && of >= 3 {
		f.SetAt(evidence.DiedWithFaults, evidence.Yes, deaths[0].At, "processes of "+strings.Join(hosts, ", "), "%s of %s failures came while %s was gone on one of %s or another",
			format.Number(near), format.Number(of), words.OrThe(deaths[0].Process), strings.Join(hosts, ", "))
	}
	if inTurn(all, len(hosts)) {
		f.SetAt(evidence.InTurn, evidence.Yes, deaths[0].At, "processes of "+strings.Join(hosts, ", "), "%s ended and came back on %s, once each, one after the other", words.OrThe(deaths[0].Process), strings.Join(hosts, ", "))
	}
}

// inTurn reports whether on each of several hosts a process ended once, by a signal or in good order, and
// came back, at different times.
func inTurn(ends []evidence.Death, hosts int) bool {
	const apart = 1.0 // seconds
	if hosts < 2 || len(ends) != hosts {
		return false
	}
	slices.SortFunc(ends, func(x, y evidence.Death) int { return cmp.Compare(x.At, y.At) })
	for i, d := range ends {
		why := strings.ToUpper(d.Why)
		asked := strings.Contains(why, "SIGTERM") || strings.Contains(why, "SIGKILL") || strings.Contains(why, "SIGINT") || strings.Contains(why, "EXIT STATUS 0") || d.Why == "replaced"
		if !d.Replaced || d.Oom || !asked || i > 0 && d.At-ends[i-1].At < apart {
			return false
		}
	}
	return true
}

// observeNobody asks whether the kernel of an inner hop refused for want of a listener about as often as
// requests failed: then nothing listens on the port. Far more resets than failures answer late packets
// of connections that are gone.
func observeNobody(c *evidence.Case, f *evidence.Facts, h evidence.Hop, deaths []evidence.Death) {
	if h.Index == 0 || h.Index >= len(c.Wires) || f[evidence.SentNoSocket].Is != evidence.Yes {
		return
	}
	v := c.Wires[h.Index]
	n := v.Part("NO_SOCKET") * v.Sent
	if n < 20 || n < 0.5*c.Parts.Failed || n > 3*c.Parts.Failed || f[evidence.InnerMatch].Is == evidence.No {
		return
	}
	src := "kernel of " + h.Host
	f.Set(evidence.NobodyListens, evidence.Yes, src, "%s refused %s times, %s failed: nothing listens on its port", h.Place(), format.Number(n), format.Number(c.Parts.Failed))
	f[evidence.AnsweredOther] = evidence.Fact{} // its answers were these refusals
	if len(deaths) == 0 || c.Onset.Status != evidence.Found {
		return
	}
	d := deaths[0]
	if back := deaths[len(deaths)-1].Replaced; !back && d.At > c.Onset.At.Low-1.5 && d.At < c.Onset.At.High+1.5 {
		f.SetAt(evidence.DiedWithFaults, evidence.Yes, d.At, src, "%s ended%s just when requests began to fail; %s", d.Who(), words.Why(d.Why), f[evidence.NobodyListens].Text)
		f.SetAt(evidence.GoneForGood, evidence.Yes, d.At, src, "nothing took the place of %s; %s", words.OrThe(d.Process), f[evidence.NobodyListens].Text)
		f.JoinEnd()
	}
}

// observeStandingWords asks whether a process that stands still logged just before what it lacked: the
// thread that lacked it may be one that all others need.
func observeStandingWords(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	const before, after, idle = 10.0, 1.0, 0.05 // seconds, seconds, share of a processor
	s := gather.StepAt(c, h)
	if s == nil || s != c.Way.Culprit || s.State != report.StandsInside && s.State != report.StandsNotAccepted && s.State != report.StandsStill || s.Now.Processor > idle {
		return
	}
	for _, l := range c.Run.Lines {
		clue, known := lasting[l.Meaning]
		if !known || l.Of != says.Writer || l.Replied() || l.Edge != nil || !h.Has(l.Host) || f[clue].Is == evidence.Yes || l.First < c.Way.From-before || l.First > c.Way.From+after {
			continue
		}
		if at, ok := gather.Speaker(c, l); !ok || at != h.Index {
			continue
		}
		f.SetAt(clue, evidence.Yes, l.First, "log of "+l.Service+" on "+l.Host, "%s on %s said: %s; then it stood, and what it was asked with it", l.Service, l.Host, gather.Telling(l.Text, l.Phrase))
		return
	}
}

// lasting are the meanings of a lack without which a process cannot go on.
var lasting = map[says.Meaning]evidence.Clue{
	says.Disk: evidence.SaysDisk, says.Memory: evidence.SaysMemory, says.Files: evidence.SaysFiles, says.Workers: evidence.SaysWorkers,
}

// observeLastWords asks whether a process that ended of itself logged just before what it lacked. Later
// lines, that it starts, recovers or is away, are consequences.
func observeLastWords(c *evidence.Case, f *evidence.Facts, h evidence.Hop, deaths []evidence.Death) {
	const before, after = 3.0, 0.7 // seconds
	if f[evidence.DiedOfItself].Is != evidence.Yes || len(deaths) == 0 {
		return
	}
	for _, l := range c.Run.Lines {
		clue, known := lasting[l.Meaning]
		if !known || l.Of != says.Writer || l.Replied() || l.Edge != nil || !h.Has(l.Host) {
			continue
		}
		if at, ok := gather.Speaker(c, l); !ok || at != h.Index {
			continue
		}
		first := deaths[0].At
		if l.First < first-before || l.First > first+after {
			continue
		}
		f.SetAt(clue, evidence.Yes, l.First, "log of "+l.Service+" on "+l.Host, "%s on %s said: %s; then %s ended%s", l.Service, l.Host, gather.Telling(l.Text, l.Phrase), words.OrThe(deaths[0].Process), words.Why(deaths[0].Why))
		f[evidence.LastWords] = f[clue]
		for _, follows := range []evidence.Clue{evidence.SaysStarting, evidence.SaysAway, evidence.SaysEnds, evidence.SaysCrashed} {
			f[follows] = evidence.Fact{}
		}
		return
	}
}

// observeReload asks whether the processes of a hop were replaced once, in good order, just before
// failures began that are answers and last. Then the hop behaves differently because of a new
// configuration or version.
func observeReload(c *evidence.Case, f *evidence.Facts, h evidence.Hop, deaths []evidence.Death, oneKind bool) {
	const near = 2.0 // seconds
	if c.Onset.Status != evidence.Found || c.Parts.Share(attack.Status) < 0.9 {
		return
	}
	var at float64
	n, all := 0, 0
	for _, d := range deaths {
		if !strings.EqualFold(d.Why, "exit status 0") && d.Why != "replaced" || !d.Replaced {
			continue
		}
		all++
		if d.At > c.Onset.At.Low-near && d.At < c.Onset.At.High+near {
			if n == 0 {
				at = d.At
			}
			n++
		}
	}
	if n == 0 || all > n {
		return // they are replaced all the time
	}
	after := c.Target.Compose(c.Run.Window(max(at, c.Onset.At.High)+1), c.Run.N)
	if after.Attempts < 20 || after.Failed < 0.9*after.Attempts && !oneKind {
		return
	}
	f.SetAt(evidence.Reloaded, evidence.Yes, at, "processes of "+h.Host, "%s of %s replaced its processes in good order just then, and %s of %s requests failed from there on",
		words.OrThe(deaths[0].Process), h.Host, format.Number(after.Failed), format.Number(after.Attempts))
}

// observeDenial asks whether since one moment a hop itself answers all requests, or all of one kind, with
// an error, while the hops behind had no trouble before and are not asked. A limit would let some pass,
// and a server that was marked down had failed before. A proxy's error is a rule, as it runs no
// application code. The 5xx of another service may be a bug, and counts as a denial only where its
// status or its words say so.
func observeDenial(c *evidence.Case, f *evidence.Facts, h evidence.Hop, oneKind bool) {
	const most = 10 // times: a refusal without a wait takes no longer than some answers do
	if gather.SaysTried(c, h) || saysNoServer(c, h) {
		return // the hop's own word is enough, however few requests were seen
	}
	if f[evidence.TurnedAway].Is != evidence.Yes || c.Onset.Status != evidence.Found || c.Parts.Share(attack.Status) < 0.95 || f[evidence.TroubleBefore].Is == evidence.Yes {
		return
	}
	if p := h.Process(); p != "" && !evidence.IsProxy(p) && !saysDenial(c, h) {
		return
	}
	after := c.Target.Compose(c.Run.Window(c.Onset.At.High)+4, c.Run.N)
	if after.Attempts < 20 || after.Failed < 0.98*after.Attempts && !oneKind {
		return
	}
	took := evidence.QuantileOf(c.Durations(func(x *attack.Failure) bool { return x.Fault == attack.Status }), 0.5)
	if !(took <= max(0.02, most*c.AnswerTime())) {
		return
	}
	src := f[evidence.TurnedAway].Source
	f.SetAt(evidence.DeniesItself, evidence.Yes, c.At, src, "from %s on %s of %s requests were answered with an error by %s itself, after %s: %s",
		format.Seconds(c.At), format.Number(after.Failed), format.Number(after.Attempts), h.Place(), format.Seconds(took), f[evidence.TurnedAway].Text)
	// A proxy that took out all servers for their errors answers 5xx for them as well. That they
	// made none is known only where their answers were read.
	if evidence.IsProxy(h.Process()) && c.Fives() >= 0.5*c.Parts.Failed && !saysDenial(c, h) && !answersRead(c, h.Index+1) {
		f.SetAt(evidence.UnreadBehind, evidence.Yes, c.At, src, "nobody read what those behind %s answered", h.Place())
	}
	if evidence.IsProxy(h.Process()) && c.Statuses[401]+c.Statuses[407] < 0.05*c.Parts.Failed {
		f[evidence.Unauthorized] = evidence.Fact{} // it knows no credentials: it may not pass this on
	}
}

// answersRead reports whether answers of a hop were read on the wire before failures began.
func answersRead(c *evidence.Case, index int) bool {
	well, _ := gather.AnsweredWell(c, index, 0, c.At)
	return well > 0 || slices.ContainsFunc(c.Run.Lines, func(l *spoken.Line) bool {
		at, ok := gather.Replier(c, l)
		return ok && at == index && l.Replied()
	})
}

// saysNoServer reports whether a proxy's own error page says of most failures that it had no server to
// ask. HAProxy's page says so for each 503, whatever the reason.
func saysNoServer(c *evidence.Case, h evidence.Hop) bool {
	return evidence.IsProxy(h.Process()) && !strings.HasPrefix(strings.ToLower(h.Process()), "haproxy") && slices.ContainsFunc(c.Heard, func(x evidence.Heard) bool {
		if x.Meaning != says.NoServer || x.Share < 0.5 {
			return false
		}
		if x.Line == nil {
			return h.Index == 0 // the client read it
		}
		if !x.Line.Replied() {
			return false
		}
		at, ok := gather.Replier(c, x.Line.Line)
		return ok && at == h.Index
	})
}

// saysDenial reports whether most answers of a hop are refusals (4xx) or mention maintenance: by those read
// at the hop where there are any, else by those to the client.
func saysDenial(c *evidence.Case, h evidence.Hop) bool {
	denies, all := 0.0, 0.0
	add := func(status uint16, text string, n float64) {
		if all += n; status >= 400 && status < 500 || strings.Contains(strings.ToLower(text), "maintenance") {
			denies += n
		}
	}
	for i := range c.Spoken {
		if j := &c.Spoken[i]; j.Replied() && j.Status > 0 {
			if at, ok := gather.Replier(c, j.Line); ok && at == h.Index {
				add(j.Status, j.Text, j.Times)
			}
		}
	}
	if all == 0 {
		for _, a := range c.Said {
			add(a.Status, a.Says, float64(a.Times))
		}
	}
	return all > 0 && denies >= 0.5*all
}
