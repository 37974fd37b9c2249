package gather

import (
	"fmt"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/diagnose/reach"
	"github.com/rampload/rampload/report/diagnose/words"
)

// A counter that grows by at least MostTimes for each request of a kind counts one for each; one that
// grows by at most Seldom counts none.
const MostTimes, Seldom = 0.5, 0.15

// PerRequest returns how much a served and a failed request each add to a counter of a host.
func PerRequest(c *evidence.Case, host, name string) reach.Per {
	l := Requests(c)
	for _, s := range reach.Each(c.Run.Log, host, name) {
		if s.Metric.Process == "" {
			return l.Per(l.Resample(s))
		}
	}
	return l.Per(nil)
}

// Ends is how many connections a host ended for each request that failed and for each that was
// served. Known is false where that was not measured.
type Ends struct {
	Failed, Ok float64
	Known      bool
}

// EndsOf counts the connections that a host ended, by a reset or by closing first. The end that closes
// first is left in TIME_WAIT (RFC 9293 §3.6), on Linux for 60 s, so that too few are seen in longer
// runs, and never too many.
func EndsOf(c *evidence.Case, host string) Ends {
	resets, closed := PerRequest(c, host, probe.OutRsts), PerRequest(c, host, probe.TimeWait)
	return Ends{
		Failed: max(0, words.Finite(resets.Failed, 0)) + max(0, words.Finite(closed.Failed, 0)),
		Ok:     max(0, words.Finite(resets.Ok, 0)) + max(0, words.Finite(closed.Ok, 0)),
		Known:  resets.Known() || closed.Known(),
	}
}

// WithFailures reports whether a connection was ended for each failed request, and hardly
// any for others.
func (e Ends) WithFailures() bool { return e.Failed >= MostTimes && e.Ok <= Seldom }

// endsAlone returns the host of the one instance, of several, that ended a connection for each failed
// request while the others ended hardly any; "" for none.
func endsAlone(c *evidence.Case, at *hops.Hop) string {
	hosts := at.Hosts()
	if len(hosts) < 2 || len(c.Run.Targets) != 1 || c.Parts.Failed < 20 || RequestsWaited(c) {
		return ""
	}
	alone := ""
	for _, host := range hosts {
		switch e := EndsOf(c, host); {
		case !e.Known:
			return "" // this instance was not measured, and may have ended as many
		case e.WithFailures() && alone == "":
			alone = host
		case e.Failed > Seldom:
			return ""
		}
	}
	return alone
}

// oneEnds says in words that one of several instances ended the connections of the failed requests.
func oneEnds(c *evidence.Case) string {
	for i, h := range c.Hops {
		if h.Station == nil || i == 0 {
			continue
		}
		if host := endsAlone(c, h.Station); host != "" && host == h.Host {
			before := c.Hops[i-1]
			return fmt.Sprintf("%s, one of the %d that %s on %s asks, ended %.1f connections for each failed request, the others hardly any",
				h.Place(), len(h.Station.Hosts()), before.Process(), before.Host, EndsOf(c, host).Failed)
		}
	}
	return ""
}
