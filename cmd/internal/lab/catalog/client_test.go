package catalog_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/http2"

	"github.com/rampload/rampload/profiles"
)

// seen is what a plain client saw: requests by outcome, and resets on the wire
// counted once a connection.
type seen struct {
	Sent, OK, Reset, EOF, Refused, Timeout, Status, Local, Stream, Other int64
	Wire                                                                 int64
	LastOther                                                            string
	Began, FirstFailure                                                  time.Time
}

func (s seen) failed() int64 { return s.Sent - s.OK }

// plan is what a client does. A brief one takes a fraction of the profile's
// time; if that was not enough to see what it waits for, its last stage goes on
// until it has, or until the profile's whole time is over.
type plan struct {
	Profile profiles.Profile
	Brief   int   // stages take 1 of so many parts of their time; 0: all of it
	Until   until // of a brief one
}

// until is what a brief client waits for.
type until string

const (
	untilEnd    until = ""        // nothing: its time is up
	untilFailed until = "failed"  // enough failures that are not the client's own, nor only its impatience
	untilReset  until = "reset"   // enough resets on the wire
	untilLocal  until = "local"   // enough faults of its own
	untilLate   until = "timeout" // enough of these, or of its own faults
)

// enough failures are so many that the service knows of one of them. A server
// that closes an idle connection when a request is on its way, but not there yet,
// resets the caller and cannot know it.
const enough = 10

// clientMain is the process of the client: it does what a file says and prints
// what it saw.
func clientMain(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var p plan
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(p.run())
}

// load runs all stages of a profile.
func load(p profiles.Profile) seen { return plan{Profile: p}.run() }

// run runs the profile's stages in a simple open loop, by the clock: its sleeps are the
// pace of the load, and nothing waits by them for anything. The requests are sent by
// net/http, with bodies that it cannot replay.
func (pl plan) run() seen {
	p := pl.Profile
	r := &recorder{seen: seen{Began: time.Now()}}
	whole := time.Duration(0)
	for _, st := range p.Load {
		whole += st.Duration()
	}
	client := &http.Client{Timeout: p.Client.Timeout, Transport: r.transport(p.Client)}
	var wg sync.WaitGroup
	inFlight := make(chan struct{}, p.Client.MaxInFlight)
	fire := func(n int) {
		for range n {
			target := p.Targets[rand.IntN(len(p.Targets))]
			req := pick(target.Requests)
			select {
			case inFlight <- struct{}{}:
				wg.Go(func() {
					r.request(client, target, req)
					<-inFlight
				})
			default:
			}
		}
	}
	for i, st := range p.Load {
		begin := time.Now()
		least, most := st.Duration(), st.Duration()
		if pl.Brief > 0 {
			least /= time.Duration(pl.Brief)
			most = least
			if i == len(p.Load)-1 && pl.Until != untilEnd {
				most = max(least, whole-begin.Sub(r.seen.Began))
			}
		}
		over := func(at time.Duration) bool {
			return at >= most || at >= least && r.saw(pl.Until)
		}
		switch st := st.(type) {
		case profiles.Burst:
			for at := time.Duration(0); !over(at); at += st.Every {
				time.Sleep(time.Until(begin.Add(at + time.Duration((rand.Float64()*2-1)*float64(st.Jitter)))))
				fire(st.Size)
			}
		case profiles.Connections:
			// Each held connection is a client of its own at its own rate.
			for i := range st.To {
				opens := time.Duration(0)
				if i >= st.From {
					opens = time.Duration(float64(least) * float64(i-st.From) / float64(st.To-st.From))
				}
				wg.Go(func() {
					own := &http.Client{Timeout: p.Client.Timeout, Transport: r.transport(p.Client)}
					defer own.CloseIdleConnections()
					time.Sleep(time.Until(begin.Add(opens)))
					for !over(time.Since(begin)) {
						r.request(own, p.Targets[0], pick(p.Targets[0].Requests))
						time.Sleep(time.Duration(float64(time.Second) / p.Client.PerConnection))
					}
				})
			}
			for !over(time.Since(begin)) {
				time.Sleep(4 * time.Millisecond)
			}
		default:
			total := least.Seconds()
			from, to := st.Ends(p.Client.PerConnection)
			for sent := 0.0; ; time.Sleep(4 * time.Millisecond) {
				at := time.Since(begin)
				if over(at) {
					break
				}
				x := min(at.Seconds(), total)
				due := from*x + (to-from)*x*x/(2*total) + to*(at.Seconds()-x)
				fire(int(due - sent))
				sent += float64(int(due - sent))
			}
		}
	}
	wg.Wait()
	client.CloseIdleConnections()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen.Wire = r.wire.Load()
	return r.seen
}

// offered returns the rate that a profile offers at a time after its begin.
func offered(p profiles.Profile, at time.Duration) float64 {
	for _, st := range p.Load {
		length := st.Duration()
		if at < length {
			from, to := st.Ends(p.Client.PerConnection)
			return from + (to-from)*at.Seconds()/length.Seconds()
		}
		at -= length
	}
	return 0
}

func pick(requests []profiles.Request) profiles.Request {
	sum := 0.0
	for _, r := range requests {
		sum += r.Weight
	}
	x := rand.Float64() * sum
	for _, r := range requests {
		if x -= r.Weight; x < 0 {
			return r
		}
	}
	return requests[0]
}

// saw reports whether there has been enough of something.
func (r *recorder) saw(what until) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.seen
	switch what {
	case untilFailed:
		return max(s.failed()-s.Timeout-s.Local, r.wire.Load()) >= enough
	case untilReset:
		return r.wire.Load() >= enough
	case untilLocal:
		return s.Local >= enough
	case untilLate:
		return s.Local+s.Timeout >= enough
	}
	return true
}

type recorder struct {
	mu   sync.Mutex
	seen seen
	wire atomic.Int64
}

func (r *recorder) transport(c profiles.Client) http.RoundTripper {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{Timeout: c.Timeout}).DialContext(ctx, network, addr)
		if errors.Is(err, syscall.ECONNRESET) {
			r.wire.Add(1)
		}
		if err != nil {
			return nil, err
		}
		return &watchedConn{Conn: conn, wire: &r.wire}, nil
	}
	if c.Protocol == profiles.ProtocolH2C {
		return &http2.Transport{AllowHTTP: true, DialTLSContext: func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
			return dial(ctx, network, addr)
		}}
	}
	return &http.Transport{
		DialContext: dial, MaxIdleConnsPerHost: max(c.Connections, 1), DisableKeepAlives: c.Connections == 0,
		IdleConnTimeout: c.IdleTimeout, MaxConnsPerHost: c.Connections,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: c.TLS.SkipVerify},
	}
}

// watchedConn counts a reset of its connection once.
type watchedConn struct {
	net.Conn
	once sync.Once
	wire *atomic.Int64
}

func (c *watchedConn) note(err error) {
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		c.once.Do(func() { c.wire.Add(1) })
	}
}

func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.note(err)
	return n, err
}

func (c *watchedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.note(err)
	return n, err
}

func (r *recorder) request(client *http.Client, target profiles.Target, q profiles.Request) {
	var body io.Reader
	if q.Body != "" {
		body = io.NopCloser(strings.NewReader(q.Body))
	}
	req, err := http.NewRequest(q.Method, target.URL+q.Path, body)
	if err != nil {
		panic(err)
	}
	if body != nil {
		req.ContentLength = int64(len(q.Body))
	}
	resp, err := client.Do(req)
	status := 0
	if err == nil {
		status = resp.StatusCode
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.seen
	s.Sent++
	if (err != nil || !target.Expect.Contains(status)) && s.FirstFailure.IsZero() {
		s.FirstFailure = time.Now()
	}
	var ne net.Error
	var se http2.StreamError
	switch {
	case err == nil && target.Expect.Contains(status):
		s.OK++
	case err == nil:
		s.Status++
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		s.Reset++
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.EADDRNOTAVAIL):
		s.Local++
	case errors.As(err, &se):
		s.Stream++
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(err.Error(), "server closed idle"):
		s.EOF++
	case errors.Is(err, syscall.ECONNREFUSED):
		s.Refused++
	case errors.As(err, &ne) && ne.Timeout():
		s.Timeout++
	default:
		s.Other++
		s.LastOther = err.Error()
	}
}

// steady is a profile that sends POSTs at a constant rate.
func steady(url string, rate float64, length time.Duration) profiles.Profile {
	return profiles.Profile{
		Targets: []profiles.Target{{
			Name: "t", URL: url, Share: 1, Expect: profiles.StatusSet{{Low: 200, High: 299}},
			Requests: []profiles.Request{{Method: "POST", Path: "/payments", Body: strings.Repeat("p", 2000), Weight: 1}},
		}},
		Load:   profiles.Load{profiles.Hold{Rate: rate, For: length}},
		Client: profiles.Client{Connections: 1000, MaxInFlight: 5000, Timeout: patience},
	}
}
