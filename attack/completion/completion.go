// Package completion follows transactions beyond the answer that accepted them: it asks
// the target for their state, or hears of it by callbacks and messages, and counts each
// as a transaction that was completed, failed or lost. It sends no load, and its own
// polls are counted apart from it.
//
// # How a transaction ends
//
// It is an [attack.Attempt], due when its request was, begun when that was accepted, and
// ended when the end was learnt:
//
//   - None: it was completed.
//   - Timeout in PhaseAwait: lost. Whoever was asked after its time said that it was not
//     done, or nobody called.
//   - Status: the service itself says that it came to nothing.
//   - Canceled: nobody knows what became of it. PhaseDial: nobody could be asked in the
//     end. PhaseAwait: the wait was over before its time was. PhaseWrite: more were
//     pending than are followed. PhaseDNS: the answer does not say where to ask.
package completion

import (
	"bytes"
	"container/heap"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fill"
	"github.com/rampload/rampload/attack/journey"
	"github.com/rampload/rampload/profiles"
)

// MostPending is how many transactions are followed at once, which bounds memory.
const MostPending = 100_000

// mostEarly is how many completions are kept that came before their answer.
const mostEarly = 20_000

// Config is what a Tracker needs.
type Config struct {
	Spec  profiles.Completion
	RunID attack.RunID
	// Transactions and Polls are the numbers of the targets that they are counted as.
	Transactions, Polls uint16
	// Clock gives the time since the start of the load.
	Clock func() time.Duration
	// Count takes a transaction that ended, or a poll. Calls may overlap.
	Count func(*attack.Attempt)
	// Poller asks the target; nil: it tells by itself.
	Poller attack.Client
	Base   string // of the URLs that are polled
	Most   int    // pending transactions; 0: MostPending
}

// Tracker follows the transactions of one target. Its methods are safe for concurrent
// use.
type Tracker struct {
	cfg          Config
	take         []*journey.Taker
	done, failed *journey.Check
	path         *fill.Template // of a poll; nil: the answer's Location
	body         int            // bytes that are needed of an answer
	replies      sync.Pool

	mu      sync.Mutex
	pending map[string]*transaction
	queue   queue
	early   [2]map[string]arrival // this generation and the one before
	blind   bool                  // nobody hears of completions now
	over    bool                  // no more are followed
	polling int
	wake    chan struct{}
	settled chan struct{} // closed when none is pending after over
}

// transaction is one that is pending.
type transaction struct {
	request       uint64
	key           string
	due, accepted time.Duration
	deadline      time.Duration
	next          time.Duration // when it is looked at again
	path          string
	index         int  // in the queue; -1: not in it
	doubt         bool // its completion may not have been heard
}

// arrival is a completion of a transaction that nobody waits for yet.
type arrival struct{ outcome outcome }

// outcome is what an answer, a callback or a message says of a transaction.
type outcome uint8

const (
	open outcome = iota
	completed
	gaveUp
	unusable // it says nothing
)

// New returns a tracker that follows nothing yet. The error says what of the completion
// does not compile.
func New(cfg Config) (*Tracker, error) {
	if cfg.Most <= 0 {
		cfg.Most = MostPending
	}
	t := &Tracker{cfg: cfg, pending: map[string]*transaction{}, wake: make(chan struct{}, 1), settled: make(chan struct{})}
	t.early = [2]map[string]arrival{{}, {}}
	t.replies.New = func() any { return new(attack.Reply) }
	var err error
	if t.done, err = journey.CompileCheck(cfg.Spec.Done); err != nil {
		return nil, fmt.Errorf("compile done: %w", err)
	}
	if t.failed, err = journey.CompileCheck(cfg.Spec.Failed); err != nil {
		return nil, fmt.Errorf("compile failed: %w", err)
	}
	var names []string
	for _, e := range cfg.Spec.Extract {
		taker, err := journey.CompileExtract(e)
		if err != nil {
			return nil, fmt.Errorf("compile %s: %w", e.Name, err)
		}
		t.take = append(t.take, taker)
		t.body = max(t.body, taker.Body())
		names = append(names, "accepted."+e.Name)
	}
	if cfg.Spec.Poll.Path != "" {
		if t.path, err = fill.Compile(cfg.Spec.Poll.Path, fill.Path, fill.Scope{Vars: names}); err != nil {
			return nil, fmt.Errorf("compile the path of polls: %w", err)
		}
	}
	return t, nil
}

// Begin asks for the answer of an attempt that the target may accept.
func (tracker *Tracker) Begin(a *attack.Attempt) {
	a.Reply = tracker.replies.Get().(*attack.Reply)
	a.Reply.Limit = tracker.Reads()
	a.Reply.Begin("")
}

// Reads is how many bytes of the body of an answer it reads.
func (tracker *Tracker) Reads() int { return max(tracker.body, attack.MaxAnswerBody) }

// End looks at the answer, before anybody counts the attempt: what was accepted is
// followed from now on.
func (tracker *Tracker) End(a *attack.Attempt) {
	reply := a.Reply
	a.Reply = nil
	defer tracker.replies.Put(reply)
	tracker.See(a, reply)
}

// See is End for somebody who has asked for the answer, and keeps it.
func (tracker *Tracker) See(a *attack.Attempt, reply *attack.Reply) {
	if a.Fault != attack.None || !tracker.cfg.Spec.Accepted.Contains(int(a.Status)) {
		return
	}
	tr := &transaction{request: a.Request, due: a.Due, accepted: a.End, deadline: a.End + tracker.cfg.Spec.Timeout, index: -1}
	tr.next = tr.deadline
	if !tracker.identify(tr, a, reply) {
		tracker.count(tr, attack.Canceled, attack.PhaseDNS, attack.Detail{})
		return
	}
	if tracker.cfg.Poller != nil {
		tr.next = min(tr.accepted+tracker.cfg.Spec.Poll.Every, tr.deadline)
	}
	tracker.follow(tr)
}

// identify finds by what the transaction is known, and where its state is.
func (tracker *Tracker) identify(tr *transaction, a *attack.Attempt, reply *attack.Reply) bool {
	tr.key = string(tracker.cfg.RunID.AppendTransactionID(nil, a.Request))
	vars := make([]string, len(tracker.take))
	for i, taker := range tracker.take {
		value, ok := taker.Take(reply)
		if !ok || value == "" {
			return false
		}
		vars[i] = value
		if taker.Name == profiles.AcceptedID && tracker.cfg.Poller == nil {
			tr.key = value
		}
	}
	if tracker.cfg.Poller == nil {
		return true
	}
	if tracker.path != nil {
		with := *a
		with.Fill = &attack.Fill{Vars: vars}
		tr.path = string(tracker.path.Append(nil, tracker.cfg.RunID, &with, time.Time{}))
		return true
	}
	i := slices.IndexFunc(reply.Headers, func(h attack.AnswerHeader) bool { return equalFold(h.Name, "location") })
	if i < 0 {
		return false
	}
	var ok bool
	tr.path, ok = locate(tracker.cfg.Base, reply.Headers[i].Value, tracker.cfg.Spec.Poll.URL != "")
	return ok
}

// follow takes a transaction on, unless its completion has come already.
func (tracker *Tracker) follow(tr *transaction) {
	tracker.mu.Lock()
	if came, ok := tracker.cameEarly(tr.key); ok {
		tracker.mu.Unlock()
		tracker.end(tr, came.outcome)
		return
	}
	_, twice := tracker.pending[tr.key]
	switch {
	case tracker.over:
		tracker.mu.Unlock()
		tracker.count(tr, attack.Canceled, attack.PhaseAwait, attack.Detail{})
		return
	case len(tracker.pending) >= tracker.cfg.Most:
		tracker.mu.Unlock()
		tracker.count(tr, attack.Canceled, attack.PhaseWrite, attack.Detail{})
		return
	case twice: // the service has given one id to two
		tracker.mu.Unlock()
		tracker.count(tr, attack.Canceled, attack.PhaseDNS, attack.Detail{})
		return
	}
	tr.doubt = tracker.blind
	tracker.pending[tr.key] = tr
	heap.Push(&tracker.queue, tr)
	first := tr.index == 0
	tracker.mu.Unlock()
	if first {
		tracker.look()
	}
}

func (tracker *Tracker) cameEarly(key string) (arrival, bool) {
	for _, m := range tracker.early {
		if a, ok := m[key]; ok {
			delete(m, key)
			return a, true
		}
	}
	return arrival{}, false
}

// look wakes Run.
func (tracker *Tracker) look() {
	select {
	case tracker.wake <- struct{}{}:
	default:
	}
}

// Heard takes what a callback or a message says of a transaction, by its key. It
// reports whether anybody waits for it, or may do so soon.
func (tracker *Tracker) Heard(key string, reply *attack.Reply) bool {
	what := tracker.judge(reply)
	if what == open {
		return true
	}
	tracker.mu.Lock()
	tr, ok := tracker.pending[key]
	if !ok {
		defer tracker.mu.Unlock()
		if len(key) > 256 || tracker.over {
			return false
		}
		if len(tracker.early[0]) >= mostEarly {
			tracker.early[1], tracker.early[0] = tracker.early[0], map[string]arrival{}
		}
		tracker.early[0][key] = arrival{what}
		return true
	}
	tracker.drop(tr)
	tracker.mu.Unlock()
	tracker.end(tr, what)
	return true
}

// judge says what an answer that has come says of its transaction.
func (tracker *Tracker) judge(reply *attack.Reply) outcome {
	switch {
	case !tracker.failed.Empty() && tracker.failed.Passes(reply):
		return gaveUp
	case tracker.done.Passes(reply):
		return completed
	}
	return open
}

// Blind tells that completions are not heard from now on, or are heard again. What was
// pending in between is in doubt.
func (tracker *Tracker) Blind(blind bool) {
	tracker.mu.Lock()
	defer tracker.mu.Unlock()
	tracker.blind = blind
	if blind {
		for _, tr := range tracker.pending {
			tr.doubt = true
		}
	}
}

// Pending returns how many transactions are pending, and how many polls are in flight.
func (tracker *Tracker) Pending() (transactions, polls int64) {
	tracker.mu.Lock()
	defer tracker.mu.Unlock()
	return int64(len(tracker.pending)), int64(tracker.polling)
}

// drop takes a transaction out. The caller holds mu.
func (tracker *Tracker) drop(tr *transaction) {
	delete(tracker.pending, tr.key)
	if tr.index >= 0 {
		heap.Remove(&tracker.queue, tr.index)
	}
	if tracker.over && len(tracker.pending) == 0 {
		tracker.settle()
	}
}

func (tracker *Tracker) settle() {
	select {
	case <-tracker.settled:
	default:
		close(tracker.settled)
	}
}

// end counts a transaction of which somebody said how it ended.
func (tracker *Tracker) end(tr *transaction, what outcome) {
	if what == gaveUp {
		tracker.count(tr, attack.Status, attack.PhaseDone, attack.Detail{Kind: attack.ServerDetail, Code: attack.ServerError})
		return
	}
	tracker.count(tr, attack.None, attack.PhaseDone, attack.Detail{})
}

// expire counts a transaction whose time is over and of which nobody has said anything.
func (tracker *Tracker) expire(tr *transaction) {
	if tr.doubt {
		tracker.count(tr, attack.Canceled, attack.PhaseDial, attack.Detail{})
		return
	}
	tracker.count(tr, attack.Timeout, attack.PhaseAwait, attack.Detail{})
}

func (tracker *Tracker) count(tr *transaction, fault attack.Fault, phase attack.Phase, detail attack.Detail) {
	tracker.cfg.Count(&attack.Attempt{
		Request: tr.request, Target: tracker.cfg.Transactions, Last: true,
		Due: tr.due, Start: tr.accepted, End: max(tracker.cfg.Clock(), tr.accepted), Fault: fault, Phase: phase, Detail: detail,
	})
}

// Run looks at what is due until ctx is done. It is called once.
func (tracker *Tracker) Run(ctx context.Context) {
	var polls sync.WaitGroup
	defer polls.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	pace := pacer{every: tracker.cfg.Spec.Poll.AtMost}
	for {
		tr, wait := tracker.next(&pace)
		switch {
		case tr != nil && tracker.cfg.Poller == nil:
			tracker.expire(tr)
			continue
		case tr != nil:
			polls.Go(func() { tracker.poll(tr) })
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-tracker.wake:
		case <-timer.C:
		}
	}
}

// idleWait is how long Run waits where nothing is pending.
const idleWait = time.Minute

// next returns a transaction that is due, or how long to wait for one.
func (tracker *Tracker) next(pace *pacer) (*transaction, time.Duration) {
	tracker.mu.Lock()
	defer tracker.mu.Unlock()
	if len(tracker.queue) == 0 {
		return nil, idleWait
	}
	now, tr := tracker.cfg.Clock(), tracker.queue[0]
	if tr.next > now {
		return nil, tr.next - now
	}
	if tracker.cfg.Poller == nil {
		tracker.drop(tr)
		return tr, 0
	}
	if tracker.polling >= mostPolls {
		return nil, idleWait // a poll that ends wakes
	}
	if wait := pace.take(now); wait > 0 {
		return nil, wait
	}
	heap.Pop(&tracker.queue)
	tracker.polling++
	return tr, 0
}

// Drain waits until every pending transaction has ended, for the completion's limit at
// most, or until stopped is closed. What is left then is counted as not known.
func (tracker *Tracker) Drain(stopped <-chan struct{}) {
	tracker.mu.Lock()
	tracker.over = true
	if len(tracker.pending) == 0 {
		tracker.settle()
	}
	tracker.mu.Unlock()
	timer := time.NewTimer(tracker.cfg.Spec.Drain)
	defer timer.Stop()
	select {
	case <-tracker.settled:
	case <-timer.C:
	case <-stopped:
	}
	tracker.mu.Lock()
	var left []*transaction
	for _, tr := range tracker.pending {
		left = append(left, tr)
	}
	clear(tracker.pending)
	tracker.queue = nil
	tracker.mu.Unlock()
	for _, tr := range left {
		tracker.count(tr, attack.Canceled, attack.PhaseAwait, attack.Detail{})
	}
}

// queue is a heap of transactions, that which is due first at its top.
type queue []*transaction

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].next < q[j].next }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push is of [heap.Interface].
func (q *queue) Push(x any) {
	tr := x.(*transaction)
	tr.index = len(*q)
	*q = append(*q, tr)
}

// Pop is of [heap.Interface].
func (q *queue) Pop() any {
	old := *q
	tr := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	tr.index = -1
	return tr
}

func equalFold(a, b string) bool { return bytes.EqualFold([]byte(a), []byte(b)) }

// OfRun reports whether a key is the transaction id of a request of the run.
func OfRun(run attack.RunID, key string) bool {
	return len(key) == attack.TransactionIDLen && key[:16] == hex.EncodeToString(run[:])
}
