package ramp

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// shop is a service with a log-in, a list and a payment.
type shop struct {
	mu    sync.Mutex
	said  []string            // what was wrong with requests
	conns map[string][]string // remote address: paths
	paid  map[string]int      // by user
	calls int
}

func (s *shop) wrong(format string, args ...any) {
	s.said = append(s.said, fmt.Sprintf(format, args...))
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[r.RemoteAddr] = append(s.conns[r.RemoteAddr], r.URL.Path)
	if r.URL.Path == "/login" {
		if c := r.Header.Get("Cookie"); c != "" {
			s.wrong("log-in with cookies %q", c)
		}
		user := r.FormValue("user")
		w.Header().Add("Set-Cookie", "sid="+user+"; Path=/; HttpOnly")
		w.Header().Add("Set-Cookie", "lang=de; Path=/")
		fmt.Fprintf(w, `{"access": {"token": "t-%s"}}`, user)
		return
	}
	cookie, err := r.Cookie("sid")
	if err != nil || r.Header.Get("Authorization") != "Bearer t-"+cookie.Value {
		s.wrong("%s with cookies %q and authorization %q", r.URL.Path, r.Header.Get("Cookie"), r.Header.Get("Authorization"))
		return
	}
	switch r.URL.Path {
	case "/items":
		fmt.Fprintf(w, `{"items": [{"id": "i-%s"}], "count": 1}`, cookie.Value)
	case "/pay":
		var body struct{ Item string }
		data, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(data, &body); err != nil || body.Item != "i-"+cookie.Value {
			s.wrong("payment %s of %s", data, cookie.Value)
		}
		s.paid[cookie.Value]++
		if s.calls++; s.calls%4 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "no card reader")
			return
		}
		if s.calls%4 == 1 {
			_, _ = io.WriteString(w, `{"state": "refused"}`)
			return
		}
		_, _ = io.WriteString(w, `{"state": "paid"}`)
	}
}

// checkout is a journey through a shop.
func checkout(url string) profiles.Journey {
	return profiles.Journey{Name: "checkout", URL: url, Steps: []profiles.Step{
		{Name: "login", Extract: []profiles.Extract{{Name: "token", From: profiles.FromJSON, What: "$.access.token"}, {Name: "sid", From: profiles.FromCookie, What: "sid"}}, Request: profiles.Request{
			Method: "POST", Path: "/login", Body: "user=${users.id}", Filled: true,
			Headers: []profiles.Header{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}},
		}},
		{Name: "list", Extract: []profiles.Extract{{Name: "item", From: profiles.FromRegexp, What: `"id": "([^"]+)"`}}, Request: profiles.Request{
			Path: "/items", Filled: true, Headers: []profiles.Header{{Name: "Authorization", Value: "Bearer ${login.token}"}},
		}, Check: profiles.Check{JSON: []profiles.Header{{Name: "count", Value: "1"}}, Headers: []profiles.Header{{Name: "content-type", Value: "text"}}}},
		{Name: "pay", ThinkFrom: time.Millisecond, ThinkTo: 3 * time.Millisecond, Request: profiles.Request{
			Method: "POST", Path: "/pay", Body: `{"item": "${list.item}"}`, Filled: true,
			Headers: []profiles.Header{{Name: "Authorization", Value: "Bearer t-${login.sid}"}},
		}, Check: profiles.Check{JSON: []profiles.Header{{Name: "state", Value: "paid"}}}},
		{Name: "bye", Request: profiles.Request{Path: "/bye", Filled: true, Headers: []profiles.Header{{Name: "Authorization", Value: "Bearer ${login.token}"}}}},
	}}
}

// Users log in, carry their cookies and what they were answered, and go on as far as
// nothing fails: each step is counted by itself, with the exact numbers.
func TestJourneys(t *testing.T) {
	for _, engine := range []string{"vegeta", "direct"} {
		for _, own := range []bool{false, true} {
			for _, skips := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s own=%v skip=%v", engine, own, skips), func(t *testing.T) {
					s := &shop{conns: map[string][]string{}, paid: map[string]int{}}
					server := httptest.NewServer(s)
					defer server.Close()
					p := dataProfile(40, profiles.PickOnce, holdStage(100, 400*time.Millisecond))
					j := checkout(server.URL)
					j.OwnConn, j.Steps[2].SkipFailed = own, skips
					p.Targets, p.Journeys = nil, []profiles.Journey{j}
					p = p.WithDefaults()
					rec := runReal(t, engine, Config{Profile: p})
					s.mu.Lock()
					defer s.mu.Unlock()
					if len(s.said) > 0 || len(s.paid) != 40 {
						t.Errorf("%d users paid; %q", len(s.paid), s.said)
					}
					want := [][2]uint64{{40, 40}, {40, 40}, {40, 20}, {20, 20}} // sent and succeeded
					if skips {
						want[3] = [2]uint64{40, 40}
					}
					for step, w := range want {
						if c := rec.sum(t, step); c.scheduled != w[0] || c.sent != w[0] || c.ok != w[1] || c.unsent != 0 {
							t.Errorf("step %d: %d scheduled, %d sent, %d succeeded, %d unsent; want %v", step, c.scheduled, c.sent, c.ok, c.unsent, w)
						}
					}
					refused, busy := 0, 0
					for _, f := range rec.failures {
						switch {
						case f.Target != 2 || f.Fault != attack.Status:
							t.Errorf("%+v", f)
						case f.Status == http.StatusServiceUnavailable && strings.Contains(f.Answer.Body, "card reader"):
							busy++
						case f.Detail == attack.Content(0) && strings.Contains(f.Answer.Body, "refused"):
							refused++
						}
					}
					if refused != 10 || busy != 10 {
						t.Errorf("%d refused, %d busy of %d failures", refused, busy, len(rec.failures))
					}
					if own && len(s.conns) != 40 {
						t.Errorf("%d connections of 40 users", len(s.conns))
					}
					for remote, paths := range s.conns {
						if own && !strings.HasPrefix("/login /items /pay /bye", strings.Join(paths, " ")) {
							t.Errorf("%s: %q", remote, paths)
						}
					}
				})
			}
		}
	}
}

// A reset of a step is that step's, and pauses are no latency: a later step is due when
// its pause is over. A load that is stopped leaves no step half counted.
func TestJourneysInTime(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		p := testProfile(holdStage(10, 2*time.Second))
		j := checkout("http://h")
		for i := range j.Steps {
			j.Steps[i].Extract, j.Steps[i].Check = nil, profiles.Check{}
			j.Steps[i].Request = profiles.Request{Path: "/"}
		}
		j.Expect = profiles.StatusSet{}
		j.Steps[2].ThinkFrom, j.Steps[2].ThinkTo = time.Second, time.Second
		p.Targets, p.Journeys = nil, []profiles.Journey{j}
		p = p.WithDefaults()
		var mu sync.Mutex
		began := map[uint64]time.Duration{}
		start := time.Now()
		rec, _, summary := drive(t, t.Context(), engine, Config{Profile: p}, func(a *attack.Attempt) (time.Duration, attack.Fault) {
			mu.Lock()
			defer mu.Unlock()
			user, step := a.Request&(1<<stepShift-1), a.Request>>stepShift
			switch step {
			case 1:
				began[user] = time.Since(start)
			case 2:
				if gap := time.Since(start) - began[user]; gap < 1010*time.Millisecond || gap > 1012*time.Millisecond {
					t.Errorf("user %d paused so that the third step began %v after the second", user, gap)
				}
				if user%2 == 1 {
					return time.Millisecond, attack.Reset
				}
			}
			return 10 * time.Millisecond, attack.None
		})
		for step, want := range [][2]uint64{{20, 20}, {20, 20}, {20, 10}, {10, 10}} {
			c := rec.sum(t, step)
			if c.scheduled != want[0] || c.sent != want[0] || c.ok != want[1] || c.unsent != 0 {
				t.Errorf("step %d: %+v, want %v", step, c, want)
			}
		}
		for _, w := range rec.windows {
			for _, b := range w.FromDue {
				if b.Value > 12_000 { // µs
					t.Errorf("target %d: a latency of %d µs, with a pause in it", w.Target, b.Value)
				}
			}
		}
		for _, f := range rec.failures {
			if f.Target != 2 || f.Fault != attack.Reset {
				t.Errorf("%+v", f)
			}
		}
		if summary.Interrupted || summary.Ended < 2900*time.Millisecond {
			t.Errorf("%+v: the last journeys end after the load", summary)
		}
	})
}

// Steps go to the services that they name, with what others answered; each service has
// connections of its own, one for each user who asks for it.
func TestJourneyOverServices(t *testing.T) {
	var mu sync.Mutex
	asked := map[string][]string{} // by service and connection
	service := func(name, answer string) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			key := name + " " + r.RemoteAddr
			asked[key] = append(asked[key], r.URL.RequestURI())
			_, _ = io.WriteString(w, answer)
		}))
		t.Cleanup(s.Close)
		return s
	}
	accounts, items := service("accounts", `{"token": "t1"}`), service("items", `{"id": 7}`)
	for _, engine := range []string{"vegeta", "direct"} {
		for _, own := range []bool{false, true} {
			mu.Lock()
			clear(asked)
			mu.Unlock()
			p := testProfile(holdStage(20, 500*time.Millisecond))
			p.Targets = nil
			p.Journeys = []profiles.Journey{{Name: "buy", URL: items.URL, OwnConn: own, Steps: []profiles.Step{
				{
					Name: "login", At: profiles.Service{URL: accounts.URL}, Request: profiles.Request{Path: "/login"},
					Extract: []profiles.Extract{{Name: "token", From: profiles.FromJSON, What: "token"}},
				},
				{Name: "list", Request: profiles.Request{Path: "/items?t=${login.token}", Filled: true}},
				{Name: "out", At: profiles.Service{URL: accounts.URL}, Request: profiles.Request{Path: "/out?t=${login.token}", Filled: true}},
			}}}
			rec := runReal(t, engine, Config{Profile: p.WithDefaults()})
			mu.Lock()
			paths, conns := map[string]int{}, map[string]int{}
			for key, list := range asked {
				name, _, _ := strings.Cut(key, " ")
				conns[name]++
				for _, path := range list {
					paths[name+path]++
				}
				if own && strings.Join(list, " ") != map[string]string{"accounts": "/login /out?t=t1", "items": "/items?t=t1"}[name] {
					t.Errorf("%s: one user's connection to %s: %q", engine, name, list)
				}
			}
			mu.Unlock()
			if paths["accounts/login"] != 10 || paths["items/items?t=t1"] != 10 || paths["accounts/out?t=t1"] != 10 {
				t.Errorf("%s own=%v: %v", engine, own, paths)
			}
			if own && (conns["accounts"] != 10 || conns["items"] != 10) {
				t.Errorf("%s: connections %v of 10 users", engine, conns)
			}
			for step := range 3 {
				if c := rec.sum(t, step); c.sent != 10 || c.ok != 10 {
					t.Errorf("%s: step %d: %d sent, %d succeeded", engine, step, c.sent, c.ok)
				}
			}
		}
	}
}
