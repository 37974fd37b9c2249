package logs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/ask"
	"github.com/rampload/rampload/probe/logs/parse"
)

// Bounds of asking a store.
const (
	askEvery   = time.Second
	askFor     = 5 * time.Second
	maxAnswer  = 8 << 20         // bytes
	mostLines  = 5000            // of one question
	settles    = 2 * time.Second // for lines to be shipped
	waitsMore  = 5 * time.Second // at the end, where they take longer
	afterwards = 3 * time.Second
	// againAfter is how old lines are when the store is asked for them once more: those who
	// ship lines gather them for some seconds.
	againAfter = 12 * time.Second
	askAgain   = 5 * time.Second // how often
	maxSeen    = 100_000         // lines that are known to have been handed on
	mostParts  = 100             // in which a time is asked for whose lines are too many for one answer
	ahead      = time.Minute     // how far into the future lines are asked for at the end
)

func storeName(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "store"
	}
	return "store " + u.Host
}

// shownURL is a store's URL without what is for the store alone.
func shownURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "store"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// stored is a line of a store.
type stored struct {
	at     time.Time
	text   string // empty: a field has it
	fields []parse.Field
}

// store is the interface that a store is asked by.
type store interface {
	// lines asks for what was written from one time to another, the end excluded, in any
	// order. There are mostLines where it may have more, and errTooMuch where its answer
	// could not be read whole.
	lines(ctx context.Context, from, to time.Time) ([]stored, error)
}

// ask asks a store again and again for what was written since the last time: for lines
// that are some seconds old, and for the same ones later, as stores take in some late. The
// last question is for all that was not asked for twice, up to now.
func (log *Log) ask(ctx context.Context, emit func(probe.Event)) error {
	s, err := storeAt(ctx, log.entry.URL, log.entry.Query)
	if err != nil {
		return &probe.Unsupported{What: log.source.Name, Reason: err.Error()}
	}
	return log.questions(ctx, s, emit)
}

// questions asks until ctx is done.
func (log *Log) questions(ctx context.Context, s store, emit func(probe.Event)) error {
	begin := time.Now().Add(-settles)
	q := &questions{log: log, store: s, keep: log.keeper(shownURL(log.entry.URL), ""), emit: emit, next: begin, again: begin, seen: map[uint64]uint32{}}
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for looked := time.Now(); ; {
		select {
		case <-ctx.Done():
			q.wait()
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
			defer cancel()
			q.last(last)
			if q.failed > 0 && q.answered == 0 {
				return &probe.Unsupported{What: log.source.Name, Reason: "the store was asked in vain: " + strings.Join(log.missing, "; ")}
			}
			return nil
		case <-ticker.C:
			q.first(ctx)
			if time.Since(looked) >= askAgain {
				looked = time.Now()
				q.second(ctx)
			}
		}
	}
}

// questions is how far a store was asked. What it says is bounded, however much it has.
type questions struct {
	log   *Log
	store store
	keep  *keeper
	emit  func(probe.Event)

	next, again      time.Time         // up to where it was asked once, and twice
	seen             map[uint64]uint32 // how often lines between the two were handed on
	failed, answered int
	tardy            bool // lines came later than they are asked for first
}

// wait waits for what was written in the run's last moment to be shipped.
func (q *questions) wait() {
	switch {
	case q.answered == 0: // by one that does not answer
	case q.tardy:
		<-time.After(waitsMore)
	default:
		<-time.After(settles)
	}
}

// first asks for what is old enough to be there.
func (q *questions) first(ctx context.Context) {
	to := time.Now().Add(-settles)
	if to.Sub(q.next) < askEvery/2 {
		return
	}
	if told, ok := q.ask(ctx, q.next, to); ok { // else asked again, with what came since
		for _, x := range told {
			if len(q.seen) < maxSeen {
				q.seen[x.sum]++
			}
		}
		q.take(told)
		q.next = to
	}
}

// second asks once more for what is older.
func (q *questions) second(ctx context.Context) {
	to := time.Now().Add(-againAfter)
	if q.next.Before(to) {
		to = q.next
	}
	if to.Sub(q.again) < askEvery/2 {
		return
	}
	if told, ok := q.ask(ctx, q.again, to); ok {
		q.late(told)
		q.again = to
	}
}

// last asks for all that was not asked for twice: what is newest first, as there may not be
// time for all. Lines may claim to be of the future.
func (q *questions) last(ctx context.Context) {
	now := time.Now()
	for _, s := range []span{{q.next, now}, {now, now.Add(ahead)}} {
		if told, ok := q.ask(ctx, s.from, s.to); ok {
			q.take(told)
		}
	}
	for to := q.next; to.After(q.again); to = to.Add(-askAgain) {
		from := to.Add(-askAgain)
		if from.Before(q.again) {
			from = q.again
		}
		told, ok := q.ask(ctx, from, to)
		if !ok {
			q.log.lacks("at the end there was no time to ask it for lines that came late")
			return
		}
		q.late(told)
	}
}

// late takes what had not been handed on before.
func (q *questions) late(told []telling) {
	full := len(q.seen) >= maxSeen
	fresh := told[:0]
	for _, x := range told {
		switch n := q.seen[x.sum]; {
		case n > 1:
			q.seen[x.sum] = n - 1
		case n == 1:
			delete(q.seen, x.sum)
		case !full: // else it may have been handed on
			q.tardy = true
			fresh = append(fresh, x)
		}
	}
	q.take(fresh)
}

// take hands lines on.
func (q *questions) take(told []telling) {
	for i := range told {
		q.keep.told(&told[i], q.log.clock, q.emit)
	}
	q.keep.turnOver(q.emit)
}

// telling is a line of a store that may tell of a fault.
type telling struct {
	at  time.Time
	sum uint64 // tells it from others
	parse.Entry
}

// ask asks for some time, and returns the lines that may tell of a fault, oldest first;
// ok is false where there is no answer. A time whose lines are too many for one answer is
// asked for in parts.
func (q *questions) ask(ctx context.Context, from, to time.Time) (told []telling, ok bool) {
	within, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	var open []span
	if from.Before(to) {
		open = []span{{from, to}}
	}
	for parts := 0; len(open) > 0; parts++ {
		s := open[0]
		open = open[1:]
		lines, err := q.store.lines(within, s.from, s.to)
		if err != nil && !errors.Is(err, errTooMuch) {
			if ctx.Err() == nil || q.answered == 0 {
				q.failed++
				q.log.lacks("%s", q.worded(err))
			}
			return nil, false
		}
		if err != nil { // a long answer costs more than a question
			parts += mostParts / 12
		}
		q.answered++
		if cut := err != nil || len(lines) >= mostLines; cut {
			if smaller := s.parts(lines, (mostParts-parts-len(open))/2); len(smaller) > 1 {
				open = append(smaller, open...)
				continue
			}
			q.log.lacks("it had more lines than are read of it: have its query find fewer")
		}
		for _, x := range lines {
			q.keep.seen++
			if e := q.keep.parser.Record(x.text, x.fields); e.Tells() {
				told = append(told, telling{x.at, x.sum(), e})
			}
		}
	}
	slices.SortStableFunc(told, func(a, b telling) int { return a.at.Compare(b.at) })
	return told, true
}

// worded says why there is no answer.
func (q *questions) worded(err error) string {
	var slow net.Error
	if errors.Is(err, context.Canceled) || errors.As(err, &slow) && slow.Timeout() {
		return fmt.Sprintf("%s does not answer within %s", strings.TrimPrefix(storeName(q.log.entry.URL), "store "), askFor)
	}
	return parse.Clean(err.Error(), 200)
}

// span is a time that a store is asked for.
type span struct{ from, to time.Time }

// parts cuts a time that has more lines than came, into as many parts as may have few
// enough, as close as those that came lie.
func (s span) parts(came []stored, most int) []span {
	whole := s.to.Sub(s.from)
	if most < 2 || whole < 2*time.Millisecond {
		return nil
	}
	n := 2
	if len(came) > 1 {
		first, last := came[0].at, came[0].at
		for _, x := range came {
			if x.at.Before(first) {
				first = x.at
			}
			if x.at.After(last) {
				last = x.at
			}
		}
		n = max(n, int(float64(whole)/float64(max(last.Sub(first), time.Millisecond))*1.3)+1)
	}
	n = min(n, most)
	out := make([]span, 0, n)
	for i := range n {
		out = append(out, span{s.from.Add(whole * time.Duration(i) / time.Duration(n)), s.from.Add(whole * time.Duration(i+1) / time.Duration(n))})
	}
	return out
}

// sum tells lines apart.
func (x stored) sum() uint64 {
	h := fnv.New64a()
	var at [8]byte
	binary.LittleEndian.PutUint64(at[:], uint64(x.at.UnixNano()))
	_, _ = h.Write(at[:])
	_, _ = io.WriteString(h, x.text)
	for _, f := range x.fields {
		_, _ = io.WriteString(h, f.Name)
		_, _ = io.WriteString(h, f.Value)
	}
	return h.Sum64()
}

// told takes a line of a store, which knows its time.
func (k *keeper) told(x *telling, clock probe.Clock, emit func(probe.Event)) {
	at := x.at.Sub(clock.Start().Round(0))
	if now := clock.Now(); at > now+settles { // its clock is another
		k.skewed++
		k.off, at = min(k.off, now-at), now
	}
	if at < k.turn || at-k.turn >= time.Second { // what is handed on is bounded by the lines' own time
		k.turnOver(emit)
		k.turn = at
	}
	k.arrived = at
	x.Time = ""
	k.pending = &x.Entry
	k.keep(emit)
}

// storeAt finds out what a store is by asking it.
func storeAt(ctx context.Context, raw, query string) (store, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	base := asked{client: &http.Client{Timeout: askFor, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, base: u, query: query}
	// Loki lists its labels, and VictoriaLogs answers queries of its own language. One
	// that does not answer now may later: it is taken for what its address looks like.
	if strings.Contains(u.Path, "/loki/") || query != "" && strings.HasPrefix(strings.TrimSpace(query), "{") && !strings.Contains(u.Path, "logsql") && base.answers(ctx, "/loki/api/v1/labels") {
		return &loki{base}, nil
	}
	return &victoria{base}, nil
}

// asked is a store that is asked over HTTP.
type asked struct {
	client *http.Client
	base   *url.URL
	query  string
}

func (a asked) answers(ctx context.Context, path string) bool {
	r, err := a.get(ctx, path, nil)
	if err != nil {
		return false
	}
	r.Close()
	return true
}

// errTooMuch says that an answer was not read whole. What was read of it counts.
var errTooMuch = errors.New("the answer is too long to be read whole")

// answer is the body of an answer, as far as it may be read.
type answer struct {
	io.Closer
	left io.LimitedReader
}

// Read reads on, and fails where the answer goes on beyond what may be read.
func (a *answer) Read(p []byte) (int, error) {
	if a.left.N <= 0 {
		return 0, errTooMuch
	}
	return a.left.Read(p)
}

// get asks a path below the store's URL.
func (a asked) get(ctx context.Context, path string, values url.Values) (io.ReadCloser, error) {
	resp, err := ask.Get(ctx, a.client, a.base, path, values, nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", a.base.Host, err)
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		resp.Body.Close()
		return nil, fmt.Errorf("ask %s: it answers %d: %s", a.base.Host, resp.StatusCode, parse.Clean(string(text), 120))
	}
	return &answer{resp.Body, io.LimitedReader{R: resp.Body, N: maxAnswer}}, nil
}
