package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/wiretest/record"
	"github.com/rampload/rampload/profiles"
)

// TestWait fills the pool: one attempt waits its turn, one in vain, one is
// canceled.
func TestWait(t *testing.T) {
	release := make(chan bool)
	arrived := make(chan bool, 8)
	url := scripted(t, func(c net.Conn, _ int) {
		br := bufio.NewReader(c)
		for {
			if _, err := http.ReadRequest(br); err != nil {
				return
			}
			arrived <- true
			<-release
			io.WriteString(c, okResponse)
		}
	})
	tr, _ := client(t, url, func(c *Config) {
		c.Client.Connections = 1
		c.Client.Timeout = 2 * time.Second
	})
	req := compile(t, tr, profiles.Request{})
	var first, second attack.Attempt
	var wg sync.WaitGroup
	wg.Go(func() { tr.Do(req, &first) })
	<-arrived
	wg.Go(func() { tr.Do(req, &second) })
	for waiting := 0; waiting == 0; runtime.Gosched() {
		tr.pool.mu.Lock()
		waiting = tr.pool.waiting.Len()
		tr.pool.mu.Unlock()
	}
	rest(50 * time.Millisecond)
	release <- true
	<-arrived
	release <- true
	wg.Wait()
	expectEnd(t, first, attack.None, attack.PhaseDone, 200)
	expectEnd(t, second, attack.None, attack.PhaseDone, 200)
	if second.Conn.ID != first.Conn.ID || !second.Conn.Reused || second.End-second.Start < 50*time.Millisecond {
		t.Errorf("the second waited %v: %+v", second.End-second.Start, second.Conn)
	}

	wg.Go(func() { tr.Do(req, &first) })
	<-arrived
	now := tr.clock()
	if c, fault := tr.pool.take(now, now+20*time.Millisecond); c != nil || fault != attack.Timeout {
		t.Errorf("waited in vain: %v", fault)
	}
	wg.Wait()
	expectEnd(t, first, attack.Timeout, attack.PhaseAwait, 0)
	close(release)
}

func TestAbort(t *testing.T) {
	arrived := make(chan bool, 8)
	url := scripted(t, func(c net.Conn, _ int) {
		br := bufio.NewReader(c)
		http.ReadRequest(br)
		arrived <- true
		br.ReadByte()
	})
	tr, rec := client(t, url, func(c *Config) { c.Client.Timeout = 0 })
	req := compile(t, tr, profiles.Request{})
	attempts := make([]attack.Attempt, 4) // two of them wait for a connection
	var wg sync.WaitGroup
	for i := range attempts {
		wg.Go(func() { tr.Do(req, &attempts[i]) })
	}
	<-arrived
	<-arrived
	tr.Abort()
	wg.Wait()
	for _, a := range attempts {
		if a.Fault != attack.Canceled {
			t.Errorf("%v in %v", a.Fault, a.Phase)
		}
	}
	var late attack.Attempt
	tr.Do(req, &late)
	l := tr.Lease()
	l.Do(req, &late)
	if late.Fault != attack.Canceled {
		t.Errorf("after Abort: %v", late.Fault)
	}
	tr.Close()
	if len(rec.Idle()) != 0 || tr.Stats().Open != 0 {
		t.Errorf("reported %v; %+v", record.Faults(rec.Idle()), tr.Stats())
	}
}

func TestHold(t *testing.T) {
	url := scripted(t, answers(okResponse))
	tr, rec := client(t, url, nil)
	open := func(n int64) {
		t.Helper()
		limit := time.After(patience)
		for s := tr.Stats(); s.Open != n || s.Idle != n; s = tr.Stats() {
			select {
			case <-limit:
				t.Fatalf("holds %+v, want %d", s, n)
			case <-time.After(time.Millisecond):
			}
		}
	}
	tr.Hold(100)
	open(100)
	req := compile(t, tr, profiles.Request{})
	used := make(map[uint64]bool)
	for range 100 {
		var a attack.Attempt
		tr.Do(req, &a)
		expectEnd(t, a, attack.None, attack.PhaseDone, 200)
		used[a.Conn.ID] = true
	}
	if len(used) != 100 {
		t.Errorf("100 requests used %d connections", len(used))
	}
	tr.Hold(10)
	open(10)
	tr.Hold(20)
	open(20)
	tr.Hold(0)
	open(2) // Client.Connections
	if d := tr.Stats().Dials; d != 110 {
		t.Errorf("%d dials", d)
	}
	tr.Close()
	if len(rec.Idle()) != 0 {
		t.Errorf("reported %v", record.Faults(rec.Idle()))
	}
}

// await returns when something has come.
func await(t *testing.T, cond func() bool) {
	t.Helper()
	for limit := time.After(patience); !cond(); {
		select {
		case <-limit:
			t.Fatal("it did not come")
		case <-time.After(time.Millisecond):
		}
	}
}

// waiting returns how many attempts wait for a connection.
func waiting(tr *Transport) int {
	tr.pool.mu.Lock()
	defer tr.pool.mu.Unlock()
	tr.streams.mu.Lock()
	defer tr.streams.mu.Unlock()
	return tr.pool.waiting.Len() + tr.streams.waiting.Len()
}

// TestHoldEnds has an attempt wait for the one held connection, which does not
// come back: when holding ends, it gets what the profile allows.
func TestHoldEnds(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		for _, connections := range []int{0, 3} {
			t.Run(fmt.Sprintf("h2=%v/connections=%d", h2, connections), func(t *testing.T) {
				arrived, release := make(chan bool, 2), make(chan bool)
				server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
					arrived <- true
					<-release
				}))
				server.Config.Protocols = new(http.Protocols)
				server.Config.Protocols.SetHTTP1(true)
				server.Config.Protocols.SetUnencryptedHTTP2(true)
				server.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 1}
				server.Start()
				t.Cleanup(server.Close)
				tr, _ := client(t, server.URL, func(c *Config) {
					c.Client.Connections = connections
					if h2 {
						c.Client.Protocol = profiles.ProtocolH2C
					}
				})
				tr.Hold(1)
				await(t, func() bool {
					idle := tr.Stats().Idle
					tr.streams.mu.Lock()
					defer tr.streams.mu.Unlock()
					if idle != 1 || !h2 {
						return idle == 1
					}
					held, _ := tr.streams.conns.Oldest()
					return held.Of.session.Room() == 1 // the server has said how many streams it takes
				})
				req := compile(t, tr, profiles.Request{})
				attempts := make([]attack.Attempt, 2)
				var wg sync.WaitGroup
				for i := range attempts {
					wg.Go(func() { tr.Do(req, &attempts[i]) })
				}
				<-arrived
				await(t, func() bool { return waiting(tr) == 1 })
				tr.Hold(0)
				select {
				case <-arrived:
				case <-time.After(patience / 2):
					t.Error("an attempt waits for a connection that is not held any more")
				}
				close(release)
				wg.Wait()
				for _, a := range attempts {
					expectEnd(t, a, attack.None, attack.PhaseDone, 200)
				}
			})
		}
	}
}

// TestHoldReplaces resets held connections, and later refuses them.
func TestHoldReplaces(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	resets := make(chan bool, 3)
	for range cap(resets) {
		resets <- true
	}
	serve(t, ln, func(c net.Conn, n int) {
		select {
		case <-resets:
			c.(*net.TCPConn).SetLinger(0)
		default:
			c.Read(make([]byte, 1))
		}
	})
	tr, rec := client(t, "http://"+ln.Addr().String(), nil)
	tr.Hold(5)
	wait := func(cond func() bool) {
		t.Helper()
		limit := time.After(patience)
		for !cond() {
			select {
			case <-limit:
				t.Fatalf("%+v, reported %v", tr.Stats(), record.Faults(rec.Idle()))
			case <-time.After(time.Millisecond):
			}
		}
	}
	count := func(key string) int {
		return record.Faults(rec.Idle())[key]
	}
	// Nothing was sent over them: they came to nothing, in connect or just after.
	wait(func() bool { return tr.Stats().Idle == 5 && count("reset/dial") == 3 })
	if rec.Resets() != 3 {
		t.Errorf("%d wire resets", rec.Resets())
	}
	ln.Close()
	tr.Hold(6)
	wait(func() bool { return count("refused/dial") >= 2 })
	if n := count("refused/dial"); n > 10 {
		t.Errorf("%d tries", n)
	}
}

func TestIdleTimeout(t *testing.T) {
	closed := make(chan error, 1)
	url := scripted(t, func(c net.Conn, _ int) {
		br := bufio.NewReader(c)
		http.ReadRequest(br)
		io.WriteString(c, okResponse)
		_, err := br.ReadByte()
		closed <- err
	})
	tr, rec := client(t, url, func(c *Config) { c.Client.IdleTimeout = 30 * time.Millisecond })
	a := do(t, tr, profiles.Request{})
	select {
	case err := <-closed:
		if rested := tr.clock() - a.End; !errors.Is(err, io.EOF) || rested < 30*time.Millisecond {
			t.Errorf("ended with %v after %v", err, rested)
		}
	case <-time.After(patience):
		t.Fatal("still open")
	}
	expectEnd(t, a, attack.None, attack.PhaseDone, 200)
	tr.Close()
	if len(rec.Idle()) != 0 {
		t.Errorf("reported %v", record.Faults(rec.Idle()))
	}
}
