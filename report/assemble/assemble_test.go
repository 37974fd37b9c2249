package assemble

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

var update = flag.Bool("update", false, "rewrite golden files")

const interval = 250 * time.Millisecond

// ramp is a run of two targets, 40 to 400/s over 20 s, then drained for one
// second. From 200/s on the first target resets one request in ten; it has two
// addresses, of which the second does all the resetting. One request in a hundred
// times out 1.5 s after it was due, in the window in which it ends.
func ramp() (*runlog.Log, map[string]uint64) {
	log := &runlog.Log{
		Header: runlog.Header{
			Schema: 1, RunID: "0123456789abcdef", Name: "peak", Label: "v1", Started: time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC), Interval: interval,
			Profile: "name: peak\n", Fingerprint: "f00d", Rampload: "1.0", Go: "go1.26", OS: "linux", Kernel: "6.18", Host: "load-1", CPUs: 2,
			Targets:   []runlog.Target{{Name: "orders", URL: "http://orders:80", Share: 0.75, ListenPort: 80}, {Name: "carts", URL: "http://carts:80", Share: 0.25}},
			Stages:    []runlog.Stage{{Text: "40/s to 400/s over 20s", Kind: "ramp", End: 20 * time.Second, From: 40, To: 400}},
			Generator: runlog.Generator{Engine: "vegeta", SkipVerify: true},
			Hosts:     []runlog.Host{{Name: "local"}, {Name: "orders-1", SameAs: "local"}, {Name: "far"}},
		},
		Addresses: []attack.Address{
			{Target: 0, Index: 1, Addr: netip.MustParseAddrPort("10.0.0.1:80")},
			{Target: 0, Index: 2, Addr: netip.MustParseAddrPort("10.0.0.2:80")},
			{Target: 1, Index: 1, Addr: netip.MustParseAddrPort("10.0.0.3:80")},
		},
		Windows: make([][]attack.Window, 2),
		Trailer: &runlog.Trailer{Ended: 21 * time.Second, Sources: []probe.Status{
			{Source: probe.Source{Host: "local", Name: "host"}, State: probe.Measured, CPU: 105 * time.Millisecond},
			{Source: probe.Source{Host: "orders-1", Name: "reset trace"}, State: probe.NotMeasured, Reason: "needs root", CPU: 105 * time.Millisecond},
			{Source: probe.Source{Host: "far", Name: "host"}, State: probe.Partial, Reason: "agent lost", CPU: time.Hour},
		}},
	}
	count := map[string]uint64{}
	var late []attack.Cell // of the first target, by the window in which they end
	var dueAt []int32
	for i := range int32(84) {
		offered := 0.0
		if i < 80 {
			offered = 40 + 360*(float64(i)+0.5)/80
		}
		orders, carts := uint64(math.Round(offered*0.75/4)), uint64(math.Round(offered*0.25/4))
		w := attack.Window{Target: 0, Index: i, Scheduled: orders, Sent: orders, Dials: 2, Lag: attack.Histogram{{Value: 150, Count: orders}}}
		var resets, timeouts uint64
		if offered > 200 {
			resets = orders / 10
		}
		if i%10 == 0 && orders > 0 {
			timeouts = 1
		}
		ok := orders - resets - timeouts
		w.Cells = []attack.Cell{
			{DueWindow: i, Remote: 1, Phase: attack.PhaseDone, Attempts: ok / 2, Requests: ok / 2},
			{DueWindow: i, Remote: 2, Phase: attack.PhaseDone, Attempts: ok - ok/2, Requests: ok - ok/2},
		}
		if resets > 0 {
			w.Cells = append(w.Cells, attack.Cell{DueWindow: i, Remote: 2, Fault: attack.Reset, Phase: attack.PhaseAwait, Attempts: resets, Requests: resets, WireResets: resets})
		}
		if timeouts > 0 {
			late, dueAt = append(late, attack.Cell{DueWindow: i, Remote: 1, Fault: attack.Timeout, Phase: attack.PhaseAwait, Attempts: 1, Requests: 1}), append(dueAt, i+6)
		}
		for k, at := range dueAt {
			if at == i || i == 83 && at > 83 {
				w.Cells = append(w.Cells, late[k])
				count["timeout"]++
			}
		}
		if i == 40 {
			w.Cells = append(w.Cells, attack.Cell{DueWindow: i, Remote: 1, Fault: attack.Reset, Phase: attack.PhaseIdle, WireResets: 2})
			w.Cells = append(w.Cells, attack.Cell{DueWindow: i, Fault: attack.PortsExhausted, Phase: attack.PhaseDial, Attempts: 4, Requests: 4})
			w.Cells = append(w.Cells, attack.Cell{DueWindow: i, Fault: attack.Canceled, Phase: attack.PhaseAwait, Attempts: 1, Requests: 1})
			w.Unsent, w.FailuresDropped = 3, 7
			count["wire"] += 2
		}
		count["ok"] += ok
		count["reset"] += resets
		count["wire"] += resets
		if ok > 0 {
			w.Statuses = []attack.StatusCount{{Status: 200, Count: ok}}
			w.FromDue = attack.Histogram{{Value: 4000, Count: ok}}
			w.FromSend = attack.Histogram{{Value: 3000, Count: ok}}
		}
		log.Windows[0] = append(log.Windows[0], w)
		c := attack.Window{Target: 1, Index: i, Scheduled: carts, Sent: carts}
		if carts > 0 {
			c.Cells = []attack.Cell{{DueWindow: i, Remote: 1, Phase: attack.PhaseDone, Attempts: carts, Requests: carts}}
			c.Statuses = []attack.StatusCount{{Status: 204, Count: carts}}
			c.FromDue = attack.Histogram{{Value: 1000, Count: carts}}
			count["carts"] += carts
		}
		log.Windows[1] = append(log.Windows[1], c)
	}
	files := probe.Metric{Host: "orders-1", Process: "orders", PID: 7, Name: probe.OpenFiles}
	overflows := probe.Metric{Host: "orders-1", Name: probe.ListenOverflows, Instance: "*:80"}
	cpu := probe.Metric{Host: "local", Name: probe.CPU}
	s := map[probe.Metric]*runlog.Series{}
	for _, m := range []probe.Metric{files, overflows, cpu} {
		s[m] = &runlog.Series{Metric: m}
	}
	add := func(m probe.Metric, at time.Duration, value, limit float64) {
		s[m].At, s[m].Value, s[m].Limit = append(s[m].At, at), append(s[m].Value, value), append(s[m].Limit, limit)
	}
	for i := -4; i < 84; i++ {
		at := time.Duration(i) * interval
		add(files, at, min(100, float64(max(0, i))*2.7), 100)
		over := 1000.0
		if i > 40 {
			over += float64(i - 40)
		}
		if i > 60 { // the counter began anew
			over = float64(i - 60)
		}
		add(overflows, at, over, math.NaN())
		add(cpu, at, 0.25, math.NaN())
	}
	for _, m := range []probe.Metric{files, overflows, cpu} {
		log.Series = append(log.Series, *s[m])
	}
	for i := range 300 {
		log.Events = append(log.Events, probe.Event{Kind: probe.RSTSent, At: time.Duration(i) * time.Millisecond, Host: "orders-1", Reason: "TCP_STATE"})
	}
	log.Events = append(log.Events, probe.Event{Kind: probe.OOMKill, At: time.Second, Host: "orders-1", Comm: "orders"},
		probe.Event{Kind: probe.Gap, At: time.Second, Host: "far", Source: probe.Source{Host: "far", Name: "host"}, Value: 2})
	return log, count
}

// conclusions are what diagnosis could say of the ramp, with every value that
// JSON cannot hold.
func conclusions() diagnose.Result {
	nan := math.NaN()
	at := 9 * time.Second
	return diagnose.Result{
		Targets: []diagnose.TargetResult{
			{Name: "orders", Recovery: &diagnose.Span{Value: 180, Low: 170, High: 190}, Onsets: []diagnose.Onset{
				{Status: diagnose.Found, Fault: attack.Reset, At: diagnose.Span{Value: 9, Low: 8.75, High: 9.25}, Load: diagnose.Span{Value: 201, Low: 198, High: 205}, Before: 0, BeforeOf: 800, After: 90, AfterOf: 1000, UpperBound: nan},
				{Status: diagnose.LeftCensored, Fault: attack.Timeout, At: diagnose.Span{Value: nan, Low: nan, High: nan}, Load: diagnose.Span{Value: 40, Low: math.Inf(-1), High: 42}},
			}},
			{Name: "carts", Onsets: []diagnose.Onset{{Status: diagnose.NoOnset, Fault: attack.Reset, UpperBound: 0.003, BeforeOf: 1000}}},
		},
		Resources: []diagnose.Resource{
			{Metric: probe.Metric{Host: "orders-1", Process: "orders", PID: 7, Name: probe.OpenFiles}, Limit: 100, Peak: 100, Saturated: &diagnose.Span{Value: 8.9}, Load: 200, Lag: &diagnose.Span{Value: 0.1}, Verdict: diagnose.Cause, Reason: "full", Posterior: 0.9},
			{Metric: probe.Metric{Host: "orders-1", Name: probe.ListenOverflows, Instance: "*:80"}, Limit: nan, Peak: 80, Verdict: diagnose.Candidate, Load: nan},
			{Metric: probe.Metric{Host: "local", Name: probe.CPU}, Limit: nan, Peak: 0.25, Verdict: diagnose.Headroom},
			{Metric: probe.Metric{Host: "orders-1", Name: probe.Conntrack}, Limit: nan, Peak: nan, Verdict: diagnose.NotMeasured, Reason: "no conntrack"},
		},
		Findings: []diagnose.Finding{{
			Target: "orders", Verdict: diagnose.Explains, Cause: "server-file-descriptors", Host: "orders-1", Process: "orders", PID: 7, Resource: probe.OpenFiles,
			Confidence: 0.9, Summary: "s", Evidence: []diagnose.Evidence{{Source: "host", Text: "t", At: &at}}, RuledOut: []diagnose.Exclusion{{What: "cpu", Reason: "25%"}}, Advice: []string{"a"},
		}},
		Generator: diagnose.GeneratorState{CPU: nan, LagP99: 150 * time.Microsecond},
		Warnings:  []string{"from diagnosis"},
	}
}

func gates(t *testing.T, exprs ...string) []profiles.Gate {
	t.Helper()
	var out []profiles.Gate
	for _, e := range exprs {
		g, err := profiles.ParseGate(e)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, g)
	}
	return out
}

func TestAssembleGolden(t *testing.T) {
	log, _ := ramp()
	r := assemble(log, conclusions(), Options{Gates: gates(t, "failures(orders) < 1%", "headroom(open-files) > 20%", "onset > 150/s", "wire-resets(carts) == 0")})
	var got bytes.Buffer
	if err := r.Write(&got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "ramp.json")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("report (-golden +got):\n%s", diff)
	}
	if _, err := report.Read(bytes.NewReader(got.Bytes())); err != nil {
		t.Errorf("the report cannot be read: %v", err)
	}
}

// The counts of a report are those that the windows were made of.
func TestTotals(t *testing.T) {
	log, count := ramp()
	r := assemble(log, conclusions(), Options{})
	o := r.Targets[0]
	checks := map[string]struct{ got, want uint64 }{
		"ok":              {o.OK, count["ok"]},
		"failed":          {o.Failed, count["reset"] + count["timeout"]},
		"requests":        {o.Requests, count["ok"] + count["reset"] + count["timeout"]},
		"attempts":        {o.Attempts, o.Requests},
		"wire resets":     {o.WireResets, count["wire"]},
		"visible resets":  {o.VisibleResets, count["reset"]},
		"idle resets":     {o.IdleResets, 2},
		"local faults":    {o.LocalFaults, 4},
		"canceled":        {o.Canceled, 1},
		"unsent":          {o.Unsent, 3},
		"reset at await":  {o.Faults["reset"]["await"], count["reset"]},
		"reset at idle":   {o.Faults["reset"]["idle"], 2},
		"ports":           {o.Faults["ports-exhausted"]["dial"], 4},
		"status 200":      {o.StatusCodes["200"], count["ok"]},
		"total requests":  {r.Totals.Requests, o.Requests + count["carts"]},
		"status 204":      {r.Totals.StatusCodes["204"], count["carts"]},
		"bad address":     {o.ByAddress[0].WireResets, count["reset"]},
		"by load":         {sumBins(o, func(b report.LoadBin) uint64 { return b.Failed }), o.Failed},
		"by load, resets": {sumBins(o, func(b report.LoadBin) uint64 { return b.WireResets }), o.WireResets},
		"by window":       {uint64(sumColumn(r, "orders/failures")), o.Failed},
	}
	for name, c := range checks {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", name, c.got, c.want)
		}
	}
	// The last second of the ramp is 382 to 400/s.
	if r.Totals.OfferedRPSMax < 385 || r.Totals.OfferedRPSMax > 400 || o.OfferedRPSMax < 285 || o.OfferedRPSMax > 300 {
		t.Errorf("offered at most %v and %v, want a little below 400 and 300", r.Totals.OfferedRPSMax, o.OfferedRPSMax)
	}
	if *o.LatencyMS.P99 != 4 || *o.LatencyFromSendMS.Max != 3 {
		t.Errorf("latency %v and %v ms, want 4 and 3", *o.LatencyMS.P99, *o.LatencyFromSendMS.Max)
	}
}

func sumBins(t report.Target, of func(report.LoadBin) uint64) uint64 {
	var n uint64
	for _, b := range t.ByLoad {
		n += of(b)
	}
	return n
}

func sumColumn(r *report.Report, name string) float64 {
	var sum float64
	for _, v := range r.Windows.Columns[name] {
		if v != nil {
			sum += *v
		}
	}
	return sum
}

// Timeouts are held against the load at which they were due, though they end six
// windows later.
func TestByLoadIsByDueTime(t *testing.T) {
	log, _ := ramp()
	r := assemble(log, conclusions(), Options{})
	// The first timeout was due in window 0, at 42/s, and ended at 69/s.
	first := r.Targets[0].ByLoad[0]
	if first.LowRPS != 40 || first.HighRPS != 60 || first.Failed != 1 {
		t.Errorf("first bin %+v, want [40, 60) with one failure", first)
	}
}

func TestResourceColumns(t *testing.T) {
	log, _ := ramp()
	c := assemble(log, conclusions(), Options{}).Windows.Columns
	files, overflows := c["utilisation:orders-1/orders[7]/open-files"], c["counter:orders-1/listen-overflows *:80"]
	if files == nil || *files[10] != 0.27 || *files[83] != 1 {
		t.Errorf("open files %v", files)
	}
	// 20 before the counter began anew, 23 after.
	var sum float64
	for _, v := range overflows {
		if v != nil {
			sum += *v
		}
	}
	if sum != 43 {
		t.Errorf("overflows sum up to %v, want 43", sum)
	}
	if cpu := c["utilisation:local/cpu"]; cpu == nil || *cpu[0] != 0.25 {
		t.Errorf("a share without a limit is of 1: %v", cpu)
	}
}

func TestExitCodes(t *testing.T) {
	tests := []struct {
		name  string
		gates []string
		edit  func(*runlog.Log, *diagnose.Result)
		want  int
	}{
		{"no gates", nil, func(*runlog.Log, *diagnose.Result) {}, 0},
		{"passed", []string{"onset > 150/s"}, func(_ *runlog.Log, r *diagnose.Result) {
			r.Targets[0].Onsets = r.Targets[0].Onsets[:1]
		}, 0},
		{"passed at the headline, not at what passed before", []string{"onset > 150/s"}, func(_ *runlog.Log, r *diagnose.Result) {
			r.Targets[0].Onsets[1] = diagnose.Onset{Status: diagnose.Transient, Fault: attack.Timeout, At: diagnose.Span{Value: 5, Low: 4, High: 6}, Load: diagnose.Span{Value: 130, Low: 120, High: 140}}
		}, 1},
		{"failed", []string{"onset > 250/s"}, func(*runlog.Log, *diagnose.Result) {}, 1},
		{"undecided", []string{"headroom(conntrack) > 1%"}, func(*runlog.Log, *diagnose.Result) {}, 4},
		{"interrupted", []string{"onset > 250/s"}, func(l *runlog.Log, _ *diagnose.Result) { l.Trailer.Interrupted = true }, 130},
		{"killed", nil, func(l *runlog.Log, _ *diagnose.Result) { l.Trailer = nil }, 130},
		{"aborted", nil, func(l *runlog.Log, _ *diagnose.Result) { l.Trailer.Aborted = "failures > 50%" }, 1},
		{"not run", nil, func(l *runlog.Log, _ *diagnose.Result) { l.Trailer.Error = "no connection" }, 3},
		{"limited before the gate's load", []string{"wire-resets(carts) == 0 up to 350/s"}, func(_ *runlog.Log, r *diagnose.Result) {
			r.Generator.Limited, r.Generator.At, r.Generator.Load = true, 10*time.Second, 220
		}, 4},
		{"failed before the limit", []string{"failures(orders) < 1%"}, func(_ *runlog.Log, r *diagnose.Result) {
			r.Generator.Limited, r.Generator.At = true, 19*time.Second
		}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log, _ := ramp()
			result := conclusions()
			tt.edit(log, &result)
			r := assemble(log, result, Options{Gates: gates(t, tt.gates...)})
			if r.ExitCode != tt.want {
				t.Errorf("exit %d, want %d; gates %+v", r.ExitCode, tt.want, r.Gates)
			}
			if r.Complete != (log.Trailer != nil) {
				t.Errorf("complete = %v", r.Complete)
			}
			if err := r.Write(new(bytes.Buffer)); err != nil {
				t.Errorf("write: %v", err)
			}
		})
	}
}

func TestEventsKeepRareKinds(t *testing.T) {
	log, _ := ramp()
	r := assemble(log, conclusions(), Options{})
	kinds := map[string]int{}
	for _, e := range r.Events {
		kinds[e.Kind]++
	}
	if kinds["rst-sent"] != maxEvents || kinds["oom-kill"] != 1 || kinds["gap"] != 1 || r.EventsLeftOut != 100 {
		t.Errorf("kept %v, left out %d", kinds, r.EventsLeftOut)
	}
}

// Every run of a profile has the same bins, and about 25 of them.
func TestBorders(t *testing.T) {
	tests := []struct {
		top, rps, low, high float64
	}{
		{2000, 0, 0, 100},
		{2000, 99.9, 0, 100},
		{2000, 100, 100, 200},
		{2000, 2000, 2000, 2100},
		{1250, 60, 50, 100},
		{1260, 60, 0, 100},
		{25, 3.2, 3, 4},
		{100000, 5000, 5000, 10000},
		{1e6, 1e6 - 1, 950000, 1e6},
		{0.5, 0.26, 0.26, 0.28},
	}
	for _, tt := range tests {
		b := bordersOf(runlog.Header{Stages: []runlog.Stage{{Kind: "ramp", To: tt.top}}})
		low, high := b.span(b.bin(tt.rps))
		if math.Abs(low-tt.low) > 1e-9 || math.Abs(high-tt.high) > 1e-9 {
			t.Errorf("top %v: %v is in [%v, %v), want [%v, %v)", tt.top, tt.rps, low, high, tt.low, tt.high)
		}
	}
	closed := bordersOf(runlog.Header{Stages: []runlog.Stage{{Kind: "max"}}})
	for _, rps := range []float64{0.5, 1, 9.99, 10, 12345, 200000} {
		low, high := closed.span(closed.bin(rps))
		if rps >= 1 && (rps < low-1e-9 || rps >= high) || math.Abs(high/low-math.Pow(10, 0.1)) > 1e-9 {
			t.Errorf("closed loop: %v is in [%v, %v)", rps, low, high)
		}
	}
}

// A long run is coarsened, and loses nothing by it.
func TestCoarseWindows(t *testing.T) {
	log, count := ramp()
	for len(log.Windows[0]) < 5001 {
		n := int32(len(log.Windows[0]))
		log.Windows[0] = append(log.Windows[0], attack.Window{Index: n})
		log.Windows[1] = append(log.Windows[1], attack.Window{Target: 1, Index: n})
	}
	r := assemble(log, conclusions(), Options{})
	rows := len(r.Windows.Columns["at_s"])
	if rows > maxRows || r.Windows.IntervalMS != 1250 || rows != 1001 {
		t.Errorf("%d rows of %v ms", rows, r.Windows.IntervalMS)
	}
	if got := sumColumn(r, "orders/wire_resets"); got != float64(count["wire"]) {
		t.Errorf("%v resets in the rows, want %d", got, count["wire"])
	}
	if got := *r.Windows.Columns["offered_rps"][0]; got < 40 || got > 60 {
		t.Errorf("offered %v in the first row", got)
	}
	for name, c := range r.Windows.Columns {
		if len(c) != rows {
			t.Errorf("%s has %d rows", name, len(c))
		}
	}
}

func TestProbesCost(t *testing.T) {
	log, _ := ramp()
	r := assemble(log, conclusions(), Options{})
	// 210 ms over 22 s, of which one is before the load; the agent far away does not cost this machine.
	if p := r.Generator.ProbesCPUPercent; p == nil || fmt.Sprintf("%.2f", *p) != "0.95" {
		t.Errorf("probes cost %v", p)
	}
}

func TestBuildErrors(t *testing.T) {
	for name, log := range map[string]*runlog.Log{
		"nil": nil, "no targets": {Header: runlog.Header{Interval: interval}},
		"no interval": {Header: runlog.Header{Targets: []runlog.Target{{Name: "a"}}}},
	} {
		if _, err := Build(log, Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A log that ended before its first window, or has lost some, is reported.
func TestBuildSparse(t *testing.T) {
	log := &runlog.Log{Header: runlog.Header{Interval: interval, Targets: []runlog.Target{{Name: "a"}, {Name: "b"}}}}
	for name, windows := range map[string][][]attack.Window{
		"none": nil, "one target only": {{{Target: 0, Index: 5, Scheduled: 3}}}, "a hole": {{}, {{Target: 1, Index: 9}}},
	} {
		log.Windows = windows
		r, err := Build(log, Options{Gates: gates(t, "failures < 1%", "onset > 10/s", "p99 < 1s", "headroom(cpu) > 1%")})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := r.Write(new(bytes.Buffer)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(r.Findings) == 0 || r.Complete {
			t.Errorf("%s: complete %v, findings %v", name, r.Complete, r.Findings)
		}
		for _, g := range r.Gates {
			if g.Result != report.GateUndecided {
				t.Errorf("%s: %s is %s", name, g.Expr, g.Result)
			}
		}
	}
}

// An onset says in which unit its stage sets the load.
func TestOnsetWords(t *testing.T) {
	h := runlog.Header{Interval: 250 * time.Millisecond, Stages: []runlog.Stage{
		{Text: "100/s for 10s", Kind: "hold", End: 10 * time.Second, From: 100, To: 100},
		{Text: "connections 10 to 1,600 over 20s", Kind: "connections", Start: 10 * time.Second, End: 30 * time.Second, From: 20, To: 3200, PerConnection: 2},
	}}
	for _, c := range []struct{ at, want string }{{"5s", "rps"}, {"12s", "connections"}, {"31s", "connections"}} {
		at, err := time.ParseDuration(c.at)
		if err != nil {
			t.Fatal(err)
		}
		got := onset(h, diagnose.Onset{Status: diagnose.Found, At: diagnose.Span{Value: at.Seconds()}, EventDelay: at.Seconds() / 100})
		if got.LoadUnit != c.want || (got.DelayS != nil) {
			t.Errorf("at %s: unit %q, delay %v, want %q and none", c.at, got.LoadUnit, got.DelayS, c.want)
		}
	}
	if got := onset(h, diagnose.Onset{Status: diagnose.Found, EventDelay: 3.4}); got.DelayS == nil || *got.DelayS != 3.4 {
		t.Errorf("delay %v, want 3.4 s", got.DelayS)
	}
	if s := stages(h); len(s) != 2 || s[0].LoadUnit != "rps" || s[1].LoadUnit != "connections" || s[1].PerConnectionRPS != 2 {
		t.Errorf("%+v", s)
	}
}

// What the generator held, did not wait for and could not look up is told.
func TestHeldAndUnseen(t *testing.T) {
	log, _ := ramp()
	if r := assemble(log, conclusions(), Options{}); r.Windows.Columns["orders/connections_wanted"] != nil {
		t.Error("a column of held connections, and none were held")
	}
	for i := range log.Windows[0] {
		w := &log.Windows[0][i]
		w.Wanted, w.Open, w.Undialled = int64(10*i), int64(9*i), int64(i)
	}
	log.Windows[0][3].Unawaited = 1004
	log.Windows[1][3].LookupFailures = 2
	r := assemble(log, conclusions(), Options{})
	for name, want := range map[string]float64{"orders/connections_wanted": 100, "orders/connections_open": 90, "orders/connections_late": 10} {
		if c := r.Windows.Columns[name]; len(c) == 0 || *c[10] != want {
			t.Errorf("%s: %v", name, c)
		}
	}
	var got []string
	for _, s := range r.Sources[len(r.Sources)-2:] {
		got = append(got, fmt.Sprintf("%s %s %s %.5s", s.Host, s.Source, s.State, s.Reason))
	}
	want := []string{"local connections to orders partial 1,004", "local addresses of carts partial the n"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
