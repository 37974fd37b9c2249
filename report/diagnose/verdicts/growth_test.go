package verdicts

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/diagnose/onset"
	"github.com/rampload/rampload/report/diagnose/saturation"
	"github.com/rampload/rampload/report/runlog"
	"github.com/rampload/rampload/report/stats"
)

// steady is the analysis of half a minute at 100/s, of which nothing failed, with
// one metric of a limit, read four times a second.
func steady(m probe.Metric, limit float64, value func(t float64) float64) (*evidence.Run, *evidence.Resource) {
	return loaded(m, limit, value, func(float64) float64 { return 100 })
}

// loaded is the analysis of half a minute at a load in requests per second, as
// steady is.
func loaded(m probe.Metric, limit float64, value, load func(t float64) float64) (*evidence.Run, *evidence.Resource) {
	log := &runlog.Log{Header: runlog.Header{
		Interval: 250 * time.Millisecond, Targets: []runlog.Target{{Name: "orders"}},
		Stages: []runlog.Stage{{Text: "half a minute", Kind: "ramp", End: 30 * time.Second, From: load(0), To: load(30)}},
	}, Windows: make([][]attack.Window, 1)}
	s := runlog.Series{Metric: m}
	for i := range int32(120) {
		at := time.Duration(i) * 250 * time.Millisecond
		n := uint64(load(at.Seconds()+0.125) / 4)
		log.Windows[0] = append(log.Windows[0], attack.Window{Index: i, Scheduled: n, Sent: n, Cells: []attack.Cell{
			{DueWindow: i, Phase: attack.PhaseDone, Attempts: n, Requests: n},
		}})
		s.At, s.Value, s.Limit = append(s.At, at), append(s.Value, value(at.Seconds())), append(s.Limit, limit)
	}
	log.Series = []runlog.Series{s}
	a := evidence.NewRun(log)
	saturation.ReadResources(a)
	return a, a.Resources[0]
}

const mib = 1 << 20

// The growth of what restarts is that of one life, not of the mean over lives.
func TestGrowthOverARestart(t *testing.T) {
	memory := probe.Metric{Host: "local", Process: "node", Name: probe.CgroupMemory}
	for name, c := range map[string]struct {
		value func(t float64) float64
		slope float64 // 0: it does not grow
		to    float64
	}{
		"a leak and a restart": {func(t float64) float64 {
			if t < 20 {
				return (20 + 6*t) * mib
			}
			return (20 + 6*(t-21)*math.Max(0, math.Copysign(1, t-21))) * mib
		}, 6 * mib, 20},
		"jumps beside it":  {func(t float64) float64 { return (20 + 4*t + 8*math.Mod(7*t, 1)) * mib }, 4 * mib, 29.75},
		"at its limit":     {func(t float64) float64 { return math.Min(150, 30+10*t) * mib }, 10 * mib, 11.75},
		"a level":          {func(float64) float64 { return 60 * mib }, 0, 0},
		"given back often": {func(t float64) float64 { return (40 + 30*math.Mod(t, 1)) * mib }, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a, r := steady(memory, 150*mib, c.value)
			g, ok := saturation.LongestClimb(a, r)
			switch {
			case ok != (c.slope > 0):
				t.Errorf("%+v, want growth of %v", g, c.slope)
			case ok && (math.Abs(g.Slope/c.slope-1) > 0.05 || math.Abs(g.To-c.to) > 0.5):
				t.Errorf("%.2f MiB/s up to %v, want %.2f up to %v", g.Slope/mib, g.To, c.slope/mib, c.to)
			}
		})
	}
}

// A leak is told before the limit that only delays it; what levels off, or what
// waits to be answered, is none.
func TestLeakAdvice(t *testing.T) {
	files := probe.Metric{Host: "local", Process: "python3", Name: probe.OpenFiles}
	for name, c := range map[string]struct {
		value   func(t float64) float64
		waiting float64 // requests in flight a second
		leak    bool
	}{
		"a file each eighth request": {func(t float64) float64 { return math.Min(256, 15+12.5*t) }, 0, true},
		"warms up":                   {func(t float64) float64 { return 256 - 240*math.Exp(-t/3) }, 0, false},
		"requests pile up":           {func(t float64) float64 { return math.Min(256, 15+12.5*t) }, 12.5, false},
	} {
		t.Run(name, func(t *testing.T) {
			a, r := steady(files, 256, c.value)
			for i := range a.Targets[0].InFlight {
				a.Targets[0].InFlight[i] = c.waiting * a.Seconds(float64(i))
			}
			inv := &inquiry.Investigation{Case: &evidence.Case{Run: a, Target: a.Targets[0], Onset: &evidence.Onset{Status: evidence.Found, At: evidence.Span{Value: 20}}, At: 20}}
			got := inv.FileAdvice(&inquiry.Hypothesis{Lead: r})
			if is := strings.Contains(got[0], "a leak"); is != c.leak {
				t.Errorf("leak %v, want %v: %q", is, c.leak, got)
			}
			if c.leak && (!strings.Contains(got[0], "grew by 12/s") && !strings.Contains(got[0], "grew by 13/s") || !strings.Contains(got[1], "LimitNOFILE=512 (now 256); only delays it, to about 40 s")) {
				t.Errorf("%q", got)
			}
		})
	}
}

// On a ramp a leak grows with all that was sent; what grows with the load of the
// time, or with the connections that are open, is none.
func TestLeakOnARamp(t *testing.T) {
	files := probe.Metric{Host: "local", Process: "python3", Name: probe.OpenFiles}
	for name, c := range map[string]struct {
		value func(t float64) float64
		open  func(t float64) float64
		leak  bool
	}{
		"a file each eighth request": {func(t float64) float64 { return 15 + 0.125*5*t*t }, func(float64) float64 { return 20 }, true},
		"files as the load":          {func(t float64) float64 { return 15 + 10*t }, func(float64) float64 { return 20 }, false},
		"files as connections":       {func(t float64) float64 { return 15 + 0.5*t*t }, func(t float64) float64 { return 0.5 * t * t }, false},
	} {
		t.Run(name, func(t *testing.T) {
			a, r := loaded(files, 700, c.value, func(t float64) float64 { return 10 * t })
			target := a.Targets[0]
			for i := range target.Open {
				target.Open[i] = c.open(a.Seconds(float64(i)))
			}
			inv := &inquiry.Investigation{Case: &evidence.Case{Run: a, Target: target, Onset: &evidence.Onset{Status: evidence.Found, At: evidence.Span{Value: 20}}, At: 20}}
			got := inv.FileAdvice(&inquiry.Hypothesis{Lead: r})
			if is := strings.Contains(got[0], "a leak"); is != c.leak {
				t.Errorf("leak %v, want %v: %q", is, c.leak, got)
			}
			if c.leak && (!strings.Contains(got[0], "grew by 0.12 a request of all that were sent") && !strings.Contains(got[0], "grew by 0.13 a request of all that were sent") || !strings.Contains(got[1], "(now 700); only delays it")) {
				t.Errorf("%q", got)
			}
		})
	}
}

// A table of tracked connections is filled by closed ones.
func TestConntrackAdvice(t *testing.T) {
	table := probe.Metric{Host: "router", Name: probe.Conntrack}
	for name, c := range map[string]struct {
		value func(t float64) float64
		want  string
	}{
		"every connection stays": {func(t float64) float64 { return math.Min(2500, 5*t*t) }, "now 2,500; an entry outlives its connection by up to 120 s: 299/s needs about 36,000"},
		"as many as are open":    {func(t float64) float64 { return math.Min(2500, 100*t) }, "now 2,500; 299/s needs about 3,"},
	} {
		t.Run(name, func(t *testing.T) {
			a, r := loaded(table, 2500, c.value, func(t float64) float64 { return 10 * t })
			inv := &inquiry.Investigation{Case: &evidence.Case{Run: a, Target: a.Targets[0], Onset: &evidence.Onset{Status: evidence.Found, At: evidence.Span{Value: 22}}, At: 22}}
			if got := inv.ConntrackAdvice(&inquiry.Hypothesis{Lead: r}); !strings.Contains(got[0], c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// Closed connections hold ports for a minute: the need is load times that.
func TestPortsInTimeWait(t *testing.T) {
	ports := probe.Metric{Host: "gw", Name: probe.EphemeralPorts, Instance: "10.0.0.2:8000"}
	a, r := steady(ports, 600, func(t float64) float64 { return math.Min(600, 100*t) })
	inv := &inquiry.Investigation{Case: &evidence.Case{Run: a, Target: a.Targets[0], Onset: &evidence.Onset{Status: evidence.Found, At: evidence.Span{Value: 6}}, At: 6}}
	h := &inquiry.Hypothesis{Lead: r}
	if got := strings.Join(inv.PortAdvice(h), "; "); strings.Contains(got, "TIME_WAIT") {
		t.Errorf("%q although TIME_WAIT was not read", got)
	}
	wait := *r
	wait.Metric = probe.Metric{Host: "gw", Name: probe.TimeWait}
	a.Resources = append(a.Resources, &wait)
	need, closed, ok := inv.PortsHeld(r)
	if !ok || closed < 590 || math.Abs(need/6000-1) > 0.1 {
		t.Errorf("%v ports for %v closed, %v: want 6,000 for 600", need, closed, ok)
	}
	if got := strings.Join(inv.PortAdvice(h), "; "); !strings.Contains(got, "held by closed connections, each for 60 s (TIME_WAIT)") || !strings.Contains(got, "100/s needs about 6,") {
		t.Errorf("%q", got)
	}
}

func TestHeldConnections(t *testing.T) {
	a := &evidence.Run{Log: &runlog.Log{Header: runlog.Header{Stages: []runlog.Stage{
		{Kind: "hold", End: 10 * time.Second, From: 50, To: 50},
		{Kind: "connections", Start: 10 * time.Second, End: 20 * time.Second, From: 2500, PerConnection: 2.5},
	}}}}
	for got, want := range map[string]string{
		a.LoadText(50, 5): "50/s", a.LoadText(200, 12): "80 connections", a.LoadText(2.5, 22): "1 connection",
		a.LoadSpanText(evidence.Span{Value: 200, Low: 150, High: 250}, 12): "80 connections (60-100)", a.LoadSpanText(evidence.Span{Value: 200, Low: 200, High: 200}, 5): "200/s",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Windows of faults that follow each other are one outage.
func TestOutages(t *testing.T) {
	a := &evidence.Run{Grid: evidence.Grid{Step: 0.25}}
	for _, c := range []struct {
		windows []int
		want    string
	}{
		{[]int{96, 97, 98, 99}, "one outage of 1 s"},
		{[]int{96}, "one outage of 0.25 s"},
		{[]int{20, 21, 80}, "2 outages, the longest 0.5 s"},
	} {
		var rise stats.Rise
		for _, w := range c.windows {
			rise.Bursts = append(rise.Bursts, stats.Burst{Window: w, Count: 9})
		}
		if got := onset.Outages(a, rise); got != c.want {
			t.Errorf("%v: %q, want %q", c.windows, got, c.want)
		}
	}
}

// What has no limit to be full of is neither full nor a candidate.
func TestVerdictsWithoutALimit(t *testing.T) {
	for name, c := range map[string]struct {
		m     probe.Metric
		limit float64
		value func(t float64) float64
		want  ResourceVerdict
	}{
		"pressure":        {probe.Metric{Host: "local", Name: probe.CPUPressure}, math.NaN(), func(t float64) float64 { return 5e5 * t }, SymptomOnly},
		"shared pages":    {probe.Metric{Host: "local", Process: "node", Name: probe.RSS}, 100 * mib, func(t float64) float64 { return math.Min(130, 80+4*t) * mib }, RuledOut},
		"its cgroup":      {probe.Metric{Host: "local", Process: "node", Name: probe.CgroupMemory}, 100 * mib, func(t float64) float64 { return math.Min(100, 80+4*t) * mib }, Candidate},
		"overflows":       {probe.Metric{Host: "local", Name: probe.ListenOverflows}, math.NaN(), func(t float64) float64 { return math.Floor(50 * t) }, FullThroughout},
		"memory, no more": {probe.Metric{Host: "local", Process: "node", Name: probe.RSS}, 100 * mib, func(float64) float64 { return 60 * mib }, Headroom},
	} {
		t.Run(name, func(t *testing.T) {
			a, r := steady(c.m, c.limit, c.value)
			inv := &inquiry.Investigation{Case: &evidence.Case{Run: a, Target: a.Targets[0], Onset: &evidence.Onset{Status: evidence.Found, At: evidence.Span{Value: 7, Low: 6.8, High: 7.2}}, At: 7, Sigma: 0.2}}
			var got Resource
			judgeVerdict(a, r, saturated(r), inv, &got)
			if got.Verdict != c.want {
				t.Errorf("%s (%s), want %s", got.Verdict, got.Reason, c.want)
			}
			if (c.want == SymptomOnly || c.want == RuledOut) && got.Lag != nil {
				t.Errorf("%+v has a time at which it was full", got)
			}
		})
	}
}

func saturated(r *evidence.Resource) *evidence.Saturation {
	if r.Counter != nil {
		return r.Counter.Start
	}
	return r.Full
}

// A full processor that harmed nobody is told beside the limit that is nearest.
func TestNearest(t *testing.T) {
	a, files := steady(probe.Metric{Host: "local", Process: "app", Name: probe.OpenFiles}, 400, func(t float64) float64 { return 100 + 6*t })
	busy := func(most float64) *evidence.Resource {
		r := &evidence.Resource{Metric: probe.Metric{Host: "local", Name: probe.CPU}, Limit: 1, Peak: most, Most: most}
		r.Def, _ = r.Metric.Def()
		return r
	}
	inv := &inquiry.Investigation{Case: &evidence.Case{Run: a, Target: a.Targets[0], Hops: []evidence.Hop{{Host: "local"}}}}
	for most, told := range map[float64]bool{1: true, 0.75: false} {
		cpu := busy(most)
		a.Resources = []*evidence.Resource{cpu, files}
		want := []*evidence.Resource{files}
		if told {
			want = append(want, cpu)
		}
		if got := nearest(inv); !slices.Equal(got, want) {
			t.Errorf("cpu %v: %d told", most, len(got))
		}
		a.Resources = []*evidence.Resource{cpu}
		if got := nearest(inv); !slices.Equal(got, []*evidence.Resource{cpu}) {
			t.Errorf("alone, cpu %v: %d told", most, len(got))
		}
	}
	// A disk that is half full bears any load; one that is nearly full does not.
	for most, told := range map[float64]bool{0.6: false, 0.95: true} {
		disk := busy(most)
		disk.Metric.Name = probe.FileSystem
		disk.Def, _ = disk.Metric.Def()
		a.Resources = []*evidence.Resource{files, disk}
		if got := nearest(inv); len(got) == 0 || (got[0] == disk) != told {
			t.Errorf("disk %v: %d told", most, len(got))
		}
	}
	// A limit that is far says less than a processor that is busier.
	far, cpu := busy(0.1), busy(0.5)
	far.Metric.Name = probe.TimeWait
	far.Def, _ = far.Metric.Def()
	a.Resources = []*evidence.Resource{far, cpu}
	if got := nearest(inv); !slices.Equal(got, []*evidence.Resource{cpu}) {
		t.Errorf("beside a far limit: %d told", len(got))
	}
}

// Of several causes that fit only the first says what happened; one alone is not
// "settled" among others. Evidence that another text repeats is left out.
func TestAmbiguousSaysThingsOnce(t *testing.T) {
	a, _ := steady(probe.Metric{Host: "local", Name: probe.CPU}, 1, func(float64) float64 { return 0.1 })
	failed := inquiry.Evidence{Source: "client", Text: "failed connections had rested 2 s"}
	longer := inquiry.Evidence{Source: "client", Text: failed.Text + "; of the others 0%"}
	fits := func(cause string, posterior float64, own string) *inquiry.Hypothesis {
		return &inquiry.Hypothesis{Cause: cause, Posterior: posterior, Rule: inquiry.Rule{Says: cause + " did it"}, Pro: []inquiry.Evidence{failed, longer, {Source: "client", Text: own}}}
	}
	inv := &inquiry.Investigation{
		Case: &evidence.Case{
			Run: a, Target: a.Targets[0], Facts: []*evidence.Facts{{}}, Hops: []evidence.Hop{{}}, Onset: &evidence.Onset{Status: evidence.Found, Fault: attack.Reset, At: evidence.Span{Value: 5, Low: 5, High: 5}, Load: evidence.Span{Value: 100, Low: 100, High: 100}, Constant: onset.ConstantUntil(a, 5), EventDelay: 3},
		},
		Hypotheses: []*inquiry.Hypothesis{fits("first", 0.5, "one"), fits("second", 0.3, "two"), fits("third", 0.05, "three")},
	}
	got := ambiguous(inv, evidence.GeneratorState{})
	if len(got) != 2 || !strings.Contains(got[0].Summary, "after 5 s of a constant 100/s") || !strings.Contains(got[0].Summary, "failed 3 s after they were due") || !strings.Contains(got[0].Summary, "does not settle it: first (50%), second (30%)") {
		t.Fatalf("%+v", got)
	}
	if s := got[1].Summary; !strings.HasPrefix(s, "Or second (30%): Second did it") || strings.Contains(s, "constant") || strings.Contains(s, "settle") {
		t.Errorf("%q", s)
	}
	texts := map[string]int{}
	for _, f := range got {
		for _, e := range f.Evidence {
			texts[e.Text]++
		}
	}
	if texts["one"] != 1 || texts["two"] != 1 || texts[longer.Text] != 1 || texts[failed.Text] != 0 || len(got[1].Evidence) != 1 {
		t.Errorf("%v", texts)
	}
	inv.Hypotheses = inv.Hypotheses[:1]
	if got := ambiguous(inv, evidence.GeneratorState{}); len(got) != 1 || !strings.Contains(got[0].Summary, "does not prove it: first (50%), something else 50%") {
		t.Errorf("%+v", got)
	}
}
