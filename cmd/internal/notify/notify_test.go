package notify

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

	"github.com/rampload/rampload/cmd/internal/otlp"
)

// receiver keeps what is posted to it.
type receiver struct {
	mu     sync.Mutex
	bodies []string
	status int           // 0: 200
	hold   chan struct{} // answers wait for it; nil: they do not
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	status, hold := r.status, r.hold
	r.bodies = append(r.bodies, string(body))
	r.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if status != 0 {
		http.Error(w, "not\nnow", status)
	}
}

func (r *receiver) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.bodies...)
}

func start(t *testing.T, kind Kind, r *receiver) (*Notifier, func() []string) {
	t.Helper()
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	sender, err := otlp.New(otlp.Config{URL: s.URL + "/api/v2/alerts", Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var said []string
	n := New([]To{{kind, sender, "receiver:9093"}}, map[string]string{"run": "f00d", "profile": "peak", "release": ""}, func(text string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, text)
	})
	return n, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), said...)
	}
}

func gate(expr, why string) Alert {
	return Alert{Name: "RamploadGateFailed", Labels: map[string]string{"gate": expr}, Summary: "gate failed: " + expr, Description: why, Since: time.Now()}
}

// TestReceivers holds both kinds to the same: what begins is told once, what ends is
// resolved, and so is all at the end.
func TestReceivers(t *testing.T) {
	for _, kind := range []Kind{Alertmanager, Webhook} {
		r := &receiver{}
		n, said := start(t, kind, r)
		a, b := gate("failures < 1%", "orders resets from 1,510/s"), gate("p99 < 1s", "")
		n.Set(nil)
		n.Set([]Alert{a})
		n.Set([]Alert{a}) // nothing new
		n.Set([]Alert{a, b})
		n.Set([]Alert{b})
		n.End("FAILED orders resets")
		n.Set([]Alert{a}) // too late
		if got := said(); len(got) > 0 {
			t.Errorf("%s: said %q", kind, got)
		}
		var told []string
		for _, body := range r.all() {
			told = append(told, summary(t, kind, body))
		}
		want := []string{
			"firing failures < 1%",
			"firing failures < 1%, firing p99 < 1s",
			"firing p99 < 1s, resolved failures < 1%",
			"resolved p99 < 1s",
		}
		if strings.Join(told, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s was told\n%s\nwant\n%s", kind, strings.Join(told, "\n"), strings.Join(want, "\n"))
		}
		if last := r.all(); !strings.Contains(last[len(last)-1], "FAILED orders resets") || !strings.Contains(last[0], "orders resets from 1,510/s") || strings.Contains(last[0], `"release"`) && kind == Alertmanager {
			t.Errorf("%s: %s", kind, last)
		}
	}
}

// summary says what a body tells.
func summary(t *testing.T, kind Kind, body string) string {
	t.Helper()
	type alert struct {
		Status           string
		Labels           map[string]string
		StartsAt, EndsAt time.Time
	}
	var alerts []alert
	if kind == Alertmanager {
		if err := json.Unmarshal([]byte(body), &alerts); err != nil {
			t.Fatalf("%s: %s", err, body)
		}
	} else {
		var h struct {
			Version, Status, Text string
			Alerts                []alert
		}
		if err := json.Unmarshal([]byte(body), &h); err != nil || h.Version != "4" || h.Text == "" && h.Status == "firing" && len(h.Alerts) == 1 {
			t.Fatalf("%v: %s", err, body)
		}
		alerts = h.Alerts
	}
	var out []string
	for _, a := range alerts {
		status := a.Status
		if kind == Alertmanager {
			if status = "resolved"; a.EndsAt.After(time.Now().Add(time.Minute)) {
				status = "firing"
			}
		}
		if a.Labels["alertname"] != "RamploadGateFailed" || a.Labels["run"] != "f00d" || a.Labels["profile"] != "peak" || a.StartsAt.IsZero() {
			t.Errorf("%s has %v", kind, a)
		}
		out = append(out, status+" "+a.Labels["gate"])
	}
	return strings.Join(out, ", ")
}

// TestReceiverThatRefuses is told in a line, and not asked again.
func TestReceiverThatRefuses(t *testing.T) {
	r := &receiver{status: http.StatusUnauthorized}
	n, said := start(t, Webhook, r)
	n.Set([]Alert{gate("failures < 1%", "")})
	n.End("")
	got := said()
	if len(got) != 2 || !strings.Contains(got[0], "the webhook at receiver:9093 was not told (gate failed: failures < 1%)") || !strings.Contains(got[0], "401: not now") || strings.Contains(got[0], "\n") {
		t.Errorf("said %q", got)
	}
	if len(r.all()) != 2 {
		t.Errorf("asked %d times", len(r.all()))
	}
}

// TestReceiverThatIsSlow holds up nobody, and still learns that it is over.
func TestReceiverThatIsSlow(t *testing.T) {
	r := &receiver{hold: make(chan struct{})}
	n, said := start(t, Webhook, r)
	began := time.Now()
	for i := range 100 {
		n.Set([]Alert{gate(fmt.Sprintf("failures < %d%%", i), "")})
	}
	if took := time.Since(began); took > tryIn/2 {
		t.Errorf("telling took %s", took)
	}
	close(r.hold)
	n.End("PASSED")
	all := r.all()
	if len(all) > mostWaiting+2 || !strings.Contains(all[len(all)-1], "PASSED") {
		t.Errorf("%d messages, the last: %s", len(all), all[len(all)-1])
	}
	if got := said(); len(got) != 1 || !strings.Contains(got[0], "too slow") {
		t.Errorf("said %q", got)
	}
}
