package signals

import (
	"math"
	"net/netip"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/demand"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/waiting"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
)

// observeDemand asks whether more requests came to a hop for each that the client sent than before the
// failures. Both halves of the time after the onset must agree; the text is of the second. The clue
// stays unknown where several targets, or callers off the way, send requests to the hop.
func observeDemand(c *evidence.Case, f *evidence.Facts, h evidence.Hop) demand.Hop {
	none := demand.Hop{DoneLeast: math.NaN()}
	if c.Way == nil || h.Station == nil || len(c.Run.Targets) != 1 || c.Onset.Status != evidence.Found {
		return none
	}
	to := min(c.Way.To, c.Run.RampEnd())
	since := waiting.Span{From: (c.Way.From + to) / 2, To: to}
	before := waiting.Span{From: max(1, c.At-15), To: c.At - 0.5}
	if since.To-since.From < 1.5 || before.To-before.From < 3 {
		return none
	}
	sent := func(from, to float64) float64 { return evidence.Sum(c.Run.Sent[c.Run.Window(from):c.Run.Window(to)]) }
	x := demand.Of(h.Station, askers(c, h), sent, before, since)
	switch least, most := x.Times(); {
	case least >= timesAgain(h):
		f.Set(evidence.AskedMore, evidence.Yes, "sockets of "+h.Host, "%s", x.Text())
	case most <= 1.2:
		f.Set(evidence.AskedMore, evidence.No, "sockets of "+h.Host, "%s", x.Text())
	}
	return x
}

// timesAgain is the factor from which more requests count as retries. A caller that gives up closes the
// connection, and a new connection may cost some more messages before its first request.
func timesAgain(h evidence.Hop) float64 {
	const plain, greeted = 1.5, 4
	if gather.IsStore(h.Process()) || h.Station.Port%1000 == 443 {
		return greeted
	}
	return plain
}

// askers returns the addresses of the hop before; none for the first hop, which any client asks.
func askers(c *evidence.Case, h evidence.Hop) []netip.Addr {
	var out []netip.Addr
	for _, p := range h.Station.Asked {
		for _, x := range c.Run.Log.Header.Hosts {
			if x.Name != p.Host {
				continue
			}
			for _, text := range x.Addrs {
				if a, err := netip.ParseAddr(text); err == nil {
					out = append(out, a.Unmap())
				}
			}
		}
	}
	return out
}

// observeMultiplied asks whether the callers of a hop gave up most of the requests that it works on and
// sent them again, though the hop would keep up with the client's load. Two signs show the giving up:
// requests at the hop that nobody waits for; or, where they end with their connections, calls that are
// all given up after the same time and made again. Two signs show that it would keep up: a disturbance
// that has gone, at a load that the hop bore before; or requests ended as fast as the client sends
// while ever more are open. A hop that is slow itself is retried as well, as a consequence.
func observeMultiplied(c *evidence.Case, f *evidence.Facts, h evidence.Hop, s *waiting.Step, came demand.Hop) {
	src, text := "network of "+h.Host, ""
	x, ok := reached(c, h)
	switch a := x.Arrived; {
	case f[evidence.AskedMore].Is == evidence.Yes:
		src, text = f[evidence.AskedMore].Source, f[evidence.AskedMore].Text
	case f[evidence.AskedMore].Is == evidence.No:
		return
	case ok && a.Failed-2*a.ErrFail >= 1.5*(max(a.Ok, 0)+2*a.ErrOk):
		text = broughtText(x, h)
	default:
		return
	}
	up := c.Way.Before(s)
	abandoned := s.Abandoned(up)
	most, at := stoodAtOnset(c, s)
	gone := up != nil && up.To != nil && most >= 0.5*up.To.Requests && most >= leastStood && s.Now.NotAccepted+words.Finite(s.Now.NotRead, 0) < 0.1*most
	switch {
	case !abandoned && !s.AsksAgain(up):
	case gone:
		f.SetAt(evidence.Multiplied, evidence.Yes, at, src, "%s; %s had not been taken or read at %s, and all is since, yet each is given up after %s and asked for again, for up to %s",
			text, format.Counted(most, "request"), format.Seconds(at), format.Seconds(up.To.Oldest), format.Seconds(up.Now.Oldest))
	case abandoned && came.Overrun():
		f.Set(evidence.Multiplied, evidence.Yes, src, "%s; it works on %s, of which those before it wait for %s: the others were given up, and asked for again; it ends %s/s, which is enough for all that the client sends",
			text, format.Counted(s.Now.Owed, "request"), format.Number(up.To.Requests), format.Number(math.Round(came.Done)))
	case abandoned && h.Index > 0 && len(c.Facts) > 0 && c.Facts[0][evidence.OutlastsLoad].Is == evidence.Yes:
		f.Set(evidence.Multiplied, evidence.Yes, src, "%s; it works on %s, of which those before it wait for %s, at a load that it bore before: the others were given up, and asked for again",
			text, format.Counted(s.Now.Owed, "request"), format.Number(up.To.Requests))
	}
}

// leastStood is how many requests must have stood before a hop for that to be no chance.
const leastStood = 8

// stoodAtOnset returns the largest number of requests that stood before a hop at the onset, not accepted
// or not read, at all its instances together, and the time of that reading.
func stoodAtOnset(c *evidence.Case, s *waiting.Step) (most, at float64) {
	const around = 3.0 // seconds
	if s.Worst == nil || c.Onset.Status != evidence.Found {
		return 0, 0
	}
	for _, name := range []string{probe.NotAccepted, probe.RequestsUnread} {
		t := s.Worst.Tracks[name]
		for i := range t.Value {
			if t.At[i] < c.At-1 || t.At[i] > c.At+around {
				continue
			}
			v := 0.0
			for _, x := range s.Hop.Instances {
				v += words.Finite(x.Tracks[name].Near(t.At[i]), 0)
			}
			if v > most {
				most, at = v, t.At[i]
			}
		}
	}
	return most, at
}
