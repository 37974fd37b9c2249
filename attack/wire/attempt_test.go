package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/attack/wire/wiretest/record"
	"github.com/rampload/rampload/profiles"
)

// serve accepts connections and has f answer each, counted from 0.
func serve(t *testing.T, ln net.Listener, f func(c net.Conn, n int)) {
	t.Helper()
	var wg sync.WaitGroup
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for n := 0; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(t.Context(), func() { c.Close() })
			wg.Go(func() {
				defer stop()
				defer c.Close()
				f(c, n)
			})
		}
	})
}

func listen(t *testing.T, network, addr string) net.Listener {
	t.Helper()
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// scripted starts a server on loopback and returns its URL.
func scripted(t *testing.T, f func(c net.Conn, n int)) string {
	t.Helper()
	ln := listen(t, "tcp", "127.0.0.1:0")
	serve(t, ln, f)
	return "http://" + ln.Addr().String()
}

const okResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// answers reads requests and answers each with the text.
func answers(text string) func(net.Conn, int) {
	return func(c net.Conn, _ int) {
		br := bufio.NewReader(c)
		for {
			req, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			io.Copy(io.Discard, req.Body)
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

// patience is how long a test waits for what has to come, on any machine.
const patience = 20 * time.Second

// client is a transport for a URL that records.
// recorder has the reports of connections without an attempt at hand, under mu, as they
// came: those of a test that looks at thousands.
type recorder struct {
	*record.Recorder
	mu   sync.Mutex
	idle []attack.Attempt
}

func (r *recorder) onIdle(a attack.Attempt) {
	r.mu.Lock()
	r.idle = append(r.idle, a)
	r.mu.Unlock()
	r.OnIdle(a)
}

func client(t *testing.T, url string, change func(*Config)) (*Transport, *recorder) {
	t.Helper()
	rec := &recorder{Recorder: record.New()}
	cfg := Config{
		Profile: profiles.Target{URL: url},
		Client:  profiles.Client{Connections: 2, Timeout: patience},
		OnIdle:  rec.onIdle,
	}
	if change != nil {
		change(&cfg)
	}
	cfg.Exchange = Speak
	tr, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr, rec
}

func compile(t *testing.T, tr *Transport, r profiles.Request) attack.Request {
	t.Helper()
	compiled, err := tr.Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func do(t *testing.T, tr *Transport, r profiles.Request) attack.Attempt {
	t.Helper()
	var a attack.Attempt
	tr.Do(compile(t, tr, r), &a)
	return a
}

// expectEnd fails unless the attempt ended so.
func expectEnd(t *testing.T, a attack.Attempt, fault attack.Fault, phase attack.Phase, status int) {
	t.Helper()
	if a.Fault != fault || a.Phase != phase || int(a.Status) != status {
		t.Errorf("ended %v in %v with status %d, want %v in %v with %d (%+v)", a.Fault, a.Phase, a.Status, fault, phase, status, a)
	}
}

func TestMalformed(t *testing.T) {
	const timeout = time.Second
	for _, tc := range []struct {
		kind   fault.Malformed
		fault  attack.Fault
		phase  attack.Phase
		status int
	}{
		{fault.Garbage, attack.Protocol, attack.PhaseAwait, 0},
		{fault.BadStatusLine, attack.Protocol, attack.PhaseAwait, 0},
		{fault.BadHeader, attack.Protocol, attack.PhaseAwait, 0},
		{fault.BadLength, attack.Protocol, attack.PhaseAwait, 0},
		{fault.TwoLengths, attack.Protocol, attack.PhaseAwait, 0},
		{fault.BadChunk, attack.Protocol, attack.PhaseBody, 200},
		{fault.ShortBody, attack.EOF, attack.PhaseBody, 200},
		{fault.EndlessHeaders, attack.Protocol, attack.PhaseAwait, 0},
		{fault.EndlessBody, attack.Timeout, attack.PhaseBody, 200},
		{fault.EndlessContinues, attack.Protocol, attack.PhaseAwait, 0},
		{fault.SlowHeaders, attack.Timeout, attack.PhaseAwait, 0},
		{fault.SlowBody, attack.Timeout, attack.PhaseBody, 200},
		{fault.EarlyClose, attack.EOF, attack.PhaseAwait, 0},
		{fault.NoAnswer, attack.Timeout, attack.PhaseAwait, 0},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/tls=%v", tc.kind, secure), func(t *testing.T) {
				if tc.fault == attack.Timeout && tc.kind != fault.EndlessBody {
					t.Parallel() // they wait; what is endless has its heap measured
				}
				in, cfg := injector(t, fault.InjectorOptions{TLS: secure, Malformed: tc.kind, Every: 2, Delay: 20 * time.Millisecond})
				if tc.fault == attack.Timeout {
					cfg.Client.Timeout = timeout
				}
				tr, req := open(t, cfg, profiles.Request{Path: "/"})
				var good, bad, after attack.Attempt
				var before, now runtime.MemStats
				tr.Do(req, &good)
				runtime.ReadMemStats(&before)
				tr.Do(req, &bad)
				runtime.ReadMemStats(&now)
				tr.Do(req, &after)
				expectEnd(t, good, attack.None, attack.PhaseDone, 200)
				expectEnd(t, bad, tc.fault, tc.phase, tc.status)
				expectEnd(t, after, attack.None, attack.PhaseDone, 200)
				if in.Counts().Malformed != 1 {
					t.Errorf("%d malformed responses", in.Counts().Malformed)
				}
				if tc.fault == attack.Timeout {
					if took := bad.End - bad.Start; took < timeout || took > 2*timeout {
						t.Errorf("timed out after %v", took)
					}
				}
				if !bad.Conn.Reused || bad.Conn.ID == after.Conn.ID || bad.WireReset {
					t.Errorf("connections: %+v, then %+v", bad.Conn, after.Conn)
				}
				endless := tc.kind == fault.EndlessHeaders || tc.kind == fault.EndlessBody || tc.kind == fault.EndlessContinues
				if grown := int64(now.HeapSys) - int64(before.HeapSys); endless && grown > 32<<20 {
					t.Errorf("the heap grew by %d bytes", grown)
				}
			})
		}
	}
}

// TestUnasked has bytes follow a complete response: with it, the attempt fails;
// later, the connection ends.
func TestUnasked(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		url := scripted(t, answers(okResponse+okResponse))
		tr, rec := client(t, url, nil)
		a := do(t, tr, profiles.Request{})
		expectEnd(t, a, attack.Protocol, attack.PhaseBody, 200)
		tr.Close()
		if len(rec.Idle()) != 0 {
			t.Errorf("reported again: %v", record.Faults(rec.Idle()))
		}
	})
	t.Run("later", func(t *testing.T) {
		sent := make(chan bool)
		more := make(chan bool)
		url := scripted(t, func(c net.Conn, n int) {
			br := bufio.NewReader(c)
			http.ReadRequest(br)
			io.WriteString(c, okResponse)
			if n == 0 {
				<-more
				io.WriteString(c, okResponse)
				close(sent)
			}
			http.ReadRequest(br)
		})
		tr, rec := client(t, url, nil)
		a := do(t, tr, profiles.Request{})
		expectEnd(t, a, attack.None, attack.PhaseDone, 200)
		close(more)
		<-sent
		rest(50 * time.Millisecond) // less than a millisecond and only every 16th reuse looks
		b := do(t, tr, profiles.Request{})
		expectEnd(t, b, attack.None, attack.PhaseDone, 200)
		if b.Conn.ID == a.Conn.ID {
			t.Error("the connection was used again")
		}
		tr.Close()
		if got := record.Faults(rec.Idle()); got["protocol/idle"] != 1 || len(rec.Idle()) != 1 {
			t.Errorf("reported %v", got)
		} else if d := rec.Idle()[0].Detail.String(); d != "malformed answered-before-asked" {
			t.Errorf("the report says %q", d)
		}
	})
}

func TestRefused(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	url := "http://" + ln.Addr().String()
	ln.Close()
	tr, _ := client(t, url, nil)
	a := do(t, tr, profiles.Request{})
	expectEnd(t, a, attack.Refused, attack.PhaseDial, 0)
	if a.WireReset || a.Conn.ID != 0 || a.Conn.RemoteIndex != 1 || a.End <= a.Start {
		t.Errorf("%+v", a)
	}
}

func TestIdleCloseAndReset(t *testing.T) {
	type event struct {
		fault attack.Fault
		reset bool
	}
	for name, tc := range map[string]struct {
		end  func(*net.TCPConn)
		want event
	}{
		"fin": {func(c *net.TCPConn) { c.Close() }, event{attack.EOF, false}},
		"rst": {func(c *net.TCPConn) { c.SetLinger(0); c.Close() }, event{attack.Reset, true}},
		"fin then rst": {func(c *net.TCPConn) {
			c.CloseWrite()
			rest(20 * time.Millisecond)
			c.SetLinger(0)
			c.Close()
		}, event{attack.Reset, true}},
	} {
		for _, lease := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/lease=%v", name, lease), func(t *testing.T) {
				t.Parallel()
				done := make(chan bool)
				url := scripted(t, func(c net.Conn, _ int) {
					http.ReadRequest(bufio.NewReader(c))
					io.WriteString(c, okResponse)
					select {
					case <-done:
						tc.end(c.(*net.TCPConn))
					case <-t.Context().Done():
					}
				})
				tr, rec := client(t, url, nil)
				req := compile(t, tr, profiles.Request{})
				var a attack.Attempt
				if lease {
					l := tr.Lease()
					defer l.Close()
					l.Do(req, &a)
				} else {
					tr.Do(req, &a)
				}
				expectEnd(t, a, attack.None, attack.PhaseDone, 200)
				close(done)
				select {
				case <-rec.Changed():
				case <-time.After(patience):
					t.Fatal("not noticed")
				}
				got := rec.Idle()[0]
				if got.Fault != tc.want.fault || got.WireReset != tc.want.reset || got.Phase != attack.PhaseIdle ||
					got.Conn.ID != a.Conn.ID || got.Conn.Served != 1 || got.Conn.Idle <= 0 || !got.Info.Valid {
					t.Errorf("reported %+v", got)
				}
				if s := tr.Stats(); s.Open != 0 || s.Idle != 0 || s.Dials != 1 {
					t.Errorf("%+v", s)
				}
			})
		}
	}
}

func TestStatus(t *testing.T) {
	url := scripted(t, answers("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"))
	tr, _ := client(t, url, func(c *Config) { c.Profile.Expect = profiles.StatusSet{{Low: 200, High: 299}} })
	a, b := do(t, tr, profiles.Request{}), do(t, tr, profiles.Request{})
	expectEnd(t, a, attack.Status, attack.PhaseDone, 503)
	expectEnd(t, b, attack.Status, attack.PhaseDone, 503)
	if b.Conn.ID != a.Conn.ID || b.Conn.Served != 1 {
		t.Errorf("%+v", b.Conn)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	serve(t, listen(t, "unix", path), answers(okResponse))
	var told []netip.AddrPort
	tr, rec := client(t, "unix://"+path, func(c *Config) {
		c.OnAddress = func(_ uint16, a netip.AddrPort) { told = append(told, a) }
	})
	for i := range 3 {
		a := do(t, tr, profiles.Request{Path: "/x"})
		expectEnd(t, a, attack.None, attack.PhaseDone, 200)
		if int(a.Conn.Served) != i || a.Conn.RemoteIndex != 1 {
			t.Errorf("%+v", a.Conn)
		}
	}
	if len(told) != 1 || told[0].IsValid() {
		t.Errorf("addresses %v", told)
	}
	tr.Close()
	if len(rec.Idle()) != 0 {
		t.Errorf("reported %v", record.Faults(rec.Idle()))
	}

	tr, _ = client(t, "unix://"+path+"-not", nil)
	expectEnd(t, do(t, tr, profiles.Request{}), attack.Refused, attack.PhaseDial, 0)

	// The peer closes with unread data: ECONNRESET.
	other := filepath.Join(t.TempDir(), "r")
	serve(t, listen(t, "unix", other), func(c net.Conn, _ int) { c.Read(make([]byte, 1)) })
	tr, _ = client(t, "unix://"+other, nil)
	a := do(t, tr, profiles.Request{})
	if a.Fault != attack.Reset || !a.WireReset {
		t.Errorf("%+v", a)
	}
}

func TestIPv6(t *testing.T) {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		skip(t, "needs IPv6 on loopback: %v", err)
	}
	serve(t, ln, answers(okResponse))
	tr, _ := client(t, "http://"+ln.Addr().String(), nil)
	a := do(t, tr, profiles.Request{})
	expectEnd(t, a, attack.None, attack.PhaseDone, 200)
	if !a.Conn.Local.Addr().Is6() || a.Conn.Remote.String() != ln.Addr().String() {
		t.Errorf("%+v", a.Conn)
	}
}

// skip skips a test that needs what this machine lacks; with RAMPLOAD_NO_SKIP=1
// it fails instead.
func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("RAMPLOAD_NO_SKIP") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func TestLocalAddresses(t *testing.T) {
	url := scripted(t, answers(okResponse))
	one, two := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3")
	tr, _ := client(t, url, func(c *Config) {
		c.Client.Connections = 0
		c.Client.LocalAddrs = []netip.Addr{one, two}
	})
	got := make(map[netip.Addr]int)
	for range 6 {
		a := do(t, tr, profiles.Request{})
		expectEnd(t, a, attack.None, attack.PhaseDone, 200)
		got[a.Conn.Local.Addr()]++
	}
	if got[one] != 3 || got[two] != 3 {
		t.Errorf("connections came from %v", got)
	}
	_, err := New(Config{
		Exchange: Speak,
		Profile:  profiles.Target{URL: url},
		Client:   profiles.Client{LocalAddrs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}},
	})
	if !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("a foreign local address: %v", err)
	}
}

func TestLargeBody(t *testing.T) {
	const size = 8 << 20
	url := scripted(t, func(c net.Conn, _ int) {
		br := bufio.NewReader(c)
		for {
			if _, err := http.ReadRequest(br); err != nil {
				return
			}
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
			c.Write(bytes.Repeat([]byte("x"), size))
			if _, err := http.ReadRequest(br); err != nil {
				return
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			for range 8 {
				fmt.Fprintf(c, "%x\r\n%s\r\n", size/8, strings.Repeat("y", size/8))
			}
			io.WriteString(c, "0\r\n\r\n")
		}
	})
	tr, _ := client(t, url, func(c *Config) { c.Client.Timeout = 10 * time.Second })
	for i := range 4 {
		a := do(t, tr, profiles.Request{})
		expectEnd(t, a, attack.None, attack.PhaseDone, 200)
		if int(a.Conn.Served) != i {
			t.Errorf("%+v", a.Conn)
		}
	}
}

// TestAllocations: the steady path over plain HTTP/1.1 allocates nothing.
func TestAllocations(t *testing.T) {
	if raced {
		t.Skip("the race detector has pools forget what they keep")
	}
	url := scripted(t, func(c net.Conn, _ int) {
		buf, answer := make([]byte, 4<<10), []byte(okResponse)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
			c.Write(answer)
		}
	})
	for name, r := range map[string]profiles.Request{
		"get":      {Path: "/"},
		"post":     {Method: "POST", Body: "hello"},
		"template": {Method: "POST", Body: `{"n":{{.N}},"id":"{{.ID}}","at":"{{.Now}}"}`, Template: true},
	} {
		tr, _ := client(t, url, nil)
		req := compile(t, tr, r)
		l := tr.Lease()
		var a attack.Attempt
		for path, do := range map[string]func(attack.Request, *attack.Attempt){"pool": tr.Do, "lease": l.Do} {
			do(req, &a)
			n := testing.AllocsPerRun(200, func() {
				a.Request++
				do(req, &a)
			})
			if a.Fault != attack.None {
				t.Fatalf("%v", a.Fault)
			}
			if n != 0 {
				t.Errorf("%s, %s: %v allocations", name, path, n)
			}
		}
		l.Close()
	}
}
