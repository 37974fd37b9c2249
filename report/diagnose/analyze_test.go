package diagnose_test

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

// demo is the payment service of make demo: a child process on this machine with
// a descriptor limit of its own, watched without root.
func demo(seed uint64, limit float64) (*runlog.Log, float64) {
	w := newWorld(rand.New(rand.NewPCG(seed, 77)))
	w.from, w.to, w.length, w.pooled = 50, 500, 18, false
	w.log.Header.Targets = []runlog.Target{{Name: "payments", URL: "http://127.0.0.1:8080", Share: 1, ListenPort: 8080}}
	w.log.Header.Hosts = []runlog.Host{{Name: "local", Addrs: []string{"127.0.0.1"}}}
	w.log.Addresses[0].Addr = netip.MustParseAddrPort("127.0.0.1:8080")
	w.log.Header.Generator.Timeout = 2 * time.Second
	const perRequest = 0.13 // descriptors per request per second
	capacity := (limit - 8) / perRequest
	at := w.timeOf(capacity)
	w.fail = func(r *request) {
		if w.rng.Float64() < excess(r.load, capacity) {
			reset(r, attack.PhaseAwait)
			r.latency, r.reused = 0.003, false
		}
	}
	w.play()
	use := func(t float64) float64 { return w.loadAt(min(max(t, 0), w.length-0.01)) }
	w.series("local", "payments", probe.OpenFiles, limit, func(t float64) float64 {
		return min(limit, math.Round(8+perRequest*use(t)+0.7*w.rng.NormFloat64()))
	})
	w.series("local", "payments", probe.RSS, 8e9, func(t float64) float64 { return 3e7 + 1e5*t })
	w.series("local", "payments", probe.ProcessCPU, math.NaN(), func(t float64) float64 { return min(1, use(t)/1200) })
	w.series("local", "payments", probe.Threads, 30000, func(float64) float64 { return 12 })
	w.series("local", "", probe.CPU, math.NaN(), func(t float64) float64 { return min(1, 0.1+use(t)/800) })
	w.series("local", "", probe.Memory, 8e9, func(float64) float64 { return 3e9 })
	w.series("local", "", probe.ListenQueue, 4096, func(float64) float64 { return float64(w.rng.IntN(2)) })
	w.series("local", "", probe.EphemeralPorts, 28231, func(t float64) float64 { return 100 * max(t, 0) })
	w.series("local", "rampload", probe.OpenFiles, 1048576, func(t float64) float64 { return 20 + use(t)/5 })
	w.series("local", "rampload", probe.ProcessCPU, math.NaN(), func(t float64) float64 { return min(1, use(t)/900) })
	w.counter("local", probe.ListenOverflows, func(float64) float64 { return 0 })
	for _, name := range []string{"host", "process payments", "process rampload", "sockets", "kernel counters"} {
		w.log.Trailer.Sources = append(w.log.Trailer.Sources, probe.Status{Source: probe.Source{Host: "local", Name: name}, State: probe.Measured})
	}
	w.log.Trailer.Sources = append(w.log.Trailer.Sources,
		probe.Status{Source: probe.Source{Host: "local", Name: "reset trace"}, State: probe.NotMeasured, Reason: "the kernel shows its tracepoints to root only"})
	return w.log, at
}

func TestDemo(t *testing.T) {
	for seed := range uint64(20) {
		log, at := demo(seed, 48)
		r := diagnose.Analyze(log)
		f := r.Findings[0]
		if f.Verdict != diagnose.Explains || f.Cause != "server-file-descriptors" || f.Process != "payments" || f.Resource != probe.OpenFiles || f.Host != "local" {
			t.Fatalf("seed %d: %s %s of %q on %q: %s", seed, f.Verdict, f.Cause, f.Process, f.Host, f.Summary)
		}
		if f.Confidence < 0.9 {
			t.Errorf("seed %d: confidence %.2f", seed, f.Confidence)
		}
		o := r.Targets[0].Onsets[0]
		if o.Status != diagnose.Found || o.Fault != attack.Reset || o.At.High-o.At.Low > 2 || at < o.At.Low-1e-9 || at > o.At.High+1e-9 {
			t.Errorf("seed %d: onset %+v, truth %.2f s", seed, o.At, at)
		}
		for _, what := range []string{"cpu", "memory", "listen queue", "generator"} {
			if !slices.ContainsFunc(f.RuledOut, func(e diagnose.Exclusion) bool { return strings.Contains(e.What, what) }) {
				t.Errorf("seed %d: %s is not ruled out: %+v", seed, what, f.RuledOut)
			}
		}
		if len(f.Advice) == 0 || !strings.Contains(f.Advice[0], "LimitNOFILE=") || !strings.Contains(f.Advice[0], "now 48") {
			t.Errorf("seed %d: advice %q", seed, f.Advice)
		}
		if r.Generator.Limited {
			t.Errorf("seed %d: generator limited: %s", seed, r.Generator.Reason)
		}
		for _, x := range r.Resources {
			if x.Metric.Process == "payments" && x.Metric.Name == probe.OpenFiles && x.Verdict != diagnose.Cause {
				t.Errorf("seed %d: open files are %s", seed, x.Verdict)
			}
		}
	}
}

func TestDemoHealthy(t *testing.T) {
	for seed := range uint64(10) {
		log, _ := demo(seed, 4096)
		r := diagnose.Analyze(log)
		if f := r.Findings[0]; f.Verdict != diagnose.Healthy || f.Cause != "healthy" {
			t.Fatalf("seed %d: %s: %s", seed, f.Verdict, f.Summary)
		}
		o := r.Targets[0].Onsets[0]
		if o.Status != diagnose.NoOnset || o.UpperBound <= 0 || o.UpperBound > 0.001 {
			t.Errorf("seed %d: onset %+v", seed, o)
		}
		if m := r.Targets[0].MinDetectable; m < 5e-4 || m > 0.05 {
			t.Errorf("seed %d: smallest share that would be seen %v", seed, m)
		}
	}
}

// plain is a healthy world to spoil.
func plain(seed uint64) *world {
	w := newWorld(rand.New(rand.NewPCG(seed, 99)))
	w.background()
	return w
}

func TestGeneratorLimited(t *testing.T) {
	t.Run("descriptors", func(t *testing.T) {
		w := plain(1)
		c := w.loadBetween(0.5, 0.6)
		w.fail = func(r *request) {
			if w.rng.Float64() < excess(r.load, c) {
				r.fault, r.phase, r.status = attack.FDsExhausted, attack.PhaseDial, 0
			}
		}
		w.play()
		w.complete()
		r := diagnose.Analyze(w.log)
		f := r.Findings[0]
		if f.Verdict != diagnose.GeneratorLimited || f.Cause != "client-file-descriptors" || f.Host != "local" {
			t.Fatalf("%s %s: %s", f.Verdict, f.Cause, f.Summary)
		}
		if math.Abs(r.Generator.Load-c) > 0.1*c {
			t.Errorf("limit at %.0f/s, want %.0f/s", r.Generator.Load, c)
		}
	})
	t.Run("ports", func(t *testing.T) {
		w := plain(2)
		at := w.length * 0.6
		w.fail = func(r *request) {
			if r.due > at && w.rng.Float64() < 0.3 {
				r.fault, r.phase, r.status = attack.PortsExhausted, attack.PhaseDial, 0
			}
		}
		w.play()
		w.complete()
		if f := diagnose.Analyze(w.log).Findings[0]; f.Verdict != diagnose.GeneratorLimited || f.Cause != "client-ephemeral-ports" {
			t.Fatalf("%s %s: %s", f.Verdict, f.Cause, f.Summary)
		}
	})
	late := func(w *world, from, to float64) {
		for i := range w.windows {
			if at := float64(i) * windowLength; at >= from && at < to && len(w.windows[i].Lag) > 0 {
				w.windows[i].Lag = attack.Histogram{{Value: 60_000, Count: w.windows[i].Lag.Total()}}
			}
		}
	}
	t.Run("late", func(t *testing.T) {
		w := plain(3)
		w.play()
		late(w, w.length*0.7, w.length)
		w.complete()
		f := diagnose.Analyze(w.log).Findings[0]
		if f.Verdict != diagnose.GeneratorLimited || f.Cause != "client-cpu" {
			t.Fatalf("%s %s: %s", f.Verdict, f.Cause, f.Summary)
		}
	})
	t.Run("hiccup", func(t *testing.T) {
		w := plain(4)
		w.play()
		late(w, w.length*0.4, w.length*0.4+1.5)
		late(w, 0, 0.5)
		w.complete()
		if r := diagnose.Analyze(w.log); r.Generator.Limited || r.Findings[0].Verdict != diagnose.Healthy {
			t.Fatalf("%s: %s", r.Findings[0].Verdict, r.Findings[0].Summary)
		}
	})
	t.Run("pool", func(t *testing.T) {
		// Requests wait for a free connection of a slow target.
		w := plain(5)
		w.play()
		late(w, w.length*0.6, w.length)
		for i := range w.windows {
			if float64(i)*windowLength > w.length*0.6 {
				w.windows[i].InFlight = 300
			}
		}
		w.complete()
		if r := diagnose.Analyze(w.log); r.Generator.Limited {
			t.Fatalf("a full pool is taken for the generator's limit: %s", r.Generator.Reason)
		}
	})
	t.Run("after the onset", func(t *testing.T) {
		log, at := demo(6, 40)
		for i, w := range log.Windows[0] {
			if float64(i)*windowLength > at+4 && len(w.Lag) > 0 {
				log.Windows[0][i].Lag = attack.Histogram{{Value: 60_000, Count: 10}}
			}
		}
		r := diagnose.Analyze(log)
		if !r.Generator.Limited || r.Findings[0].Verdict != diagnose.Explains {
			t.Fatalf("limited %v, %s: what began before the limit is the target's", r.Generator.Limited, r.Findings[0].Verdict)
		}
	})
	t.Run("a pause before the first request of a journey, and an early end", func(t *testing.T) {
		w := plain(7)
		w.play()
		const pause = int(2 / windowLength)
		for i := len(w.windows) - 1; i >= 0; i-- { // what was due is sent two seconds later
			w.windows[i].Sent = 0
			if i >= pause {
				w.windows[i].Sent = w.windows[i-pause].Scheduled
			}
		}
		w.complete()
		trailer := w.log.Trailer
		if trailer == nil {
			trailer = &runlog.Trailer{Ended: dur(w.length)}
			w.log.Trailer = trailer
		}
		trailer.Aborted = "failures > 50%"
		last := &w.log.Windows[0][len(w.log.Windows[0])-1]
		for _, x := range w.windows[len(w.windows)-pause:] {
			last.Unsent += x.Scheduled
		}
		if r := diagnose.Analyze(w.log); r.Generator.Limited {
			t.Fatalf("limited: %s", r.Generator.Reason)
		}
	})
	t.Run("shortfall", func(t *testing.T) {
		w := plain(7)
		w.play()
		for i := range w.windows {
			if float64(i)*windowLength > w.length*0.5 {
				w.windows[i].Sent = w.windows[i].Sent * 9 / 10
			}
		}
		w.complete()
		if f := diagnose.Analyze(w.log).Findings[0]; f.Verdict != diagnose.GeneratorLimited || f.Cause != "client-cpu" {
			t.Fatalf("%s %s: %s", f.Verdict, f.Cause, f.Summary)
		}
	})
}

// Connections to hold that were due and not even begun are the generator's shortfall.
func TestGeneratorLateWithConnections(t *testing.T) {
	for _, late := range []bool{false, true} {
		w := plain(7)
		w.play()
		for i := range w.windows {
			w.windows[i].Wanted = int64(i + 1)
			if late && float64(i)*windowLength > w.length*0.5 {
				w.windows[i].Undialled = int64(i/2 + 4)
			}
		}
		w.complete()
		r := diagnose.Analyze(w.log)
		if r.Generator.Limited != late {
			t.Errorf("late %v: limited %v: %s", late, r.Generator.Limited, r.Generator.Reason)
		}
		if late && !strings.Contains(r.Generator.Reason, "connections that were due") {
			t.Errorf("reason %q", r.Generator.Reason)
		}
	}
}

// A gap of the serving host's probes around the onset hides the answer.
func TestGapAtOnset(t *testing.T) {
	log, at := demo(1, 48)
	for i := range log.Series {
		s := &log.Series[i]
		if s.Metric.Process == "rampload" {
			continue
		}
		var kept runlog.Series
		kept.Metric = s.Metric
		for j := range s.At {
			if d := s.At[j].Seconds() - at; d < -3 {
				kept.At, kept.Value, kept.Limit = append(kept.At, s.At[j]), append(kept.Value, s.Value[j]), append(kept.Limit, s.Limit[j])
			}
		}
		*s = kept
	}
	r := diagnose.Analyze(log)
	if f := r.Findings[0]; f.Verdict != diagnose.Inconclusive {
		t.Fatalf("%s %s %.2f: %s", f.Verdict, f.Cause, f.Confidence, f.Summary)
	}
	for _, x := range r.Resources {
		if x.Metric.Process == "payments" && x.Metric.Name == probe.OpenFiles && x.Verdict != diagnose.NotMeasured {
			t.Errorf("open files are %s (%s), want not-measured", x.Verdict, x.Reason)
		}
	}
}

// Where the clock of a host is off by more than half a second, what came first
// there tells nothing.
func TestClockError(t *testing.T) {
	s := scenarios()[0]
	log, _ := build(s, rand.New(rand.NewPCG(3, 0)))
	log = seen(log, noRoot)
	if f := diagnose.Analyze(log).Findings[0]; f.Cause != s.cause || f.Verdict != diagnose.Explains {
		t.Fatalf("with a good clock: %s %s", f.Verdict, f.Cause)
	}
	log.Trailer.ClockErrors = map[string]time.Duration{serverHost: 2 * time.Second}
	r := diagnose.Analyze(log)
	if f := r.Findings[0]; f.Verdict == diagnose.Explains && f.Resource == probe.OpenFiles {
		t.Errorf("explained by the order of events across clocks 2 s apart: %s", f.Summary)
	}
	for _, x := range r.Resources {
		if x.Metric.Host == serverHost && x.Metric.Name == probe.OpenFiles && x.Verdict == diagnose.RuledOut {
			t.Errorf("ruled out across clocks 2 s apart: %s", x.Reason)
		}
	}
}

func TestOneBadInstance(t *testing.T) {
	w := plain(8)
	w.log.Addresses = append(w.log.Addresses, attack.Address{Target: 0, Index: 2, Addr: netip.MustParseAddrPort("10.0.0.7:8080")},
		attack.Address{Target: 0, Index: 3, Addr: netip.MustParseAddrPort("10.0.0.8:8080")})
	w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: "orders-2", Addrs: []string{"10.0.0.7"}})
	w.fail = func(r *request) {
		r.remote = 1 + w.rng.IntN(3)
		if r.remote == 2 && w.rng.Float64() < 0.03 {
			reset(r, attack.PhaseAwait)
		}
	}
	w.play()
	w.complete()
	f := diagnose.Analyze(w.log).Findings[0]
	if f.Verdict == diagnose.Healthy {
		t.Fatalf("healthy: %s", f.Summary)
	}
	if !slices.ContainsFunc(f.Evidence, func(e diagnose.Evidence) bool { return strings.Contains(e.Text, "10.0.0.7:8080") }) {
		t.Errorf("the instance is not named: %+v", f.Evidence)
	}
}

// The same load through and around a load balancer: the balancer fails.
func TestBalancerNotInstances(t *testing.T) {
	w := plain(9)
	w.log.Header.Targets = []runlog.Target{
		{Name: "through", URL: "http://10.0.0.9", Hosts: []string{"lb", serverHost}, ListenPort: serverPort},
		{Name: "around", URL: "http://10.0.0.2", Hosts: []string{serverHost}, ListenPort: serverPort},
	}
	w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: "lb", Addrs: []string{"10.0.0.9"}})
	c := w.loadBetween(0.4, 0.6)
	w.fail = func(r *request) {
		if w.rng.Float64() < excess(r.load, c) {
			r.fault, r.phase, r.status = attack.Status, attack.PhaseDone, 503
		}
	}
	w.play()
	through := w.windows
	w.fail = nil
	failures := w.log.Failures
	w.play()
	for i := range w.windows {
		w.windows[i].Target = 1
	}
	w.log.Windows = [][]attack.Window{through, w.windows}
	w.log.Failures = failures
	w.series("lb", "haproxy", probe.OpenFiles, 512, func(t float64) float64 {
		return min(512, math.Round(512*w.loadAt(min(max(t, 0), w.length-0.01))/c))
	})
	// The instance's files fill up at the same time, and do no harm.
	w.series(serverHost, serverName, probe.OpenFiles, 256, func(t float64) float64 {
		return min(256, math.Round(256*w.loadAt(min(max(t, 0), w.length-0.01))/c))
	})
	w.complete()
	f := diagnose.Analyze(w.log).Findings[0]
	if f.Cause != "proxy-file-descriptors" || f.Host != "lb" || f.Target != "through" {
		t.Fatalf("%s %s of %s on %q: %s", f.Verdict, f.Cause, f.Target, f.Host, f.Summary)
	}
}

func TestFullFromTheStart(t *testing.T) {
	w := plain(10)
	w.fail = func(r *request) {
		if w.rng.Float64() < 0.5 {
			reset(r, attack.PhaseAwait)
			r.reused = false
		}
	}
	w.play()
	w.series(serverHost, serverName, probe.OpenFiles, 64, func(float64) float64 { return 64 })
	w.complete()
	r := diagnose.Analyze(w.log)
	o := r.Targets[0].Onsets[0]
	if o.Status != diagnose.LeftCensored || o.Load.Low != 0 || o.Load.High < w.from*0.9 {
		t.Errorf("onset %+v, want left-censored at or below %.0f/s", o, w.from)
	}
	if f := r.Findings[0]; f.Verdict == diagnose.Healthy || f.Verdict == diagnose.Unexplained && f.Confidence > 0.95 {
		t.Errorf("%s %s: %s", f.Verdict, f.Cause, f.Summary)
	}
	// With an onset later, a resource full all the time says nothing.
	log, _ := build(scenarios()[7], rand.New(rand.NewPCG(1, 7)))
	for i := range log.Series {
		if s := &log.Series[i]; s.Metric.Host == serverHost && s.Metric.Name == probe.OpenFiles {
			for j := range s.Value {
				s.Value[j] = s.Limit[j]
			}
		}
	}
	r = diagnose.Analyze(log)
	for _, x := range r.Resources {
		if x.Metric.Host == serverHost && x.Metric.Name == probe.OpenFiles && x.Verdict != diagnose.FullThroughout {
			t.Errorf("always full: %s (%s)", x.Verdict, x.Reason)
		}
	}
}

func TestRecoveryAndRamps(t *testing.T) {
	w := plain(11)
	w.down = w.length
	c := w.loadBetween(0.5, 0.6)
	w.fail = func(r *request) {
		if w.rng.Float64() < excess(r.load, c) {
			reset(r, attack.PhaseAwait)
		}
	}
	w.play()
	w.complete()
	r := diagnose.Analyze(w.log)
	o, back := r.Targets[0].Onsets[0], r.Targets[0].Recovery
	if o.Status != diagnose.Found || back == nil {
		t.Fatalf("onset %s, recovery %v", o.Status, back)
	}
	if math.Abs(back.Value-c) > 0.1*c || math.Abs(o.Load.Value-c) > 0.1*c {
		t.Errorf("onset at %.0f/s, recovery at %.0f/s, truth %.0f/s", o.Load.Value, back.Value, c)
	}
}

func TestCounterRestart(t *testing.T) {
	log, at := build(scenarios()[3], rand.New(rand.NewPCG(5, 3)))
	for i := range log.Series {
		if s := &log.Series[i]; s.Metric.Name == probe.ListenOverflows {
			// Close to 2³², so that it wraps soon after the onset.
			for j := range s.Value {
				v := math.Mod(s.Value[j]-s.Value[0]+(1<<32)-40, 1<<32)
				s.Value[j] = v
			}
		}
	}
	f := diagnose.Analyze(log).Findings[0]
	if f.Cause != "listen-backlog" || f.Verdict != diagnose.Explains {
		t.Errorf("with a counter that wraps at %.1f s: %s %s", at, f.Verdict, f.Cause)
	}
}

// What was not observed is not zero: without any view of the server, a reset is
// not blamed on the path.
func TestNotObservedIsNotZero(t *testing.T) {
	for k, s := range scenarios() {
		for seed := range uint64(3) {
			log, _ := build(s, rand.New(rand.NewPCG(seed, uint64(k))))
			for _, f := range diagnose.Analyze(seen(log, clientOnly)).Findings {
				for _, e := range append(f.Evidence, diagnose.Evidence{Text: f.Summary}) {
					if strings.Contains(e.Text, "sent 0") || strings.Contains(e.Text, "counted 0 sent") || strings.Contains(e.Text, "no process ended") {
						t.Errorf("%s: claims what nobody watched: %s", s.cause, e.Text)
					}
				}
				if f.Verdict == diagnose.Explains && (strings.HasPrefix(f.Cause, "path-re") || f.Cause == "path-rate-limit" || f.Cause == "host-firewall") {
					t.Errorf("%s: explains %s from the client's side alone", s.cause, f.Cause)
				}
			}
		}
	}
}

func TestNothing(t *testing.T) {
	for name, log := range map[string]*runlog.Log{
		"empty":       {},
		"header only": {Header: runlog.Header{Interval: 250 * time.Millisecond, Targets: []runlog.Target{{Name: "orders"}}}},
		"one window": {
			Header:  runlog.Header{Interval: 250 * time.Millisecond, Targets: []runlog.Target{{Name: "orders"}}},
			Windows: [][]attack.Window{{{Scheduled: 3, Sent: 3, Cells: []attack.Cell{{Phase: attack.PhaseDone, Attempts: 3, Requests: 3}}}}},
		},
		"no window": {Header: runlog.Header{Targets: []runlog.Target{{Name: "orders"}}}, Windows: [][]attack.Window{nil}},
	} {
		r := diagnose.Analyze(log)
		if len(r.Findings) == 0 || r.Findings[0].Verdict != diagnose.Inconclusive {
			t.Errorf("%s: %+v", name, r.Findings)
		}
		if len(r.Warnings) == 0 {
			t.Errorf("%s: no warning that the log has no end", name)
		}
	}
}

func TestPure(t *testing.T) {
	for k, s := range scenarios() {
		log, _ := build(s, rand.New(rand.NewPCG(1, uint64(k))))
		same, _ := build(s, rand.New(rand.NewPCG(1, uint64(k))))
		x, y := diagnose.Analyze(log), diagnose.Analyze(log)
		if !equal(x, y) {
			t.Errorf("%s: two analyses of one log differ", s.cause)
		}
		if !equal(log, same) {
			t.Errorf("%s: the log was changed", s.cause)
		}
	}
}

func equal(x, y any) bool {
	return cmp.Equal(x, y, cmpopts.EquateNaNs(), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}))
}

func TestOddLogs(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 5))
		s := scenarios()[rng.IntN(len(scenarios()))]
		log, _ := build(s, rng)
		damage(rng, log)
		r := diagnose.Analyze(log)
		if len(r.Findings) == 0 || r.Findings[0].Verdict == "" || r.Findings[0].Summary == "" {
			t.Fatalf("seed %d: no verdict", seed)
		}
		for _, f := range r.Findings {
			if math.IsNaN(f.Confidence) || f.Confidence < 0 || f.Confidence > 1+1e-9 {
				t.Fatalf("seed %d: confidence %v", seed, f.Confidence)
			}
		}
	}
}

// damage does to a log what crashes, lost probes and odd hosts do.
func damage(rng *rand.Rand, log *runlog.Log) {
	for range 3 {
		switch rng.IntN(8) {
		case 0:
			log.Trailer, log.Truncated = nil, true
		case 1:
			w := log.Windows[0]
			cut := rng.IntN(len(w))
			log.Windows[0] = w[:cut]
		case 2:
			for i := range log.Series {
				s := &log.Series[i]
				n := rng.IntN(len(s.At) + 1)
				s.At, s.Value, s.Limit = s.At[:n], s.Value[:n], s.Limit[:n]
			}
		case 3:
			log.Header.Stages = nil
		case 4:
			log.Header.Targets[0].Hosts = []string{"nobody", "knows"}
		case 5:
			log.Failures = log.Failures[:len(log.Failures)/3]
		case 6:
			for i := range log.Series {
				for j := range log.Series[i].Value {
					if rng.IntN(10) == 0 {
						log.Series[i].Value[j] = math.NaN()
					}
				}
			}
		case 7:
			log.Addresses, log.Header.Generator = nil, runlog.Generator{}
		}
	}
}
