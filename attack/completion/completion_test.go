package completion

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// service is a status endpoint: it answers as a function says, after a while.
type service struct {
	attack.Client
	clock func() time.Duration
	state func(path string) (status int, body string, fault attack.Fault)
	rest  time.Duration // Retry-After

	mu    sync.Mutex
	polls int
	paths map[string]int
}

type polled string

func (polled) Repeatable() bool { return true }

func (s *service) Compile(r profiles.Request) (attack.Request, error) {
	if strings.Contains(r.Path, " ") {
		return nil, fmt.Errorf("no path")
	}
	return polled(r.Path), nil
}

func (s *service) Do(r attack.Request, a *attack.Attempt) {
	a.Start = s.clock()
	status, body, fault := s.state(string(r.(polled)))
	time.Sleep(10 * time.Millisecond)
	s.mu.Lock()
	s.polls++
	if s.paths == nil {
		s.paths = map[string]int{}
	}
	s.paths[string(r.(polled))]++
	s.mu.Unlock()
	a.End, a.Fault, a.Phase = s.clock(), fault, attack.PhaseAwait
	if fault == attack.None {
		a.Status, a.Phase, a.RetryAfter = uint16(status), attack.PhaseDone, s.rest
		a.Reply.Begin("HTTP/1.1")
		a.Reply.Data([]byte(body))
	}
}

// ended collects what a tracker counts.
type ended struct {
	mu  sync.Mutex
	all []attack.Attempt
}

func (e *ended) count(a *attack.Attempt) {
	e.mu.Lock()
	e.all = append(e.all, *a)
	e.mu.Unlock()
}

// by returns how many of a target ended how, as "timeout await".
func (e *ended) by(target uint16) map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[string]int{}
	for _, a := range e.all {
		if a.Target == target {
			out[a.Fault.String()+" "+a.Phase.String()]++
		}
	}
	return out
}

const (
	transactions = 7
	polls        = 8
)

// rig is a tracker in a bubble of its own, with its clock.
type rig struct {
	*Tracker
	ended
	begin time.Time
	stop  func()
}

func start(t *testing.T, spec profiles.Completion, s *service, most int) *rig {
	t.Helper()
	p := profiles.Profile{Targets: []profiles.Target{{Name: "a", URL: "http://a:80/api", Completion: spec}}}.WithDefaults()
	r := &rig{begin: time.Now()}
	cfg := Config{Spec: p.Targets[0].Completion, Transactions: transactions, Polls: polls, Clock: r.now, Count: r.ended.count, Base: "http://a:80/api", Most: most}
	if s != nil {
		s.clock = r.now
		cfg.Poller = s
	}
	var err error
	if r.Tracker, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	r.stop = func() { cancel(); <-done }
	return r
}

func (r *rig) now() time.Duration { return time.Since(r.begin) }

// accept lets a request be answered.
func (r *rig) accept(n uint64, status int, body string, headers ...attack.AnswerHeader) {
	a := attack.Attempt{Request: n, Due: r.now(), Start: r.now()}
	r.Begin(&a)
	a.Reply.Begin("HTTP/1.1")
	for _, h := range headers {
		a.Reply.Header(h.Name, h.Value)
	}
	a.Reply.Data([]byte(body))
	a.Status, a.Phase, a.End = uint16(status), attack.PhaseDone, r.now()
	r.End(&a)
}

func at(path string) attack.AnswerHeader { return attack.AnswerHeader{Name: "Location", Value: path} }

func want(t *testing.T, what string, got, want map[string]int) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := &service{state: func(path string) (int, string, attack.Fault) {
			n, _ := strconv.Atoi(path[strings.LastIndexByte(path, '/')+1:])
			switch {
			case n%10 == 0: // lost: never known
				return 404, "", attack.None
			case n%10 == 1:
				return 200, `{"state": "failed"}`, attack.None
			case time.Since(begin) < 3*time.Second:
				return 200, `{"state": "working"}`, attack.None
			}
			return 200, `{"state": "done"}`, attack.None
		}}
		r := start(t, profiles.Completion{
			Via: profiles.ViaPoll, Poll: profiles.Poll{Every: 500 * time.Millisecond, AtMost: 1000}, Timeout: 10 * time.Second,
			Done:   profiles.Check{JSON: []profiles.Header{{Name: "state", Value: "done"}}},
			Failed: profiles.Check{JSON: []profiles.Header{{Name: "state", Value: "failed"}}},
		}, s, 0)
		defer r.stop()
		for n := range uint64(100) {
			r.accept(n, 202, "", at(fmt.Sprintf("http://a:80/api/jobs/%d", n)))
		}
		r.accept(100, 200, "") // done at once
		r.accept(101, 202, "") // says not where
		r.accept(102, 202, "", at("http://elsewhere/jobs/102"))
		r.Drain(nil)
		want(t, "transactions", r.by(transactions), map[string]int{"none done": 80, "status done": 10, "timeout await": 10, "canceled dns": 2})
		for _, a := range r.all {
			if a.Target == transactions && a.Fault == attack.None && (a.End < 3*time.Second || a.End > 4*time.Second) {
				t.Errorf("request %d was done at %v", a.Request, a.End)
			}
			if a.Fault == attack.Timeout && a.End < 10*time.Second {
				t.Errorf("request %d was lost at %v, before its time", a.Request, a.End)
			}
		}
		if n := r.by(polls)["none done"]; n != s.polls || n < 80*6+10*20+10 {
			t.Errorf("%d polls counted, %d made", n, s.polls)
		}
	})
}

// The answer's own values are the path; a status endpoint that is dead says nothing of
// the transactions.
func TestDeadStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{state: func(path string) (int, string, attack.Fault) {
			if path == "/state/a%2F1?x=0" {
				return 200, "", attack.None
			}
			return 0, "", attack.Refused
		}}
		r := start(t, profiles.Completion{
			Via: profiles.ViaPoll, Poll: profiles.Poll{Path: "/state/${accepted.id}?x=0", Every: time.Second}, Timeout: 5 * time.Second,
			Extract: []profiles.Extract{{Name: "id", From: profiles.FromJSON, What: "job"}},
		}, s, 0)
		defer r.stop()
		r.accept(0, 202, `{"job": "a/1"}`)
		r.accept(1, 202, `{"job": "2"}`)
		r.accept(2, 202, `{"other": "2"}`)
		r.Drain(nil)
		want(t, "transactions", r.by(transactions), map[string]int{"none done": 1, "canceled dial": 1, "canceled dns": 1})
		if got := r.by(polls); got["refused await"] != 5 {
			t.Errorf("polls %v", got)
		}
	})
}

// Polls keep below their rate, and a transaction whose turn comes late is asked for all
// the same before it is called lost.
func TestPollRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{state: func(string) (int, string, attack.Fault) { return 202, "", attack.None }}
		r := start(t, profiles.Completion{
			Via: profiles.ViaPoll, Poll: profiles.Poll{Every: 100 * time.Millisecond, AtMost: 50}, Timeout: 2 * time.Second, Drain: time.Minute,
		}, s, 0)
		defer r.stop()
		for n := range uint64(500) {
			r.accept(n, 202, "", at("/api/jobs/"+strconv.Itoa(int(n))))
		}
		r.Drain(nil)
		want(t, "transactions", r.by(transactions), map[string]int{"timeout await": 500})
		if most := int(r.now().Seconds()*50) + 10; s.polls > most {
			t.Errorf("%d polls in %v", s.polls, r.now())
		}
		if len(s.paths) != 500 {
			t.Errorf("%d of 500 were asked for", len(s.paths))
		}
	})
}

func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, profiles.Completion{Via: profiles.ViaCallback, Timeout: time.Hour, Drain: 2 * time.Second}, nil, 50)
		defer r.stop()
		for n := range uint64(80) {
			r.accept(n, 202, "")
		}
		r.Heard(r.key(3), new(attack.Reply))
		before := r.now()
		r.Drain(nil)
		if d := r.now() - before; d != 2*time.Second {
			t.Errorf("drained for %v", d)
		}
		want(t, "transactions", r.by(transactions), map[string]int{"canceled write": 30, "none done": 1, "canceled await": 49})
		r.accept(90, 202, "")
		want(t, "after the end", r.by(transactions), map[string]int{"canceled write": 30, "none done": 1, "canceled await": 50})

		// Whatever is called, memory does not grow.
		r = start(t, profiles.Completion{Via: profiles.ViaCallback}, nil, 50)
		defer r.stop()
		for n := range 3 * mostEarly {
			r.Heard("nobody"+strconv.Itoa(n), new(attack.Reply))
		}
		if n := len(r.early[0]) + len(r.early[1]); n > 2*mostEarly {
			t.Errorf("%d early completions are kept", n)
		}
		stopped := make(chan struct{})
		close(stopped)
		r.accept(1, 202, "")
		r.Drain(stopped)
		want(t, "stopped", r.by(transactions), map[string]int{"canceled await": 1})
	})
}

func (r *rig) key(n uint64) string { return string(attack.RunID{}.AppendTransactionID(nil, n)) }

// A completion counts once, may come before its answer, and is not missed where messages
// are.
func TestHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, profiles.Completion{
			Via: profiles.ViaNATS, Timeout: time.Second, Failed: profiles.Check{Body: "no"}, Done: profiles.Check{Body: "yes"},
		}, nil, 0)
		defer r.stop()
		say := func(n uint64, body string) { r.Heard(r.key(n), &attack.Reply{Body: []byte(body)}) }
		say(0, "yes")
		for n := range uint64(4) {
			r.accept(n, 202, "")
		}
		say(1, "yes")
		say(1, "yes")
		say(2, "no")
		say(3, "working")
		time.Sleep(2 * time.Second)
		want(t, "transactions", r.by(transactions), map[string]int{"none done": 2, "status done": 1, "timeout await": 1})
		r.accept(4, 202, "")
		r.Blind(true)
		r.accept(5, 202, "")
		r.accept(6, 202, "")
		r.Blind(false)
		r.accept(7, 202, "")
		say(6, "yes")
		r.Drain(nil)
		want(t, "after the gap", r.by(transactions), map[string]int{"none done": 3, "status done": 1, "timeout await": 2, "canceled dial": 2})
	})
}

func TestLocate(t *testing.T) {
	for _, c := range []struct {
		base, location string
		any            bool
		want           string
	}{
		{"http://a:80/api", "/jobs/1?x=%20", false, "/jobs/1?x=%20"},
		{"http://a:80/api/", "jobs/1", false, "/api/jobs/1"},
		{"http://a:80/api", "http://a:80/jobs/1", false, "/jobs/1"},
		{"http://a:80/api", "http://b/jobs/1", false, ""},
		{"http://a:80/api", "http://b/jobs/1", true, "/jobs/1"},
		{"http://a:80/api", "https://a:80/jobs/1", false, ""},
		{"http://a:80/api", "%", false, ""},
		{"http://a:80", "", false, ""},
		{"unix:///run/a.sock", "/jobs/1", false, "/jobs/1"},
	} {
		if got, ok := locate(c.base, c.location, c.any); got != c.want || ok != (c.want != "") {
			t.Errorf("%s of %s: %q %v", c.location, c.base, got, ok)
		}
	}
}

func TestReceive(t *testing.T) {
	got := make(chan string, 10)
	r, err := Receive(profiles.Callback{Listen: "0.0.0.0:0"}, "http://127.0.0.1:1", func(key string, reply *attack.Reply) bool {
		if key != "known" {
			return false
		}
		got <- key + " " + string(reply.Body)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if !strings.HasPrefix(r.URL, "http://127.0.0.1:") {
		t.Errorf("URL %s", r.URL)
	}
	for path, status := range map[string]int{"/known": 204, "/other": 404, "/known/": 204, "/": 404} {
		resp, err := http.Post(r.URL+path, "text/plain", strings.NewReader("ok"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	if len(got) != 2 || <-got != "known ok" {
		t.Error("the body is another one")
	}
	resp, err := http.Post(r.URL+"/known", "text/plain", strings.NewReader(strings.Repeat("x", mostCallBody+1)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge body: %d", resp.StatusCode)
	}
}
