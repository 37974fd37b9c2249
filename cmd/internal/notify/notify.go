// Package notify tells Alertmanagers and webhooks while a run goes on that something is
// wrong with it, and at its end that it is over. It knows no gates: what is wrong is
// handed in as it is now, and what changed is sent.
//
// Nobody waits for a receiver. Each has few messages that wait, and few tries for one;
// what is given up is told in a line.
package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rampload/rampload/cmd/internal/otlp"
)

// Alert is one thing that is wrong.
type Alert struct {
	Name        string            // of the kind: "RamploadGateFailed"
	Labels      map[string]string // that tell it from others, beside those of the run
	Summary     string            // one line
	Description string            // what is known of its cause; may be empty
	Since       time.Time
}

// key tells alerts apart.
func (a Alert) key() string {
	key := a.Name
	for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
		key += "\x00" + name + "\x00" + a.Labels[name]
	}
	return key
}

// Kind is the form of messages.
type Kind string

// The kinds of receivers.
const (
	Alertmanager Kind = "Alertmanager"
	Webhook      Kind = "webhook"
)

// To is a receiver.
type To struct {
	Kind   Kind
	Sender *otlp.Sender
	Where  string // for people
}

const (
	// mostWaiting is how many messages of a receiver wait at most.
	mostWaiting = 16
	// mostTries is how often one is sent at most, and firstPause the pause after the
	// first try, which doubles.
	mostTries  = 4
	firstPause = time.Second
	// tryIn is how long one try may take.
	tryIn = 5 * time.Second
	// again is how often an Alertmanager is told what is still so: it forgets what it
	// does not hear of, after forgotten.
	again     = time.Minute
	forgotten = 4 * time.Minute
	// endIn is how long the last messages may take.
	endIn = 8 * time.Second
)

// Notifier tells all receivers. Its methods may be called from several goroutines.
type Notifier struct {
	labels map[string]string // of every alert
	tell   func(string)
	queues []*queue
	stop   context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	firing map[string]Alert
	ended  bool
}

// queue is what waits for one receiver.
type queue struct {
	to       To
	messages chan message
	lost     int // that found no room
}

// message is what is told at once.
type message struct {
	firing   []Alert // all that is wrong
	began    []Alert // of these, what was not so before
	resolved []Alert
	at       time.Time
	last     bool
	over     string // the verdict; empty: the run goes on
}

// New begins to tell receivers, whose senders it closes at the end. labels are those of
// every alert. tell says in a line what could not be told; it must not block.
func New(to []To, labels map[string]string, tell func(string)) *Notifier {
	n := &Notifier{labels: map[string]string{}, tell: tell, firing: map[string]Alert{}}
	for name, value := range labels {
		if value != "" {
			n.labels[name] = value
		}
	}
	var ctx context.Context
	ctx, n.stop = context.WithCancel(context.Background())
	for _, one := range to {
		q := &queue{to: one, messages: make(chan message, mostWaiting)}
		n.queues = append(n.queues, q)
		n.wg.Go(func() { n.deliver(ctx, q) })
	}
	return n
}

// Set says what is wrong now, in the place of what was before.
func (n *Notifier) Set(now []Alert) { n.set(now, "") }

// Raise adds something that is wrong.
func (n *Notifier) Raise(a Alert) {
	n.mu.Lock()
	now := slices.Collect(maps.Values(n.firing))
	n.mu.Unlock()
	n.set(append(now, a), "")
}

func (n *Notifier) set(now []Alert, over string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended {
		return
	}
	m := message{at: time.Now(), over: over, last: over != ""}
	next := map[string]Alert{}
	for _, a := range now {
		key := a.key()
		if before, known := n.firing[key]; known {
			a.Since = before.Since
		} else {
			m.began = append(m.began, a)
		}
		next[key] = a
	}
	for key, a := range n.firing {
		if _, still := next[key]; !still {
			m.resolved = append(m.resolved, a)
		}
	}
	n.firing = next
	for _, key := range slices.Sorted(maps.Keys(next)) {
		m.firing = append(m.firing, next[key])
	}
	byName := func(a, b Alert) int { return cmp.Compare(a.key(), b.key()) }
	slices.SortFunc(m.began, byName)
	slices.SortFunc(m.resolved, byName)
	if len(m.began)+len(m.resolved) > 0 {
		n.enqueue(m)
	}
	if over != "" {
		n.ended = true
		for _, q := range n.queues {
			close(q.messages)
		}
	}
}

func (n *Notifier) enqueue(m message) {
	for _, q := range n.queues {
		select {
		case q.messages <- m:
		default:
			if q.lost++; q.lost == 1 {
				n.tell(fmt.Sprintf("the %s at %s is too slow: what changes now is not told there", q.to.Kind, q.to.Where))
			}
			if !m.last {
				continue
			}
			select { // what it must know is that it is over
			case <-q.messages:
			default:
			}
			q.messages <- m // nobody else fills it
		}
	}
}

// End says that the run is over, with its verdict in a line: nothing is wrong any more.
// It waits for the receivers, a few seconds at most.
func (n *Notifier) End(verdict string) {
	n.set(nil, cmp.Or(verdict, "the run is over"))
	late := time.AfterFunc(endIn, n.stop)
	defer late.Stop()
	n.wg.Wait()
	n.stop()
	for _, q := range n.queues {
		q.to.Sender.Close()
	}
}

// deliver sends what waits for a receiver, in order.
func (n *Notifier) deliver(ctx context.Context, q *queue) {
	remind := time.NewTicker(again)
	defer remind.Stop()
	var now []Alert
	for {
		var m message
		select {
		case next, more := <-q.messages:
			if !more {
				return
			}
			m = next
			now = m.firing
		case <-remind.C:
			if q.to.Kind != Alertmanager || len(now) == 0 {
				continue
			}
			m = message{firing: now, at: time.Now()}
		}
		n.send(ctx, q, m)
	}
}

// send sends one message, with few tries.
func (n *Notifier) send(ctx context.Context, q *queue, m message) {
	body, err := json.Marshal(n.body(q.to.Kind, m))
	if err != nil {
		n.tell(fmt.Sprintf("%s cannot be told: %s", q.to.Where, err))
		return
	}
	pause := firstPause
	for try := 1; ; try++ {
		one, cancel := context.WithTimeout(ctx, tryIn)
		err = q.to.Sender.Post(one, "application/json", body)
		cancel()
		if err == nil {
			return
		}
		var refused *otlp.Refused
		if errors.As(err, &refused) && !refused.Again && refused.Status != 500 || try == mostTries || ctx.Err() != nil {
			break
		}
		wait := pause
		if refused != nil {
			wait = max(wait, min(refused.After, tryIn))
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
		pause *= 2
	}
	what := "that all is over"
	switch {
	case len(m.began) > 0:
		what = m.began[0].Summary
	case len(m.firing) > 0:
		what = "what is still so"
	}
	why := err.Error()
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		why = "no answer in time"
	}
	n.tell(fmt.Sprintf("the %s at %s was not told (%s): %s", q.to.Kind, q.to.Where, what, why))
}
