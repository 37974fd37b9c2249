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

// observeDemand asks whether more came to a hop for each request that the client sent than
// before failures: what is the same of both halves of the time after them is told, of the
// second half. It is not told where several targets bring requests, or others than the hop
// before do.
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

// timesAgain is how many times as much must come for each request as did before, so that it
// is asked for again. Who gives up ends the connection, and a new one may cost some messages
// more before anything is asked on it.
func timesAgain(h evidence.Hop) float64 {
	const plain, greeted = 1.5, 4
	if gather.IsStore(h.Process()) || h.Station.Port%1000 == 443 {
		return greeted
	}
	return plain
}

// askers returns the addresses of those before a hop; none of the first, which anybody asks.
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

// observeMultiplied asks whether most of what a hop works on was given up by those before it,
// and asked for again, though the hop would keep up with what the client sends. What stands
// there and nobody waits for shows that it was given up, where it stays; where connections end
// with what was given up, that each call is given up after the same time and made again. That
// it would keep up shows after a disturbance that is seen to have gone, with a load that it
// bore before; or from what it ends while ever more stands there. A hop that is slow itself is
// asked again as well, and that only follows.
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

// leastStood is how many requests must have stood before a hop to be more than chance.
const leastStood = 8

// stoodAtOnset returns how much stood before a hop at most, not accepted or not read, when
// failures began, and when that was: at all of its instances together.
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
