package reach_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/reach"
	"github.com/rampload/rampload/report/runlog"
)

// run is a load of 30 s of which requests fail from 12 s on.
func run(rng *rand.Rand, constant bool) reach.Load {
	l := reach.Load{Step: 0.25}
	for i := range 120 {
		n := 25.0
		if !constant {
			n = 10 + 0.3*float64(i)
		}
		failed := 0.0
		if i >= 48 {
			failed = math.Floor(n * (0.5 + 0.4*rng.Float64()))
		}
		l.Ok, l.Failed = append(l.Ok, n-failed), append(l.Failed, failed)
	}
	return l
}

// total is a total that grows by what each request brings, and some noise.
func total(rng *rand.Rand, l reach.Load, host, name string, ok, failed float64) runlog.Series {
	s := runlog.Series{Metric: probe.Metric{Host: host, Name: name, Instance: "eth0"}}
	sum := 5000.0
	for i := -8; i <= len(l.Ok); i++ {
		if i > 0 {
			sum += ok*l.Ok[i-1] + failed*l.Failed[i-1]
		}
		sum += 30 + 10*rng.Float64()
		s.At, s.Value = append(s.At, time.Duration(float64(i)*l.Step*float64(time.Second))), append(s.Value, sum)
	}
	return s
}

func near(got, want, err float64) bool { return math.Abs(got-want) <= err }

// A failed request is told from a served one by what each adds to a total, at a load that
// grows and at one that stays.
func TestPer(t *testing.T) {
	for seed := range uint64(20) {
		for _, constant := range []bool{false, true} {
			rng := rand.New(rand.NewPCG(seed, 1))
			l := run(rng, constant)
			s := total(rng, l, "db", probe.NetReceived, 400, 250)
			p := l.Per(l.Resample(&s))
			if !p.Known() || !near(p.Ok, 400, 20) || !near(p.Failed, 250, 25) {
				t.Fatalf("seed %d, constant %v: %+v", seed, constant, p)
			}
		}
	}
	few := reach.Load{Step: 0.25, Ok: make([]float64, 120), Failed: make([]float64, 120)}
	few.Ok[3], few.Failed[50] = 40, 5
	if p := few.Per(make([]float64, 40)); p.Known() {
		t.Errorf("told from five failures: %+v", p)
	}
	if p := run(rand.New(rand.NewPCG(1, 1)), false).Per(nil); p.Known() {
		t.Errorf("told from no readings: %+v", p)
	}
}

// What a hop exchanges with those behind it is not counted as its own; where nothing comes
// further, the hop before is the deepest.
func TestFollow(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	l := run(rng, false)
	db := &reach.Node{Hosts: []string{"db"}}
	api := &reach.Node{Hosts: []string{"api"}, Next: []*reach.Node{db}}
	web := &reach.Node{Hosts: []string{"web"}, Next: []*reach.Node{api}}
	var log runlog.Log
	add := func(host string, inOk, inFailed, outOk, outFailed float64) {
		log.Series = append(log.Series, total(rng, l, host, probe.NetReceived, inOk, inFailed), total(rng, l, host, probe.NetSent, outOk, outFailed))
	}
	// A request brings 300 to web, 320 to api and 250 to db; one that fails ends at api.
	add("web", 300+420, 300+200, 400+320, 350+320)
	add("api", 320+700, 320, 420+250, 200)
	add("db", 250, 0, 700, 0)
	hops := reach.Follow(&log, web, l)
	if len(hops) != 3 || !near(hops[1].Arrived.Failed, 320, 40) || !near(hops[1].Answered.Failed, 200, 40) {
		t.Fatalf("%+v", hops)
	}
	if i, stops := reach.Deepest(hops, []*reach.Node{web, api, db}); i != 1 || !stops {
		t.Errorf("the deepest hop is %d (known %v), want 1", i, stops)
	}

	// Two services of different depth on one host cannot be told apart.
	db.Hosts = []string{"api"}
	if i, stops := reach.Deepest(reach.Follow(&log, web, l), []*reach.Node{web, api, db}); stops {
		t.Errorf("claims to know that requests end at %d, on hosts that two hops share", i)
	}
}

// Services that one asks on one host are read as one.
func TestSiblings(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 1))
	l := run(rng, true)
	a, b := &reach.Node{Hosts: []string{"app"}}, &reach.Node{Hosts: []string{"app"}}
	web := &reach.Node{Hosts: []string{"web"}, Next: []*reach.Node{a, b}}
	log := runlog.Log{Series: []runlog.Series{
		total(rng, l, "web", probe.NetReceived, 700, 300), total(rng, l, "web", probe.NetSent, 700, 300),
		total(rng, l, "app", probe.NetReceived, 300, 0), total(rng, l, "app", probe.NetSent, 400, 0),
	}}
	for _, h := range reach.Follow(&log, web, l)[1:] {
		if came, known := h.Came(); came || !known {
			t.Errorf("failed requests came to a service that they did not come to: %+v", h.Arrived)
		}
	}
}

// Whoever answers failed requests has got them, and what a service's own connections brought
// outranks what is left of the bytes of interfaces when those of others are taken from them.
func TestCame(t *testing.T) {
	sure := func(ok, failed float64) reach.Per {
		return reach.Per{Ok: ok, Failed: failed, ErrOk: 0.05 * ok, ErrFail: 0.05 * ok}
	}
	nan := math.NaN()
	unread := reach.Per{Ok: nan, Failed: nan, ErrOk: nan, ErrFail: nan}
	for _, c := range []struct {
		name        string
		hop         reach.Hop
		came, known bool
	}{
		{"bytes alone", reach.Hop{Arrived: sure(300, 0), Requests: unread}, false, true},
		{"it answers them with errors", reach.Hop{Arrived: sure(300, 0), Requests: unread, Replies: 1}, true, true},
		{"it answers checks with errors", reach.Hop{Arrived: sure(300, 0), Requests: unread, Replies: 0.02}, false, true},
		{"its connections brought as many as ever", reach.Hop{Arrived: sure(300, 0), Requests: sure(1, 0.9)}, false, false},
		{"its connections brought none", reach.Hop{Arrived: sure(300, 300), Requests: sure(1, 0)}, false, false},
		{"both brought none", reach.Hop{Arrived: sure(300, 0), Requests: sure(1, 0)}, false, true},
	} {
		if came, known := c.hop.Came(); came != c.came || known != c.known {
			t.Errorf("%s: %v %v, want %v %v", c.name, came, known, c.came, c.known)
		}
	}
}
