package gather

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/diagnose/says"
	"github.com/rampload/rampload/report/diagnose/spoken"
	"github.com/rampload/rampload/report/format"
)

// heard reads the meanings of the answers to failures: one entry for each, the most frequent first.
// The answers that were kept are a sample, and only statuses have one.
func heard(c *evidence.Case) []evidence.Heard {
	type key struct {
		meaning says.Meaning
		of      says.Of
	}
	sums, times := map[key]*evidence.Heard{}, map[key]float64{}
	of := 0.0
	for _, a := range c.Said { // the most frequent first
		if a.Fault != attack.Status.String() {
			continue
		}
		of += float64(a.Times)
		s, ok := says.Read(a.Says)
		if !ok {
			continue
		}
		k := key{s.Meaning, s.Of}
		if sums[k] == nil {
			sums[k] = &evidence.Heard{Statement: s, Source: "answers", By: a}
		}
		times[k] += float64(a.Times)
	}
	var out []evidence.Heard
	for k, h := range sums {
		h.Share = times[k] / of * c.Parts.Share(attack.Status)
		a := h.By
		a.Times = uint64(times[k])
		h.Text = Quote(a)
		out = append(out, *h)
	}
	slices.SortFunc(out, func(x, y evidence.Heard) int {
		return cmp.Or(-cmp.Compare(x.Share, y.Share), cmp.Compare(x.Meaning, y.Meaning), cmp.Compare(x.Of, y.Of))
	})
	return out
}

// listen joins what the logs of the run say to the failures of the target.
func listen(c *evidence.Case) {
	if c.Run.Lines == nil || c.Target.Total.Failed == 0 {
		return
	}
	var failures []*attack.Failure
	for i := range c.Run.Log.Failures {
		if f := &c.Run.Log.Failures[i]; int(f.Target) == c.Target.Index {
			failures = append(failures, f)
		}
	}
	ended := make([]float64, c.Run.N+int(10/c.Run.Step))
	open := make([]float64, len(ended))
	for _, w := range c.Target.Windows {
		for _, cell := range w.Cells {
			if cell.Fault.Failure() && cell.Phase != attack.PhaseIdle && w.Index >= 0 && int(w.Index) < len(ended) {
				ended[w.Index] += float64(cell.Attempts)
				for i := max(cell.DueWindow, 0); i < w.Index; i++ {
					open[i] += float64(cell.Attempts)
				}
			}
		}
	}
	c.Spoken = spoken.Join(c.Run.Lines, failures, ended, open, c.Run.Step, c.Run.Log.Header.Generator.Timeout.Seconds())
	for i := range c.Spoken {
		speakForSilent(c, &c.Spoken[i])
	}
	for _, j := range together(c.Spoken) {
		if j.Meaning == says.None {
			continue
		}
		h := evidence.Heard{Statement: j.Statement, Share: j.Share, Source: "log of " + j.Service + " on " + j.Host, Text: quoteLine(c, j), Line: j}
		if h.Meaning.Own() && (ofStore(j.Line) || ofCaller(c, j.Line)) || ofStoreProtocol(j.Line) {
			h.Of = says.Writer // in its own log a service writes about itself
		}
		switch {
		case j.Replied():
			h.Source = "answers on the wire"
		case j.Edge != nil:
			h.Source = j.File
		}
		c.Heard = append(c.Heard, h)
	}
	correctPages(c)
	speakForWithheld(c)
}

// speakForWithheld attributes to all requests that a hop refuses without trying what it said about the
// last try. A hop that found its peer broken does not try again for a while, and refuses meanwhile.
func speakForWithheld(c *evidence.Case) {
	const before, after = 3.0, 1.5 // seconds
	i := slices.IndexFunc(c.Heard, func(h evidence.Heard) bool {
		return h.Line != nil && h.Meaning == says.Withheld && h.Share >= 0.5
	})
	if i < 0 {
		return
	}
	withheld := c.Heard[i]
	why := func(h evidence.Heard) bool {
		return h.Line != nil && (h.Meaning.Reason() || h.Meaning == says.Starting) && h.Line.First >= withheld.Line.First-before && h.Line.First <= withheld.Line.First+after
	}
	if !slices.ContainsFunc(c.Heard, why) {
		return
	}
	c.Heard = slices.DeleteFunc(c.Heard, func(h evidence.Heard) bool { // that connections ended is a consequence
		return h.Line != nil && h.Meaning == says.Closed && h.Of == says.Behind && h.Share >= 0.5
	})
	for k := range c.Heard {
		if h := &c.Heard[k]; why(*h) {
			h.Share = max(h.Share, withheld.Share)
		}
	}
}

// speakForSilent attributes what HAProxy says about connections that servers broke also to failures
// without a line. Where a server breaks a reused connection, HAProxy closes its client's connection
// and logs nothing, so that the client retries.
func speakForSilent(c *evidence.Case, j *spoken.Joined) {
	if j.Statement.Of != says.Behind {
		return
	}
	told, _ := namedServer(c, j)
	silent := c.Parts.Share(attack.EOF, attack.Reset, attack.BrokenPipe)
	if told >= 3 && silent > 0 {
		j.Share = min(1, j.Times/told*(told/max(c.Parts.Failed, told)+silent))
	}
}

// correctPages drops what a balancer's error page says about missing servers where the balancer's log
// says that it refused the requests itself. The page belongs to the status, whatever the reason.
func correctPages(c *evidence.Case) {
	refused := slices.ContainsFunc(c.Heard, func(h evidence.Heard) bool {
		return h.Line != nil && h.Line.Format == "haproxy" && h.Line.By == "id" && h.Of == says.Writer && h.Share >= 0.5
	})
	if refused {
		c.Heard = slices.DeleteFunc(c.Heard, func(h evidence.Heard) bool { return (h.Line == nil || h.Line.Replied()) && h.Meaning == says.NoServer })
	}
}

// told returns the line that says most precisely what is wrong, of those that tell of most failures;
// nil for none.
func told(c *evidence.Case) *spoken.Joined {
	var best *spoken.Joined
	for _, h := range c.Heard {
		if h.Line != nil && h.Share >= 0.5 && (best == nil || best.Replied() || !h.Line.Replied() && h.Meaning < best.Meaning) {
			best = h.Line // meanings are in order: reasons come before consequences
		}
	}
	return best
}

// Told quotes the line that says of most failures what is wrong, and names its log; empty for none.
func Told(c *evidence.Case) (where, text string) {
	j := told(c)
	if j == nil || j.Replied() {
		return "", ""
	}
	where = j.Service + " on " + j.Host
	if j.Edge != nil {
		where = j.Edge.String()
	}
	if j.File != "" {
		where += " (" + j.File + ")"
	}
	return where, Telling(j.Text, j.Phrase)
}

// tries are the meanings of a failed attempt to ask the next hop.
var tries = []says.Meaning{says.Refused, says.Reset, says.Closed, says.Slow, says.NoConnect, says.NoRoute, says.Name}

// SaysTried reports whether a hop logs of most failures that it tried to ask the next hop, in vain.
func SaysTried(c *evidence.Case, h evidence.Hop) bool {
	return slices.ContainsFunc(c.Heard, func(x evidence.Heard) bool {
		if x.Line == nil || x.Line.Replied() || x.Of != says.Behind || x.Share < 0.5 || !slices.Contains(tries, x.Meaning) {
			return false
		}
		at, ok := Speaker(c, x.Line.Line)
		return ok && at == h.Index
	})
}

// quoteLine quotes a line, with its writer, whom it names and how often.
func quoteLine(c *evidence.Case, j *spoken.Joined) string {
	who := j.Service
	if j.Replied() {
		who = j.Peer.String() + " answered"
		if host := c.Run.HostOf(j.Peer.Addr.Addr()); host != "" {
			who = fmt.Sprintf("%s:%d answered", host, j.Peer.Addr.Port())
		} else if j.Format == "reply dns" {
			who = fmt.Sprintf("%s asked %s", j.Host, j.Peer)
		}
		return fmt.Sprintf("%s: %s (%s while %s failed, first at %s)", who, Telling(j.Text, j.Phrase), format.Counted(j.Times, "time"), format.Number(j.Of), c.Run.LoadText(c.Run.LoadAt(j.First), j.First))
	}
	if j.Edge != nil {
		return quoteTrace(c, j)
	}
	switch {
	case j.Hosts > 1:
		who += " on " + format.Counted(float64(j.Hosts), "host")
	case j.Service != j.Host:
		who += " on " + j.Host
	}
	if !j.Peer.IsZero() {
		who += " -> " + j.Peer.String()
	}
	how := fmt.Sprintf("%s of %s failed transactions", format.Number(j.Times), format.Number(j.Of))
	if j.By == "time" {
		how = fmt.Sprintf("%s while %s failed", format.Counted(j.Times, "line"), format.Number(j.Of))
	}
	return fmt.Sprintf("%s: %s (%s, first at %s)", who, Telling(j.Text, j.Phrase), how, c.Run.LoadText(c.Run.LoadAt(j.First), j.First))
}

// toldNext returns the next hop to which this hop's log says that it passed nearly all failed requests;
// nil where the log does not say, or names several.
func toldNext(c *evidence.Case, at *hops.Hop) *hops.Hop {
	for i := range c.Spoken {
		j := &c.Spoken[i]
		if !elected(c, j) || at.Process == "" || !strings.HasPrefix(strings.ToLower(j.Service), strings.ToLower(at.Process)) || !slices.Contains(at.Hosts(), j.Host) {
			continue
		}
		for _, n := range at.Next {
			if len(n.Instances) > 0 && n.Port == j.Peer.Addr.Port() && (j.Peer.Addr.Addr().IsLoopback() || slices.Contains(n.Hosts(), c.Run.HostOf(j.Peer.Addr.Addr()))) {
				return n
			}
		}
	}
	return nil
}

// erringNext returns the unwatched next hop whose answers on the wire were errors for most failures;
// nil for none.
func erringNext(c *evidence.Case, at *hops.Hop) *hops.Hop {
	for _, h := range c.Heard {
		if h.Line == nil || !h.Line.Replied() || h.Share < 0.5 || !slices.Contains(at.Hosts(), h.Line.Host) || c.Run.HostOf(h.Line.Peer.Addr.Addr()) != "" {
			continue
		}
		for _, n := range at.Next {
			if n.Unwatched.IsValid() && n.Unwatched == h.Line.Peer.Addr {
				return n
			}
		}
	}
	return nil
}

// isTold reports whether a line names the one address to which nearly all failed transactions went.
func isTold(c *evidence.Case, j *spoken.Joined) bool {
	return j.By == "id" && j.Peer.Addr.IsValid() && j.Share >= 0.9
}

// elected reports whether a line names the one address to which nearly all those failed transactions
// went that the log names an address for. The log must name one for most of them.
func elected(c *evidence.Case, j *spoken.Joined) bool {
	if isTold(c, j) {
		return true
	}
	_, one := namedServer(c, j)
	return one && j.Peer.Addr.IsValid()
}

// toldInstance returns the host of the instance to which logs say that nearly all failed requests
// went; "" where they do not.
func toldInstance(c *evidence.Case, at *hops.Hop) string {
	for i := range c.Spoken {
		if j := &c.Spoken[i]; elected(c, j) && j.Peer.Addr.Port() == at.Port {
			if host := c.Run.HostOf(j.Peer.Addr.Addr()); slices.Contains(at.Hosts(), host) {
				return host
			}
		}
	}
	return ""
}

// oneInstance says in words that logs name one of several instances for nearly all failures.
func oneInstance(c *evidence.Case) string {
	if c.Run.Graph == nil {
		return ""
	}
	for i := range c.Spoken {
		j := &c.Spoken[i]
		told, named := namedServer(c, j)
		if !named && !isTold(c, j) {
			continue
		}
		others := map[string]bool{}
		for _, p := range c.Run.Graph.Peers {
			if p.Host == j.Host && p.Process != "" && strings.HasPrefix(strings.ToLower(j.Service), strings.ToLower(p.Process)) {
				others[p.Addr.String()] = true
			}
		}
		if named && !isTold(c, j) && len(others) >= 2 {
			return fmt.Sprintf("%s on %s passed %s of %s failed transactions that it names a server for to %s, one of the %d that it asks", j.Service, j.Host, format.Number(j.Times), format.Number(told), j.Peer, len(others))
		}
		if len(others) >= 2 && others[j.Peer.Addr.String()] {
			return fmt.Sprintf("%s on %s passed %s of %s failed transactions to %s, one of the %d that it asks", j.Service, j.Host, format.Number(j.Times), format.Number(j.Of), j.Peer, len(others))
		}
	}
	return ""
}

// namedServer reports whether a balancer's log names one server for nearly all failed transactions
// that it names a server for, and how many those are. A balancer logs nothing about requests on
// connections that it just closes. Lines without ids count as failed where they have a gateway error.
func namedServer(c *evidence.Case, j *spoken.Joined) (all float64, one bool) {
	ids := slices.ContainsFunc(c.Spoken, func(o spoken.Joined) bool { return o.By == "id" && o.Service == j.Service && o.Host == j.Host })
	ofFailed := func(o *spoken.Joined) bool { return o.By == "id" || !ids && o.Status >= 502 && o.Status <= 504 }
	if j.Format != "haproxy" || !ofFailed(j) || j.Peer.IsZero() {
		return 0, false
	}
	same := 0.0
	for i := range c.Spoken {
		if o := &c.Spoken[i]; o.Format == j.Format && ofFailed(o) && !o.Peer.IsZero() && o.Service == j.Service && o.Host == j.Host {
			all += o.Times
			if o.Peer == j.Peer {
				same += o.Times
			}
		}
	}
	return all, same >= 3 && same >= 0.9*all
}
