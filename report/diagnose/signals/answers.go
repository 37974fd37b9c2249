package signals

import (
	"fmt"
	"math"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/says"
	"github.com/rampload/rampload/report/format"
)

// meant is the clue for each meaning of a statement, by the party that it is about.
var meant = map[says.Meaning]evidence.Clue{
	says.Connections: evidence.SaysFull, says.Pool: evidence.SaysPool, says.Slots: evidence.SaysSlots, says.Workers: evidence.SaysWorkers, says.Queue: evidence.SaysQueue,
	says.Files: evidence.SaysFiles, says.Ports: evidence.SaysPorts, says.Memory: evidence.SaysMemory, says.Store: evidence.SaysStoreFull, says.Disk: evidence.SaysDisk, says.FileAccess: evidence.SaysFileAccess,
	says.Identifiers: evidence.SaysIdentifiers, says.Tracking: evidence.SaysTracking, says.Backlog: evidence.SaysBacklog,
	says.Refused: evidence.SaysAway, says.NoServer: evidence.SaysBrokenBehind, says.Reset: evidence.SaysEnds, says.Closed: evidence.SaysEnds,
	says.Slow: evidence.SaysSlow, says.NoConnect: evidence.SaysUnreached, says.NoRoute: evidence.Unanswered, says.Name: evidence.SaysUnknownName,
	says.Starting: evidence.SaysStarting, says.Short: evidence.SaysShort, says.Rate: evidence.SaysRate, says.Credentials: evidence.SaysCredentials,
	says.Forbidden: evidence.SaysForbidden, says.Certificate: evidence.SaysCertificate, says.Mismatch: evidence.SaysMismatch, says.Large: evidence.SaysBig, says.ReadOnly: evidence.SaysReadOnly,
	says.Locking: evidence.SaysLocking, says.Schema: evidence.SaysSchema, says.Exception: evidence.SaysException, says.Killed: evidence.SaysKilled, says.Crashed: evidence.SaysCrashed,
	says.BadAnswer: evidence.SaysBadAnswer, says.Late: evidence.SaysLate, says.SlowReader: evidence.SaysSlowReader,
}

// observeAnswers asks what the answers to failed requests say about the hop h, which wrote them or which
// they are about.
func observeAnswers(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	observeWriter(c, f, h)
	// The same trouble is in several logs, and answers are passed on from hop to hop. Shares add up
	// only within what one hop says.
	type voice struct {
		clue evidence.Clue
		who  string
	}
	shares := map[voice]float64{}
	for _, x := range c.Heard {
		index, ok := gather.About(c, x)
		clue, known := meant[x.Meaning]
		if !known || !ok || index != h.Index || f[clue].Is == evidence.Yes {
			continue
		}
		if _, waited := gather.Culprit(c); clue == evidence.SaysSlow && (waited || complains(c, h)) {
			continue // where requests stand says more
		}
		if clue == evidence.SaysEnds && c.Parts.Failed < 0.05*c.Parts.Attempts {
			continue // so few may come from connections that were idle too long
		}
		first, who := f[clue], voice{clue, speaker(x)}
		shares[who] += x.Share
		// A reason speaks only for the failures that were answered; others may have timed out beside
		// them.
		most := 0.5
		if c.Target.Info.Part == profiles.RoleCompletion {
			most = 0.1 // a request that fails and is retried holds up others in the queue, of which nothing is said
		}
		if clue.Decisive() {
			if saidLate(c, x) {
				continue // requests had failed for long before: that it is full by then is a consequence
			}
			most *= max(c.Parts.Share(attack.Status), 0.2)
			if at, waited := gather.Culprit(c); waited && at.Index == h.Index {
				most = 0.1 // the other requests wait there as well
			}
		}
		f.Set(clue, max(first.Is, evidence.When(shares[who], 0.05, most)), x.Source, "%s", x.Text)
		if first.Text != "" {
			f[clue].Text, f[clue].Source = first.Text, first.Source // the most frequent one
		}
	}
	if h.Index == 0 {
		observeRetryAfter(c, f)
	}
	if h.Index == cutsAnswers(c) {
		if s, ok := gather.ShortAnswers(c); ok && !abortedInBody(c) {
			name := s.Request
			if name == "" {
				name = "a response"
			}
			f.Set(evidence.ShortBody, evidence.Yes, "client", "%s announced %s bytes and brought %s, %s of %s times that were read",
				name, format.Number(float64(s.Declared)), format.Number(float64(s.Received)), format.Number(s.Times), format.Number(s.Of))
		}
	}
	if x := firstBehind(c); len(c.Hops) > 1 && x != nil {
		f.Set(evidence.BadGateway, evidence.Yes, x.Source, "%s", x.Text)
	}
}

// abortedInBody reports whether most responses that broke off in their body ended in a reset. A server
// that has written all that it means to ends the connection with a FIN.
func abortedInBody(c *evidence.Case) bool {
	reset := c.Parts.Cell[attack.Reset][attack.PhaseBody] + c.Parts.Cell[attack.HTTP2Reset][attack.PhaseBody]
	return reset > 0.5*c.Parts.Phase[attack.PhaseBody]
}

// cutsAnswers returns the index of the hop that ends responses early: the one of which the hop before
// says so, else the first.
func cutsAnswers(c *evidence.Case) int {
	for _, x := range c.Heard {
		if x.Of == says.Behind && x.Share >= 0.5 && (x.Meaning == says.Closed || x.Meaning == says.Reset || x.Meaning == says.Short) {
			at, ok := gather.About(c, x)
			if ok && kernels.WatchWire(c, c.Hops[at], c.From, c.To).Sent < 0.5*c.Parts.Failed { // otherwise it aborts them
				return at
			}
		}
	}
	return 0
}

// saidLate reports whether something was said for the first time only after many requests had failed.
func saidLate(c *evidence.Case, x evidence.Heard) bool {
	const late = 3.0 // seconds
	if x.Line == nil || c.Onset.Status != evidence.Found || x.Line.First <= c.At+late {
		return false
	}
	before := evidence.Sum(c.Target.Failed[c.Run.Window(c.Onset.At.Low):c.Run.Window(x.Line.First)])
	return before >= max(20, 0.2*c.Parts.Failed)
}

// speaker names the writer of a statement.
func speaker(x evidence.Heard) string {
	if x.Line == nil {
		return "answers"
	}
	return x.Line.Format + " of " + x.Line.Service + " on " + x.Line.Host
}

// firstBehind returns what most failures say about a hop behind the writer; nil for none.
func firstBehind(c *evidence.Case) *evidence.Heard {
	for i, x := range c.Heard {
		if x.Of == says.Behind && x.Share >= 0.5 {
			return &c.Heard[i]
		}
	}
	return nil
}

// observeRetryAfter asks whether answers say when to retry (Retry-After), which is a policy.
func observeRetryAfter(c *evidence.Case, f *evidence.Facts) {
	var asked, of float64
	wait := 0.0
	for _, a := range c.Said {
		if a.Fault != attack.Status.String() {
			continue
		}
		of += float64(a.Times)
		said, known := says.Read(a.Says)
		if known && said.Of == says.Behind {
			continue // a mere courtesy: the answer says that a hop behind is the reason
		}
		if a.RetryAfterS != nil && (a.Status == 429 || a.Status == 503) {
			asked += float64(a.Times)
			wait = max(wait, *a.RetryAfterS)
		}
	}
	if asked == 0 {
		return
	}
	share := asked / of * c.Parts.Share(attack.Status)
	f.Set(evidence.RetryAsked, evidence.When(share, 0.05, 0.5), "answers", "%s of %s answers that were read asked to come again after %s%s",
		format.Number(asked), format.Number(of), format.Seconds(wait), passedRate(c))
}

// passedRate says in words how many requests a second passed since the onset, where that is steady
// while the offered load is not.
func passedRate(c *evidence.Case) string {
	if c.Onset.Status != evidence.Found {
		return ""
	}
	low, high := math.Inf(1), 0.0
	for i := c.Run.Window(c.At + 1); i < c.Run.Window(c.Run.RampEnd()); i++ {
		low, high = min(low, c.Run.Load[i]), max(high, c.Run.Load[i])
	}
	if high < 1.15*low {
		return ""
	}
	k := max(1, int(1/c.Run.Step+0.5))
	var rates []float64
	for i := c.Run.Window(c.At + 1); i+k <= c.Run.N; i += k {
		rates = append(rates, evidence.Sum(c.Target.Ok[i:i+k])/(float64(k)*c.Run.Step))
	}
	if len(rates) < 3 {
		return ""
	}
	mean, cv := evidence.MeanCV(rates)
	if cv > 0.15 || mean <= 0 {
		return ""
	}
	return fmt.Sprintf("; %s/s were let through, whatever was offered", format.Number(mean))
}

// observeSizes asks whether requests fail above a size, of themselves or of their responses.
func observeSizes(c *evidence.Case, f *evidence.Facts) {
	if s := c.BySent; s != nil {
		f.Set(evidence.BigRequests, evidence.Yes, "client", "%s", s.Text())
		var waited, again float64
		for _, x := range c.Failures {
			if x.Fault == attack.Timeout && x.Info.Valid && x.Phase > attack.PhaseTLS {
				waited++
				if x.Info.TotalRetrans > 0 && x.Info.Unacked > 0 {
					again++
				}
			}
		}
		if waited >= 5 {
			f.Set(evidence.BigUnacked, evidence.When(again/waited, 0.3, 0.8), "client", "%s of %s that timed out had been sent again and never acknowledged; %s", format.Number(again), format.Number(waited), s.Text())
		}
	}
	if s := c.ByReceived; s != nil {
		f.Set(evidence.BigResponses, evidence.Yes, "client", "%s", s.Text())
	}
}

// complains reports whether a hop says of most failures that a hop behind it is late, away or broken.
// Then it is not itself the cause of being late.
func complains(c *evidence.Case, h evidence.Hop) bool {
	for _, x := range c.Heard {
		if x.Line == nil || x.Line.Replied() || x.Of != says.Behind || x.Share < 0.5 {
			continue
		}
		if index, ok := gather.Speaker(c, x.Line.Line); ok && index == h.Index {
			return true
		}
	}
	return false
}
