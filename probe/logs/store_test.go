package logs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

// shipped is a store that lines come to some time after they were written.
type shipped struct {
	at     []time.Time // when each was written
	after  []time.Duration
	fails  func() error
	takes  time.Duration // how long it takes to answer
	asked  int
	longer time.Duration // the longest time that was asked for
}

func (s *shipped) lines(ctx context.Context, from, to time.Time) (out []stored, err error) {
	s.asked++
	s.longer = max(s.longer, to.Sub(from))
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(s.takes):
	}
	if s.fails != nil {
		if err := s.fails(); err != nil {
			return nil, err
		}
	}
	for i, at := range s.at {
		if !at.Before(from) && at.Before(to) && time.Since(at) >= s.after[i] {
			out = append(out, stored{at: at, text: fmt.Sprintf("ERROR: no %c", 'a'+i)})
		}
	}
	return out, nil
}

// question asks a store for 30 seconds, and returns what it said and what the log lacks.
func question(t *testing.T, s *shipped) (said []string, log *Log, err error) {
	t.Helper()
	log = New(profiles.Log{URL: "http://store"}, "local", "", probe.NewClock(time.Now()))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err = log.questions(ctx, s, func(e probe.Event) { said = append(said, e.Reason) })
	slices.Sort(said)
	return said, log, err
}

// Lines are read once each: those that are shipped at once, some seconds late, in the
// last moment of the run, and by a clock that is ahead.
func TestStoreTakesLinesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		at := func(d time.Duration) time.Time { return now.Add(d) }
		s := &shipped{
			at:    []time.Time{at(5 * time.Second), at(6 * time.Second), at(8 * time.Second), at(29900 * time.Millisecond), at(50 * time.Second)},
			after: []time.Duration{0, 9 * time.Second, 4 * time.Second, 0, -time.Minute},
		}
		said, log, err := question(t, s)
		if want := []string{"ERROR: no a", "ERROR: no b", "ERROR: no c", "ERROR: no d", "ERROR: no e"}; err != nil || !slices.Equal(said, want) {
			t.Errorf("%q, %v; want %q", said, err, want)
		}
		if m := log.Missing(); len(m) != 1 || !strings.Contains(m[0].Reason, "15s after that at which they were read") {
			t.Errorf("of the clock that is ahead it says %v", m)
		}
	})
}

// A store that is away for a time is asked for all of it when it is back.
func TestStoreComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		s := &shipped{at: []time.Time{now.Add(9 * time.Second)}, after: []time.Duration{0}}
		s.fails = func() error {
			if d := time.Since(now); d > 5*time.Second && d < 20*time.Second {
				return errors.New("ask store: connection refused")
			}
			return nil
		}
		said, log, err := question(t, s)
		if err != nil || !slices.Equal(said, []string{"ERROR: no a"}) || len(log.Missing()) != 1 {
			t.Errorf("%q, %v, %v", said, err, log.Missing())
		}
	})
}

// A store that never answers costs no more than its patience, and is told of.
func TestStoreNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		s := &shipped{takes: time.Hour}
		_, _, err := question(t, s)
		if d := time.Since(now); d > 30*time.Second+askFor+afterwards {
			t.Errorf("it ended after %s", d)
		}
		var none *probe.Unsupported
		if !errors.As(err, &none) || !strings.Contains(none.Reason, "asked in vain") {
			t.Errorf("it says %v", err)
		}
	})
}

// handedOn is what is handed on of lines of a store, in a run that began at some time.
func handedOn(lines []stored, began time.Time) (events []probe.Event) {
	q := &questions{
		log: New(profiles.Log{URL: "http://store"}, "local", "", probe.NewClock(began)), keep: &keeper{},
		emit:  func(e probe.Event) { events = append(events, e) },
		store: answered(lines),
	}
	told, _ := q.ask(context.Background(), began, began.Add(time.Hour))
	q.take(told)
	return events
}

// answered is a store that always answers the same.
type answered []stored

func (a answered) lines(context.Context, time.Time, time.Time) ([]stored, error) { return a, nil }

// What VictoriaLogs 1.52.1 answers of one line that came to it in eight ways: as JSON lines
// with and without a message named, as text and JSON by Loki's protocol, Elasticsearch's,
// syslog, the journal's, and OpenTelemetry's. Each is read as the same line.
func TestVictoriaLogsAnswers(t *testing.T) {
	data, err := os.ReadFile("testdata/victorialogs-1.52.1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for text := range strings.Lines(string(data)) {
		x, ok := victoriaLine(text)
		if !ok || x.at.IsZero() {
			t.Fatalf("not read: %s", text)
		}
		events := handedOn([]stored{x}, x.at.Add(-time.Second))
		if len(events) != 1 {
			t.Errorf("%d events of %s", len(events), text)
			continue
		}
		e := events[0]
		if d := e.At - time.Second; d.Abs() > time.Millisecond { // of a time on the wall
			t.Errorf("%s is of %s", text, e.At)
		}
		got = append(got, fmt.Sprintf("%s: %s of %s at %q", e.Process, e.Reason, e.Line.ID[len(e.Line.ID)-1:], e.Line.Peer))
	}
	slices.Sort(got)
	want := []string{
		`payments: connection pool exhausted of 1 at "10.0.3.2:5432"`,
		`payments: connection pool exhausted of 2 at "10.0.3.2:5432"`,
		`payments: connection pool exhausted of 4 at "10.0.3.2:5432"`,
		`payments: connection pool exhausted of 5 at ""`,
		`payments: connection pool exhausted tx=0123456789abcdef-0000000000000007 of 7 at ""`,
		`payments: connection pool exhausted tx=0123456789abcdef-0000000000000008 of 8 at ""`,
		`payments: connection pool exhausted: no connection in 5 s of 6 at "10.0.3.2"`,
		`payments: level=error msg="connection pool exhausted" tx=0123456789abcdef-0000000000000003 of 3 at ""`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// plenty is a store that has a line every millisecond, one in ten of which tells of a
// fault, and gives at most mostLines of them, the latest.
type plenty struct {
	began time.Time
	asked int
	every time.Duration
}

func (p *plenty) lines(_ context.Context, from, to time.Time) (out []stored, err error) {
	p.asked++
	if now := time.Now(); to.After(now) {
		to = now
	}
	for at := to.Add(-1).Truncate(p.every); !at.Before(from) && len(out) < mostLines; at = at.Add(-p.every) {
		x := stored{at: at, text: "served"}
		if n := at.Sub(p.began) / p.every; n%200 == 0 {
			x.text = fmt.Sprintf("ERROR: no reply, tx=0123456789abcdef-%016x", uint64(n))
		}
		out = append(out, x)
	}
	return out, nil
}

// A store that has more lines than one answer holds is asked in parts, and each line is
// read once, of whatever second it is.
func TestStoreHasPlenty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().Truncate(time.Second)
		time.Sleep(time.Until(now.Add(time.Second)))
		s := &plenty{began: time.Now(), every: 50 * time.Microsecond} // 20,000/s, 100/s tell
		log := New(profiles.Log{URL: "http://store"}, "local", "", probe.NewClock(time.Now()))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		ids := map[string]int{}
		if err := log.questions(ctx, s, func(e probe.Event) { ids[e.Line.ID] += int(e.Count) }); err != nil {
			t.Fatal(err)
		}
		begun := s.began.Add(-settles)
		lost := 0
		for at := begun; at.Before(s.began.Add(20 * time.Second)); at = at.Add(200 * s.every) {
			n := at.Sub(s.began) / s.every
			if ids[fmt.Sprintf("0123456789abcdef-%016x", uint64(n))] != 1 {
				lost++
			}
		}
		if lost > 0 || len(log.Missing()) > 0 {
			t.Errorf("%d of %d lines are lost or told twice; it lacks %v", lost, len(ids), log.Missing())
		}
		if s.asked > 500 {
			t.Errorf("it was asked %d times", s.asked)
		}
	})
}

// TestStores asks servers that answer as the documents of the stores say.
func TestStores(t *testing.T) {
	at := time.Now().Add(-10 * time.Second).Truncate(time.Millisecond).UTC()
	mux := http.NewServeMux()
	mux.HandleFunc("/loki/api/v1/labels", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"success"}`) })
	mux.HandleFunc("/loki/api/v1/query_range", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("query") != `{app="shop"}` || r.FormValue("direction") != "forward" || r.FormValue("start") == "" {
			http.Error(w, "no", 400)
			return
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"streams","result":[{"stream":{"service_name":"shop","level":"error"},"values":[["%d","boom"]]}]}}`, at.UnixNano())
	})
	mux.HandleFunc("/select/logsql/query", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("query") != `app:shop` {
			http.Error(w, "\x1b[31mno such field", 400)
			return
		}
		fmt.Fprintf(w, "{\"_time\":%q,\"_msg\":\"boom\",\"service\":\"shop\",\"level\":\"error\"}\nnot json\n", at.Format(time.RFC3339Nano))
	})
	mux.HandleFunc("/page/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "\x1b[2J<html>no logs</html>\n") })
	server := httptest.NewServer(mux)
	defer server.Close()
	for _, query := range []string{`{app="shop"}`, `app:shop`} {
		s, err := storeAt(t.Context(), server.URL, query)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := s.lines(t.Context(), at.Add(-time.Second), at.Add(time.Second))
		if err != nil || len(lines) != 1 || !lines[0].at.Equal(at) || lines[0].text != "boom" {
			t.Fatalf("%s: %+v, %v", query, lines, err)
		}
		events := handedOn(lines, at.Add(-3*time.Second))
		if len(events) != 1 || events[0].Process != "shop" || events[0].At != 3*time.Second || events[0].Line.Level != "error" {
			t.Errorf("%s: %+v", query, events)
		}
	}
	s, _ := storeAt(t.Context(), server.URL, "nonsense")
	if _, err := s.lines(t.Context(), at, at); err == nil || !strings.Contains(err.Error(), "it answers 400: no such field") {
		t.Errorf("got %v", err)
	}
	s, _ = storeAt(t.Context(), server.URL+"/page", "app:shop")
	if _, err := s.lines(t.Context(), at, at); err == nil || !strings.Contains(err.Error(), `its answer is not that of VictoriaLogs: "<html>no logs</html>"`) {
		t.Errorf("got %v", err)
	}
	u, _ := url.Parse(server.URL)
	server.Close()
	s, _ = storeAt(t.Context(), "http://user:secret@"+u.Host, `{app="shop"}`)
	if _, err := s.lines(t.Context(), at, at); err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
}

// BenchmarkStoreLines is what reading 20,000 lines of an answer costs, one in a hundred of
// which tells of a fault: its metric core is the share of a core that as many lines a
// second take, each read twice.
func BenchmarkStoreLines(b *testing.B) {
	var lines []string
	for i := range 20_000 {
		level := "info"
		if i%100 == 0 {
			level = "error"
		}
		lines = append(lines, fmt.Sprintf(`{"_msg":"order placed","_stream":"{service=\"orders\"}","_stream_id":"0000000000000000a2cd0d1a7cdf4efbf2745fb0cfc90374","_time":"2026-11-30T03:25:32.%09dZ","level":%q,"service":"orders","took_ms":"12","transactionId":"0123456789abcdef-%016x"}`, i, level, i))
	}
	began := time.Date(2026, 11, 30, 3, 25, 32, 0, time.UTC)
	q := &questions{log: New(profiles.Log{URL: "http://store"}, "local", "", probe.NewClock(began)), keep: &keeper{}, emit: func(probe.Event) {}}
	for b.Loop() {
		for range 2 {
			for part := range slices.Chunk(lines, mostLines-1) {
				read := make([]stored, 0, len(part))
				for _, text := range part {
					if x, ok := victoriaLine(text); ok {
						read = append(read, x)
					}
				}
				q.store = answered(read)
				told, _ := q.ask(b.Context(), began, began.Add(time.Second))
				q.take(told)
			}
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "core")
}
