package signals

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/gather"
	"github.com/rampload/rampload/report/diagnose/kernels"
	"github.com/rampload/rampload/report/diagnose/reach"
	"github.com/rampload/rampload/report/diagnose/words"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/runlog"
)

// trouble is what was wrong with a hop before others stopped asking it.
type trouble struct {
	source, text string
	lasting      evidence.Clue // what it still does whenever it is asked; zero: nothing
}

// troubleOf says what was wrong with a hop before a time.
func troubleOf(c *evidence.Case, h evidence.Hop, from float64) trouble {
	const before = 5.0
	for _, d := range kernels.Deaths(c, h) {
		if d.At > from-before && d.At < from+1 {
			return trouble{source: "processes of " + h.Host, text: d.Process + " on " + h.Host + " had ended just before (" + d.Why + ")"}
		}
	}
	if text := failsChecks(c, h, from); text != "" {
		return trouble{source: "answers on the wire", text: text}
	}
	commonest := commonestStatus(c)
	var late, other []*attack.Failure
	for _, x := range c.Failures {
		switch took := (x.End - x.Start).Seconds(); {
		case x.Fault != attack.Status:
		case took >= lateFor(c):
			late = append(late, x)
		case x.Status != commonest && x.Status >= 500:
			other = append(other, x)
		}
	}
	few := max(3, 0.005*c.Parts.Failed)
	switch {
	case float64(len(late)) >= few && !lacks(c, h, float64(len(late))/c.Parts.Failed):
		took := evidence.QuantileOf(c.Durations(func(x *attack.Failure) bool { return slices.Contains(late, x) }), 0.5)
		return trouble{source: "client", text: h.Place() + " had let " + format.Counted(float64(len(late)), "request") + " wait until they were given up, after " + format.Seconds(took) + ofEndpoint(c, late), lasting: evidence.LateOut}
	case float64(len(other)) >= few:
		return trouble{source: "client", text: "whenever it was asked, requests failed in another way: " + format.Counted(float64(len(other)), "time") + " with " + strconv.Itoa(int(other[0].Status)) + ofEndpoint(c, other), lasting: evidence.FailingOut}
	}
	grew := func(name, host string) float64 {
		n := 0.0
		for _, s := range reach.Each(c.Run.Log, host, name) {
			if s.Metric.Process == "" {
				n += growth(s, from-before, from+0.5)
			}
		}
		return n
	}
	if n := grew(probe.AttemptFails, c.Hops[h.Index-1].Host); n >= 1 {
		return trouble{source: "kernel counters of " + c.Hops[h.Index-1].Host, text: format.Counted(n, "connection") + " to it had been refused just before"}
	}
	light, near := latencyBefore(c, from)
	if near >= 3*light && near-light >= 0.03 {
		return trouble{source: "client", text: "answers had come ever later, after " + format.Seconds(near) + " just before and " + format.Seconds(light) + " at light load, and with them those to health checks"}
	}
	return trouble{}
}

// lateFor is the least time, in seconds, after which a request counts as one that waited.
func lateFor(c *evidence.Case) float64 { return max(0.1, 5*c.AnswerTime()) }

// failsChecks says in words that a hop which gets no requests any more still answers some with an error,
// of a kind that no failed request got, and did not long before. These are health checks.
func failsChecks(c *evidence.Case, h evidence.Hop, from float64) string {
	const before, quiet, least, most = 10.0, 2.0, 2, 0.3 // seconds; seconds; answers; of the failures
	for i := range c.Spoken {
		j := &c.Spoken[i]
		if at, ok := gather.Replier(c, j.Line); !ok || at != h.Index || !j.Replied() || j.Status < 400 || c.Statuses[j.Status] > 0 {
			continue
		}
		if j.Line.First > max(from-before, quiet) && j.Lines >= least && j.Lines <= most*c.Parts.Failed {
			return fmt.Sprintf("%s answered %s with %d, though no request was passed on to it: checks are answered so", h.Place(), format.Counted(j.Lines, "time"), j.Status)
		}
	}
	return ""
}

// lacks reports whether a share of the failed requests cannot have reached a hop, as all data that it
// received is less than those would bring. Then they did not wait there.
func lacks(c *evidence.Case, h evidence.Hop, part float64) bool {
	x, ok := reached(c, h)
	if !ok {
		return false
	}
	share, err := x.Arrived.Share()
	return share+2*err < 0.5*part
}

func commonestStatus(c *evidence.Case) (most uint16) {
	for code, n := range c.Statuses {
		if code >= 500 && (n > c.Statuses[most] || n == c.Statuses[most] && code < most) {
			most = code
		}
	}
	return most
}

// ofEndpoint names the one request, of several, whose failures these are.
func ofEndpoint(c *evidence.Case, list []*attack.Failure) string {
	all := c.Target.Info.Endpoints
	e := list[0].Endpoint
	if len(all) < 2 || int(e) >= len(all) || slices.ContainsFunc(list, func(x *attack.Failure) bool { return x.Endpoint != e }) {
		return ""
	}
	return ", all of them " + all[e].Name
}

func growth(s *runlog.Series, from, to float64) float64 {
	first, last := math.NaN(), math.NaN()
	for i, at := range s.At {
		switch t := at.Seconds(); {
		case t <= from || math.IsNaN(first) && t <= to:
			first = s.Value[i]
		case t <= to:
			last = s.Value[i]
		}
	}
	return words.Finite(last-first, 0)
}

// latencyBefore returns the median latency in the first half of the time until from, and in the last
// 1.5 s before it, in seconds; 0 with fewer than ten answers.
func latencyBefore(c *evidence.Case, from float64) (light, near float64) {
	var early, late attack.Histogram
	for _, w := range c.Target.Windows {
		switch t := (float64(w.Index) + 0.5) * c.Run.Step; {
		case t < 0.5*from:
			early = early.Merge(w.FromSend)
		case t >= from-1.5 && t < from:
			late = late.Merge(w.FromSend)
		}
	}
	of := func(h attack.Histogram) float64 {
		if h.Total() < 10 {
			return 0
		}
		v, _ := h.Quantile(0.5)
		return words.Microseconds(v).Seconds()
	}
	return of(early), of(late)
}
