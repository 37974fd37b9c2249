package waiting_test

import (
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/diagnose/waiting"
	"github.com/rampload/rampload/report/runlog"
)

// incident is a run of 20 s, of which requests fail from 10 s on, over web, api and db.
type incident struct{ log runlog.Log }

// put adds a series with one value before and one while requests fail.
func (w *incident) put(host, process, metric, instance string, pid int32, before, now float64) {
	s := runlog.Series{Metric: probe.Metric{Host: host, Process: process, PID: pid, Name: metric, Instance: instance}}
	for at := -5.0; at < 20; at += 0.25 {
		v := before
		if at >= 10 {
			v = now
		}
		s.At, s.Value, s.Limit = append(s.At, time.Duration(at*float64(time.Second))), append(s.Value, v), append(s.Limit, math.NaN())
	}
	w.log.Series = append(w.log.Series, s)
}

// total adds a series that grows.
func (w *incident) total(host, process, metric string, pid int32, before, now float64) {
	w.put(host, process, metric, "", pid, 0, 0)
	s, sum := &w.log.Series[len(w.log.Series)-1], 0.0
	for i, at := range s.At {
		if sum += before / 4; at >= 10*time.Second {
			sum += (now - before) / 4
		}
		s.Value[i] = sum
	}
}

type served struct{ notAccepted, notRead, owed, oldest float64 }

func (w *incident) service(host, process, listener string, pid int32, caller string, before, now served) {
	w.put(host, process, probe.Inbound, listener, 0, 10, 10)
	w.put(host, process, probe.Serving, listener, pid, 0, 0)
	w.put(host, process, probe.Callers, listener+" "+caller, 0, 10, 10)
	w.put(host, process, probe.NotAccepted, listener, 0, before.notAccepted, now.notAccepted)
	w.put(host, process, probe.RequestsUnread, listener, 0, before.notRead, now.notRead)
	w.put(host, process, probe.Owed, listener, 0, before.owed, now.owed)
	w.put(host, process, probe.OwedOldest, listener, 0, before.oldest, now.oldest)
	w.put(host, process, probe.OwedMedian, listener, 0, before.oldest/2, now.oldest/2)
	w.put(host, process, probe.Threads, "", pid, 4, 4)
	w.put(host, process, probe.ProcessCPU, "", pid, 0.05, 0.04)
	w.total(host, process, probe.Runs, pid, 400, 30)
}

type asked struct{ connections, awaiting, oldest, connecting, resent, unread float64 }

func (w *incident) peer(host, process, peer string, before, now asked) {
	for name, v := range map[string][2]float64{
		probe.PeerConnections: {before.connections, now.connections}, probe.Awaiting: {before.awaiting, now.awaiting},
		probe.AwaitingOldest: {before.oldest, now.oldest}, probe.AwaitingMedian: {before.oldest / 2, now.oldest / 2},
		probe.Connecting: {before.connecting, now.connecting}, probe.Unacknowledged: {before.resent, now.resent}, probe.AnswersUnread: {before.unread, now.unread},
	} {
		w.put(host, process, name, peer, 0, v[0], v[1])
	}
}

// change replaces a reading of the time in which requests fail.
func (w *incident) change(host, metric string, now float64) {
	for i := range w.log.Series {
		s := &w.log.Series[i]
		if s.Metric.Host != host || s.Metric.Name != metric {
			continue
		}
		for k, at := range s.At {
			if at >= 10*time.Second {
				s.Value[k] = now
			}
		}
	}
}

// locked is the issue's own example: the database holds a lock.
func locked() *incident {
	w := &incident{}
	w.log.Header.CPUs = 4
	w.log.Header.Hosts = []runlog.Host{
		{Name: "local", Addrs: []string{"10.0.0.1"}},
		{Name: "web", Addrs: []string{"10.0.0.2"}},
		{Name: "api", Addrs: []string{"10.0.0.3"}},
		{Name: "db", Addrs: []string{"10.0.0.4"}},
	}
	w.service("web", "nginx", "*:80", 10, "10.0.0.1", served{owed: 1, oldest: 0.01}, served{owed: 311, oldest: 3})
	w.peer("web", "nginx", "10.0.0.3:8080", asked{connections: 10, awaiting: 1, oldest: 0.01}, asked{connections: 311, awaiting: 311, oldest: 2.9})
	w.service("api", "api", "*:8080", 20, "10.0.0.2", served{owed: 1, oldest: 0.01}, served{owed: 311, notRead: 309, oldest: 2.9})
	w.peer("api", "api", "10.0.0.4:5432", asked{connections: 2, oldest: 0.01}, asked{connections: 2, awaiting: 2, oldest: 2.8})
	w.service("db", "postgres", "*:5432", 30, "10.0.0.3", served{oldest: 0.01}, served{owed: 2, oldest: 2.8})
	return w
}

// instance adds another instance of the service in the middle, whose connections to the
// database are in use for a moment each.
func (w *incident) instance(host string, pid int32, addr string) {
	w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: host, Addrs: []string{addr}})
	w.peer("web", "nginx", addr+":8080", asked{connections: 10, oldest: 0.01}, asked{connections: 10, awaiting: 1, oldest: 0.01})
	w.service(host, "api", "*:8080", pid, "10.0.0.2", served{owed: 1, oldest: 0.01}, served{owed: 1, oldest: 0.01})
	w.peer(host, "api", "10.0.0.4:5432", asked{connections: 2, oldest: 0.01}, asked{connections: 2, awaiting: 2, oldest: 0.01})
}

// answers is a service with requests out to the database, which owes so many, and has so many
// answers to send again.
func answers(out, owed, resent float64) *incident {
	w := locked()
	w.change("api", probe.RequestsUnread, 0)
	w.change("api", probe.PeerConnections, out)
	w.change("api", probe.Awaiting, out)
	w.change("db", probe.Owed, owed)
	if owed == 0 {
		w.change("db", probe.OwedOldest, 0)
	}
	w.put("db", "postgres", probe.AnswersResent, "*:5432", 0, 0, resent)
	return w
}

// held is a service that has read 9 requests, which get older, and has connections to the
// database on which nothing is out; it asked 80 times a second before.
func held(connections, asks float64) *incident {
	w := locked()
	w.change("web", probe.Owed, 9)
	w.change("web", probe.Awaiting, 9)
	w.change("web", probe.PeerConnections, 9)
	w.change("api", probe.Owed, 9)
	w.change("api", probe.RequestsUnread, 0)
	w.change("api", probe.PeerConnections, connections)
	w.change("api", probe.Awaiting, 0)
	w.change("api", probe.AwaitingOldest, 0)
	w.change("db", probe.Owed, 0)
	w.total("api", "api", probe.Asked, 0, 80, asks)
	w.log.Series[len(w.log.Series)-1].Metric.Instance = "10.0.0.4:5432"
	for _, s := range w.log.Series {
		if s.Metric.Host == "api" && s.Metric.Name == probe.OwedOldest {
			for i, at := range s.At {
				s.Value[i] = max(0.01, at.Seconds()-10)
			}
		}
	}
	return w
}

func follow(w *incident) *waiting.Way {
	first := hops.Read(&w.log).Chain("local", []netip.AddrPort{netip.MustParseAddrPort("10.0.0.2:80")}, nil)
	return waiting.Follow(&w.log, first, []waiting.Span{{From: 10, To: 20}}, []waiting.Span{{From: 0, To: 9.5}})
}

func TestFollow(t *testing.T) {
	for _, c := range []struct {
		name  string
		make  func() *incident
		where string
		state report.Stand
	}{
		{"a lock in the database", locked, "postgres", report.StandsInside},
		{"a thread writes into a pipe that nobody empties, and the one connection to a collector takes no more", func() *incident {
			w := locked()
			w.change("api", probe.RequestsUnread, 0)
			w.change("api", probe.PeerConnections, 1)
			w.change("api", probe.Awaiting, 1)
			w.change("db", probe.Owed, 1)
			w.put("api", "api", probe.ThreadsHeld, probe.HeldOutput, 20, 0, 1)
			return w
		}, "api", report.StandsInside},
		{"connections to the database look as if requests were out on them, and it owes nobody, and has nothing to send again", func() *incident { return answers(2, 0, 0) }, "api", report.StandsInside},
		{"its answers are sent again", func() *incident { return answers(2, 0, 2) }, "api", report.StandsNetwork},
		{"the database has a few of them, and its answers are sent again", func() *incident { return answers(12, 1, 1) }, "api", report.StandsNetwork},
		{"one connection rests, and nobody knows of how many", func() *incident { return held(1, 0) }, "api", report.StandsInside},
		{"packets to the database are under way for most of that time", func() *incident {
			w := locked()
			w.put("api", "api", probe.RoundTrip, "10.0.0.4:5432", 0, 0.0004, 1.1)
			w.change("db", probe.Owed, 0)
			return w
		}, "api", report.StandsNetwork},
		{"its kernel acknowledges late, as kernels do", func() *incident {
			w := locked()
			w.put("api", "api", probe.RoundTrip, "10.0.0.4:5432", 0, 0.0004, 0.2)
			return w
		}, "postgres", report.StandsInside},
		{"the way to the database was long before", func() *incident {
			w := locked()
			w.put("api", "api", probe.RoundTrip, "10.0.0.4:5432", 0, 0.3, 0.31)
			return w
		}, "postgres", report.StandsInside},
		{"a proxy's own sockets show few of its requests, and the next hop has them all", func() *incident {
			w := locked()
			w.change("web", probe.Awaiting, 20)
			return w
		}, "postgres", report.StandsInside},
		{"it shows none of them", func() *incident {
			w := locked()
			w.change("web", probe.Awaiting, 0)
			return w
		}, "postgres", report.StandsInside},
		{"packets are under way for long, and the database has what was asked: it gets no processor to acknowledge with", func() *incident {
			w := locked()
			w.put("api", "api", probe.RoundTrip, "10.0.0.4:5432", 0, 0.0004, 1.1)
			w.change("db", probe.Owed, 2)
			return w
		}, "postgres", report.StandsInside},
		{"connections look busy before anything fails, and the database gets slow", func() *incident {
			w := answers(12, 12, 0)
			w.put("db", "postgres", probe.Inbound, "*:5432", 0, 12, 12)
			for i := range w.log.Series {
				s := &w.log.Series[i]
				for k, at := range s.At {
					switch {
					case s.Metric.Host != "api" || at >= 10*time.Second:
					case s.Metric.Name == probe.Awaiting || s.Metric.Name == probe.PeerConnections:
						s.Value[k] = 12
					case s.Metric.Name == probe.AwaitingOldest || s.Metric.Name == probe.AwaitingMedian:
						s.Value[k] = 60
					}
				}
			}
			return w
		}, "postgres", report.StandsInside},
		{"nothing waits", func() *incident {
			w := locked()
			for _, host := range []string{"web", "api", "db"} {
				w.change(host, probe.Owed, 0)
				w.change(host, probe.Awaiting, 0)
			}
			return w
		}, "", ""},
		{"the database is short of processor", func() *incident {
			w := locked()
			w.change("db", probe.ProcessCPU, 0.97)
			return w
		}, "postgres", report.StandsNoProcessor},
		{"a thread of the database is found running at each look, and computes", func() *incident {
			w := locked()
			w.put("db", "postgres", probe.ThreadsRunning, "", 30, 0, 1)
			w.change("db", probe.ProcessCPU, 0.25)
			w.total("db", "postgres", probe.RunDelay, 30, 0, 0)
			return w
		}, "postgres", report.StandsNoProcessor},
		{"so, and neither has a processor nor waits for one: it wakes when it is looked at", func() *incident {
			w := locked()
			w.put("db", "postgres", probe.ThreadsRunning, "", 30, 0, 1)
			w.total("db", "postgres", probe.RunDelay, 30, 0, 0)
			return w
		}, "postgres", report.StandsInside},
		{"the database is throttled", func() *incident {
			w := locked()
			w.total("db", "postgres", probe.CPUThrottled, 0, 0, 9)
			return w
		}, "postgres", report.StandsNoProcessor},
		{"the database waits for its disk", func() *incident {
			w := locked()
			w.put("db", "postgres", probe.ThreadsOnDisk, "", 30, 0, 2)
			return w
		}, "postgres", report.StandsOnDisk},
		{"somebody stopped the database", func() *incident {
			w := locked()
			w.put("db", "postgres", probe.ThreadsStopped, "", 30, 0, 4)
			return w
		}, "postgres", report.StandsStill},
		{"stopped again and again, and the readings of its sockets fell between", func() *incident {
			w := locked()
			w.change("db", probe.Owed, 1)
			w.change("db", probe.OwedOldest, 0.01)
			w.change("api", probe.Awaiting, 0)
			w.change("api", probe.AwaitingOldest, 0)
			w.put("db", "postgres", probe.ThreadsStopped, "", 30, 0, 4)
			return w
		}, "postgres", report.StandsStill},
		{"a pool in the middle of which each connection waits for fewer still behind", func() *incident {
			w := locked()
			w.change("web", probe.AwaitingOldest, 0.02)
			w.change("web", probe.AwaitingMedian, 0.02)
			w.change("web", probe.Awaiting, 100)
			w.change("web", probe.PeerConnections, 100)
			w.change("api", probe.AwaitingOldest, 0.01)
			w.change("api", probe.AwaitingMedian, 0.005)
			w.change("api", probe.RequestsUnread, 0)
			return w
		}, "api", report.StandsPool},
		{"a pool in the middle: its connections are all in use, each as briefly as ever", func() *incident {
			w := locked()
			w.change("api", probe.AwaitingOldest, 0.01)
			w.change("api", probe.AwaitingMedian, 0.005)
			w.change("api", probe.RequestsUnread, 0)
			return w
		}, "api", report.StandsPool},
		{"all connections are in use, for those behind take five times as long as before: no pool is short of its own", func() *incident {
			w := locked()
			w.change("api", probe.AwaitingOldest, 0.05)
			w.change("api", probe.AwaitingMedian, 0.025)
			w.change("api", probe.RequestsUnread, 0)
			return w
		}, "postgres", report.StandsInside},
		{"one of several instances is late, and asks nobody: that the others' connections are in use is no pool of its own", func() *incident {
			w := locked()
			w.change("api", probe.AwaitingOldest, 0)
			w.change("api", probe.AwaitingMedian, 0)
			w.change("api", probe.Awaiting, 0)
			w.change("api", probe.PeerConnections, 1)
			w.change("api", probe.RequestsUnread, 0)
			w.instance("api-2", 21, "10.0.0.5")
			w.instance("api-3", 22, "10.0.0.6")
			return w
		}, "api", report.StandsInside},
		{"the service in the middle has too few workers", func() *incident {
			w := locked()
			w.change("api", probe.Awaiting, 0)
			w.change("api", probe.AwaitingOldest, 0)
			w.change("db", probe.Owed, 0)
			return w
		}, "api", report.StandsNotAccepted},
		{"the service in the middle does not read the answers", func() *incident {
			w := locked()
			w.change("api", probe.Awaiting, 0)
			w.change("api", probe.AnswersUnread, 2)
			w.change("db", probe.Owed, 0)
			w.change("api", probe.RequestsUnread, 0)
			return w
		}, "api", report.StandsInside},
		{"the network behind the service loses what it asks", func() *incident {
			w := locked()
			w.change("api", probe.Unacknowledged, 2)
			w.change("db", probe.Owed, 0)
			return w
		}, "api", report.StandsNetwork},
		{"connections of a pool rest, and what was read waits for one", func() *incident {
			return held(2, 0)
		}, "api", report.StandsPool},
		{"connections rest, and each request inside has one", func() *incident {
			return held(9, 0)
		}, "api", report.StandsInside},
		{"few connections, and they are asked on as ever", func() *incident {
			return held(2, 80)
		}, "api", report.StandsInside},
		{"connections to a database that nobody watches do not come up", func() *incident {
			w := locked()
			w.change("api", probe.Awaiting, 0)
			w.change("api", probe.Connecting, 2)
			w.log.Series = slices.DeleteFunc(w.log.Series, func(s runlog.Series) bool { return s.Metric.Host == "db" })
			return w
		}, "api", report.StandsNetwork},
		{"requests come in only in part, and workers wait for the rest", func() *incident {
			w := locked()
			w.change("web", probe.Awaiting, 0)
			w.change("web", probe.AwaitingOldest, 0)
			w.change("web", probe.Owed, 4)
			w.change("web", probe.NotAccepted, 60)
			w.put("web", "nginx", probe.Incomplete, "*:80", 0, 0, 4)
			w.total("web", "nginx", probe.Runs, 10, 400, 0)
			return w
		}, "nginx", report.StandsNotAccepted},
		{"nothing runs, and what came was not read", func() *incident {
			w := locked()
			w.change("web", probe.Awaiting, 0)
			w.change("web", probe.AwaitingOldest, 0)
			w.change("web", probe.NotAccepted, 60)
			w.change("web", probe.RequestsUnread, 5)
			w.put("web", "nginx", probe.Incomplete, "*:80", 0, 0, 0)
			w.total("web", "nginx", probe.Runs, 10, 400, 0)
			return w
		}, "nginx", report.StandsStill},
		{"all workers are asleep over what they have read, and the one that started them wakes now and then", func() *incident {
			w := locked()
			w.change("web", probe.Awaiting, 0)
			w.change("web", probe.AwaitingOldest, 0)
			w.change("web", probe.NotAccepted, 400)
			w.change("web", probe.RequestsUnread, 0)
			w.put("web", "nginx", probe.Incomplete, "*:80", 0, 0, 0)
			w.total("web", "nginx", probe.Runs, 10, 400, 2)
			return w
		}, "nginx", report.StandsNotAccepted},
		{"connections to the database do not come up", func() *incident {
			w := locked()
			w.change("api", probe.Awaiting, 0)
			w.change("api", probe.Connecting, 2)
			w.change("db", probe.Owed, 0)
			return w
		}, "api", report.StandsNetwork},
	} {
		way := follow(c.make())
		switch {
		case c.where == "":
			if way.Culprit != nil {
				t.Errorf("%s: %s", c.name, way.Text())
			}
		case way.Culprit == nil:
			t.Errorf("%s: nobody, want %s", c.name, c.where)
		case way.Culprit.Hop.Process != c.where || way.Culprit.State != c.state:
			t.Errorf("%s: %s %s, want %s %s\n%s", c.name, way.Culprit.Hop.Process, way.Culprit.State, c.where, c.state, way.Text())
		}
	}
}

func TestWords(t *testing.T) {
	got := follow(locked()).Text()
	const want = "nginx: 311 of 311 open requests wait for api:8080, the oldest for 2.9 s; " +
		"api: 311 open requests, 309 of them not read, and 2 of the other 2 wait for db:5432, the oldest for 2.8 s; " +
		"postgres: 2 open requests, the oldest for 2.8 s, processor 4%, no queue, its threads asleep"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The hop before may be seen under an address of somebody who translates it: where it is not seen
// itself, a strange address with more connections than before may be its own.
func TestTranslatedAskerIsNoStranger(t *testing.T) {
	w := locked()
	w.log.Series = slices.DeleteFunc(w.log.Series, func(s runlog.Series) bool { return s.Metric.Host == "api" && s.Metric.Name == probe.Callers })
	w.put("api", "api", probe.Callers, "*:8080 10.0.0.254", 0, 2, 10)
	for name, v := range map[string]float64{probe.PeerConnections: 8, probe.Awaiting: 8, probe.AwaitingOldest: 8, probe.AwaitingMedian: 4} {
		w.change("api", name, v)
	}
	w.change("api", probe.RequestsUnread, 0)
	w.change("db", probe.Owed, 8)
	w.change("db", probe.OwedOldest, 8)
	if way := follow(w); way.Culprit == nil || way.Culprit.Hop.Process != "postgres" || way.Culprit.State != report.StandsInside {
		t.Errorf("%s", way.Text())
	}
}

// looped is a service of few threads that asks a store; how it is held is left to the test.
func looped(process string, threads, accepted, notAccepted, notRead, runs float64, grows bool) *incident {
	w := &incident{}
	w.log.Header.CPUs = 4
	w.log.Header.Hosts = []runlog.Host{{Name: "local", Addrs: []string{"10.0.0.1"}}, {Name: "web", Addrs: []string{"10.0.0.2"}}, {Name: "db", Addrs: []string{"10.0.0.4"}}}
	w.service("web", process, "*:80", 10, "10.0.0.1", served{owed: 1, oldest: 0.01}, served{notAccepted: notAccepted, notRead: notRead, owed: accepted, oldest: 3})
	w.change("web", probe.Inbound, accepted+notAccepted)
	w.change("web", probe.Threads, threads)
	w.log.Series = slices.DeleteFunc(w.log.Series, func(s runlog.Series) bool { return s.Metric.Name == probe.Runs })
	w.total("web", process, probe.Runs, 10, 400, runs)
	for _, s := range w.log.Series {
		if s.Metric.Name == probe.OwedOldest && grows {
			for i, at := range s.At {
				s.Value[i] = max(0.01, at.Seconds()-10)
			}
		}
	}
	return w
}

// A loop that is held is told from workers that are all busy, from a number of connections
// that a loop keeps to and serves, and from a runtime that goes on taking what comes.
func TestLoop(t *testing.T) {
	for _, c := range []struct {
		name    string
		process string
		threads, accepted, notAccepted, notRead,
		runs float64
		grows, want bool
	}{
		{"it has taken many and reads none", "python3", 2, 60, 40, 50, 8, false, true},
		{"it has read all that it took, takes no more, and none ends", "python3", 1, 60, 40, 0, 8, true, true},
		{"threads of a pool beside it serve nobody", "node", 11, 60, 40, 0, 8, true, true},
		{"as many threads in another runtime may all be busy", "java", 11, 60, 40, 50, 8, true, false},
		{"it serves those that it has as quickly as ever: a number of connections", "nginx", 1, 60, 40, 0, 400, false, false},
		{"it goes on taking what comes", "python3", 2, 60, 0, 0, 8, true, false},
		{"few connections", "python3", 2, 4, 40, 4, 8, true, false},
	} {
		way := follow(looped(c.process, c.threads, c.accepted, c.notAccepted, c.notRead, c.runs, c.grows))
		if way.Culprit == nil {
			t.Errorf("%s: nothing stands", c.name)
			continue
		}
		if got := way.Culprit.Loop(); got != c.want {
			t.Errorf("%s: %v, want %v: %s", c.name, got, c.want, way.Text())
		}
		if says := strings.Contains(way.Text(), "its one event loop is held in a call"); says != (c.want && way.Culprit.State == report.StandsNotAccepted) {
			t.Errorf("%s: says %s", c.name, way.Text())
		}
	}
}
