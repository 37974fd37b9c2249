// Package spans sends the run's own spans to a collector: one for each kept attempt that
// failed, and for those of sampled requests. It never makes the run wait: what a collector
// does not take in time is dropped and counted.
package spans

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/otlp"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/redaction"
	"github.com/rampload/rampload/report/format"
)

// Bounds of what is held and sent.
const (
	maxQueue  = 8192 // spans that wait
	maxBatch  = 512
	perSecond = 1000 // spans; the others of a second are left out
	sendEvery = time.Second
	sendFor   = 5 * time.Second // one message
	lastFor   = 3 * time.Second // all that waits, at the end
	maxPause  = 10 * time.Second
)

// Config is what an exporter needs.
type Config struct {
	Sink    profiles.SpanSink
	RunID   attack.RunID
	Profile profiles.Profile
	Label   string
	Version string           // of rampload
	Host    string           // this machine's name
	Start   func() time.Time // t = 0, asked when the load goes on
}

// Exporter queues and sends spans. Take may be called from any goroutine.
type Exporter struct {
	cfg     Config
	carrier carrier
	targets []target
	redact  redaction.Redactor

	mu      sync.Mutex
	queue   []span
	second  int64 // of the budget
	taken   int
	total   uint64
	left    uint64 // beyond the budget or the queue
	refused uint64
	sent    uint64
	why     string // of the latest failure

	more chan struct{}
	stop chan struct{}
	done chan struct{}
}

// target is what spans say of a target.
type target struct {
	name, address string
	port          int
	requests      []string
}

// span is one try of a request, as far as a span tells of it.
type span struct {
	trace                attack.TraceID
	id                   [8]byte
	name, transaction    string
	start, end           time.Time
	target               *target
	remote               net.Addr
	fault, phase, detail string // fault is empty for a good one
	status, try          int
	reused               bool
}

// carrier hands spans to a collector.
type carrier interface {
	send(ctx context.Context, of *Config, spans []span) error
	close()
}

// New makes an exporter and begins to send. An error is one of the configuration.
func New(cfg Config) (*Exporter, error) {
	carrier, err := newCarrier(cfg)
	if err != nil {
		return nil, fmt.Errorf("send traces: %w", err)
	}
	e := &Exporter{
		cfg: cfg, carrier: carrier, redact: redaction.Of(cfg.Profile),
		more: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	for _, t := range cfg.Profile.Targets {
		e.targets = append(e.targets, e.describe(t))
	}
	go e.run()
	return e, nil
}

func (e *Exporter) describe(t profiles.Target) target {
	out := target{name: t.Name}
	for i, base := range t.Bases() {
		if u, err := url.Parse(base.URL); err == nil && i == 0 {
			out.address = u.Hostname()
			if scheme, ok := profiles.FindScheme(u.Scheme); ok {
				out.port = scheme.Port
			}
			if _, err := fmt.Sscan(u.Port(), &out.port); err != nil && u.Port() != "" {
				out.port = 0
			}
		}
		for _, r := range base.Requests {
			if len(out.requests) == attack.CountedRequests {
				break
			}
			out.requests = append(out.requests, otlp.Clean(e.redact.Redact(r.Label()), 200))
		}
	}
	return out
}

// Take queues the span of an attempt. It returns at once.
func (e *Exporter) Take(a attack.Attempt) {
	if a.Phase == attack.PhaseIdle || a.Held || a.Fault.Local() || a.Fault == attack.Canceled || int(a.Target) >= len(e.targets) {
		return // no request of the schedule, or never on its way
	}
	second := int64(a.End / time.Second)
	e.mu.Lock()
	defer e.mu.Unlock()
	if second != e.second {
		e.second, e.taken = second, 0
	}
	e.total++
	if e.taken >= perSecond || len(e.queue) >= maxQueue {
		e.left++
		return
	}
	e.taken++
	e.queue = append(e.queue, e.spanOf(&a))
	if len(e.queue) >= maxBatch {
		select {
		case e.more <- struct{}{}:
		default:
		}
	}
}

func (e *Exporter) spanOf(a *attack.Attempt) span {
	t, start := &e.targets[a.Target], e.cfg.Start()
	s := span{
		trace: e.cfg.RunID.TraceID(a.Request), id: attack.SpanID(a.Request, a.Try), name: t.name, target: t,
		transaction: string(e.cfg.RunID.AppendTransactionID(nil, a.Request)),
		start:       start.Add(a.Start), end: start.Add(max(a.End, a.Start)),
		status: int(a.Status), try: int(a.Try), reused: a.Conn.Reused,
	}
	if int(a.Endpoint) < len(t.requests) {
		s.name = t.requests[a.Endpoint]
	}
	if a.Conn.Remote.IsValid() {
		s.remote = net.TCPAddrFromAddrPort(a.Conn.Remote)
	}
	if a.Fault != attack.None {
		s.fault, s.phase, s.detail = a.Fault.String(), a.Phase.String(), a.Detail.String()
	}
	return s
}

// text says in words what failed: "reset while it awaited the response".
func (s *span) text() string {
	switch {
	case s.fault == "":
		return ""
	case s.fault == attack.Status.String() && s.detail != "":
		return s.detail
	case s.fault == attack.Status.String():
		return fmt.Sprintf("status %d", s.status)
	}
	return strings.TrimSuffix(s.fault+" in "+s.phase+": "+s.detail, ": ")
}

// run sends what is queued, again and again, until the exporter is closed.
func (e *Exporter) run() {
	defer close(e.done)
	timer := time.NewTimer(sendEvery)
	defer timer.Stop()
	pause := time.Duration(0)
	for {
		select {
		case <-e.stop:
			return
		case <-e.more:
			if pause > 0 {
				continue // it is waited for
			}
		case <-timer.C:
		}
		pause = e.drain(context.Background(), pause)
		timer.Reset(max(sendEvery, pause))
	}
}

// drain sends batches until the queue is empty or one fails; it returns how long to wait.
func (e *Exporter) drain(ctx context.Context, before time.Duration) (pause time.Duration) {
	for {
		select {
		case <-e.stop:
			if ctx == context.Background() {
				return 0
			}
		default:
		}
		e.mu.Lock()
		batch := append([]span(nil), e.queue[:min(len(e.queue), maxBatch)]...)
		e.mu.Unlock()
		if len(batch) == 0 {
			return 0
		}
		within, cancel := context.WithTimeout(ctx, sendFor)
		err := e.carrier.send(within, &e.cfg, batch)
		cancel()
		var refused *otlp.Refused
		answered := errors.As(err, &refused)
		if err != nil && (!answered || refused.Again) { // kept, and sent again
			e.note(err, 0, 0, 0)
			pause = min(max(2*before, sendEvery), maxPause)
			if answered && refused.After > 0 {
				pause = min(refused.After, time.Minute)
			}
			return pause
		}
		lost := 0
		if answered {
			lost = len(batch)
			if refused.Part > 0 {
				lost = int(min(refused.Part, int64(len(batch))))
			}
		}
		e.note(err, len(batch), len(batch)-lost, lost)
	}
}

func (e *Exporter) note(err error, done, sent, refused int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = append(e.queue[:0], e.queue[done:]...)
	e.sent += uint64(sent)
	e.refused += uint64(refused)
	var slow net.Error
	switch {
	case err == nil:
	case errors.As(err, &slow) && slow.Timeout():
		e.why = "no answer in time"
	default:
		e.why = e.redact.Redact(err.Error())
	}
}

// Close sends what is left, for a bounded time, and returns why spans are missing; empty:
// none is.
func (e *Exporter) Close() (sent uint64, missing string) {
	close(e.stop)
	ctx, cancel := context.WithTimeout(context.Background(), lastFor)
	defer cancel()
	select {
	case <-e.done:
		e.drain(ctx, 0)
	case <-ctx.Done(): // a message is on its way that nobody answers
	}
	e.carrier.close()
	e.mu.Lock()
	defer e.mu.Unlock()
	waiting := uint64(len(e.queue))
	var why []string
	if n := e.refused + waiting; n > 0 {
		why = append(why, fmt.Sprintf("%s of %s spans: %s", format.Count(n), format.Count(e.total), cmp.Or(e.why, "the collector did not answer in time")))
	}
	if e.left > 0 {
		why = append(why, fmt.Sprintf("%s spans were more than %s a second, or than wait for the collector", format.Count(e.left), format.Count(perSecond)))
	}
	return e.sent, strings.Join(why, "; ")
}
