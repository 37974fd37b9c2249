package signals

import (
	"math"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/words"
)

// ofWhoWrote are clues that say what an answer is, and so belong to the hop that wrote
// it, whoever the client spoke to.
var ofWhoWrote = []struct {
	clue     evidence.Clue
	statuses []uint16
	text     string
}{
	{evidence.RateStatus, []uint16{429}, "%s of the failures were answered 429"},
	{evidence.TooLarge, []uint16{413, 414, 431}, "%s of the failures were answered that the request is too large (413, 414 or 431)"},
	{evidence.Unauthorized, []uint16{401, 403}, "%s of the failures were answered 401 or 403, none before"},
	{evidence.OwnError, []uint16{500}, "%s of the failures were answered 500"},
}

// observeWriter asks whether the statuses that failed requests were answered were written
// at this hop, and gives it what they say then. Unless something tells who wrote them,
// they are the first hop's.
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
			f.Set(x.clue, evidence.When(share, 0.05, 0.5), "client", x.text+"; %s%s", words.Percent(share), why, ofRequests(c))
			if share >= 0.5 {
				f.Set(evidence.WroteStatus, evidence.Yes, "client", "%s", why)
			}
		case at > h.Index && why != "":
			f[x.clue] = evidence.Fact{} // it only passed it on
			if share >= 0.5 {
				f.Set(evidence.WroteStatus, evidence.No, "client", "%s", why)
			}
		}
	}
}

// writtenAt returns the index of the hop that wrote answers with a status, and what says
// so: empty where nothing does.
func writtenAt(c *evidence.Case, statuses []uint16) (index int, why string) {
	service := gather.FirstService(c)
	if service == 0 {
		return 0, ""
	}
	for _, a := range c.Said { // the commonest first
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
	if passed, text := passedOn(c); passed {
		return service, text
	}
	return 0, ""
}

// passedOn reports whether the host behind the proxies goes on receiving as much a
// request as before the failures began: then they were passed on to it.
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
	return after >= (1-0.4*share)*before, "requests went on reaching " + next + ": " + words.Amount(before, "bytes") + " a request before, " + words.Amount(after, "bytes") + " while they failed"
}
