package wire

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
	"github.com/rampload/rampload/profiles"
)

// recorder collects what a transport reports, as a driver would.
type recorder struct {
	mu       sync.Mutex
	attempts []attack.Attempt
	idle     []attack.Attempt
	byConn   map[uint64]int
	resets   int
	changed  chan struct{}
}

func newRecorder() *recorder {
	return &recorder{byConn: make(map[uint64]int), changed: make(chan struct{}, 1)}
}

func (r *recorder) add(list *[]attack.Attempt, a attack.Attempt) {
	r.mu.Lock()
	*list = append(*list, a)
	if a.WireReset {
		r.resets++
		if a.Conn.ID != 0 {
			r.byConn[a.Conn.ID]++
		}
	}
	r.mu.Unlock()
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

func (r *recorder) onIdle(a attack.Attempt)  { r.add(&r.idle, a) }
func (r *recorder) attempt(a attack.Attempt) { r.add(&r.attempts, a) }

// wait returns when there are n resets, or when patience ends.
func (r *recorder) wait(n func() int) {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		r.mu.Lock()
		got := r.resets
		r.mu.Unlock()
		if got == n() {
			return
		}
		select {
		case <-r.changed:
		case <-tick.C:
		case <-limit.C:
			return
		}
	}
}

// faults counts attempts by fault and phase.
func (r *recorder) faults(of []attack.Attempt) map[string]int {
	out := make(map[string]int)
	for _, a := range of {
		out[fmt.Sprintf("%v/%v", a.Fault, a.Phase)]++
	}
	return out
}

// injector starts one and returns the configuration of a client for it.
func injector(t *testing.T, opts fault.InjectorOptions) (*fault.Injector, Config) {
	t.Helper()
	in, err := fault.NewInjector(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	cfg := Config{
		Profile: profiles.Target{URL: in.URL()},
		Client:  profiles.Client{Connections: 4, Timeout: patience, Protocol: profiles.ProtocolAuto},
	}
	if opts.HTTP2 && !opts.TLS {
		cfg.Client.Protocol = profiles.ProtocolH2C
	}
	if cert := in.Certificate(); cert != nil {
		cfg.Client.TLS.CAFile = filepath.Join(t.TempDir(), "ca.pem")
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
		if err := os.WriteFile(cfg.Client.TLS.CAFile, block, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return in, cfg
}

// open makes a transport and a request for it.
func open(t *testing.T, cfg Config, r profiles.Request) (*Transport, attack.Request) {
	t.Helper()
	cfg.Exchange = Speak
	tr, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	compiled, err := tr.Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	return tr, compiled
}

// TestEveryResetCounted holds what the transport reports against what the
// injector counted, for every place of a reset, method, protocol and way to
// keep connections: the numbers must be equal, and no connection reported twice.
func TestEveryResetCounted(t *testing.T) {
	places := []fault.Place{
		fault.OnAccept, fault.BeforeResponseFresh, fault.BeforeResponseReused, fault.InHeaders,
		fault.InBody, fault.Idle, fault.AfterFIN, fault.AfterResponse,
	}
	protocols := []struct {
		name       string
		tls, http2 bool
	}{{"http1", false, false}, {"tls", true, false}, {"h2", true, true}, {"h2c", false, true}}
	for _, proto := range protocols {
		for _, place := range places {
			if place == fault.InHeaders && proto.http2 {
				continue // the injector has none
			}
			for _, method := range []string{"GET", "HEAD", "POST", "PUT"} {
				for _, keep := range []string{"pool", "lease", "close"} {
					if proto.http2 && (keep == "lease" || keep == "close" && place == fault.Idle) {
						continue // the same as pool; we close at about the same time
					}
					name := fmt.Sprintf("%s/%v/%s/%s", proto.name, place, method, keep)
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						testResets(t, fault.InjectorOptions{
							TLS: proto.tls, HTTP2: proto.http2, Place: place, Every: 3, Delay: 5 * time.Millisecond,
						}, method, keep)
					})
				}
			}
		}
	}
}

func testResets(t *testing.T, opts fault.InjectorOptions, method, keep string) {
	if opts.HTTP2 && keep != "close" && (opts.Place == fault.OnAccept || opts.Place == fault.BeforeResponseFresh) {
		opts.Every = 1 // one connection would serve all
	}
	in, cfg := injector(t, opts)
	rec := newRecorder()
	cfg.OnIdle = rec.onIdle
	if keep == "close" {
		cfg.Client.Connections = 0
	}
	r := profiles.Request{Method: method, Path: "/"}
	if method == "POST" || method == "PUT" {
		r.Body = "some body"
	}
	tr, req := open(t, cfg, r)
	possible := opts.Place != fault.BeforeResponseReused || keep != "close"
	possible = possible && (opts.Place != fault.Idle || keep != "close")
	possible = possible && (opts.Place != fault.InBody || method != "HEAD")
	injected := func() bool {
		c := in.Counts()
		return c.Resets+c.PeerFirst > 0
	}
	const workers, rounds, perRound = 4, 5, 3
	// On a busy machine connections do not rest as often as planned: then more.
	for round := 0; round < rounds || round < 20*rounds && possible && !injected(); round++ {
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
					rec.attempt(a)
					if keep == "lease" && opts.Place == fault.Idle {
						rest(opts.Delay * 2)
						rec.wait(func() int { return int(in.Counts().Resets) })
					}
				}
			})
		}
		wg.Wait()
		if opts.Place == fault.Idle || opts.Place == fault.AfterFIN {
			rest(opts.Delay * 2) // what the injector is about to do
		}
		rec.wait(func() int { return int(in.Counts().Resets) })
	}
	if opts.Place == fault.Idle || opts.Place == fault.AfterFIN || opts.Place == fault.AfterResponse {
		rest(40 * time.Millisecond) // what it is still about to do
		least := 0                  // turns, taken or come too late
		if opts.Place == fault.AfterResponse && keep == "close" {
			least = workers * rounds * perRound / opts.Every
		}
		rec.wait(func() int {
			c := in.Counts()
			return max(int(c.Resets), least-int(c.PeerFirst))
		})
	}
	tr.Close()
	in.Close() // then its counts are final
	counts := in.Counts()
	rec.mu.Lock()
	defer rec.mu.Unlock()
	t.Logf("injected %d, peer first %d, counted %d; attempts %v, idle %v",
		counts.Resets, counts.PeerFirst, rec.resets, rec.faults(rec.attempts), rec.faults(rec.idle))
	if rec.resets != int(counts.Resets) {
		t.Errorf("counted %d resets, the injector sent %d (and %d too late)", rec.resets, counts.Resets, counts.PeerFirst)
	}
	for id, n := range rec.byConn {
		if n > 1 {
			t.Errorf("connection %d: %d resets reported", id, n)
		}
	}
	if possible && counts.Resets+counts.PeerFirst == 0 {
		t.Errorf("nothing was injected")
	}
}

// rest lets real time pass, which the injector's socket needs.
func rest(d time.Duration) { <-time.After(d) }
