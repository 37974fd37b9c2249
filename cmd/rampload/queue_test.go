package main_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rampload/rampload/report"
)

// shopQueue answers 202 and works later: what it accepts waits in a queue, of which so
// many are worked off a second. What finds no room is accepted all the same, and lost.
type shopQueue struct {
	tell  func(o queued) // who is told that something is done; nil: nobody
	every time.Duration

	mu     sync.Mutex
	room   int
	done   map[string]bool
	counts queueCounts
}

// queueCounts is what became of what was accepted.
type queueCounts struct{ Accepted, Done, Lost int }

// queued is one order in the queue.
type queued struct{ id, tx, callback string }

func newShopQueue(rate float64, room int) *shopQueue {
	return &shopQueue{every: time.Duration(float64(time.Second) / rate), room: room, done: map[string]bool{}}
}

func (q *shopQueue) work(orders <-chan queued) {
	for next := time.Now(); ; next = next.Add(q.every) {
		o, more := <-orders
		if !more {
			return
		}
		if now := time.Now(); next.Before(now.Add(-q.every)) {
			next = now // it had nothing to do
		}
		time.Sleep(time.Until(next))
		q.mu.Lock()
		q.done[o.id] = true
		q.counts.Done++
		q.mu.Unlock()
		if q.tell != nil {
			q.tell(o)
		}
	}
}

// handler serves POST /orders, GET /orders/ID, and GET /counts.
func (q *shopQueue) handler() http.Handler {
	orders := make(chan queued, q.room)
	go q.work(orders)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Callback string }
		_ = json.NewDecoder(io.LimitReader(r.Body, 4096)).Decode(&body)
		o := queued{tx: r.Header.Get("X-Transaction-Id"), callback: body.Callback}
		q.mu.Lock()
		q.counts.Accepted++
		o.id = strconv.Itoa(q.counts.Accepted)
		select {
		case orders <- o:
		default:
			q.counts.Lost++
		}
		q.mu.Unlock()
		w.Header().Set("Location", "/orders/"+o.id)
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, `{"id":%q}`, o.id)
	})
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		q.mu.Lock()
		done := q.done[r.PathValue("id")]
		q.mu.Unlock()
		if !done {
			w.WriteHeader(http.StatusAccepted)
		}
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"token":"t"}`) })
	mux.HandleFunc("GET /counts", func(w http.ResponseWriter, _ *http.Request) {
		q.mu.Lock()
		defer q.mu.Unlock()
		_ = json.NewEncoder(w).Encode(q.counts)
	})
	return mux
}

// callBack calls the address that an order came with.
func callBack(o queued) {
	if o.callback == "" {
		return
	}
	r, err := http.Post(o.callback, "application/json", bytes.NewReader([]byte(`{"state":"done"}`)))
	if err == nil {
		r.Body.Close()
	}
}

// queueService is the service as a process of its own: it listens at -addr.
func queueService() {
	flags := flag.NewFlagSet("queue", flag.ExitOnError)
	addr := flags.String("addr", "127.0.0.1:0", "")
	rate := flags.Float64("rate", 100, "")
	room := flags.Int("room", 100, "")
	topic := flags.String("nats", "", "")
	_ = flags.Parse(os.Args[1:])
	q := newShopQueue(*rate, *room)
	q.tell = callBack
	if *topic != "" {
		conn, err := nats.Connect(*topic)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		q.tell = func(o queued) {
			m := nats.NewMsg("orders.done")
			m.Header.Set("X-Transaction-Id", o.tx)
			_ = conn.PublishMsg(m)
		}
	}
	fmt.Fprintln(os.Stderr, http.ListenAndServe(*addr, q.handler()))
	os.Exit(1)
}

// startqueue VAR RATE ROOM starts one, and puts its URL into the environment variable.
func startQueue(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: startqueue VAR RATE ROOM")
	}
	rate, err := strconv.ParseFloat(args[1], 64)
	ts.Check(err)
	room, err := strconv.Atoi(args[2])
	ts.Check(err)
	q := newShopQueue(rate, room)
	q.tell = callBack
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	server := &http.Server{Handler: q.handler()}
	go func() { _ = server.Serve(l) }()
	ts.Setenv(args[0], "http://"+l.Addr().String())
	ts.Defer(func() { server.Close() })
}

// counted URL REPORT compares what a report says of completions with what the queue
// itself counted. "!" wants some to be lost.
func completedAs(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] counted URL REPORT")
	}
	resp, err := http.Get(args[0] + "/counts")
	ts.Check(err)
	defer resp.Body.Close()
	var want queueCounts
	ts.Check(json.NewDecoder(resp.Body).Decode(&want))
	r, err := report.Read(strings.NewReader(ts.ReadFile(args[1])))
	ts.Check(err)
	if err := sameCounts(r, want); err != nil {
		ts.Fatalf("%v", err)
	}
	if neg != (want.Lost > 0) {
		ts.Fatalf("the queue lost %d", want.Lost)
	}
}

// sameCounts compares the completions of a report with a queue's.
func sameCounts(r *report.Report, want queueCounts) error {
	if len(r.Completions) != 1 {
		return fmt.Errorf("%d targets have completions, not 1", len(r.Completions))
	}
	c := r.Completions[0]
	if got := (queueCounts{int(c.Accepted), int(c.Completed), int(c.Lost)}); got != want || want.Accepted == 0 {
		return fmt.Errorf("the report says %+v (unknown: %+v), the queue %+v", got, c.Unknown, want)
	}
	return nil
}
