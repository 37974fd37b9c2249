package ramp

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/profiles"
)

// runReal runs a load over real connections.
func runReal(t *testing.T, engine string, cfg Config) *record {
	t.Helper()
	cfg.Profile.Client.Timeout = 20 * time.Second // longer than a busy machine pauses
	loader, _, err := engines[engine](cfg, openWire)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	rec := &record{}
	summary, err := loader.Run(ctx, rec)
	if err != nil {
		t.Fatal(err)
	}
	if summary.Interrupted {
		t.Fatal("the load took longer than a minute")
	}
	rec.check(t, len(cfg.Profile.Targets), 0)
	return rec
}

// Both engines send the same requests, and a real server counts as many.
func TestEnginesAgreeWithAServer(t *testing.T) {
	var ok, busy [2]atomic.Uint64 // by engine
	for i, engine := range []string{"vegeta", "direct"} {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /ok", func(http.ResponseWriter, *http.Request) { ok[i].Add(1) })
		mux.HandleFunc("POST /busy", func(w http.ResponseWriter, _ *http.Request) {
			busy[i].Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		server := httptest.NewServer(mux)
		p := testProfile(
			profiles.Ramp{From: 100, To: 2000, For: 500 * time.Millisecond},
			profiles.Burst{Size: 20, Every: 50 * time.Millisecond, Jitter: 10 * time.Millisecond, For: 250 * time.Millisecond},
			holdStage(1000, 250*time.Millisecond))
		p.Targets[0].URL = server.URL
		p.Targets[0].Requests = []profiles.Request{
			{Method: "GET", Path: "/ok", Weight: 3},
			{Method: "POST", Path: "/busy", Body: "{}", Weight: 1},
		}
		rec := runReal(t, engine, Config{Profile: p})
		server.Close()

		s, err := newSchedule(p)
		if err != nil {
			t.Fatal(err)
		}
		c := rec.sum(t, 0)
		if c.scheduled != s.Total() || c.sent != s.Total() || c.attempts != s.Total() {
			t.Errorf("%s: %+v of %d requests", engine, c, s.Total())
		}
		if c.ok != ok[i].Load() || c.byFault[attack.Status] != busy[i].Load() {
			t.Errorf("%s: %d succeeded and %d had a bad status; the server answered %d and %d",
				engine, c.ok, c.byFault[attack.Status], ok[i].Load(), busy[i].Load())
		}
		statuses := map[uint16]uint64{}
		dials := uint64(0)
		for _, w := range rec.windows {
			for _, st := range w.Statuses {
				statuses[st.Status] += st.Count
			}
			dials += w.Dials
		}
		if statuses[200] != c.ok || statuses[503] != busy[i].Load() || len(statuses) != 2 {
			t.Errorf("%s: statuses %v", engine, statuses)
		}
		if dials == 0 || dials > uint64(p.Client.Connections) {
			t.Errorf("%s: %d dials with %d connections", engine, dials, p.Client.Connections)
		}
		if len(rec.addresses) != 1 || rec.addresses[0].Index != 1 {
			t.Errorf("%s: addresses %v", engine, rec.addresses)
		}
	}
	if ok[0].Load() != ok[1].Load() || busy[0].Load() != busy[1].Load() {
		t.Errorf("vegeta sent %d and %d, direct %d and %d", ok[0].Load(), busy[0].Load(), ok[1].Load(), busy[1].Load())
	}
}

// A closed loop over real connections keeps as many as it may, and not more.
func TestClosedLoopOverAServer(t *testing.T) {
	for engine := range engines {
		t.Run(engine, func(t *testing.T) {
			var served atomic.Uint64
			server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) }))
			defer server.Close()
			p := testProfile(holdStage(200, 250*time.Millisecond), profiles.Max{For: 500 * time.Millisecond}, holdStage(200, 250*time.Millisecond))
			p.Targets[0].URL = server.URL
			rec := runReal(t, engine, Config{Profile: p})
			c := rec.sum(t, 0)
			if c.ok != served.Load() || c.ok != c.sent || c.sent <= 100 {
				t.Errorf("%d sent, %d succeeded, the server answered %d", c.sent, c.ok, served.Load())
			}
			for _, w := range rec.windows {
				if w.Open > 2*int64(p.Client.Connections) {
					t.Errorf("window %d: %d connections", w.Index, w.Open)
				}
			}
		})
	}
}

// The ground truth: wire resets are those that the injector sent, one by one, in
// every phase, for both engines, whether the request may be repeated or not.
func TestWireResetsAgainstTheInjector(t *testing.T) {
	places := []fault.Place{
		fault.OnAccept, fault.BeforeResponseFresh, fault.BeforeResponseReused, fault.InHeaders,
		fault.InBody, fault.Idle, fault.AfterFIN, fault.AfterResponse,
	}
	for _, place := range places {
		for _, method := range []string{"GET", "POST"} {
			for engine := range engines {
				t.Run(place.String()+"/"+method+"/"+engine, func(t *testing.T) {
					t.Parallel()
					injector, err := fault.NewInjector(fault.InjectorOptions{Place: place, Every: 3, Delay: 5 * time.Millisecond})
					if err != nil {
						t.Fatal(err)
					}
					defer injector.Close()
					// Bursts, so that connections become idle as well.
					p := testProfile(profiles.Burst{Size: 10, Every: 20 * time.Millisecond, For: 400 * time.Millisecond})
					p.Targets[0].URL = injector.URL()
					p.Targets[0].Requests[0] = profiles.Request{Method: method, Path: "/", Weight: 1}
					rec := runReal(t, engine, Config{Profile: p})
					injector.Close()
					truth := injector.Counts()
					c := rec.sum(t, 0)
					if truth.Resets == 0 {
						t.Fatal("the injector reset nothing")
					}
					if c.resets != truth.Resets {
						t.Errorf("%d wire resets counted, %d injected; %+v, injector %+v", c.resets, truth.Resets, c, truth)
					}
					if c.sent != 200 || c.ok > truth.Responses {
						t.Errorf("%d of 200 sent, %d succeeded of %d answered", c.sent, c.ok, truth.Responses)
					}
					evidence := uint64(0)
					for _, f := range rec.failures {
						if f.WireReset {
							evidence++
							if !f.Conn.Local.IsValid() && f.Phase != attack.PhaseDial || f.Conn.Remote != injector.Addr() {
								t.Errorf("reset without its connection: %+v", f)
							}
						}
					}
					if evidence != truth.Resets {
						t.Errorf("%d resets kept as failures, want %d", evidence, truth.Resets)
					}
				})
			}
		}
	}
}

// With retries every attempt is counted, and a reset that a retry repairs is a
// wire reset but not a visible one.
func TestRetriesAgainstTheInjector(t *testing.T) {
	for engine := range engines {
		t.Run(engine, func(t *testing.T) {
			injector, err := fault.NewInjector(fault.InjectorOptions{Place: fault.BeforeResponseReused, Every: 3})
			if err != nil {
				t.Fatal(err)
			}
			defer injector.Close()
			p := testProfile(holdStage(400, 500*time.Millisecond))
			p.Targets[0].URL = injector.URL()
			p.Targets[0].Requests = []profiles.Request{{Method: "GET", Path: "/", Weight: 1}, {Method: "POST", Path: "/", Weight: 1}}
			p.Client.Retries = profiles.Retries{Max: 2, Base: time.Millisecond, FullJitter: true}
			rec := runReal(t, engine, Config{Profile: p})
			injector.Close()
			truth, c := injector.Counts(), rec.sum(t, 0)
			visible := uint64(0)
			for _, w := range rec.windows {
				for _, cell := range w.Cells {
					if cell.Fault == attack.Reset {
						visible += cell.Requests
					}
				}
			}
			if c.resets != truth.Resets || c.attempts != truth.Requests || c.attempts != 200+c.retries || c.ok != truth.Responses {
				t.Errorf("%+v, injector %+v", c, truth)
			}
			if c.retries == 0 || visible == 0 || visible != 200-c.ok || visible+c.retries != c.resets {
				t.Errorf("%d visible resets, %d retries, %d wire resets", visible, c.retries, c.resets)
			}
		})
	}
}

// A file of targets on two hosts is one target: its requests go to both, and its
// addresses are numbered together.
func TestTargetsFromAFile(t *testing.T) {
	for engine := range engines {
		t.Run(engine, func(t *testing.T) {
			var hits [2]atomic.Uint64
			var urls [2]string
			for i := range hits {
				server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					if r.Header.Get("X-Tenant") == "red" && r.URL.Path == "/a" {
						hits[i].Add(1)
					}
				}))
				defer server.Close()
				urls[i] = server.URL
			}
			p := testProfile(holdStage(400, 500*time.Millisecond))
			p.Targets[0].URL, p.Targets[0].Requests = "", nil
			p.Targets[0].File = "targets.http"
			for _, url := range urls {
				p.Targets[0].Read = append(p.Targets[0].Read, profiles.Base{URL: url, Requests: []profiles.Request{
					{Method: "GET", Path: "/a", Headers: []profiles.Header{{Name: "X-Tenant", Value: "red"}}, Weight: 1},
				}})
			}
			rec := runReal(t, engine, Config{Profile: p})
			m, err := schedule.NewMix([]float64{1}, [][]float64{{1, 1}})
			if err != nil {
				t.Fatal(err)
			}
			var want [2]uint64
			for n := range uint64(200) {
				_, e := m.Pick(n)
				want[e]++
			}
			if hits[0].Load() != want[0] || hits[1].Load() != want[1] {
				t.Errorf("%d and %d hits, want %v", hits[0].Load(), hits[1].Load(), want)
			}
			byRemote := map[uint16]uint64{}
			for _, w := range rec.windows {
				for _, c := range w.Cells {
					byRemote[c.Remote] += c.Attempts
				}
			}
			if len(rec.addresses) != 2 || len(byRemote) != 2 {
				t.Fatalf("addresses %v, attempts by remote %v", rec.addresses, byRemote)
			}
			for _, a := range rec.addresses {
				i := 0
				if "http://"+a.Addr.String() == urls[1] {
					i = 1
				}
				if byRemote[a.Index] != want[i] {
					t.Errorf("address %v has %d attempts, want %d", a, byRemote[a.Index], want[i])
				}
			}
		})
	}
}

// An interrupt ends the sending at once, waits for what is in flight as long as
// an attempt may take, and no longer.
func TestInterruptOverAServer(t *testing.T) {
	for engine := range engines {
		t.Run(engine, func(t *testing.T) {
			var last atomic.Int64 // arrival of the last request
			release := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				last.Store(time.Now().UnixNano())
				if r.URL.Path == "/hang" {
					select {
					case <-release:
					case <-r.Context().Done():
					}
				}
			}))
			defer server.Close()
			defer close(release)
			p := testProfile(holdStage(1000, time.Hour)) // would go on for the two seconds of the timeout
			p.Targets[0].URL = server.URL
			p.Targets[0].Requests = []profiles.Request{{Method: "GET", Path: "/", Weight: 99}, {Method: "GET", Path: "/hang", Weight: 1}}
			p.Client.Timeout, p.Client.Connections = 2*time.Second, 100
			loader, _, err := engines[engine](Config{Profile: p}, openWire)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			at := make(chan time.Time, 1)
			context.AfterFunc(ctx, func() { at <- time.Now() })
			rec := &record{}
			summary, err := loader.Run(ctx, rec)
			ended, interrupted := time.Now(), <-at
			if err != nil || !summary.Interrupted {
				t.Fatalf("%+v, %v", summary, err)
			}
			rec.check(t, 1, 0)
			if late := time.Unix(0, last.Load()).Sub(interrupted); late > time.Second {
				t.Errorf("a request arrived %v after the interrupt", late)
			}
			if took := ended.Sub(interrupted); took > p.Client.Timeout+2*time.Second {
				t.Errorf("ended %v after the interrupt", took)
			}
			if c := rec.sum(t, 0); c.sent < 300 || c.byFault[attack.Timeout]+c.canceled == 0 {
				t.Errorf("%+v", c)
			}
		})
	}
}

// What waits for a connection when the run is stopped is not sent any more.
func TestInterruptWhileWaitingForConnections(t *testing.T) {
	for engine := range engines {
		t.Run(engine, func(t *testing.T) {
			var served atomic.Uint64
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				served.Add(1)
				select { // slower than the load
				case <-time.After(100 * time.Millisecond):
				case <-r.Context().Done():
				}
			}))
			defer server.Close()
			p := testProfile(holdStage(500, time.Hour))
			p.Targets[0].URL = server.URL
			p.Client.Timeout, p.Client.Connections = 20*time.Second, 4
			loader, _, err := engines[engine](Config{Profile: p}, openWire)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			rec := &record{}
			summary, err := loader.Run(ctx, rec)
			if err != nil || !summary.Interrupted {
				t.Fatalf("%+v, %v", summary, err)
			}
			rec.check(t, 1, 0)
			c := rec.sum(t, 0)
			// The 460 that wait would take 11 s; four connections serve 40 a second.
			if summary.Ended > 4*time.Second || c.canceled < 150 || c.ok != served.Load() || float64(c.ok) > 40*summary.Ended.Seconds()+4 {
				t.Errorf("ended at %v, the server answered %d: %+v", summary.Ended, served.Load(), c)
			}
		})
	}
}

// Both engines carry whatever the client does: TLS, HTTP/2 with and without it,
// Unix sockets; in the open loop and in the closed one.
func TestEnginesCarryEveryProtocol(t *testing.T) {
	tests := map[string]struct {
		start func(*httptest.Server)
		set   func(*profiles.Profile, *httptest.Server)
		proto string
	}{
		"TLS":    {func(s *httptest.Server) { s.StartTLS() }, func(*profiles.Profile, *httptest.Server) {}, "HTTP/1.1"},
		"HTTP/2": {func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() }, func(*profiles.Profile, *httptest.Server) {}, "HTTP/2.0"},
		"h2c": {func(s *httptest.Server) {
			s.Config.Protocols = new(http.Protocols)
			s.Config.Protocols.SetUnencryptedHTTP2(true)
			s.Start()
		}, func(p *profiles.Profile, _ *httptest.Server) { p.Client.Protocol = profiles.ProtocolH2C }, "HTTP/2.0"},
		"Unix": {func(s *httptest.Server) {
			_ = s.Listener.Close()
			var err error
			if s.Listener, err = net.Listen("unix", filepath.Join(t.TempDir(), "s")); err != nil {
				t.Fatal(err)
			}
			s.Start()
		}, func(p *profiles.Profile, s *httptest.Server) {
			p.Targets[0].URL = "unix://" + s.Listener.Addr().String()
		}, "HTTP/1.1"},
	}
	for name, tt := range tests {
		for _, engine := range []string{"vegeta", "direct"} {
			t.Run(name+"/"+engine, func(t *testing.T) {
				var served, others atomic.Uint64
				server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					served.Add(1)
					if r.Proto != tt.proto {
						others.Add(1)
					}
				}))
				tt.start(server)
				defer server.Close()
				p := testProfile(holdStage(200, 500*time.Millisecond), profiles.Max{For: 200 * time.Millisecond})
				p.Targets[0].URL = server.URL
				p.Client.TLS.SkipVerify, p.Client.Connections = true, 4
				tt.set(&p, server)
				c := runReal(t, engine, Config{Profile: p}).sum(t, 0)
				if c.ok <= 100 || c.ok != c.sent || c.ok != served.Load() {
					t.Errorf("the server answered %d: %+v", served.Load(), c)
				}
				if others.Load() > 0 {
					t.Errorf("%d requests were not %s", others.Load(), tt.proto)
				}
			})
		}
	}
}

// A closed loop without kept connections opens one for each request.
func TestClosedLoopWithoutConnections(t *testing.T) {
	for engine := range engines {
		t.Run(engine, func(t *testing.T) {
			var opened, served atomic.Uint64
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) }))
			server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					opened.Add(1)
				}
			}
			server.Start()
			defer server.Close()
			p := testProfile(profiles.Max{For: 500 * time.Millisecond})
			p.Targets[0].URL = server.URL
			p.Client.Connections = 0
			c := runReal(t, engine, Config{Profile: p}).sum(t, 0)
			if c.ok == 0 || c.ok != c.sent || c.ok != served.Load() || opened.Load() != c.ok {
				t.Errorf("%d connections, the server answered %d: %+v", opened.Load(), served.Load(), c)
			}
		})
	}
}
