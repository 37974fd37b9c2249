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
func (t *Tracker) Begin(a *attack.Attempt) {
	a.Reply = t.replies.Get().(*attack.Reply)
	a.Reply.Limit = t.Reads()
	a.Reply.Begin("")
}

// Reads is how many bytes of the body of an answer it reads.
func (t *Tracker) Reads() int { return max(t.body, attack.MaxAnswerBody) }

// End looks at the answer, before anybody counts the attempt: what was accepted is
// followed from now on.
func (t *Tracker) End(a *attack.Attempt) {
	reply := a.Reply
	a.Reply = nil
	defer t.replies.Put(reply)
	t.See(a, reply)
}

// See is End for somebody who has asked for the answer, and keeps it.
func (t *Tracker) See(a *attack.Attempt, reply *attack.Reply) {
	if a.Fault != attack.None || !t.cfg.Spec.Accepted.Contains(int(a.Status)) {
		return
	}
	tr := &transaction{request: a.Request, due: a.Due, accepted: a.End, deadline: a.End + t.cfg.Spec.Timeout, index: -1}
	tr.next = tr.deadline
	if !t.identify(tr, a, reply) {
		t.count(tr, attack.Canceled, attack.PhaseDNS, attack.Detail{})
		return
	}
	if t.cfg.Poller != nil {
		tr.next = min(tr.accepted+t.cfg.Spec.Poll.Every, tr.deadline)
	}
	t.follow(tr)
}

// identify finds by what the transaction is known, and where its state is.
func (t *Tracker) identify(tr *transaction, a *attack.Attempt, reply *attack.Reply) bool {
	tr.key = string(t.cfg.RunID.AppendTransactionID(nil, a.Request))
	vars := make([]string, len(t.take))
	for i, taker := range t.take {
		value, ok := taker.Take(reply)
		if !ok || value == "" {
			return false
		}
		vars[i] = value
		if taker.Name == profiles.AcceptedID && t.cfg.Poller == nil {
			tr.key = value
		}
	}
	if t.cfg.Poller == nil {
		return true
	}
	if t.path != nil {
		with := *a
		with.Fill = &attack.Fill{Vars: vars}
		tr.path = string(t.path.Append(nil, t.cfg.RunID, &with, time.Time{}))
		return true
	}
	i := slices.IndexFunc(reply.Headers, func(h attack.AnswerHeader) bool { return equalFold(h.Name, "location") })
	if i < 0 {
		return false
	}
	var ok bool
	tr.path, ok = locate(t.cfg.Base, reply.Headers[i].Value, t.cfg.Spec.Poll.URL != "")
	return ok
}

// follow takes a transaction on, unless its completion has come already.
func (t *Tracker) follow(tr *transaction) {
	t.mu.Lock()
	if came, ok := t.cameEarly(tr.key); ok {
		t.mu.Unlock()
		t.end(tr, came.outcome)
		return
	}
	_, twice := t.pending[tr.key]
	switch {
	case t.over:
		t.mu.Unlock()
		t.count(tr, attack.Canceled, attack.PhaseAwait, attack.Detail{})
		return
	case len(t.pending) >= t.cfg.Most:
		t.mu.Unlock()
		t.count(tr, attack.Canceled, attack.PhaseWrite, attack.Detail{})
		return
	case twice: // the service has given one id to two
		t.mu.Unlock()
		t.count(tr, attack.Canceled, attack.PhaseDNS, attack.Detail{})
		return
	}
	tr.doubt = t.blind
	t.pending[tr.key] = tr
	heap.Push(&t.queue, tr)
	first := tr.index == 0
	t.mu.Unlock()
	if first {
		t.look()
	}
}

func (t *Tracker) cameEarly(key string) (arrival, bool) {
	for _, m := range t.early {
		if a, ok := m[key]; ok {
			delete(m, key)
			return a, true
		}
	}
	return arrival{}, false
}

// look wakes Run.
func (t *Tracker) look() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Heard takes what a callback or a message says of a transaction, by its key. It
// reports whether anybody waits for it, or may do so soon.
func (t *Tracker) Heard(key string, reply *attack.Reply) bool {
	what := t.judge(reply)
	if what == open {
		return true
	}
	t.mu.Lock()
	tr, ok := t.pending[key]
	if !ok {
		defer t.mu.Unlock()
		if len(key) > 256 || t.over {
			return false
		}
		if len(t.early[0]) >= mostEarly {
			t.early[1], t.early[0] = t.early[0], map[string]arrival{}
		}
		t.early[0][key] = arrival{what}
		return true
	}
	t.drop(tr)
	t.mu.Unlock()
	t.end(tr, what)
	return true
}

// judge says what an answer that has come says of its transaction.
func (t *Tracker) judge(reply *attack.Reply) outcome {
	switch {
	case !t.failed.Empty() && t.failed.Passes(reply):
		return gaveUp
	case t.done.Passes(reply):
		return completed
	}
	return open
}

// Blind tells that completions are not heard from now on, or are heard again. What was
// pending in between is in doubt.
func (t *Tracker) Blind(blind bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.blind = blind
	if blind {
		for _, tr := range t.pending {
			tr.doubt = true
		}
	}
}

// Pending returns how many transactions are pending, and how many polls are in flight.
func (t *Tracker) Pending() (transactions, polls int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int64(len(t.pending)), int64(t.polling)
}

// drop takes a transaction out. The caller holds mu.
func (t *Tracker) drop(tr *transaction) {
	delete(t.pending, tr.key)
	if tr.index >= 0 {
		heap.Remove(&t.queue, tr.index)
	}
	if t.over && len(t.pending) == 0 {
		t.settle()
	}
}

func (t *Tracker) settle() {
	select {
	case <-t.settled:
	default:
		close(t.settled)
	}
}

// end counts a transaction of which somebody said how it ended.
func (t *Tracker) end(tr *transaction, what outcome) {
	if what == gaveUp {
		t.count(tr, attack.Status, attack.PhaseDone, attack.Detail{Kind: attack.ServerDetail, Code: attack.ServerError})
		return
	}
	t.count(tr, attack.None, attack.PhaseDone, attack.Detail{})
}

// expire counts a transaction whose time is over and of which nobody has said anything.
func (t *Tracker) expire(tr *transaction) {
	if tr.doubt {
		t.count(tr, attack.Canceled, attack.PhaseDial, attack.Detail{})
		return
	}
	t.count(tr, attack.Timeout, attack.PhaseAwait, attack.Detail{})
}

func (t *Tracker) count(tr *transaction, fault attack.Fault, phase attack.Phase, detail attack.Detail) {
	t.cfg.Count(&attack.Attempt{
		Request: tr.request, Target: t.cfg.Transactions, Last: true,
		Due: tr.due, Start: tr.accepted, End: max(t.cfg.Clock(), tr.accepted), Fault: fault, Phase: phase, Detail: detail,
	})
}

// Run looks at what is due until ctx is done. It is called once.
func (t *Tracker) Run(ctx context.Context) {
	var polls sync.WaitGroup
	defer polls.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	pace := pacer{every: t.cfg.Spec.Poll.AtMost}
	for {
		tr, wait := t.next(&pace)
		switch {
		case tr != nil && t.cfg.Poller == nil:
			t.expire(tr)
			continue
		case tr != nil:
			polls.Go(func() { t.poll(tr) })
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-t.wake:
		case <-timer.C:
		}
	}
}

// idleWait is how long Run waits where nothing is pending.
const idleWait = time.Minute

// next returns a transaction that is due, or how long to wait for one.
func (t *Tracker) next(pace *pacer) (*transaction, time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		return nil, idleWait
	}
	now, tr := t.cfg.Clock(), t.queue[0]
	if tr.next > now {
		return nil, tr.next - now
	}
	if t.cfg.Poller == nil {
		t.drop(tr)
		return tr, 0
	}
	if t.polling >= mostPolls {
		return nil, idleWait // a poll that ends wakes
	}
	if wait := pace.take(now); wait > 0 {
		return nil, wait
	}
	heap.Pop(&t.queue)
	t.polling++
	return tr, 0
}

// Drain waits until every pending transaction has ended, for the completion's limit at
// most, or until stopped is closed. What is left then is counted as not known.
func (t *Tracker) Drain(stopped <-chan struct{}) {
	t.mu.Lock()
	t.over = true
	if len(t.pending) == 0 {
		t.settle()
	}
	t.mu.Unlock()
	timer := time.NewTimer(t.cfg.Spec.Drain)
	defer timer.Stop()
	select {
	case <-t.settled:
	case <-timer.C:
	case <-stopped:
	}
	t.mu.Lock()
	var left []*transaction
	for _, tr := range t.pending {
		left = append(left, tr)
	}
	clear(t.pending)
	t.queue = nil
	t.mu.Unlock()
	for _, tr := range left {
		t.count(tr, attack.Canceled, attack.PhaseAwait, attack.Detail{})
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
