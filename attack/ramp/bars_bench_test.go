//go:build bench && linux

package ramp

import (
	"fmt"
	"math"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/benchtable"
	"github.com/rampload/rampload/profiles"
)

// costless is a slot whose attempts end at once: what is left is the engine.
type costless struct{ clock func() time.Duration }

func openCostless(cfg attack.ClientConfig) (attack.Client, error) {
	return costlessClient{costless{cfg.Clock}}, nil
}

func (c costless) Do(_ attack.Request, a *attack.Attempt) {
	a.Start = c.clock()
	a.End, a.Status, a.Fault, a.Phase = a.Start, 200, attack.None, attack.PhaseDone
}

func (costless) Compile(profiles.Request) (attack.Request, error) { return costlessRequest{}, nil }
func (c costless) Slot() attack.Slot                              { return c }
func (costless) Stats() attack.ClientStats                        { return attack.ClientStats{} }
func (costless) HoldAt(int, time.Duration)                        {}
func (costless) Drain()                                           {}
func (costless) Abort()                                           {}
func (costless) Close()                                           {}

// costlessClient is a client of such slots.
type costlessClient struct{ costless }

func (costlessClient) Close() error { return nil }

type costlessRequest struct{}

func (costlessRequest) Repeatable() bool { return true }

// BenchmarkBars prints what the engines are held to, as ratios within one run, in
// three rounds of two seconds for each contestant: two to three minutes. It fails
// nothing: a busy machine is no defect.
func BenchmarkBars(b *testing.B) {
	if runtime.NumCPU() < 2 {
		b.Skip("needs a core for the client and one for the server")
	}
	rounds, seconds := int(setting("RAMPLOAD_BENCH_ROUNDS", 3)), setting("RAMPLOAD_BENCH_SECONDS", 2)
	benchtable.Row(b, fmt.Sprintf("medians of %d interleaved rounds of %gs", rounds, seconds), "bar", "measured", "")
	row := func(what, bar string, measured, limit float64, most bool) {
		mark := "met"
		switch {
		case math.IsNaN(measured):
			mark = "not measured"
		case bar == "(none)":
			mark = ""
		case most && measured > limit, !most && measured < limit:
			mark = "NOT MET"
		}
		benchtable.Row(b, what, bar, fmt.Sprintf("%.2f", measured), mark)
	}
	run := func(name string, url string, conns int) figures {
		for _, c := range clients() {
			if c.name != name || c.missing != "" {
				continue
			}
			if f, err := c.run(url, conns, 0, seconds); err == nil {
				return f
			}
		}
		return figures{perSecond: math.NaN(), cpu: math.NaN()}
	}
	// beside compares an engine with a peer: how many requests it sends and, which a
	// busy machine bends less, what one costs.
	beside := func(engine, peer, url string, conns int) (speed, work float64) {
		var speeds, works [2][]float64
		for range rounds {
			for i, name := range []string{engine, peer} {
				f := run(name, url, conns)
				speeds[i], works[i] = append(speeds[i], f.perSecond), append(works[i], f.cpu)
			}
		}
		return middle(speeds[0]) / middle(speeds[1]), middle(works[0]) / middle(works[1])
	}
	cores := func(core string) func() float64 {
		return func() float64 {
			f, err := child(childJob{Engine: "instant", Conns: benchConns, URL: "http://127.0.0.1:1", Seconds: seconds}, core)
			if err != nil {
				b.Error(err)
				return math.NaN()
			}
			return f.perSecond
		}
	}
	for b.Loop() {
		url := startNginx(b, serverCore)
		for _, x := range []struct {
			engine, how string
			conns       int
			bar         float64
		}{
			{"direct", "direct, %s over wrk's, keep-alive, one core", benchConns, 1.05},
			{"direct", "direct, %s over wrk's, Connection: close", 0, 0.9},
			{"vegeta", "vegeta engine, %s over wrk's, keep-alive", benchConns, 0.75},
		} {
			speed, work := beside(x.engine, "wrk", url, x.conns)
			row(fmt.Sprintf(x.how, "requests/s"), fmt.Sprintf(">= %.2f", x.bar), speed, x.bar, false)
			row(fmt.Sprintf(x.how, "CPU a request"), "(none)", work, 0, false)
		}
		row("two cores over one, instant transport", ">= 1.80", ratio(rounds, cores(""), cores(clientCore)), 1.8, false)
		if _, err := exec.LookPath("h2load"); err != nil {
			benchtable.Row(b, "HTTP/2, 64 streams, requests/s over h2load's", "", "", "not measured: h2load is not installed")
		} else {
			speed, _ := beside("http2", "h2load", startNginxWith(b, serverCore, "http2"), benchConns)
			row("HTTP/2, 64 streams of one connection, over h2load's", "(none)", speed, 0, false)
		}
		filled := func(filled bool) func() float64 {
			return func() float64 { return perProcessor(b, url, filled, 250*time.Millisecond) }
		}
		row("direct, filled with data, requests per CPU second over plain", ">= 0.90", ratio(20, filled(true), filled(false)), 0.9, false) // many short turns: long ones scatter
		ids := func(write func(*profiles.Request)) func() float64 {
			return func() float64 { return perProcessorSecond(b, url, 100*time.Millisecond, write) }
		}
		row("direct, ids on every request, requests per CPU second over none", ">= 0.97", ratio(50, ids(withIDs), ids(withoutIDs)), 0.97, false)
		p50, p99, cores := offSchedule(b, rounds, seconds)
		row("off an even 5,000/s at the server, p50 in µs", "<= 10", p50, 10, true)
		row("off an even 5,000/s at the server, p99 in µs", "<= 100", p99, 100, true)
		row("cores that the client takes at 5,000/s", "(none)", cores, math.Inf(1), true)
		row("a held connection that has served a request, bytes", "<= 1300", heldBytes(b, url), 1300, true)
		memory, gather := manyTargets(b, 100, 32)
		slices.Sort(gather)
		row("collector, 100 targets on 32 cores, MB", "<= 64", memory, 64, true)
		row("collector, 100 targets on 32 cores, ms a window", "<= 10", gather[len(gather)/2], 10, true)
	}
}

// ratio is the median of a over that of b, measured in turn.
func ratio(rounds int, a, b func() float64) float64 {
	var as, bs []float64
	for range rounds {
		as, bs = append(as, a()), append(bs, b())
	}
	return middle(as) / middle(bs)
}

func middle(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

func offSchedule(b *testing.B, rounds int, seconds float64) (p50, p99, cores float64) {
	const rate = 5000
	var p50s, p99s, cpus []float64
	for range rounds {
		addr, stop := startStampServer(b)
		f, err := own("direct").run("http://"+addr, benchConns, rate, seconds)
		if err != nil {
			b.Fatal(err)
		}
		cpus = append(cpus, f.cpu*rate/1e6)
		half, most := deviations(stop(), rate)
		p50s, p99s = append(p50s, half), append(p99s, most)
	}
	return middle(p50s), middle(p99s), middle(cpus)
}
