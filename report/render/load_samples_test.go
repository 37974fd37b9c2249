package render

import (
	"time"

	"github.com/rampload/rampload/report"
)

// leaked is a run at a constant load: what ran out grew with time, and every
// request had been sent when the abort condition struck.
func leaked() *report.Report {
	r := found()
	r.Profile.MaxRPS, r.Profile.DurationS = ptr(120), 28
	r.Ended = r.Started.Add(33 * time.Second)
	r.Aborted, r.ExitCode = "failures within 10s > 50%", report.ExitFailed
	r.Profile.Stages = []report.Stage{{Kind: "hold", EndS: 28, FromRPS: 120, ToRPS: 120, LoadUnit: report.LoadRPS}}
	o := report.Onset{
		Status: "onset", Fault: "timeout", AtS: ptr(16.3), LowS: ptr(16), HighS: ptr(16.5), LoadRPS: ptr(120), LoadLowRPS: ptr(120),
		LoadHighRPS: ptr(120), BeforeOf: 1950, RateAfter: ptr(0.12), LoadUnit: report.LoadRPS, ConstantRPS: ptr(120), DelayS: ptr(3.4),
	}
	r.Targets[0].Onset, r.Targets[0].Onsets = o, []report.Onset{o}
	r.Resources = append(r.Resources[:1],
		report.Resource{Host: "payments-1", Name: "listen-overflows", Kind: "counter", Unit: "events", Peak: ptr(40), SaturatedAtS: ptr(0), Verdict: "full-throughout", Reason: "from the start"},
		report.Resource{Host: "payments-1", Name: "established", Kind: "gauge", Unit: "sockets", Peak: ptr(40), SaturatedAtS: ptr(12), Verdict: "ruled-out", Reason: "stopped growing"},
		report.Resource{Host: "payments-1", Process: "payments", PID: 4127, Name: "rss", Kind: "hard-limit", Unit: "bytes", Limit: ptr(4 << 30), Peak: ptr(1 << 25), Utilisation: ptr(0.0078), SaturatedAtS: ptr(9), LagS: ptr(7.3), Verdict: "ruled-out", Reason: "stopped growing, far from its limit"},
		report.Resource{Host: "payments-1", Name: "listen-queue", Kind: "hard-limit", Unit: "connections", Limit: ptr(5), Peak: ptr(6), Utilisation: ptr(1.2), SaturatedAtS: ptr(16), LoadRPS: ptr(120), LagS: ptr(0.3), Verdict: "candidate", Reason: "full 0.3 s before the first failure"},
	)
	return r
}

// held is a run of held connections, two requests a second each, of which one
// cause fits and is not proven.
func held() *report.Report {
	r := found()
	r.Profile.Stages = []report.Stage{{Kind: "connections", EndS: 120, FromRPS: 20, ToRPS: 2000, LoadUnit: report.LoadConnections, PerConnectionRPS: 2}}
	r.Findings[0].Verdict, r.Findings[0].Confidence = "ambiguous", 0.81
	return r
}

// nearFull is a pass on a machine whose processor was full.
func nearFull() *report.Report {
	r := passed()
	for i := range r.Targets {
		r.Targets[i].MinDetectable, r.Targets[i].DetectableS = ptr(0.004), ptr(10)
	}
	r.Targets[1].MinDetectable = nil
	r.Resources[1].Peak, r.Resources[1].Utilisation = ptr(1), ptr(1)
	r.Findings[0].Nearest = append(r.Findings[0].Nearest, r.Resources[1].Label())
	r.Profile.Stages = []report.Stage{{Kind: "connections", EndS: 200, FromRPS: 20, ToRPS: 2000, LoadUnit: report.LoadConnections, PerConnectionRPS: 1}}
	return r
}
