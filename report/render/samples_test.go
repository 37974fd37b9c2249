package render

import (
	"maps"
	"math"
	"time"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/judge"
)

// The reports that the golden files are made of.

func ptr(v float64) *float64 { return &v }

func samples() map[string]*report.Report {
	return map[string]*report.Report{
		"fd-exhaustion":     fdExhaustion(),
		"passed":            passed(),
		"generator-limited": generatorLimited(),
		"unexplained":       unexplained(),
		"ambiguous":         ambiguous(),
		"interrupted":       interrupted(),
		"incomplete":        incomplete(),
		"aborted":           aborted(),
		"not-run":           notRun(),
		"found":             found(),
		"hostile":           hostile(),
		"crowded":           crowded(),
		"searched":          searched(),
		"searched-below":    searchedBelow(),
		"searched-at-least": searchedAtLeast(),
		"ramped":            ramped(),
		"idled":             idled(),
	}
}

// wordings are reports that differ from samples in their words only, which all
// forms share: one form of them is enough to look at.
func wordings() map[string]*report.Report {
	return map[string]*report.Report{"leaked": leaked(), "held": held(), "near-full": nearFull(), "by-hand": byHand(), "stopped": stopped()}
}

// byHand is a pass of a load that somebody changed while it was sent.
func byHand() *report.Report {
	r := passed()
	r.Hands = []report.Hand{
		{AtS: 12.5, Action: "hold", By: "terminal", LoadRPS: ptr(850)},
		{AtS: 40, Action: "scale", Factor: 1.5, By: "terminal", LoadRPS: ptr(1275)},
		{AtS: 51.25, Action: "resume", By: "terminal", LoadRPS: ptr(1275)},
		{AtS: 60, Action: "skip", By: "terminal"},
	}
	return r
}

// stopped is a run that somebody ended on its full screen, after a skip that left less
// of the plan than had been sent.
func stopped() *report.Report {
	r := interrupted()
	r.Profile.DurationS = 41
	r.Hands = []report.Hand{{AtS: 12.5, Action: "skip", By: "terminal", LoadRPS: ptr(455)}, {AtS: 41, Action: "stop", By: "terminal"}}
	return r
}

// every is all of them.
func every() map[string]*report.Report {
	out := samples()
	maps.Copy(out, wordings())
	return out
}

var started = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)

func base(name string, seconds float64) *report.Report {
	return &report.Report{
		Schema: report.Schema, Name: name, Label: "v1.4.2", Started: started,
		Ended: started.Add(time.Duration(seconds * float64(time.Second))), Complete: true,
		Profile: report.Profile{
			YAML: "name: " + name + "\n", Fingerprint: "5b1f0c9a3d7e2468", Engine: "vegeta", DurationS: seconds, MaxRPS: ptr(2000),
		},
		Environment: report.Environment{
			Rampload: "1.0.0", Go: "go1.26.0", OS: "linux", Kernel: "6.18.5", Host: "load-1", CPUs: 4,
			GitCommit: "8d3c1f2", RunID: "0123456789abcdef",
		},
		Generator: report.Generator{CPU: ptr(0.34), LagMSP99: ptr(0.18), ProbesCPUPercent: ptr(0.6)},
		Events:    []report.Event{},
		Sources: []report.Source{
			{Host: "local", Source: "host", State: "measured"},
			{Host: "payments-1", Source: "process payments", State: "measured"},
		},
	}
}

func totals(ok, failed, wire uint64, faults map[string]map[string]uint64) report.Totals {
	if faults == nil {
		faults = map[string]map[string]uint64{}
	}
	return report.Totals{
		Requests: ok + failed, Attempts: ok + failed, OK: ok, Failed: failed, WireResets: wire, VisibleResets: wire,
		Faults: faults, StatusCodes: map[string]uint64{"200": ok}, OfferedRPSMax: 1996, AchievedRPSMax: 1995,
	}
}

func noOnset(requests, failed uint64) report.Onset {
	return report.Onset{Status: "none", Fault: "reset", UpperBound: ptr(judge.ShareAtMost(failed, requests)), BeforeOf: requests, Before: failed}
}

// series is a ramp from 50/s to top with resets from an onset on.
func series(targets []string, rows int, top, onset float64, resource string) report.Windows {
	w := report.Windows{IntervalMS: 1000, Columns: map[string][]*float64{}}
	put := func(name string, v float64) { w.Columns[name] = append(w.Columns[name], &v) }
	for i := range rows {
		offered := 50 + (top-50)*float64(i)/float64(rows-1)
		put("at_s", float64(i))
		put("offered_rps", math.Round(offered))
		put("achieved_rps", math.Round(offered*0.998))
		for t, name := range targets {
			resets := 0.0
			if t == 0 && onset > 0 {
				resets = math.Round(max(0, offered-onset) * 0.5)
			}
			put(name+"/requests", math.Round(offered/float64(len(targets))))
			put(name+"/failures", resets)
			put(name+"/wire_resets", resets)
			put(name+"/p50_ms", math.Round(10*(3+offered/400))/10)
			put(name+"/p99_ms", math.Round(10*(12+offered*offered/60000))/10)
		}
		put("utilisation:"+resource, min(1, offered/1510))
		put("utilisation:payments-1/cpu", math.Round(61*offered/top)/100)
		put("utilisation:payments-1/memory", 0.40)
		put("utilisation:local/cpu", math.Round(34*offered/top)/100)
	}
	return w
}

func fdExhaustion() *report.Report {
	r := base("peak", 120)
	r.ExitCode = report.ExitFailed
	faults := map[string]map[string]uint64{
		"reset":   {"await": 2871, "write": 241},
		"timeout": {"dial": 12},
	}
	r.Totals = totals(119876, 3124, 3112, faults)
	onset := report.Onset{
		Status: "onset", Fault: "reset", AtS: ptr(90), LowS: ptr(88.75), HighS: ptr(91), LoadRPS: ptr(1510),
		LoadLowRPS: ptr(1490), LoadHighRPS: ptr(1525), Before: 0, BeforeOf: 70080, RateAfter: ptr(0.0588),
	}
	late := report.Onset{
		Status: "onset", Fault: "timeout", AtS: ptr(97.5), LowS: ptr(95), HighS: ptr(100.25), LoadRPS: ptr(1634),
		LoadLowRPS: ptr(1592), LoadHighRPS: ptr(1679), Before: 0, BeforeOf: 81300, RateAfter: ptr(0.00029),
	}
	r.Targets = []report.Target{{
		Name: "payments", URL: "http://payments.internal:8080", Totals: r.Totals,
		LatencyMS:         report.Latency{P50: ptr(4.1), P90: ptr(11), P99: ptr(84), Max: ptr(5012)},
		LatencyFromSendMS: report.Latency{P50: ptr(4), P90: ptr(11), P99: ptr(83), Max: ptr(5008)},
		ByAddress: []report.Address{
			{Address: "10.0.0.7:8080", Attempts: 61640, Failed: 3120, WireResets: 3112, Faults: map[string]uint64{"reset": 3112, "timeout": 8}},
			{Address: "10.0.0.8:8080", Attempts: 61360, Failed: 4, WireResets: 0, Faults: map[string]uint64{"timeout": 4}},
		},
		Onset: onset, Onsets: []report.Onset{onset, late},
		Crossing: &report.Crossing{Share: 0.001, AtS: ptr(90.5), LowS: ptr(88), HighS: ptr(92.25), LoadRPS: ptr(1518), LoadLowRPS: ptr(1477), LoadHighRPS: ptr(1547)},
		FailureGroups: []report.FailureGroup{
			{Fault: "reset", Phase: "await", State: "reused", Address: "10.0.0.7:8080", Sender: "payments-1/payments[4127]", Reason: "closed with unread data", IdleMS: ptr(20), Served: ptr(10), Count: 2100},
			{Fault: "reset", Phase: "await", State: "fresh", Address: "10.0.0.7:8080", Sender: "payments-1/payments[4127]", Reason: "closed with unread data", Count: 771},
			{Fault: "reset", Phase: "write", State: "reused", Address: "10.0.0.7:8080", IdleMS: ptr(0), Served: ptr(1), Count: 241},
			{Fault: "timeout", Phase: "dial", State: "none", Address: "10.0.0.8:8080", Count: 12},
		},
		LatencyHeat: &report.Heat{IntervalMS: 30000, UpperMS: []float64{2.1544, 10, 100}, Counts: [][]uint64{{900, 100, 0}, {1800, 190, 10}, {2600, 300, 100}, {2000, 900, 700}}},
	}}
	r.Resources = []report.Resource{
		{Host: "payments-1", Process: "payments", PID: 4127, Name: "open-files", Kind: "hard-limit", Unit: "files", Limit: ptr(1024), Peak: ptr(1024), Utilisation: ptr(1), SaturatedAtS: ptr(89.8), LoadRPS: ptr(1507), LagS: ptr(0.2), Verdict: "cause", Reason: "full 0.2 s before the first reset", Score: ptr(0.97)},
		{Host: "payments-1", Name: "conntrack", Kind: "hard-limit", Unit: "entries", Limit: ptr(262144), Peak: ptr(262140), Utilisation: ptr(0.99998), SaturatedAtS: ptr(112), LoadRPS: ptr(1870), LagS: ptr(-22), Verdict: "ruled-out", Reason: "full 22 s after the onset"},
		{Host: "payments-1", Name: "cpu", Kind: "utilisation", Unit: "share", Limit: ptr(1), Peak: ptr(0.61), Utilisation: ptr(0.61), Verdict: "headroom", Reason: "39% left at the onset"},
		{Host: "payments-1", Name: "memory", Kind: "utilisation", Unit: "bytes", Limit: ptr(16 << 30), Peak: ptr(6.4 * (1 << 30)), Utilisation: ptr(0.4), Verdict: "headroom", Reason: "60% left"},
		{Host: "payments-1", Name: "listen-queue", Instance: "*:8080", Kind: "hard-limit", Unit: "connections", Limit: ptr(4096), Peak: ptr(3), Utilisation: ptr(3.0 / 4096), Verdict: "headroom", Reason: "never above 3"},
		{Host: "local", Process: "rampload", PID: 981, Name: "open-files", Kind: "hard-limit", Unit: "files", Limit: ptr(65536), Peak: ptr(312), Utilisation: ptr(312.0 / 65536), Verdict: "headroom", Reason: "never above 312"},
		{Host: "local", Name: "ephemeral-ports", Instance: "10.0.0.7:8080", Kind: "hard-limit", Unit: "ports", Limit: ptr(28232), Peak: ptr(5120), Utilisation: ptr(5120.0 / 28232), Verdict: "headroom", Reason: "82% left"},
		{Host: "payments-1", Name: "out-rsts", Kind: "symptom", Unit: "packets", Peak: ptr(3112), Verdict: "symptom", Reason: "moves because of resets"},
	}
	r.Findings = []report.Finding{{
		Target: "payments", Verdict: "explains", Cause: "server-file-descriptors", Host: "payments-1", Process: "payments", PID: 4127,
		Resource: "open-files", Confidence: 0.97,
		Summary: "Resets of payments begin at 1,510/s and stay. 0.2 s earlier process 4127 on payments-1 had all of its 1,024 open files in use, and it sent every one of the 3,112 resets itself.",
		Evidence: []report.Evidence{
			{Source: "process payments", Text: "open files 1,024/1,024, 0.2 s before the first reset", AtS: ptr(89.8)},
			{Source: "reset trace", Text: "pid 4127 sent 3,112 of 3,112 RSTs: closed with unread data", AtS: ptr(90)},
		},
		RuledOut: []report.RuledOut{
			{What: "cpu on payments-1", Reason: "39% left at the onset"},
			{What: "conntrack on payments-1", Reason: "full 22 s after the onset"},
			{What: "path", Reason: "the server's kernel sent as many resets as arrived"},
		},
		Advice: []string{"LimitNOFILE=2048 (now 1,024; 2,000/s needs about 1,360)"},
	}}
	r.Gates = []report.GateResult{
		{Expr: "failures < 0.1% up to 1800/s", Value: ptr(0.0121), Unit: "ratio", Result: "failed", Reason: "1,237 of 102,240 (1.21%)"},
		{Expr: "onset > 1500/s", Value: ptr(1490), Unit: "rps", Result: "failed", Reason: "payments: reset from 1,510/s (1,490 to 1,525)"},
		{Expr: "p99 < 250ms up to 1500/s", Value: ptr(0.0612), Unit: "seconds", Result: "passed", Reason: "61 ms; 12 of 68,912 took longer"},
		{Expr: "headroom(conntrack) > 20%", Unit: "ratio", Result: "undecided", Reason: "conntrack was not measured"},
	}
	r.Sources = append(r.Sources, report.Source{Host: "payments-1", Source: "reset packets", State: "not-measured", Reason: "needs CAP_NET_RAW"},
		report.Source{Host: "payments-1", Source: "PSI", State: "not-measured", Reason: "kernel built without CONFIG_PSI"})
	r.Events = []report.Event{{AtS: 90.02, Kind: "rst-sent", Host: "payments-1", Process: "payments", PID: 4127, Local: "10.0.0.7:8080", Remote: "10.0.0.2:41892", Reason: "TCP_ABORT_ON_CLOSE", State: "TCP_ESTABLISHED", Count: 1}}
	r.EventsLeftOut = 2912
	r.Windows = series([]string{"payments"}, 120, 2000, 1510, "payments-1/payments[4127]/open-files")
	return r
}

func passed() *report.Report {
	r := base("peak", 200)
	r.Totals = totals(99615, 0, 0, nil)
	orders := totals(69730, 0, 0, nil)
	carts := totals(29885, 0, 0, nil)
	r.Targets = []report.Target{
		{Name: "orders", URL: "http://orders.internal:8080", Totals: orders, LatencyMS: report.Latency{P50: ptr(2.3), P90: ptr(6), P99: ptr(18), Max: ptr(74)}, Onset: noOnset(69730, 0), Onsets: []report.Onset{noOnset(69730, 0)}},
		{Name: "carts", URL: "http://carts.internal:8080", Totals: carts, LatencyMS: report.Latency{P50: ptr(0.81), P90: ptr(1.4), P99: ptr(3.2), Max: ptr(22)}, Onset: noOnset(29885, 0), Onsets: []report.Onset{noOnset(29885, 0)}},
	}
	r.Resources = []report.Resource{
		{Host: "orders-1", Process: "orders", PID: 4711, Name: "open-files", Kind: "hard-limit", Unit: "files", Limit: ptr(1024), Peak: ptr(625), Utilisation: ptr(0.61), Verdict: "headroom", Reason: "399 left"},
		{Host: "orders-1", Name: "cpu", Kind: "utilisation", Unit: "share", Limit: ptr(1), Peak: ptr(0.48), Utilisation: ptr(0.48), Verdict: "headroom", Reason: "52% left"},
	}
	r.Findings = []report.Finding{{
		Verdict: "healthy", Cause: "healthy", Confidence: 0.95, Nearest: []string{r.Resources[0].Label()},
		Summary:  "No fault of any class rose on any target up to 2,000/s.",
		Evidence: []report.Evidence{}, RuledOut: []report.RuledOut{}, Advice: []string{},
	}}
	r.Gates = []report.GateResult{
		{Expr: "wire-resets == 0 up to 1500/s", Value: ptr(0), Unit: "count", Result: "passed", Reason: "0 of 70,080 (at most 0.0043%)"},
		{Expr: "failures < 0.1% up to 1500/s", Value: ptr(0), Unit: "ratio", Result: "passed", Reason: "0 of 70,080 (0%), at most 0.0043%"},
		{Expr: "onset > 1500/s", Unit: "rps", Result: "passed", Reason: "no onset up to 1,995/s"},
	}
	r.Sources = append(r.Sources, report.Source{Host: "orders-1", Source: "reset trace", State: "not-measured", Reason: "needs root on orders-1"})
	r.Windows = series([]string{"orders", "carts"}, 200, 2000, 0, "orders-1/orders[4711]/open-files")
	return r
}

func generatorLimited() *report.Report {
	r := base("peak", 120)
	r.ExitCode = report.ExitUndecided
	r.Totals = totals(41230, 0, 0, map[string]map[string]uint64{"ports-exhausted": {"dial": 18211}})
	r.Totals.LocalFaults, r.Totals.Unsent, r.Totals.AchievedRPSMax = 18211, 422, 961
	r.Targets = []report.Target{{
		Name: "orders", URL: "http://orders.internal:8080", Totals: r.Totals,
		LatencyMS: report.Latency{P50: ptr(2.3), P90: ptr(6), P99: ptr(19), Max: ptr(88)}, Onset: noOnset(41230, 0), Onsets: []report.Onset{noOnset(41230, 0)},
	}}
	r.Generator = report.Generator{Limited: true, Reason: "no local port was free for 10.0.0.9:8080", AtS: ptr(55.5), LoadRPS: ptr(960), CPU: ptr(0.42), LagMSP99: ptr(0.3), ProbesCPUPercent: ptr(0.7)}
	r.Resources = []report.Resource{
		{Host: "local", Name: "ephemeral-ports", Instance: "10.0.0.9:8080", Kind: "hard-limit", Unit: "ports", Limit: ptr(28232), Peak: ptr(28232), Utilisation: ptr(1), SaturatedAtS: ptr(55.25), LoadRPS: ptr(957), LagS: ptr(0.25), Verdict: "cause", Reason: "every port in use", Score: ptr(0.99)},
		{Host: "orders-1", Name: "cpu", Kind: "utilisation", Unit: "share", Limit: ptr(1), Peak: ptr(0.31), Utilisation: ptr(0.31), Verdict: "headroom", Reason: "69% left"},
	}
	r.Findings = []report.Finding{{
		Verdict: "generator-limited", Cause: "client-ephemeral-ports", Host: "local", Resource: "ephemeral-ports", Confidence: 0.99,
		Summary:  "From 960/s on this machine had no free local port for orders, so that 18,211 connections were never tried. What orders does above 960/s was not seen.",
		Evidence: []report.Evidence{{Source: "sockets", Text: "28,198 of 28,232 ports to 10.0.0.9:8080 were in TIME_WAIT", AtS: ptr(55.5)}},
		RuledOut: []report.RuledOut{}, Advice: []string{"keep connections (client.connections, now 0), or widen net.ipv4.ip_local_port_range (now 32768-60999)"},
	}}
	r.Gates = []report.GateResult{
		{Expr: "failures < 0.1% up to 1500/s", Value: ptr(0), Unit: "ratio", Result: "undecided", Reason: "1,500/s was not reached: at most 961/s was sent, this machine was the limit from 56 s on; so far 0 of 41,230 (0%), at most 0.0073%"},
		{Expr: "p99 < 250ms up to 900/s", Value: ptr(0.019), Unit: "seconds", Result: "passed", Reason: "19 ms; 0 of 38,112 took longer"},
	}
	r.Windows = series([]string{"orders"}, 120, 2000, 0, "local/ephemeral-ports 10.0.0.9:8080")
	return r
}

func unexplained() *report.Report {
	r := base("spike", 90)
	r.ExitCode = report.ExitFailed
	r.Totals = totals(88000, 912, 1004, map[string]map[string]uint64{"reset": {"await": 800, "idle": 92, "body": 60}, "eof": {"await": 52}})
	r.Totals.IdleResets, r.Totals.Attempts = 92, 89824
	onset := report.Onset{Status: "onset", Fault: "reset", AtS: ptr(31.25), LowS: ptr(22), HighS: ptr(37.5), LoadRPS: ptr(702), LoadLowRPS: ptr(520), LoadHighRPS: ptr(841), Before: 3, BeforeOf: 11022, RateAfter: ptr(0.0118)}
	r.Targets = []report.Target{{
		Name: "search", URL: "https://search.internal", Totals: r.Totals, LatencyMS: report.Latency{P50: ptr(9), P90: ptr(22), P99: ptr(140), Max: ptr(2210)},
		Onset: onset, Onsets: []report.Onset{onset}, RecoveryRPS: ptr(655),
	}}
	r.Resources = []report.Resource{
		{Host: "search-1", Name: "cpu", Kind: "utilisation", Unit: "share", Limit: ptr(1), Peak: ptr(0.72), Utilisation: ptr(0.72), Verdict: "headroom", Reason: "28% left"},
		{Host: "search-1", Process: "java", PID: 812, Name: "rss", Kind: "hard-limit", Unit: "bytes", Limit: ptr(4 << 30), Peak: ptr(3.99 * (1 << 30)), Utilisation: ptr(0.9975), SaturatedAtS: ptr(0), Verdict: "full-throughout", Reason: "full from the first reading on: it cannot tell loads apart"},
	}
	r.Findings = []report.Finding{{
		Target: "search", Verdict: "unexplained", Cause: "unexplained", Confidence: 0.71,
		Summary:  "Resets of search begin at 702/s and end at 655/s on the way down, so they follow the load. Nothing that was watched on search-1 reached a limit at that time.",
		Evidence: []report.Evidence{{Source: "reset trace", Text: "the kernel of search-1 sent none of the 1,004 resets: something between sent them", AtS: ptr(31.5)}},
		RuledOut: []report.RuledOut{{What: "search-1 itself", Reason: "its kernel sent no RST"}},
		Advice:   []string{"watch the load balancer in front of search-1 (hosts: in the profile)", "repeat with a packet capture: rampload needs CAP_NET_RAW"},
	}}
	r.Gates = []report.GateResult{{Expr: "failures within 10s < 1%", Value: ptr(0.0214), Unit: "ratio", Result: "failed", Reason: "214 of 10,012 (2.14%) in the 10 s from 61 s"}}
	r.Warnings = []string{"samples of search-1 are missing from 12 s to 14 s"}
	r.Windows = series([]string{"search"}, 90, 2000, 702, "search-1/java[812]/rss")
	return r
}

func ambiguous() *report.Report {
	r := fdExhaustion()
	r.Resources[0].Verdict, r.Resources[0].Score = "candidate", ptr(0.58)
	r.Resources = append(r.Resources, report.Resource{Host: "payments-1", Process: "payments", PID: 4127, Name: "threads", Kind: "hard-limit", Unit: "threads", Limit: ptr(512), Peak: ptr(512), Utilisation: ptr(1), SaturatedAtS: ptr(89.9), LoadRPS: ptr(1508), LagS: ptr(0.1), Verdict: "candidate", Reason: "full 0.1 s before the first reset", Score: ptr(0.39)})
	f := &r.Findings[0]
	f.Verdict, f.Confidence = "ambiguous", 0.58
	f.Summary = "Resets of payments begin at 1,510/s. Two limits of process 4127 were reached within 0.2 s of each other just before, and this run cannot tell them apart."
	f.Evidence = f.Evidence[:1]
	f.Advice = []string{"raise LimitNOFILE alone and run again: if the onset moves, that was it"}
	second := *f
	second.Cause, second.Resource, second.Confidence = "server-threads", "threads", 0.39
	r.Findings = append(r.Findings, second)
	return r
}

func interrupted() *report.Report {
	r := passed()
	r.Interrupted, r.ExitCode = true, report.ExitInterrupted
	r.Ended = r.Started.Add(42 * time.Second)
	r.Totals.AchievedRPSMax = 455
	r.Gates = []report.GateResult{{Expr: "failures < 0.1% up to 1500/s", Value: ptr(0), Unit: "ratio", Result: "undecided", Reason: "1,500/s was not reached: at most 455/s was sent, the run was interrupted; so far 0 of 9,615 (0%), at most 0.032%"}}
	r.Windows = series([]string{"orders", "carts"}, 42, 455, 0, "orders-1/orders[4711]/open-files")
	return r
}

func incomplete() *report.Report {
	r := fdExhaustion()
	r.Complete, r.ExitCode = false, report.ExitInterrupted
	r.Ended = r.Started.Add(104 * time.Second)
	r.Warnings = []string{"the run log has no end: the run was killed, and this is what it had recorded until then"}
	return r
}

func aborted() *report.Report {
	r := unexplained()
	r.Aborted, r.ExitCode = "failures within 10s > 50%", report.ExitFailed
	return r
}

func notRun() *report.Report {
	r := base("peak", 0)
	r.ExitCode, r.Error = report.ExitNotRun, "orders: no connection to 10.0.0.9:8080: connection refused; is it running there?"
	r.Totals = totals(0, 0, 0, nil)
	r.Totals.AchievedRPSMax, r.Totals.OfferedRPSMax = 0, 0
	r.Findings = []report.Finding{{Verdict: "inconclusive", Evidence: []report.Evidence{}, RuledOut: []report.RuledOut{}, Advice: []string{}}}
	return r
}

func found() *report.Report {
	r := fdExhaustion()
	r.Gates, r.ExitCode = []report.GateResult{}, 0
	return r
}

// hostile has names and texts that would break a format that does not escape.
func hostile() *report.Report {
	r := fdExhaustion()
	name := "pay|ments</script><b>&\"'\x1b[31m\u202e`x`"
	r.Targets[0].Name, r.Findings[0].Target = name, name
	r.Findings[0].Summary = "Line one\n# not a heading\x07 | <img src=x onerror=alert(1)> ]]>"
	r.Gates[0].Reason = "a|b ]]> \x00 c"
	r.Windows = series([]string{name}, 30, 2000, 1510, "payments-1/payments[4127]/open-files")
	return r
}

// crowded is a soak with long names, large numbers and every kind of fault.
func crowded() *report.Report {
	r := base("soak", 7*24*3600)
	r.ExitCode = report.ExitFailed
	faults := map[string]map[string]uint64{
		"reset": {"dial": 1020304, "tls": 33, "write": 1200, "await": 98765432, "body": 77, "idle": 5}, "eof": {"await": 123456, "body": 9},
		"refused": {"dial": 9876543}, "timeout": {"dial": 12, "await": 1234567}, "broken-pipe": {"write": 44}, "status": {"done": 12345},
		"protocol": {"await": 2}, "dns": {"dns": 3}, "ports-exhausted": {"dial": 123456}, "canceled": {"await": 10},
	}
	r.Totals = totals(1209600000, 110034567, 99786051, faults)
	r.Totals.Attempts, r.Totals.Unsent, r.Totals.LocalFaults = 1330000000, 1234567, 123456
	for i, name := range []string{"payments-production-eu-west-1-blue", "orders-production-eu-west-1", "search"} {
		t := report.Target{Name: name, Totals: r.Totals, LatencyMS: report.Latency{P50: ptr(1204.4), P90: ptr(4000), P99: ptr(12044), Max: ptr(65000)}}
		for k := range 6 {
			t.ByAddress = append(t.ByAddress, report.Address{Address: "[2001:db8:85a3::8a2e:370:7334]:8443", Attempts: 201600000, Failed: uint64(18339094 * k), WireResets: 16631008})
		}
		o := report.Onset{Status: "onset", Fault: "http2-goaway", AtS: ptr(234567), LowS: ptr(234000), HighS: ptr(235000), LoadRPS: ptr(123456), LoadLowRPS: ptr(120456), LoadHighRPS: ptr(125456), Before: 12345678, BeforeOf: 1023456789, RateAfter: ptr(0.0831), Note: "several bursts were masked before it"}
		left := report.Onset{Status: "left-censored", Fault: "reset", LoadHighRPS: ptr(50), RateAfter: ptr(0.2)}
		passing := report.Onset{Status: "transient", Fault: "timeout", AtS: ptr(99), LoadRPS: ptr(880), LoadLowRPS: ptr(800), LoadHighRPS: ptr(900)}
		periodic := report.Onset{Status: "periodic", Fault: "eof", AtS: ptr(12), LoadRPS: ptr(80), LoadLowRPS: ptr(70), LoadHighRPS: ptr(90)}
		t.Onsets = []report.Onset{o, left, passing, periodic}
		t.Onset = t.Onsets[i]
		r.Targets = append(r.Targets, t)
	}
	for i := range 16 {
		r.Resources = append(r.Resources, report.Resource{
			Host: "payments-production-7f9c6d5b8-x2x9z", Process: "payments-production-main", PID: 4194303, Name: "tcp-memory-pressures", Instance: "[2001:db8:85a3::8a2e:370:7334]:8443",
			Kind: "hard-limit", Unit: "bytes", Limit: ptr(float64(uint64(1) << 50)), Peak: ptr(float64(uint64(1)<<50) * 0.999), Utilisation: ptr(0.999), SaturatedAtS: ptr(123456), LoadRPS: ptr(123456),
			LagS: ptr(-12345), Verdict: []string{"full-throughout", "ruled-out"}[i%2], Reason: "full from the first reading on, so that it cannot tell one load from another",
		})
	}
	r.Findings = []report.Finding{{
		Target: "payments-production-eu-west-1-blue", Verdict: "explains", Cause: "upstream-idle-timeout-race", Host: "payments-production-7f9c6d5b8-x2x9z", Process: "payments-production-main",
		Confidence: 0.83, Summary: "Connections that were idle for 60 s are closed by the next hop as they are reused.",
		Evidence: []report.Evidence{}, RuledOut: []report.RuledOut{}, Advice: []string{"keep idle connections for less than 60 s"},
	}, {
		Target: "search", Verdict: "inconclusive", Cause: "", Summary: "Too few failures of search to say where they begin.",
		Evidence: []report.Evidence{{Text: "one"}, {Text: "two"}, {Text: "three"}, {Text: "four"}}, RuledOut: []report.RuledOut{}, Advice: []string{"hold the load longer"},
	}}
	r.Gates = []report.GateResult{
		{Expr: "failures(payments-production-eu-west-1-blue) within 10s < 0.001% up to 150000/s", Value: ptr(0.0912), Unit: "ratio", Result: "failed", Reason: "110,034,567 of 1,209,600,000 (9.1%) in the 10 s from 65h9m27s"},
	}
	r.Warnings = []string{"a warning that is long enough to go over the end of a line of eighty columns, and then some"}
	r.Windows = series([]string{"search"}, 10, 2000, 0, "local/threads")
	return r
}
