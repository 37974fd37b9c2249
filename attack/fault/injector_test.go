package fault_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/rampload/rampload/attack/fault"
)

// places are the places of HTTP/1.1 and how the client has to behave to reach
// them often.
var places = []fault.Place{
	fault.OnAccept, fault.BeforeResponseFresh, fault.BeforeResponseReused, fault.InHeaders,
	fault.InBody, fault.Idle, fault.AfterFIN, fault.AfterResponse,
}

// TestInjectorCountsExactly holds the injector's count against what a plain
// socket client saw, one by one: after each exchange the client waits for the
// connection to be reset if it is to be.
func TestInjectorCountsExactly(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, place := range places {
			for _, method := range []string{"GET", "POST"} {
				name := fmt.Sprintf("%v/%s/tls=%v", place, method, secure)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					delay := 2 * time.Millisecond
					if place == fault.AfterFIN {
						delay = 0
					}
					var observed atomic.Uint64
					// The client makes three requests on a connection and then knows of each
					// place whether a RST is to come: it waits for that, never for its absence.
					// How often a connection rests is up to the machine, so there it is always.
					every := 3
					if place == fault.Idle {
						every = 1
					}
					in := start(t, fault.InjectorOptions{
						Place: place, Every: every, Delay: delay, TLS: secure,
						Observe: func(fault.Injected) { observed.Add(1) },
					})
					saw := 0
					for range 18 {
						saw += exchange(t, in, place, method)
					}
					if err := in.Close(); err != nil {
						t.Fatal(err)
					}
					c := in.Counts()
					if c.Resets == 0 || int(c.Resets) != saw || c.PeerFirst != 0 || observed.Load() != c.Resets {
						t.Errorf("client saw %d resets, observer %d, injector: %+v", saw, observed.Load(), c)
					}
				})
			}
		}
	}
}

// patience is how long a test waits for what has to come, on any machine.
const patience = 20 * time.Second

// eventually waits until cond holds and reports whether it did.
func eventually(cond func() bool) bool {
	for deadline := time.Now().Add(patience); !cond(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// exchange opens a connection, sends up to three requests on it and returns 1 if the
// connection was reset.
func exchange(t *testing.T, in *fault.Injector, place fault.Place, method string) int {
	t.Helper()
	tcp, err := net.Dial("tcp", in.Addr().String())
	if errors.Is(err, syscall.ECONNRESET) {
		return 1 // the RST was there before connect() returned
	}
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	tcp.SetDeadline(time.Now().Add(patience))
	c := tcp
	if in.Certificate() != nil {
		c = tls.Client(tcp, &tls.Config{RootCAs: pool(in), ServerName: "127.0.0.1"})
	}
	for range 3 {
		body := ""
		if method == "POST" {
			body = "hello"
		}
		_, err := fmt.Fprintf(c, "%s / HTTP/1.1\r\nHost: lab\r\nContent-Length: %d\r\n\r\n%s", method, len(body), body)
		if err == nil {
			err = response(c)
		}
		if err != nil {
			if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
				return 1
			}
			// A FIN came first: the RST behind it shows as an error of the socket.
			return awaitReset(tcp)
		}
	}
	if place != fault.Idle && place != fault.AfterResponse {
		return 0
	}
	// With nothing in flight only a RST can come.
	if _, err := tcp.Read(make([]byte, 1)); errors.Is(err, syscall.ECONNRESET) {
		return 1
	}
	return 0
}

// response reads one response of the injector, which sends 64 bytes of body.
func response(c io.Reader) error {
	var got strings.Builder
	buf := make([]byte, 1024)
	for {
		if head, body, ok := strings.Cut(got.String(), "\r\n\r\n"); ok && len(body) == 64 && strings.HasPrefix(head, "HTTP/1.1 200") {
			return nil
		}
		n, err := c.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			return err
		}
	}
}

// awaitReset waits until the socket shows that the peer reset it behind a FIN:
// EPIPE is what Linux reports in CLOSE_WAIT.
func awaitReset(c net.Conn) int {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(time.Millisecond) {
		if _, err := c.Write([]byte("x")); err != nil {
			return 1
		}
	}
	return 0
}

func pool(in *fault.Injector) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(in.Certificate())
	return p
}

func start(t *testing.T, opts fault.InjectorOptions) *fault.Injector {
	t.Helper()
	in, err := fault.NewInjector(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	return in
}

func TestInjectorServesProperly(t *testing.T) {
	for _, opts := range []fault.InjectorOptions{
		{},
		{TLS: true, Chunked: true, BodySize: 100_000},
		{BodySize: -1, Chunked: true},
		{HTTP2: true, TLS: true, BodySize: 300_000},
		{HTTP2: true, Hold: time.Millisecond},
		{Status: 503},
		{Status: 204},
	} {
		t.Run(fmt.Sprintf("%+v", opts), func(t *testing.T) {
			var c fault.Counts
			// net/http uses a connection no more if it has not heard of its own write
			// for 50 ms, as can happen to a thread on a busy machine: then once again.
			for range 4 {
				if c = servesProperly(t, opts); c.Connections == 1 {
					break
				}
			}
			if c.Requests != 8 || c.Responses != 8 || c.Resets != 0 || c.Connections != 1 {
				t.Errorf("counts %+v", c)
			}
		})
	}
}

// servesProperly makes requests of all kinds to an injector that injects
// nothing, and returns its final counts.
func servesProperly(t *testing.T, opts fault.InjectorOptions) fault.Counts {
	t.Helper()
	in := start(t, opts)
	client := clientOf(in, opts)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT"} {
		for _, expect := range []string{"", "100-continue"} {
			var body io.Reader
			if method == "POST" || method == "PUT" {
				body = strings.NewReader(strings.Repeat("b", 200_000))
			}
			req, _ := http.NewRequest(method, in.URL()+"/x", body)
			if body != nil && expect != "" {
				req.Header.Set("Expect", expect)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			want, status := 64, 200
			if opts.BodySize != 0 {
				want = max(opts.BodySize, 0)
			}
			if opts.Status != 0 {
				status = opts.Status
			}
			if method == "HEAD" || status == 204 {
				want = 0
			}
			if len(got) != want || resp.StatusCode != status {
				t.Errorf("%s: %d bytes, status %d; want %d, %d", method, len(got), resp.StatusCode, want, status)
			}
		}
	}
	client.CloseIdleConnections()
	in.Close()
	return in.Counts()
}

func clientOf(in *fault.Injector, opts fault.InjectorOptions) *http.Client {
	if opts.HTTP2 {
		tr := &http2.Transport{AllowHTTP: true}
		if in.Certificate() != nil {
			tr.TLSClientConfig = &tls.Config{RootCAs: pool(in)}
		} else {
			tr.DialTLSContext = func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			}
		}
		return &http.Client{Transport: tr, Timeout: patience}
	}
	tr := &http.Transport{}
	if in.Certificate() != nil {
		tr.TLSClientConfig = &tls.Config{RootCAs: pool(in)}
	}
	return &http.Client{Transport: tr, Timeout: patience}
}

// h2conn counts the resets that the sockets of an HTTP/2 client saw.
type h2conn struct {
	net.Conn
	once  *sync.Once
	reset *atomic.Uint64
}

func (c h2conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if errors.Is(err, syscall.ECONNRESET) {
		c.once.Do(func() { c.reset.Add(1) })
	}
	return n, err
}

// Write takes the error of the socket too: whoever comes first gets it.
func (c h2conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		c.once.Do(func() { c.reset.Add(1) })
	}
	return n, err
}

func TestInjectorHTTP2(t *testing.T) {
	for _, place := range []fault.Place{
		fault.BeforeResponseFresh, fault.BeforeResponseReused, fault.InBody, fault.Idle, fault.AfterResponse, fault.StreamReset, fault.GoAway,
	} {
		t.Run(place.String(), func(t *testing.T) {
			t.Parallel()
			in := start(t, fault.InjectorOptions{HTTP2: true, Place: place, Every: 2, Limit: 5, Delay: 2 * time.Millisecond})
			var resets, streams atomic.Uint64
			tr := &http2.Transport{AllowHTTP: true}
			open := make(chan struct{}, 100)
			tr.DialTLSContext = func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
				c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
				open <- struct{}{}
				return h2conn{c, &sync.Once{}, &resets}, err
			}
			// Requests of POST without GetBody are never replayed by the transport.
			// How often a connection rests is up to the machine: the requests go on until
			// the injector has reached its limit.
			acted := func() uint64 {
				c := in.Counts()
				return c.Resets + c.Streams + c.GoAways
			}
			deadline := time.Now().Add(patience)
			for done := 0; (done < 40 || acted() < 5) && time.Now().Before(deadline); done++ {
				req, _ := http.NewRequest("POST", in.URL(), io.NopCloser(strings.NewReader("x")))
				resp, err := tr.RoundTrip(req)
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				var se http2.StreamError
				if errors.As(err, &se) {
					streams.Add(1)
				}
				switch place {
				case fault.Idle:
					<-time.After(6 * time.Millisecond)
				case fault.BeforeResponseFresh:
					if done%2 == 0 {
						tr.CloseIdleConnections()
					}
				}
			}
			// The last reset reaches the client's read loop.
			eventually(func() bool { return resets.Load() >= in.Counts().Resets })
			tr.CloseIdleConnections()
			in.Close()
			c := in.Counts()
			switch place {
			case fault.StreamReset:
				if c.Streams != 5 || streams.Load() != 5 || c.Resets != 0 {
					t.Errorf("client saw %d stream resets, injector %+v", streams.Load(), c)
				}
			case fault.GoAway:
				if c.GoAways != 5 || c.Resets != 0 {
					t.Errorf("injector %+v", c)
				}
			default:
				if c.Resets != 5 || resets.Load() != 5 {
					t.Errorf("client saw %d resets, injector %+v", resets.Load(), c)
				}
			}
		})
	}
}

func TestInjectorLimitAndEvery(t *testing.T) {
	in := start(t, fault.InjectorOptions{Place: fault.InBody, Every: 4, Limit: 3})
	saw := 0
	for range 40 {
		saw += exchange(t, in, fault.InBody, "GET")
	}
	in.Close() // a response counts after the client has it
	if c := in.Counts(); saw != 3 || c.Resets != 3 || c.Requests != c.Responses+3 {
		t.Errorf("saw %d, counts %+v", saw, c)
	}
}

// TestInjectorDoesNotCountLateResets closes the client's side first: the RST
// then reaches nobody who could see it.
func TestInjectorDoesNotCountLateResets(t *testing.T) {
	in := start(t, fault.InjectorOptions{Place: fault.BeforeResponseFresh, Hold: 500 * time.Millisecond})
	c, err := net.Dial("tcp", in.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
	c.Close()
	eventually(func() bool { return in.Counts().PeerFirst > 0 })
	if got := in.Counts(); got.Resets != 0 || got.PeerFirst != 1 {
		t.Errorf("counts %+v, want one late reset", got)
	}
}

func TestMalformedResponses(t *testing.T) {
	for m := fault.Garbage; m <= fault.TwoResponses; m++ {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			in := start(t, fault.InjectorOptions{Malformed: m, Delay: 5 * time.Millisecond})
			c, err := net.Dial("tcp", in.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
			const limit = 1 << 17
			endless := m == fault.EndlessHeaders || m == fault.EndlessBody || m == fault.EndlessContinues
			closes := !endless && m != fault.LongBody && m != fault.SlowHeaders && m != fault.SlowBody && m != fault.NoAnswer && m != fault.TwoResponses
			// What has to come is waited for; that no more comes shows in a moment.
			c.SetReadDeadline(time.Now().Add(patience))
			var raw []byte
			if !closes && !endless {
				raw = make([]byte, 1)
				if m == fault.NoAnswer {
					raw = nil
				}
				if _, err := io.ReadFull(c, raw); err != nil {
					t.Fatal(err)
				}
				c.SetReadDeadline(time.Now().Add(60 * time.Millisecond))
			}
			rest, err := io.ReadAll(io.LimitReader(c, limit))
			raw = append(raw, rest...)
			if closes != (err == nil && len(raw) < limit) {
				t.Errorf("connection: %v after %d bytes", err, len(raw))
			}
			if endless != (len(raw) >= limit) {
				t.Errorf("%d bytes", len(raw))
			}
			if (m == fault.EarlyClose || m == fault.NoAnswer) != (len(raw) == 0) {
				t.Errorf("%d bytes", len(raw))
			}
			eventually(func() bool { return in.Counts().Malformed > 0 })
			if got := in.Counts(); got.Malformed != 1 || got.Resets != 0 {
				t.Errorf("counts %+v", got)
			}
		})
	}
}

func TestInjectorRefusesNonsense(t *testing.T) {
	for name, opts := range map[string]fault.InjectorOptions{
		"stream reset without HTTP/2": {Place: fault.StreamReset},
		"headers with HTTP/2":         {Place: fault.InHeaders, HTTP2: true},
		"malformed with HTTP/2":       {Malformed: fault.Garbage, HTTP2: true},
		"both":                        {Malformed: fault.Garbage, Place: fault.Idle},
		"bad address":                 {Addr: "not an address"},
		"unknown place":               {Place: 200},
	} {
		if in, err := fault.NewInjector(opts); err == nil {
			in.Close()
			t.Errorf("%s: no error", name)
		}
	}
}
