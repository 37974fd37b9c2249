package topic_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/ramp"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/cmd/internal/topic"
	"github.com/rampload/rampload/profiles"
)

// orders is a service that accepts every order, and has a queue behind it that drops
// what does not fit: it counts for itself.
type orders struct {
	*httptest.Server
	tell func(o order)

	mu      sync.Mutex
	number  int
	state   map[string]string
	queue   chan order
	dropped map[uint64]bool // transactions, by number
	done    int
}

type order struct{ id, transaction, callback string }

func start(t *testing.T, room int, each time.Duration, tell func(order)) *orders {
	t.Helper()
	o := &orders{tell: tell, state: map[string]string{}, queue: make(chan order, room), dropped: map[uint64]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", o.accept)
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]string{"state": o.state[r.PathValue("id")]})
	})
	o.Server = httptest.NewServer(mux)
	work, stop := context.WithCancel(context.Background())
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		o.work(work, each)
	}()
	t.Cleanup(func() { stop(); <-worked; o.Close() })
	return o
}

func (o *orders) accept(w http.ResponseWriter, r *http.Request) {
	var body struct{ Callback string }
	_ = json.NewDecoder(r.Body).Decode(&body)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.number++
	one := order{strconv.Itoa(o.number), r.Header.Get("X-Transaction-Id"), body.Callback}
	o.state[one.id] = "queued"
	select {
	case o.queue <- one:
	default:
		n, _ := strconv.ParseUint(one.transaction[17:], 16, 64)
		o.dropped[n] = true
	}
	w.Header().Set("Location", "/orders/"+one.id)
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"id": %q}`, one.id)
}

func (o *orders) work(ctx context.Context, each time.Duration) {
	for {
		select {
		case <-ctx.Done():
			return
		case one := <-o.queue:
			time.Sleep(each) // the work itself
			o.mu.Lock()
			o.state[one.id] = "done"
			o.done++
			o.mu.Unlock()
			if o.tell != nil {
				o.tell(one)
			}
		}
	}
}

// record is a sink.
type record struct {
	mu       sync.Mutex
	ended    map[string]uint64 // by target, fault and phase
	lost     map[uint64]bool   // transactions
	failures map[uint16]int
}

func (r *record) Address(attack.Address) {}
func (r *record) Failure(f attack.Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures[f.Target]++
	if f.Target == 1 && f.Fault == attack.Timeout {
		r.lost[f.Request] = true
	}
}

func (r *record) Window(w attack.Window) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range w.Cells {
		r.ended[fmt.Sprintf("%d %s %s", w.Target, c.Fault, c.Phase)] += c.Requests
	}
}

// What a queue drops is lost, each transaction by its id, whoever tells of the others.
func TestLostBehindAQueue(t *testing.T) {
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(ns.Shutdown) // after the subtests, which are parallel
	if !ns.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	publisher, err := nats.Connect(ns.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(publisher.Close)
	for name, c := range map[string]struct {
		completion profiles.Completion
		tell       func(order)
	}{
		"poll": {profiles.Completion{
			Via: profiles.ViaPoll, Poll: profiles.Poll{Every: 200 * time.Millisecond, AtMost: 2000},
			Done: profiles.Check{JSON: []profiles.Header{{Name: "state", Value: "done"}}},
		}, nil},
		"poll by id": {profiles.Completion{
			Via: profiles.ViaPoll, Poll: profiles.Poll{Path: "/orders/${accepted.id}", Every: 200 * time.Millisecond, AtMost: 2000},
			Extract: []profiles.Extract{{Name: "id", From: profiles.FromJSON, What: "id"}},
			Done:    profiles.Check{JSON: []profiles.Header{{Name: "state", Value: "done"}}},
		}, nil},
		"callback": {profiles.Completion{Via: profiles.ViaCallback, Callback: profiles.Callback{Listen: "127.0.0.1:0"}}, func(o order) {
			if resp, err := http.Post(o.callback, "text/plain", http.NoBody); err == nil {
				resp.Body.Close()
			}
		}},
		"nats": {profiles.Completion{Via: profiles.ViaNATS, Topic: profiles.Topic{URL: ns.ClientURL(), Subject: "orders.*"}}, func(o order) {
			m := nats.NewMsg("orders.done")
			m.Header.Set("X-Transaction-Id", o.transaction)
			_ = publisher.PublishMsg(m)
		}},
		"nats by id": {profiles.Completion{
			Via: profiles.ViaNATS, Topic: profiles.Topic{URL: ns.ClientURL(), Subject: "orders.ids", ID: profiles.Extract{From: profiles.FromJSON, What: "order.id"}},
			Extract: []profiles.Extract{{Name: "id", From: profiles.FromJSON, What: "id"}},
		}, func(o order) { _ = publisher.Publish("orders.ids", fmt.Appendf(nil, `{"order": {"id": %q}}`, o.id)) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := start(t, 20, 10*time.Millisecond, c.tell)
			c.completion.Timeout = 5 * time.Second
			p := profiles.Profile{
				Name: "orders",
				Targets: []profiles.Target{{Name: "orders", URL: o.URL, Completion: c.completion, Requests: []profiles.Request{
					{Method: "POST", Path: "/orders", Body: `{"callback": "${callback.url}"}`, Filled: true},
				}}},
				Load: profiles.Load{profiles.Hold{Rate: 300, For: 2 * time.Second}},
			}.WithDefaults()
			loader, err := ramp.NewDirect(ramp.Config{Profile: p, RunID: attack.RunID{1}, Open: protocol.Open, Subscribe: topic.Subscribe})
			if err != nil {
				t.Fatal(err)
			}
			r := &record{ended: map[string]uint64{}, lost: map[uint64]bool{}, failures: map[uint16]int{}}
			if _, err := loader.Run(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			if len(o.dropped) == 0 || o.done == 0 {
				t.Fatalf("the queue dropped %d and did %d", len(o.dropped), o.done)
			}
			if r.ended["0 none done"] != 600 || r.ended["1 none done"] != uint64(o.done) || r.ended["1 timeout await"] != uint64(len(o.dropped)) {
				t.Errorf("accepted %d, done %d, dropped %d, and counted %v", o.number, o.done, len(o.dropped), r.ended)
			}
			for n := range o.dropped {
				if !r.lost[n] {
					t.Errorf("transaction %d was dropped, and is not lost", n)
				}
			}
			if c.completion.Via == profiles.ViaPoll && r.ended["2 none done"] < uint64(o.number) {
				t.Errorf("polls: %v", r.ended)
			}
		})
	}
}

// A server that goes away makes nobody lose anything: what was pending is not known.
func TestNATSGone(t *testing.T) {
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	if !ns.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	blind := make(chan bool, 10)
	stop, err := topic.Subscribe(profiles.Topic{URL: ns.ClientURL(), Subject: "x"}, func(string, *attack.Reply) bool { return true }, func(b bool) { blind <- b })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	ns.Shutdown()
	if !<-blind {
		t.Error("the reader does not say that it is blind")
	}
	if _, err := topic.Subscribe(profiles.Topic{URL: ns.ClientURL(), Subject: "x"}, nil, nil); err == nil {
		t.Error("a server that is not there can be read")
	}
}
