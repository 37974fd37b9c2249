package render

import "github.com/rampload/rampload/report"

// searched is a search that ended at an onset of the sample with exhausted files.
func searched() *report.Report {
	r := fdExhaustion()
	r.Name = "limit"
	r.ExitCode = 0
	r.Capacity = &report.Capacity{
		Status: report.CapacityFound, Complete: true, RPS: ptr(1490), LowRPS: ptr(1490), HighRPS: ptr(1520), Precision: 0.05,
		Until:   []string{"failures < 0.1%", "p99 < 250ms"},
		Binding: &report.Binding{Result: report.StepFailed, Gate: "failures < 0.1%", Reason: "310 of 15,200 (2.04%)", Cause: r.Findings[0].Cause},
		Steps: []report.CapacityStep{
			{Number: 1, LoadRPS: 100, AtS: 1, Seconds: 10, Result: report.StepUndecided, Gate: "failures < 0.1%", Reason: "0 of 1,000 (0%): too few to tell, 2,995 without one would do", Requests: 1000, P99MS: ptr(12)},
			{Number: 2, LoadRPS: 800, AtS: 20, Seconds: 10, Result: report.StepLimited, Reason: "this machine was the limit: it sent up to 90 ms late", Requests: 8000, P99MS: ptr(14)},
			{Number: 3, LoadRPS: 800, AtS: 40, Seconds: 10, Result: report.StepPassed, Reason: "0 of 8,000 (0%), at most 0.038%", Requests: 8000, P99MS: ptr(13)},
			{Number: 4, LoadRPS: 1520, AtS: 60, Seconds: 5, Result: report.StepFailed, Gate: "failures < 0.1%", Reason: "310 of 15,200 (2.04%)", Requests: 15_200, Failed: 310, WireResets: 310, P99MS: ptr(84)},
			{Number: 5, LoadRPS: 1520, AtS: 75, Seconds: 5, Result: report.StepFailed, Gate: "p99 < 250ms", Reason: "0.31 s; 410 of 15,200 took longer", Requests: 15_200, Failed: 5, WireResets: 5, P99MS: ptr(310)},
			{Number: 6, LoadRPS: 1490, AtS: 90, Seconds: 10, Result: report.StepPassed, Reason: "0 of 14,900 (0%), at most 0.021%", Requests: 14_900, P99MS: ptr(80)},
		},
	}
	r.Gates = []report.GateResult{{
		Expr: "search until failures < 0.1%, p99 < 250ms", Value: ptr(1490), Unit: "rps", Result: report.GatePassed,
		Reason: "1,520/s does not pass failures < 0.1%: 310 of 15,200 (2.04%)",
	}}
	return r
}

// searchedBelow is a search whose first load failed.
func searchedBelow() *report.Report {
	r := searched()
	r.ExitCode = 1
	c := r.Capacity
	c.Status, c.RPS, c.LowRPS, c.HighRPS, c.Until = report.CapacityBelow, nil, nil, ptr(1520), c.Until[:1]
	c.Steps = c.Steps[3:5]
	r.Gates[0] = report.GateResult{Expr: "search until failures < 0.1%", Unit: "rps", Result: report.GateFailed, Reason: "the first load, 1,520/s does not pass: 310 of 15,200 (2.04%)"}
	return r
}

// searchedAtLeast is a search that this machine ended.
func searchedAtLeast() *report.Report {
	r := generatorLimited()
	r.Capacity = &report.Capacity{
		Status: report.CapacityAtLeast, Complete: true, RPS: ptr(800), LowRPS: ptr(800), HighRPS: ptr(960), Precision: 0.2, Until: []string{"failures < 0.1%"},
		Binding: &report.Binding{Result: report.StepLimited, Reason: "this machine was the limit: it sent up to 90 ms late"},
		Steps: []report.CapacityStep{
			{Number: 1, LoadRPS: 800, AtS: 1, Seconds: 10, Result: report.StepPassed, Reason: "0 of 8,000 (0%), at most 0.038%", Requests: 8000, P99MS: ptr(13)},
			{Number: 2, LoadRPS: 960, AtS: 20, Seconds: 10, Result: report.StepLimited, Reason: "this machine was the limit: it sent up to 90 ms late", Requests: 8000, P99MS: ptr(14)},
		},
	}
	r.Gates = []report.GateResult{{Expr: "search until failures < 0.1%", Value: ptr(800), Unit: "rps", Result: report.GatePassed, Reason: "960/s does not pass: this machine was the limit: it sent up to 90 ms late"}}
	r.ExitCode = 0
	return r
}

// ramped is a ramp that told the capacity by all three measures.
func ramped() *report.Report {
	r := fdExhaustion()
	r.Targets[0].Capacity = &report.TargetCapacity{
		RPS: ptr(1200), Binding: "latency", RecommendedRPS: ptr(904), AtLeastRPS: 1995,
		Faults: &report.CapacityLimit{RPS: 1510, LowRPS: 1490, HighRPS: 1525}, Goodput: &report.CapacityLimit{RPS: 1520, LowRPS: 1500, HighRPS: 1560},
		Latency: &report.CapacityLimit{RPS: 1200, LowRPS: 1130, HighRPS: 1260},
	}
	return r
}

// idled is a run that held connections idle.
func idled() *report.Report {
	r := base("idle", 240)
	tries := func(gone float64, end string, planned ...float64) (out []report.IdleTry) {
		for _, p := range planned {
			try := report.IdleTry{PlannedS: p, LastedS: p, End: "alive"}
			if p >= gone {
				try.LastedS, try.End = gone, end
			}
			out = append(out, try)
		}
		return out
	}
	r.Targets = []report.Target{
		{Name: "carts", Totals: totals(0, 0, 0, nil), Idle: &report.IdleSweep{
			End: "alive", FromS: 1, ToS: 120, AliveS: ptr(120), ClientS: ptr(90), Tries: tries(1e9, "", 1, 2, 4, 8, 16, 32, 64, 120),
			Summary: "connections live for 2m0s without a request and longer: no idle timeout was met",
		}},
		{Name: "orders", Totals: totals(0, 0, 0, nil), Idle: &report.IdleSweep{
			End: "closed", FromS: 1, ToS: 120, AliveS: ptr(4), GoneS: ptr(5), ClientS: ptr(90), Tries: tries(5, "closed", 1, 2, 4, 8, 16, 32, 64, 120),
			Summary: "server closes idle connections after 5 s, your client keeps them 1m30s: expect resets",
			Advice:  "close idle connections in the client sooner, after 4 s, or keep them longer on the server and every proxy between",
		}},
	}
	r.Findings = []report.Finding{{Target: "orders", Verdict: "explains", Cause: "idle-timeout-race", Confidence: 1, Summary: r.Targets[1].Idle.Summary}}
	return r
}
