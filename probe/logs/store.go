package logs

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/ask"
)

// Bounds of asking a store.
const (
	askEvery   = time.Second
	askFor     = 5 * time.Second
	maxAnswer  = 8 << 20 // bytes
	mostLines  = 5000    // of one question
	settles    = 2 * time.Second
	afterwards = 3 * time.Second
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

// ask asks a store again and again for what was written since the last time. What a store
// takes in late is missed: it is asked for lines that are some seconds old.
func (l *Log) ask(ctx context.Context, emit func(probe.Event)) error {
	s, err := storeAt(ctx, l.entry.URL, l.entry.Query)
	if err != nil {
		return &probe.Unsupported{What: l.source.Name, Reason: err.Error()}
	}
	k := l.keeper(l.entry.URL, "")
	from := time.Now().Add(-settles)
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	failed := 0
	round := func(ctx context.Context) {
		to := time.Now().Add(-settles)
		if to.Sub(from) < askEvery/2 {
			return
		}
		within, cancel := context.WithTimeout(ctx, askFor)
		defer cancel()
		lines, err := s.lines(within, from, to)
		if err != nil {
			if ctx.Err() == nil {
				failed++
				l.lacks("%s", clean(err.Error(), 200))
			}
			return // asked again, with what came since
		}
		if len(lines) >= mostLines {
			l.lacks("it had more than %d lines in a second", mostLines)
		}
		for _, x := range lines {
			k.stored(x, l.clock, emit)
		}
		k.flush(l.clock.Now()+time.Second, emit)
		from = to
	}
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
			defer cancel()
			round(last)
			k.flush(l.clock.Now()+time.Hour, emit)
			if failed > 0 && k.seen == 0 {
				return fmt.Errorf("ask the store: %s", strings.Join(l.missing, "; "))
			}
			return nil
		case <-ticker.C:
			round(ctx)
		}
	}
}

// stored takes a line of a store, which knows its time.
func (k *keeper) stored(x stored, clock probe.Clock, emit func(probe.Event)) {
	k.seen++
	e := k.parser.Parse(x.text)
	for name, value := range x.fields {
		switch k.parser.Fields.of(name) {
		case fieldLevel:
			if l := levelOf(value); e.Level == LevelUnknown {
				e.Level = l
			}
		case fieldService:
			if e.Service == "" {
				e.Service = value
			}
		case fieldID, fieldTrace:
			if e.ID == "" || idIn(e.ID) == "" {
				e.ID = value
			}
		case fieldPeer, fieldAddress:
			if e.Peer == "" {
				e.Peer = value
			}
		case fieldStatus:
			if n, err := strconv.Atoi(value); err == nil && e.Status == 0 && n >= 100 && n <= 599 {
				e.Status = n
			}
		case fieldError:
			if !strings.Contains(e.Text, value) {
				e.Text = joined(e.Text, value)
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

// get asks a path below the store's URL.
func (a asked) get(ctx context.Context, path string, values url.Values) (io.ReadCloser, error) {
	resp, err := ask.Get(ctx, a.client, a.base, path, values, nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", a.base.Host, err)
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		resp.Body.Close()
		return nil, fmt.Errorf("ask %s: it answers %d: %s", a.base.Host, resp.StatusCode, clean(string(text), 120))
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxAnswer), resp.Body}, nil
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
		fields := scanner{s: s.Text()}
		if !fields.object("", func(name, value string) {
			switch name {
			case "_time":
				x.at, _ = timeOf(value)
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
		return nil, fmt.Errorf("read the store's answer: %w", err)
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
