// Package wiretest is what every protocol on the connection layer has to hold: each
// request is made exactly once, each RST counted exactly once wherever it comes, ends are
// told by their fault and phase, and no peer, however hostile, makes an attempt succeed,
// hang, or take memory without bound. It is for tests of protocols.
package wiretest

import (
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/wiretest/record"
	"github.com/rampload/rampload/profiles"
)

// Patience is how long a test waits for what has to come, on any machine.
const Patience = record.Patience

// Subject is a protocol, and the peer that the suite speaks to.
type Subject struct {
	Protocol wire.Protocol
	// Target returns the target at a host:port, with one request that the injector
	// answers, and TLS where secure is set.
	Target func(addr string, secure bool) profiles.Target
	Secure bool                                // it can be spoken over TLS from the first byte
	Set    func(*profiles.Client, bool)        // of the client that speaks TLS, or not; nil: the usual one
	Inject func(*fault.InjectorOptions)        // has the injector speak the protocol
	Places []fault.Place                       // where it can be reset; nil: [Places]
	Once   bool                                // a connection serves one request
	First  bool                                // where connections are not kept the client closes first, as the protocol has it
	Empty  bool                                // answers have no body
	Shared bool                                // requests share a connection: see wire.Multiplexed
	Bodies func(proper []byte) map[string]Body // further answers, beside those that follow from a proper one
}

// Body is an answer that is not proper, and what has to come of it.
type Body struct {
	Bytes   []byte
	Endless bool         // sent again and again; else a FIN follows
	Open    bool         // nothing follows, not even a FIN
	Fault   attack.Fault // None: any but None
	Detail  string       // "": any
}

// Places are the places at which connections of any protocol can be reset.
func Places() []fault.Place {
	return []fault.Place{
		fault.OnAccept, fault.BeforeResponseFresh, fault.BeforeResponseReused, fault.InHeaders,
		fault.InBody, fault.Idle, fault.AfterFIN, fault.AfterResponse,
	}
}

// Run runs the suite.
func Run(t *testing.T, s Subject) {
	if s.Places == nil {
		s.Places = Places()
	}
	for _, secure := range []bool{false, true} {
		if secure && !s.Secure {
			continue
		}
		name := map[bool]string{false: "plain", true: "tls"}[secure]
		t.Run(name, func(t *testing.T) {
			t.Run("attempts", func(t *testing.T) { s.attempts(t, secure) })
			for _, place := range s.Places {
				for _, keep := range s.ways(place) {
					t.Run(fmt.Sprintf("%v/%s", place, keep), func(t *testing.T) {
						t.Parallel()
						s.resets(t, fault.InjectorOptions{TLS: secure, Place: place, Every: 3, Delay: 5 * time.Millisecond}, keep)
					})
				}
			}
		})
	}
	var opts fault.InjectorOptions
	if s.Inject(&opts); opts.Dialogue != nil {
		t.Run("hostile", s.hostile)
	}
}

// ways returns how connections are kept, as far as it makes a difference at a place.
func (subject Subject) ways(place fault.Place) []string {
	switch {
	case subject.First && place == fault.AfterResponse:
		return []string{"pool", "lease"} // there is no connection any more
	case subject.Once:
		return []string{"pool", "close"}
	case subject.Shared && (place == fault.Idle || place == fault.BeforeResponseReused):
		return []string{"pool"}
	case subject.Shared:
		return []string{"pool", "close"}
	case place == fault.BeforeResponseReused, place == fault.Idle:
		return []string{"pool", "lease"} // elsewhere no connection is used again
	}
	return []string{"pool", "lease", "close"}
}

// start starts an injector and a client of it.
func (subject Subject) start(t *testing.T, opts fault.InjectorOptions, set func(*wire.Config)) (*fault.Injector, *wire.Transport, attack.Request) {
	t.Helper()
	subject.Inject(&opts)
	in, err := fault.NewInjector(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	cfg := subject.config(in.Addr().String(), opts.TLS)
	if cert := in.Certificate(); cert != nil {
		cfg.Client.TLS.CAFile = filepath.Join(t.TempDir(), "ca.pem")
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
		if err := os.WriteFile(cfg.Client.TLS.CAFile, block, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set(&cfg)
	tr, req := open(t, cfg)
	return in, tr, req
}

// config is that of a client of the peer at an address.
func (subject Subject) config(addr string, secure bool) wire.Config {
	cfg := wire.Config{
		Profile: subject.Target(addr, secure), Exchange: subject.Protocol,
		Client: profiles.Client{Connections: 4, Timeout: Patience, Protocol: profiles.ProtocolAuto},
	}
	if subject.Set != nil {
		subject.Set(&cfg.Client, secure)
	}
	return cfg
}

// open makes the transport, and compiles the target's request.
func open(t *testing.T, cfg wire.Config) (*wire.Transport, attack.Request) {
	t.Helper()
	tr, err := wire.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	req, err := tr.Compile(cfg.Profile.Requests[0])
	if err != nil {
		t.Fatal(err)
	}
	return tr, req
}

// attempts sends requests to a peer that does nothing wrong: each is made once, on as
// few connections as there may be, and its end is told with the connection's state.
func (subject Subject) attempts(t *testing.T, secure bool) {
	const workers, each = 4, 25
	rec := record.New()
	in, tr, req := subject.start(t, fault.InjectorOptions{TLS: secure}, func(c *wire.Config) { c.OnIdle = rec.OnIdle })
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				a := attack.Attempt{Request: uint64(w*each + i)}
				tr.Do(req, &a)
				rec.Attempt(a)
			}
		})
	}
	wg.Wait()
	stats := tr.Stats()
	tr.Close()
	in.Close()
	got := in.Counts()
	if got.Requests != workers*each || got.Responses != workers*each {
		t.Errorf("the peer read %d requests and answered %d, want %d", got.Requests, got.Responses, workers*each)
	}
	if most := uint64(workers); !subject.Once && (stats.Dials > most || got.Connections > most) {
		t.Errorf("%d dials, %d connections; want %d at most", stats.Dials, got.Connections, most)
	}
	reused := 0
	for _, a := range rec.Attempts() {
		if a.Fault != attack.None || a.Phase != attack.PhaseDone || a.WireReset || !a.Detail.IsZero() {
			t.Fatalf("ended in %v %q in %v", a.Fault, a.Detail, a.Phase)
		}
		if a.End < a.Start || !a.Conn.Local.IsValid() || a.Conn.Remote != in.Addr() || a.Conn.RemoteIndex == 0 || a.Sent == 0 || a.Received == 0 && !subject.Empty {
			t.Fatalf("told as %+v", a)
		}
		if a.Conn.Reused {
			reused++
		}
	}
	if want := workers*each - int(stats.Dials); !subject.Once && reused != want {
		t.Errorf("%d attempts on a connection used before, want %d", reused, want)
	}
	if idle := rec.Idle(); len(idle) > 0 {
		t.Errorf("reported of idle connections: %v", record.Faults(idle))
	}
}

// resets holds what a client reports against what the injector counted: the numbers must
// be equal, and no connection reported twice.
func (subject Subject) resets(t *testing.T, opts fault.InjectorOptions, keep string) {
	if subject.Shared && keep != "close" && (opts.Place == fault.OnAccept || opts.Place == fault.BeforeResponseFresh || opts.Place == fault.InGreeting) {
		opts.Every = 1 // one connection would serve all
	}
	rec := record.New()
	in, tr, req := subject.start(t, opts, func(c *wire.Config) {
		c.OnIdle = rec.OnIdle
		if keep == "close" {
			c.Client.Connections = 0
		}
	})
	injected := func() bool {
		c := in.Counts()
		return c.Resets+c.PeerFirst > 0
	}
	const workers, rounds, perRound = 4, 5, 3
	// On a busy machine connections do not rest as often as planned: then more.
	for round := 0; round < rounds || round < 20*rounds && !injected(); round++ {
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				do := tr.Do
				if keep == "lease" {
					l := tr.Lease()
					defer l.Close()
					do = l.Do
				}
				for range perRound {
					var a attack.Attempt
					do(req, &a)
					rec.Attempt(a)
					if keep == "lease" && opts.Place == fault.Idle {
						rest(opts.Delay * 2)
						rec.Wait(func() int { return int(in.Counts().Resets) })
					}
				}
			})
		}
		wg.Wait()
		if opts.Place == fault.Idle || opts.Place == fault.AfterFIN {
			rest(opts.Delay * 2) // what the injector is about to do
		}
		rec.Wait(func() int { return int(in.Counts().Resets) })
	}
	if opts.Place == fault.Idle || opts.Place == fault.AfterFIN || opts.Place == fault.AfterResponse {
		rest(40 * time.Millisecond) // what it is still about to do
		least := 0                  // turns, taken or come too late
		if opts.Place == fault.AfterResponse && keep == "close" {
			least = workers * rounds * perRound / opts.Every
		}
		rec.Wait(func() int {
			c := in.Counts()
			return max(int(c.Resets), least-int(c.PeerFirst))
		})
	}
	tr.Close()
	in.Close() // then its counts are final
	counts := in.Counts()
	t.Logf("injected %d, peer first %d, counted %d; attempts %v, idle %v",
		counts.Resets, counts.PeerFirst, rec.Resets(), record.Faults(rec.Attempts()), record.Faults(rec.Idle()))
	if rec.Resets() != int(counts.Resets) {
		t.Errorf("counted %d resets, the injector sent %d (and %d too late)", rec.Resets(), counts.Resets, counts.PeerFirst)
	}
	for _, id := range rec.Twice() {
		t.Errorf("connection %d: several resets reported", id)
	}
	if !injected() {
		t.Errorf("nothing was injected")
	}
	subject.phases(t, opts.Place, keep, rec.Attempts())
}

// phases holds the phases of resets against the place at which they were injected.
func (subject Subject) phases(t *testing.T, place fault.Place, keep string, attempts []attack.Attempt) {
	allowed := map[fault.Place][]attack.Phase{
		fault.OnAccept: {attack.PhaseDial, attack.PhaseTLS, attack.PhaseWrite, attack.PhaseAwait},
		fault.InGreeting: {attack.PhaseDial, attack.PhaseTLS, // dial: it came before connect was seen to succeed
			attack.PhaseWrite, attack.PhaseAwait, attack.PhaseBody},
		fault.BeforeResponseFresh: {attack.PhaseAwait},
		fault.InHeaders:           {attack.PhaseAwait, attack.PhaseBody},
		fault.InBody:              {attack.PhaseAwait, attack.PhaseBody},
	}[place]
	if allowed == nil {
		return
	}
	if subject.Shared && keep != "close" {
		allowed = append(allowed, attack.PhaseWrite) // another request on the connection may tell first
	}
	for _, a := range attempts {
		if !a.WireReset {
			continue
		}
		ok := false
		for _, p := range allowed {
			ok = ok || a.Phase == p
		}
		// On a shared connection the RST in place of one answer cuts another off whose rest
		// still waits at the peer, for the window of its congestion control for instance.
		cut := subject.Shared && keep != "close" && place == fault.BeforeResponseFresh
		ok = ok || cut && a.Phase == attack.PhaseBody && a.Status != 0
		if !ok || a.Fault != attack.Reset {
			t.Errorf("reset %v is told as %v in phase %v", place, a.Fault, a.Phase)
		}
	}
}

// properAnswer is the peer's answer to one request.
func (subject Subject) properAnswer() []byte {
	var opts fault.InjectorOptions
	subject.Inject(&opts)
	return opts.Dialogue().Answer()
}

// rest lets real time pass, which the injector's socket needs.
func rest(d time.Duration) { <-time.After(d) }
