package signals

import (
	"fmt"
	"math"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/says"
	"github.com/rampload/rampload/report/format"
)

// ofWhoWrote are clues about what an answer is. They belong to the hop that wrote it.
var ofWhoWrote = []struct {
	clue     evidence.Clue
	statuses []uint16
	text     string
}{
	{evidence.RateStatus, []uint16{429}, "%s of the failures were answered 429"},
	{evidence.TooLarge, []uint16{413, 414, 431}, "%s of the failures were answered that the request is too large (413, 414 or 431)"},
	{evidence.Unauthorized, []uint16{401, 403}, "%s of the failures were answered 401 or 403, none before"},
	{evidence.ShedStatus, []uint16{503}, "%s of the failures were answered 503"},
	{evidence.OwnError, []uint16{500}, "%s of the failures were answered 500"},
}

// observeWriter asks whether this hop wrote the statuses of the failed requests, and then gives it the
// clues of these. Unless something tells who wrote them, they are the first hop's.
func observeWriter(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	if c.Parts.Share(attack.Status) < 0.5 || len(c.Hops) < 2 {
		return
	}
	for _, x := range ofWhoWrote {
		n := 0.0
		for _, code := range x.statuses {
			n += c.Statuses[code]
		}
		share := n / max(c.Parts.Failed, 1)
		if share < 0.05 || x.clue == evidence.Unauthorized && c.Onset.Status != evidence.Found {
			continue
		}
		at, why := writtenAt(c, x.statuses)
		switch {
		case why == "" && h.Index > 0, at == 0 && h.Index > 0:
		case at == h.Index && h.Index > 0:
			f.Set(x.clue, evidence.When(share, 0.05, 0.5), "client", x.text+"; %s%s", format.Percent(share), why, ofRequests(c))
			if share >= 0.5 {
				f.Set(evidence.WroteStatus, evidence.Yes, "client", "%s", why)
			}
		case at > h.Index && why != "":
			f[x.clue] = evidence.Fact{} // it only passed the answer on
			if share >= 0.5 {
				f.Set(evidence.WroteStatus, evidence.No, "client", "%s", why)
			}
		}
	}
}

// observeReplies asks whether this hop is the deepest whose error answers to failed requests were read on
// the wire. Then the error is its own.
func observeReplies(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	if len(c.Hops) < 2 {
		return
	}
	own, deeper := replied(c, h.Index), 0.0
	for i := h.Index + 1; i < len(c.Hops); i++ {
		deeper = max(deeper, replied(c, i).share)
	}
	if passed, by := passedBy(c, h); passed.share > own.share {
		own = passed
		defer func() { // the source is a log
			for _, x := range []evidence.Clue{evidence.WroteStatus, evidence.Replied, evidence.ErrsItself, evidence.AnsweredOther} {
				if f[x].Source == "answers on the wire" {
					f[x].Source = by
				}
			}
		}()
	}
	const most = 0.5
	switch {
	case deeper >= most && own.share > 0:
		f.Set(evidence.WroteStatus, evidence.No, "answers on the wire", "those behind %s had answered with errors", h.Place())
		for _, x := range ofWhoWrote {
			f[x.clue] = evidence.Fact{} // it only passed the error on, in words of its own
		}
		f[evidence.ShedAtOnce] = evidence.Fact{}
		return
	case own.share < most || h.Index == 0:
		return
	}
	text := h.Place() + " answered " + own.text
	for _, x := range ofWhoWrote {
		n := 0.0
		for _, code := range x.statuses {
			n += own.statuses[code]
		}
		if x.clue == evidence.Unauthorized && n >= most && own.statuses[401] < most && evidence.IsProxy(h.Process()) {
			if f[evidence.TurnedAway].Is == evidence.Yes {
				continue // it knows no credentials: it may not pass this on
			}
			if ownPage(c, h, own.text) {
				f.SetAt(evidence.DeniesItself, evidence.Yes, c.At, "answers on the wire", "%s, on a page of its own", text)
				continue
			}
		}
		if n >= most && (x.clue != evidence.Unauthorized || c.Onset.Status == evidence.Found) {
			f.Set(x.clue, evidence.Yes, "answers on the wire", "%s", text)
		}
	}
	f.Set(evidence.WroteStatus, evidence.Yes, "answers on the wire", "%s", text)
	f.Set(evidence.Replied, evidence.Yes, "answers on the wire", "%s", text)
	turned := f[evidence.TurnedAway].Is == evidence.Yes && !evidence.IsProxy(h.Process()) // no hop behind was asked
	if f[evidence.RateStatus].Is == evidence.Yes || own.gateway() && !turned || gather.RequestsWaited(c) {
		return
	}
	// A 500 is about the service's own code, however deep the hop is. Another refusal may have its
	// reasons.
	ownCode := own.statuses[500] > 0.5*own.share && !gather.IsStore(h.Process())
	if h.Index > gather.FirstService(c) && !ownCode {
		f.Set(evidence.AnsweredOther, evidence.Yes, "answers on the wire", "%s", text)
	} else if !own.asked() && nothingBehind(c, h) {
		f.Set(evidence.ErrsItself, evidence.Yes, "answers on the wire", "%s", text)
	}
}

// nothingBehind reports whether no hop behind is seen to fail this one: its log blames none, and none of
// them ended a connection or a process at the onset.
func nothingBehind(c *evidence.Case, h evidence.Hop) bool {
	for _, x := range c.Heard {
		if at, ok := gather.About(c, x); ok && at > h.Index && x.Share >= 0.1 && x.Of == says.Behind {
			return false
		}
	}
	for _, o := range c.Hops[h.Index+1:] {
		if o.Assumed || kernels.WatchWire(c, o, c.From, c.To).Sent >= 0.3*c.Parts.Failed || len(kernels.EndedAtOnset(c, o)) > 0 {
			return false
		}
		var f evidence.Facts
		if observeTried(c, &f, o, false); f[evidence.TriedInVain].Is == evidence.Yes {
			return false
		}
	}
	return true
}

// refusals are the error answers of a hop while requests failed. Shares are of all failures.
type refusals struct {
	share    float64
	statuses map[uint16]float64
	text     string // the most frequent one
}

// gateway reports whether most were statuses of a gateway about the hops behind it.
func (e refusals) gateway() bool {
	return e.statuses[502]+e.statuses[503]+e.statuses[504] > 0.5*e.share
}

// asked reports whether most were statuses about the request and not about the service.
func (e refusals) asked() bool {
	n := 0.0
	for status, share := range e.statuses {
		if status >= 400 && status < 500 {
			n += share
		}
	}
	return n > 0.5*e.share
}

// passedBy sums up the errors that the proxy before a hop says it passed on from that hop, and names the
// log that says so.
func passedBy(c *evidence.Case, h evidence.Hop) (out refusals, by string) {
	out.statuses = map[uint16]float64{}
	most := 0.0
	for i := range c.Spoken {
		j := &c.Spoken[i]
		if !j.Passed() || j.By != "id" {
			continue
		}
		at, ok := gather.Speaker(c, j.Line)
		if !ok || at+1 != h.Index {
			continue
		}
		out.share += j.Share
		out.statuses[j.Status] += j.Share
		if j.Share > most {
			most, by = j.Share, "log of "+j.Service+" on "+j.Host
			out.text = fmt.Sprintf("%s of %s failed requests with an error of its own, as the log of %s says: %s", format.Number(j.Times), format.Number(j.Of), j.Service, j.Text)
		}
	}
	return out, by
}

// replied sums up the error answers of a hop on the wire.
func replied(c *evidence.Case, index int) refusals {
	out := refusals{statuses: map[uint16]float64{}}
	most := 0.0
	for i := range c.Spoken {
		j := &c.Spoken[i]
		if !j.Replied() {
			continue
		}
		if at, ok := gather.Replier(c, j.Line); !ok || at != index {
			continue
		}
		share := j.Times / max(j.Of, 1)
		out.share += share
		out.statuses[j.Status] += share
		if share > most {
			most = share
			out.text = fmt.Sprintf("%s times with an error while %s requests failed: %s", format.Number(j.Times), format.Number(j.Of), j.Text)
		}
	}
	return out
}

// writtenAt returns the index of the hop that wrote answers with a status, and what says so; empty where
// nothing does.
func writtenAt(c *evidence.Case, statuses []uint16) (index int, why string) {
	service := gather.FirstService(c)
	if service == 0 {
		return 0, ""
	}
	for _, a := range c.Said { // the most frequent first
		for _, code := range statuses {
			if a.Status != code {
				continue
			}
			if at := gather.WriterOf(c, a); at == 0 && (a.Says != "" || a.By != "") {
				return 0, "the page is the proxy's own"
			}
			if a.By != "" && !evidence.IsProxy(a.By) {
				return service, "the answers name " + a.By
			}
			if a.Says != "" {
				return service, "the answers are no page of " + c.ProxyProcess(c.Hops[0])
			}
		}
	}
	if statuses[0] == 503 {
		return 0, "" // requests that waited for a place at the next hop were passed on before, too
	}
	if passed, text := passedOn(c); passed {
		return service, text
	}
	return 0, ""
}

// passedOn reports whether the host behind the proxies goes on receiving as much data a request as before
// the failures: then the failed requests were passed on to it.
func passedOn(c *evidence.Case) (passed bool, text string) {
	if c.Onset.Status != evidence.Found {
		return false, ""
	}
	next := c.Hops[1].Host
	from, to := c.Onset.At.Low, c.Onset.At.High
	share := c.Parts.Failed / max(c.Parts.Attempts, 1)
	if c.Hops[1].Assumed || from < 2 || share < 0.2 || to+2 > c.Run.RampEnd() {
		return false, ""
	}
	perRequest := func(from, to float64) float64 {
		received := 0.0
		for _, r := range c.Run.Resources {
			if m := r.Metric; m.Name == probe.NetReceived && m.Host == next && m.Instance != "lo" {
				if g := r.Growth(from, to); !math.IsNaN(g) {
					received += g
				}
			}
		}
		return received / c.SentBetween(from, to)
	}
	before, after := perRequest(max(0, from-10), from-0.25), perRequest(to+0.5, min(to+10, c.Run.RampEnd()))
	if !(before > 0) || math.IsNaN(after) || math.IsInf(after, 0) {
		return false, ""
	}
	return after >= (1-0.4*share)*before, "requests went on reaching " + next + ": " + format.Amount(before, "bytes") + " a request before, " + format.Amount(after, "bytes") + " while they failed"
}

// ownPage reports whether a proxy behind which nobody is known wrote an answer itself: the page names its
// software, as Squid's do. It would pass on the pages of others as they are.
func ownPage(c *evidence.Case, h evidence.Hop, text string) bool {
	return h.Index == len(c.Hops)-1 && strings.Contains(strings.ToLower(text), strings.ToLower(h.Process()))
}
