package logs

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/url"
	"strconv"
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
	maxAnswer  = 8 << 20 // bytes
	mostLines  = 5000    // of one question
	settles    = 2 * time.Second
	afterwards = 3 * time.Second
	// againAfter is how old lines are when the store is asked for them once more: those who
	// ship lines gather them for some seconds.
	againAfter = 12 * time.Second
	askAgain   = 5 * time.Second // how often
	maxSeen    = 100_000         // lines that are known to have been read
	ahead      = time.Minute     // how far into the future lines are asked for at the end
)

func storeName(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "store"
	}
	return "store " + u.Host
}

// stored is a line of a store.
type stored struct {
	at      time.Time
	text    string
	service string
	fields  map[string]string
}

// store is the interface that a store is asked by.
type store interface {
	// lines asks for what was written from one time to another, oldest first.
	lines(ctx context.Context, from, to time.Time) ([]stored, error)
}

// ask asks a store again and again for what was written since the last time: for lines
// that are some seconds old, and for the same ones later, as stores take in some late. The
// last question is for all that was not asked for twice, up to now.
func (l *Log) ask(ctx context.Context, emit func(probe.Event)) error {
	s, err := storeAt(ctx, l.entry.URL, l.entry.Query)
	if err != nil {
		return &probe.Unsupported{What: l.source.Name, Reason: err.Error()}
	}
	return l.questions(ctx, s, emit)
}

// questions asks until ctx is done.
func (l *Log) questions(ctx context.Context, s store, emit func(probe.Event)) error {
	begin := time.Now().Add(-settles)
	q := &questions{log: l, store: s, keep: l.keeper(l.entry.URL, ""), emit: emit, next: begin, again: begin, seen: map[uint64]uint32{}}
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for looked := time.Now(); ; {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
			defer cancel()
			q.last(last)
			q.keep.flush(l.clock.Now()+time.Hour, emit)
			if q.failed > 0 && q.answered == 0 {
				return &probe.Unsupported{What: l.source.Name, Reason: "the store was asked in vain: " + strings.Join(l.missing, "; ")}
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
	seen             map[uint64]uint32 // how often lines between the two were read
	failed, answered int
}

// first asks for what is old enough to be there.
func (q *questions) first(ctx context.Context) {
	to := time.Now().Add(-settles)
	if to.Sub(q.next) < askEvery/2 {
		return
	}
	if lines, ok := q.lines(ctx, q.next, to); ok { // else asked again, with what came since
		for _, x := range lines {
			if len(q.seen) < maxSeen {
				q.seen[x.sum()]++
			}
			q.take(x)
		}
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
	if lines, ok := q.lines(ctx, q.again, to); ok {
		q.late(lines)
		q.again = to
	}
}

// last asks for all that was not asked for twice, and for what claims to be of the future.
func (q *questions) last(ctx context.Context) {
	if lines, ok := q.lines(ctx, q.again, time.Now().Add(ahead)); ok {
		q.late(lines)
	}
}

// late takes the lines of an answer that had not been read before.
func (q *questions) late(lines []stored) {
	full := len(q.seen) >= maxSeen
	for _, x := range lines {
		sum := x.sum()
		switch n := q.seen[sum]; {
		case n > 1:
			q.seen[sum] = n - 1
			continue
		case n == 1:
			delete(q.seen, sum)
			continue
		}
		if full && x.at.Before(q.next) {
			continue // it may have been read
		}
		q.take(x)
	}
}

// lines asks for some time; ok is false where there is no answer.
func (q *questions) lines(ctx context.Context, from, to time.Time) (lines []stored, ok bool) {
	within, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	lines, err := q.store.lines(within, from, to)
	if errors.Is(err, errTooMuch) { // asked again it would say the same
		q.answered++
		q.log.lacks("the store's answer for %s was too long to be read whole", max(to.Sub(from).Round(time.Second), time.Second))
		return lines, true
	}
	if err != nil {
		if ctx.Err() == nil || q.answered == 0 {
			q.failed++
			q.log.lacks("%s", parse.Clean(err.Error(), 200))
		}
		return nil, false
	}
	q.answered++
	if len(lines) >= mostLines {
		q.log.lacks("it had more than %d lines in %s", mostLines, max(to.Sub(from).Round(time.Second), time.Second))
	}
	return lines, true
}

func (q *questions) take(x stored) {
	q.keep.stored(x, q.log.clock, q.emit)
	q.keep.flush(q.log.clock.Now(), q.emit)
}

// sum tells lines apart.
func (x stored) sum() uint64 {
	h := fnv.New64a()
	var at [8]byte
	binary.LittleEndian.PutUint64(at[:], uint64(x.at.UnixNano()))
	_, _ = h.Write(at[:])
	_, _ = io.WriteString(h, x.text)
	return h.Sum64()
}

// stored takes a line of a store, which knows its time.
func (k *keeper) stored(x stored, clock probe.Clock, emit func(probe.Event)) {
	k.seen++
	e := k.parser.Parse(x.text)
	for name, value := range x.fields {
		switch k.parser.Fields.Of(name) {
		case parse.FieldLevel:
			if l := parse.LevelOf(value); e.Level == parse.LevelUnknown {
				e.Level = l
			}
		case parse.FieldService:
			if e.Service == "" {
				e.Service = value
			}
		case parse.FieldID, parse.FieldTrace:
			if e.ID == "" || parse.IDIn(e.ID) == "" {
				e.ID = value
			}
		case parse.FieldPeer, parse.FieldAddress:
			if e.Peer == "" {
				e.Peer = value
			}
		case parse.FieldStatus:
			if n, err := strconv.Atoi(value); err == nil && e.Status == 0 && n >= 100 && n <= 599 {
				e.Status = n
			}
		case parse.FieldError:
			if !strings.Contains(e.Text, value) {
				e.Text = parse.Joined(e.Text, value)
			}
		}
	}
	if e.Service == "" {
		e.Service = x.service
	}
	if !e.Tells() {
		return
	}
	k.arrived = x.at.Sub(clock.Start().Round(0))
	if now := clock.Now(); k.arrived > now+settles { // its clock is another
		k.skewed++
		k.off, k.arrived = min(k.off, now-k.arrived), now
	}
	e.Time = ""
	k.pending = &e
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

// victoria is VictoriaLogs: it answers a query with one JSON object a line
// (VictoriaLogs, "Querying", /select/logsql/query).
type victoria struct{ asked }

func (v *victoria) lines(ctx context.Context, from, to time.Time) ([]stored, error) {
	body, err := v.get(ctx, "/select/logsql/query", url.Values{
		"query": {v.query}, "start": {from.UTC().Format(time.RFC3339Nano)}, "end": {to.UTC().Format(time.RFC3339Nano)}, "limit": {strconv.Itoa(mostLines)},
	})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var out []stored
	s := bufio.NewScanner(body)
	s.Buffer(nil, 1<<20)
	for s.Scan() && len(out) < mostLines {
		x := stored{fields: map[string]string{}}
		fields := parse.Scanner{S: s.Text()}
		if !fields.Object("", func(name, value string) {
			switch name {
			case "_time":
				x.at, _ = parse.TimeOf(value)
			case "_msg":
				x.text = value
			default:
				x.fields[name] = value
			}
		}) || x.at.IsZero() || x.at.Before(from) || !x.at.Before(to) {
			continue
		}
		out = append(out, x)
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		return out, errTooMuch
	}
	return out, s.Err()
}

// loki is Loki: it answers a query with streams of pairs of a time and a line
// (Loki, "HTTP API", /loki/api/v1/query_range).
type loki struct{ asked }

func (o *loki) lines(ctx context.Context, from, to time.Time) ([]stored, error) {
	path := "/loki/api/v1/query_range"
	if strings.Contains(o.base.Path, "/loki/") {
		path = ""
	}
	body, err := o.get(ctx, path, url.Values{
		"query": {o.query}, "start": {strconv.FormatInt(from.UnixNano(), 10)}, "end": {strconv.FormatInt(to.UnixNano(), 10)},
		"limit": {strconv.Itoa(mostLines)}, "direction": {"forward"},
	})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var answer struct {
		Data struct {
			Result []struct {
				Stream map[string]string   `json:"stream"`
				Values [][]json.RawMessage `json:"values"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("read the store's answer: %w", err) // of one that is too long nothing, JSON ends at its end
	}
	var out []stored
	for _, r := range answer.Data.Result {
		for _, v := range r.Values {
			var stamp, text string
			if len(v) < 2 || json.Unmarshal(v[0], &stamp) != nil || json.Unmarshal(v[1], &text) != nil {
				continue
			}
			n, err := strconv.ParseInt(stamp, 10, 64)
			if err != nil || len(out) >= mostLines {
				continue
			}
			out = append(out, stored{at: time.Unix(0, n), text: text, fields: r.Stream})
		}
	}
	return out, nil
}
