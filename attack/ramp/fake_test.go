package ramp

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/profiles"
)

// fake is a transport that takes its time and ends attempts as a script says.
// It counts for itself what it was asked to do.
type fake struct {
	cfg    attack.ClientConfig
	script func(a *attack.Attempt) (time.Duration, attack.Fault)

	abort    chan struct{}
	once     sync.Once
	attempts atomic.Uint64
	busy     atomic.Int64
	busiest  atomic.Int64
	slots    atomic.Int64 // open now
	mu       sync.Mutex
	begun    []time.Duration // of attempts
	held     []int           // calls of Hold
}

func (f *fake) Do(_ attack.Request, a *attack.Attempt) {
	f.attempts.Add(1)
	n := f.busy.Add(1)
	defer f.busy.Add(-1)
	for b := f.busiest.Load(); n > b && !f.busiest.CompareAndSwap(b, n); b = f.busiest.Load() {
	}
	a.Start = f.cfg.Clock()
	f.mu.Lock()
	f.begun = append(f.begun, a.Start)
	f.mu.Unlock()
	d, fault := f.script(a)
	a.Fault, a.Phase, a.Status, a.Conn, a.WireReset = fault, attack.PhaseAwait, 0, attack.Conn{ID: 1, RemoteIndex: 1}, fault == attack.Reset
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.abort:
		a.Fault, a.WireReset = attack.Canceled, false
	}
	if a.Fault == attack.None {
		a.Phase, a.Status = attack.PhaseDone, 200
	}
	a.End = f.cfg.Clock()
}

func (f *fake) Compile(q profiles.Request) (attack.Request, error) {
	return fakeRequest{q.Method != "POST"}, nil
}

type fakeRequest struct{ repeatable bool }

func (r fakeRequest) Repeatable() bool { return r.repeatable }

func (f *fake) Slot() attack.Slot {
	f.slots.Add(1)
	return fakeSlot{f}
}

type fakeSlot struct{ *fake }

func (s fakeSlot) Close() { s.slots.Add(-1) }

func (f *fake) Stats() attack.ClientStats {
	return attack.ClientStats{Dials: f.attempts.Load(), Open: f.busy.Load()}
}

func (f *fake) HoldAt(n int, _ time.Duration) {
	f.mu.Lock()
	f.held = append(f.held, n)
	f.mu.Unlock()
}

func (f *fake) Drain()       {}
func (f *fake) Abort()       { f.once.Do(func() { close(f.abort) }) }
func (f *fake) Close() error { f.Abort(); return nil }

// record is a sink that keeps everything.
type record struct {
	addresses []attack.Address
	windows   []attack.Window
	failures  []attack.Failure
}

func (r *record) Address(a attack.Address) { r.addresses = append(r.addresses, a) }
func (r *record) Window(w attack.Window)   { r.windows = append(r.windows, w) }
func (r *record) Failure(f attack.Failure) { r.failures = append(r.failures, f) }

// counts are sums over windows.
type counts struct {
	scheduled, sent, unsent, retries         uint64
	attempts, requests, resets, ok, canceled uint64
	held                                     uint64                // connections to hold that came to nothing; the others have of them the resets only
	byFault                                  [attack.Faults]uint64 // attempts
}

func (r *record) sum(t testing.TB, target int) (c counts) {
	t.Helper()
	for _, w := range r.windows {
		if target >= 0 && int(w.Target) != target {
			continue
		}
		c.scheduled += w.Scheduled
		c.sent += w.Sent
		c.unsent += w.Unsent
		c.retries += w.Retries
		for _, cell := range w.Cells {
			c.resets += cell.WireResets
			if cell.Held {
				c.held += cell.Requests
				continue
			}
			c.attempts += cell.Attempts
			c.requests += cell.Requests
			c.byFault[cell.Fault] += cell.Attempts
			if cell.DueWindow > w.Index {
				t.Errorf("window %d holds attempts due in window %d", w.Index, cell.DueWindow)
			}
		}
	}
	c.ok, c.canceled = c.byFault[attack.None], c.byFault[attack.Canceled]
	return c
}

// check holds what every record of a run must fulfil.
func (r *record) check(t testing.TB, targets int, first int32) {
	t.Helper()
	flying := make([]int64, targets)
	for i, w := range r.windows {
		if int(w.Target) != i%targets || int(w.Index) != int(first)+i/targets {
			t.Fatalf("window %d is window %d of target %d", i, w.Index, w.Target)
		}
		var cells, ended, ok uint64
		for _, c := range w.Cells {
			cells += c.Attempts
			if !c.Held { // nobody sent those
				ended += c.Requests
			}
			if c.Fault == attack.None {
				ok += c.Attempts
			}
		}
		flying[w.Target] += int64(w.Sent) - int64(ended)
		if w.InFlight != flying[w.Target] {
			t.Errorf("window %d: %d in flight, but %d sent and not ended", w.Index, w.InFlight, flying[w.Target])
		}
		if w.FromDue.Total() != ok || w.FromSend.Total() != ok {
			t.Errorf("window %d: %d and %d latencies of %d successes", w.Index, w.FromDue.Total(), w.FromSend.Total(), ok)
		}
	}
	if len(r.windows)%targets != 0 {
		t.Errorf("%d windows of %d targets", len(r.windows), targets)
	}
	for i, n := range flying {
		if n != 0 {
			t.Errorf("target %d: %d requests never ended", i, n)
		}
	}
	c := r.sum(t, -1)
	if c.scheduled != c.sent+c.unsent {
		t.Errorf("%d scheduled, but %d sent and %d unsent", c.scheduled, c.sent, c.unsent)
	}
	if c.requests != c.sent {
		t.Errorf("%d sent, but %d ended", c.sent, c.requests)
	}
}

// openWire is what a run has.
var openWire = protocol.Open

// engines are the two drivers, over transports of the caller's.
var engines = map[string]func(Config, attack.Opener) (attack.Loader, *run, error){
	"vegeta": func(cfg Config, open attack.Opener) (attack.Loader, *run, error) {
		cfg.Open = open
		v, err := NewVegeta(cfg)
		if err != nil {
			return nil, nil, err
		}
		return v, v.run, nil
	},
	"direct": func(cfg Config, open attack.Opener) (attack.Loader, *run, error) {
		cfg.Open = open
		d, err := NewDirect(cfg)
		if err != nil {
			return nil, nil, err
		}
		return d, d.run, nil
	},
}

// drive runs a load over fakes inside a synctest bubble.
func drive(t *testing.T, ctx context.Context, engine string, cfg Config, script func(*attack.Attempt) (time.Duration, attack.Fault)) (*record, []*fake, attack.Summary) {
	t.Helper()
	var fakes []*fake
	loader, r, err := engines[engine](cfg, func(c attack.ClientConfig) (attack.Client, error) {
		f := &fake{cfg: c, script: script, abort: make(chan struct{})}
		fakes = append(fakes, f)
		return f, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	fakes = nil // those of the trial
	r.sleep = time.Sleep
	rec := &record{}
	summary, err := loader.Run(ctx, rec)
	if err != nil {
		t.Fatal(err)
	}
	rec.check(t, len(cfg.Profile.Targets), int32((cfg.From+defaultWindow-1)/defaultWindow))
	return rec, fakes, summary
}

func testProfile(load ...profiles.Stage) profiles.Profile {
	return profiles.Profile{
		Name: "test",
		Targets: []profiles.Target{{
			Name: "a", URL: "http://127.0.0.1:1", Share: 1, Expect: profiles.StatusSet{{Low: 200, High: 299}},
			Requests: []profiles.Request{{Method: "GET", Path: "/", Weight: 1}},
		}},
		Load:   load,
		Client: profiles.Client{Connections: 10, MaxInFlight: 1000, Timeout: 2 * time.Second},
	}
}

func holdStage(rate float64, d time.Duration) profiles.Stage {
	return profiles.Hold{Rate: rate, For: d}
}

var anAddress = netip.MustParseAddrPort("192.0.2.1:80")

func noStats() []attack.ClientStats { return make([]attack.ClientStats, 1) }

func newSchedule(p profiles.Profile) (*schedule.Schedule, error) {
	return schedule.New(p.Load, 0, p.Client.PerConnection)
}
