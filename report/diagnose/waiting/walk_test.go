package waiting_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/waiting"
	"github.com/rampload/rampload/report/runlog"
)

// Who answers, however late, is not stuck, and nobody has given up what it has: what comes back on
// connections that last says so.
func TestAnswersLate(t *testing.T) {
	for _, answers := range []float64{0, 5} {
		w := locked()
		w.change("api", probe.RequestsUnread, 0)
		w.change("api", probe.Awaiting, 0)
		w.change("api", probe.AwaitingOldest, 0)
		w.total("web", "nginx", probe.Asked, 0, 80, 8)
		w.total("web", "nginx", probe.AnswersReceived, 0, 80, answers)
		for i := range w.log.Series {
			if m := w.log.Series[i].Metric; m.Name == probe.Asked || m.Name == probe.AnswersReceived {
				w.log.Series[i].Metric.Instance = "10.0.0.3:8080"
			}
		}
		way := follow(w)
		if way.Culprit == nil || way.Culprit.Hop.Process != "api" {
			t.Fatalf("%v answers/s: %s", answers, way.Text())
		}
		if got := way.Culprit.GivenUp(way.Before(way.Culprit)); got != (answers == 0) {
			t.Errorf("%v answers/s: given up %v", answers, got)
		}
	}
}

// A pool that strangers hold is one that those on the way wait for: what is out for longer than
// anybody before the hop waits is not theirs. A store that got slow is none.
func TestTakenByStrangers(t *testing.T) {
	for _, c := range []struct {
		name      string
		strangers float64 // connections of another host while requests fail
		before    float64
		oldest    float64 // of what is out to the database
		want      string
		state     report.Stand
	}{
		{"others came, and hold all places", 10, 0, 8, "api", report.StandsPool},
		{"others came, but too few", 3, 0, 8, "postgres", report.StandsInside},
		{"others were there before", 10, 10, 8, "postgres", report.StandsInside},
		{"what is out is no older than those before wait", 10, 0, 2.9, "postgres", report.StandsInside},
	} {
		w := locked()
		w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: "bi", Addrs: []string{"10.0.0.9"}})
		w.put("api", "api", probe.Callers, "*:8080 10.0.0.9", 0, c.before, c.strangers)
		for name, v := range map[string]float64{probe.PeerConnections: 8, probe.Awaiting: 8, probe.AwaitingOldest: c.oldest, probe.AwaitingMedian: c.oldest / 2} {
			w.change("api", name, v)
		}
		w.change("api", probe.RequestsUnread, 0)
		w.change("db", probe.Owed, 8)
		w.change("db", probe.OwedOldest, c.oldest)
		way := follow(w)
		if way.Culprit == nil || way.Culprit.Hop.Process != c.want || way.Culprit.State != c.state {
			t.Errorf("%s: %s, want %s %s", c.name, way.Text(), c.want, c.state)
		}
		if said := strings.Contains(way.Text(), "by others than those before it: bi (10 connections, none before)"); said != (c.want == "api") {
			t.Errorf("%s: %s", c.name, way.Text())
		}
	}
}

// Connections that do not come up are no lost ones: they are tried, however few.
func TestTriedAgain(t *testing.T) {
	w := locked()
	w.change("api", probe.RequestsUnread, 0)
	for name, v := range map[string]float64{probe.PeerConnections: 0, probe.Awaiting: 0, probe.AwaitingOldest: 0, probe.AwaitingMedian: 0, probe.Connecting: 10} {
		w.change("api", name, v)
	}
	w.change("db", probe.Owed, 0)
	w.change("db", probe.OwedOldest, 0)
	if way := follow(w); way.Culprit == nil || way.Culprit.Hop.Process != "api" || way.Culprit.State != report.StandsNetwork {
		t.Errorf("10 connections that do not come up: %s", way.Text())
	}
	w.change("api", probe.Connecting, 0)
	if way := follow(w); way.Culprit == nil || way.Culprit.State != report.StandsCutOff {
		t.Errorf("no connection any more: %s", way.Text())
	}
}

// Whoever is watched behind a hop that nobody watches is found by who asks there, and the waiting
// goes on to it if it holds what the unwatched hop is asked.
func TestAcrossTheUnwatched(t *testing.T) {
	for _, c := range []struct {
		name string
		away string // the host that nobody watches
		now  served // of the database while requests fail
		want string // where the waiting ends
	}{
		{"the first hop, and the database is busy on all connections", "web", served{owed: 2, oldest: 2.8}, "postgres"},
		{"the service, and the database is busy on all its connections", "api", served{owed: 2, oldest: 2.8}, "postgres"},
		{"the service, and the database answers as ever", "api", served{owed: 1, oldest: 0.02}, ""},
		{"the service, and the database has only young requests", "api", served{owed: 2, oldest: 0.4}, ""},
	} {
		w := locked()
		w.peer("local", "rampload", "10.0.0.2:80", asked{connections: 10, awaiting: 1, oldest: 0.01}, asked{connections: 311, awaiting: 311, oldest: 3})
		w.log.Series = slices.DeleteFunc(w.log.Series, func(s runlog.Series) bool {
			return s.Metric.Host == c.away || s.Metric.Host == "db" && (s.Metric.Name == probe.Owed || s.Metric.Name == probe.OwedOldest || s.Metric.Name == probe.Callers || s.Metric.Name == probe.Inbound)
		})
		w.log.Header.Hosts = slices.DeleteFunc(w.log.Header.Hosts, func(h runlog.Host) bool { return h.Name == c.away })
		w.put("db", "postgres", probe.Owed, "*:5432", 0, 0, c.now.owed)
		w.put("db", "postgres", probe.OwedOldest, "*:5432", 0, 0.01, c.now.oldest)
		w.put("db", "postgres", probe.Inbound, "*:5432", 0, 2, 2)
		w.put("db", "postgres", probe.Callers, "*:5432 10.0.0.3", 0, 2, 2)
		way := follow(w)
		if way == nil || way.Culprit == nil || way.Culprit.Hop.Process != c.want {
			t.Errorf("%s: the waiting ends at %q, want %q", c.name, way.Text(), c.want)
			continue
		}
		if away := way.Walked[slices.IndexFunc(way.Walked, func(s *waiting.Step) bool { return s.Worst == nil })].Text(); c.want != "" && !strings.Contains(away, "which nobody watches: its requests stand at") {
			t.Errorf("%s: of the unwatched hop it says %q", c.name, away)
		}
	}
}

// A dependency that nobody watches is where the waiting ends.
func TestUnwatched(t *testing.T) {
	w := locked()
	w.log.Header.Hosts = w.log.Header.Hosts[:3]
	kept := w.log.Series[:0]
	for _, s := range w.log.Series {
		if s.Metric.Host != "db" {
			kept = append(kept, s)
		}
	}
	w.log.Series = kept
	way := follow(w)
	if way.Culprit == nil || way.Culprit.Worst != nil || !strings.Contains(way.Text(), "10.0.0.4:5432: nobody watches it") {
		t.Errorf("the waiting ends at %+v: %s", way.Culprit, way.Text())
	}
	r := way.Report("")
	if last := r.Hops[len(r.Hops)-1]; last.Watched || last.Role != report.RoleCulprit || last.Now.Open != nil {
		t.Errorf("the report has %+v: what was not measured is null", last)
	}
}

// A number of connections that a process keeps to is told from workers that are all busy by
// the threads that hold them.
func TestCapped(t *testing.T) {
	for _, c := range []struct {
		threads, accepted float64
		want              bool
	}{{1, 40, true}, {40, 40, false}, {4, 4, false}, {2, 9, true}, {0, 40, false}} {
		w := locked()
		w.change("web", probe.Awaiting, 0)
		w.change("web", probe.AwaitingOldest, 0)
		w.change("web", probe.Inbound, c.accepted+60)
		w.change("web", probe.NotAccepted, 60)
		w.change("web", probe.Owed, c.accepted)
		w.change("web", probe.Threads, c.threads)
		way := follow(w)
		if way.Culprit == nil || way.Culprit.Hop.Process != "nginx" || way.Culprit.Capped() != c.want {
			t.Errorf("%v threads, %v connections taken: %s, want %v", c.threads, c.accepted, way.Text(), c.want)
		}
	}
}

// The first hop that answers, however late, is not stuck either: the client's own sockets say so.
func TestFirstHopAnswersLate(t *testing.T) {
	w := &incident{}
	w.log.Header.CPUs = 4
	w.log.Header.Hosts = []runlog.Host{{Name: "local", Addrs: []string{"10.0.0.1"}}, {Name: "web", Addrs: []string{"10.0.0.2"}}}
	w.peer("local", "rampload", "10.0.0.2:80", asked{connections: 10, awaiting: 1, oldest: 0.01}, asked{connections: 300, awaiting: 300, oldest: 5})
	w.service("web", "api", "*:80", 10, "10.0.0.1", served{owed: 1, oldest: 0.01}, served{owed: 300, oldest: 5})
	w.total("local", "rampload", probe.Asked, 0, 80, 50)
	w.total("local", "rampload", probe.AnswersReceived, 0, 80, 45)
	w.total("web", "api", probe.Runs, 10, 400, 60)
	for i := range w.log.Series {
		s := &w.log.Series[i]
		if m := s.Metric; m.Name == probe.Asked || m.Name == probe.AnswersReceived {
			s.Metric.Instance = "10.0.0.2:80"
		}
		if s.Metric.Name == probe.OwedOldest {
			for k, at := range s.At {
				if at >= 10*time.Second {
					s.Value[k] = (at - 10*time.Second).Seconds()
				}
			}
		}
	}
	way := follow(w)
	if way.Entry.Answers() != way.Steps[0].Answers || way.Steps[0].Stuck() {
		t.Errorf("entry answers %v, step answers %v, stuck %v", way.Entry.Answers(), way.Steps[0].Answers, way.Steps[0].Stuck())
	}
}
