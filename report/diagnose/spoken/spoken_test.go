package spoken

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

const run = "00112233445566aa"

func line(at float64, host, service, text, id string, count uint64) probe.Event {
	return probe.Event{Kind: probe.LogLine, At: time.Duration(at * 1e9), Host: host, Process: service, Reason: text, Count: count, Line: &probe.Line{ID: id}}
}

func failures(n int, status uint16, from float64) (out []*attack.Failure) {
	for i := range n {
		f := &attack.Failure{}
		f.Request, f.Status, f.Fault, f.Phase = uint64(1000*int(status)+i), status, attack.Status, attack.PhaseDone
		f.End = time.Duration((from + float64(i)*0.01) * 1e9)
		out = append(out, f)
	}
	return out
}

func idOf(request uint64) string { return fmt.Sprintf("%s-%016x", run, request) }

// Lines with ids are joined to the very transactions, whatever their class and time; those
// of transactions that went well are not counted.
func TestJoinByID(t *testing.T) {
	log := &runlog.Log{Header: runlog.Header{RunID: run}}
	all := append(failures(40, 502, 5), failures(10, 503, 5)...)
	for i, f := range all[:30] {
		log.Events = append(log.Events, line(5+float64(i)*0.01, "web", "nginx", fmt.Sprintf(`recv() failed (104: Connection reset by peer) while reading, upstream: "http://10.0.3.2:8080/%d"`, i), idOf(f.Request), 1))
	}
	log.Events = append(log.Events, line(1, "web", "nginx", `recv() failed (104: Connection reset by peer) while reading, upstream: "http://10.0.3.2:8080/"`, idOf(7), 1)) // it was answered after all
	for i, f := range all[40:] {
		trace := fmt.Sprintf("%s%016x", run, f.Request)
		log.Events = append(log.Events, line(6+float64(i)*0.01, "app", "shop", "queue is full", trace, 1))
	}
	log.Events = append(log.Events, line(6, "app", "shop", "something else", "ffffffffffffffff-0000000000000001", 1))
	got := Report(Join(Read(log), all, make([]float64, 100), nil, 0.25, 5), func(at float64) float64 { return 100 * at })
	if len(got) != 2 {
		t.Fatalf("got %+v", got)
	}
	a, b := got[0], got[1]
	if a.Fault != "status 502" || a.Times != 30 || a.Of != 40 || a.Peer != "10.0.3.2:8080" || a.Meaning != "reset" || a.Joined != "id" || a.FirstS != 5 || *a.FirstRPS != 500 || a.Lines != 31 {
		t.Errorf("got %+v", a)
	}
	if b.Fault != "status 503" || b.Times != 10 || b.Of != 10 || b.Service != "shop" || b.Meaning != "queue-full" {
		t.Errorf("got %+v", b)
	}
}

// A state that a store says once, when it enters it, holds for those who wait for its end and
// fail much later. What befell one request then does not, nor does what was said long before.
func TestStatesLast(t *testing.T) {
	for _, test := range []struct {
		text    string
		at      float64
		from    int // windows of a quarter of a second
		timeout float64
		share   float64
	}{
		{"disk resource limit alarm set on node rabbit@mq", 4, 40, 5, 1},
		{"disk resource limit alarm set on node rabbit@mq", -8, 40, 5, 0},
		{"disk resource limit alarm set on node rabbit@mq", 2, 80, 5, 0},
		{"disk resource limit alarm set on node rabbit@mq", 2, 80, 30, 1}, // they wait for longer
		{"connection reset by peer", 4, 40, 5, 0},
	} {
		failed := make([]float64, 100)
		for i := test.from; i < 100; i++ {
			failed[i] = 10
		}
		log := &runlog.Log{Header: runlog.Header{RunID: run}, Events: []probe.Event{line(test.at, "mq", "rabbit", test.text, "", 1)}}
		got := 0.0
		for _, j := range Join(Read(log), failures(40, 503, 10), failed, nil, 0.25, test.timeout) {
			got += j.Share
		}
		if math.Abs(got-test.share) > 0.01 {
			t.Errorf("%q at %v: share %v, want %v", test.text, test.at, got, test.share)
		}
	}
}

// Where a log wrote more than was kept, what it says is judged by those of which an id was.
func TestJoinSampled(t *testing.T) {
	log := &runlog.Log{Header: runlog.Header{RunID: run}}
	all := failures(1000, 500, 5)
	for i := range 100 {
		text := "deadlock detected"
		if i%4 == 0 {
			text = "statement timeout"
		}
		log.Events = append(log.Events, line(5, "app", "shop", text, idOf(all[i*7].Request), 1))
	}
	log.Events = append(log.Events, line(6, "app", "shop", "deadlock detected", "", 675), line(6, "app", "shop", "statement timeout", "", 225))
	got := Report(Join(Read(log), all, make([]float64, 100), nil, 0.25, 5), func(float64) float64 { return math.NaN() })
	if len(got) != 2 || got[0].Meaning != "locks" || got[0].Times != 75 || got[0].Of != 100 || got[0].FirstRPS != nil {
		t.Errorf("got %+v", got)
	}
}

// Lines without an id belong to failures if they come with them, and only then.
func TestJoinByTime(t *testing.T) {
	log := &runlog.Log{Header: runlog.Header{RunID: run}}
	failed := make([]float64, 120)
	all := failures(200, 500, 15)
	for i := 60; i < 100; i++ {
		failed[i] = 5
	}
	for i := range 180 {
		log.Events = append(log.Events, line(15+float64(i)*0.05, "db", "postgresql", "FATAL: sorry, too many clients already", "", 1))
	}
	for i := range 60 {
		log.Events = append(log.Events, line(float64(i)*0.5, "db", "postgresql", "could not receive data from client: Connection reset by peer", "", 1)) // all the time
	}
	log.Events = append(log.Events, line(15.2, "web", "php-fpm", "server reached pm.max_children setting (4)", "", 1), line(2, "app", "shop", "config is deprecated: it may fail", "", 1), line(15.3, "app", "shop", "the cache was emptied", "", 1))
	got := Report(Join(Read(log), all, failed, nil, 0.25, 5), func(float64) float64 { return math.NaN() })
	if len(got) != 2 {
		t.Fatalf("got %+v", got)
	}
	if got[0].Meaning != "workers-busy" || got[0].Joined != "time" {
		t.Errorf("got %+v", got[0])
	}
	if got[1].Meaning != "connections-full" || got[1].Times != 180 || got[1].Of != 200 {
		t.Errorf("got %+v", got[1])
	}
}

func TestRequestOf(t *testing.T) {
	for id, want := range map[string]uint64{idOf(7): 7, run + "00000000000000ff": 255} {
		if got, ok := RequestOf(run, id); !ok || got != want {
			t.Errorf("%s: %d %v", id, got, ok)
		}
	}
	for _, id := range []string{"", run, run + "-", run + "-x", "ffffffffffffffff-0000000000000007", run + "-00000000000000000007"} {
		if got, ok := RequestOf(run, id); ok && id != run+"-00000000000000000007" {
			t.Errorf("%q: %d", id, got)
		}
	}
}

// Traces are told of those failures of which a store has one with spans of services, and
// beside traces of good ones.
func TestJoinTraces(t *testing.T) {
	log := &runlog.Log{Header: runlog.Header{RunID: run}}
	trace := func(request uint64, at float64, good bool, services uint32, from, to, service, text string) {
		log.Events = append(log.Events, probe.Event{
			Kind: probe.TraceRead, At: time.Duration(at * 1e9), Host: "local", Process: service, Reason: text, Source: probe.Source{Name: "traces of jaeger"},
			Trace: &probe.Trace{ID: fmt.Sprintf("%s%016x", run, request), Good: good, Spans: 3 * services, Services: services, From: from, To: to, Operation: "POST /charge", Calls: service == from},
		})
	}
	all := append(failures(400, 502, 5), failures(10, 503, 5)...)
	for i, f := range all[:20] {
		if i < 18 {
			trace(f.Request, 5+float64(i), false, 2, "orders", "payments", "orders", fmt.Sprintf("read tcp 10.0.0.1:%d->10.0.3.2:8080: connection reset by peer", 4000+i))
		} else {
			trace(f.Request, 6, false, 2, "", "", "", "") // nothing failed in it
		}
	}
	trace(all[20].Request, 6, false, 0, "", "", "", "")                           // not there
	trace(all[400].Request, 7, false, 1, "", "orders", "orders", "queue is full") // of the other kind
	trace(1, 0, true, 2, "orders", "payments", "orders", "connection reset by peer")
	for n := range uint64(9) {
		trace(2+n, 0, true, 2, "", "", "", "")
	}
	log.Events = append(log.Events, probe.Event{Kind: probe.TraceRead, Process: "x", Trace: &probe.Trace{ID: "ffffffffffffffff0000000000000001", Spans: 1, Services: 1}}) // of another run
	got := Report(Join(Read(log), all, make([]float64, 100), nil, 0.25, 5), func(at float64) float64 { return 100 * at })
	if len(got) != 2 {
		t.Fatalf("got %+v", got)
	}
	a, b := got[0], got[1]
	if a.Joined != "trace" || a.Fault != "status 502" || a.Times != 18 || a.Of != 20 || a.Meaning != "reset" || a.Edge.String() != "orders -> payments" || a.Edge.GoodTimes != 1 || a.Edge.GoodOf != 10 || a.Peer != "payments" || a.FirstS != 5 || a.Edge.TraceID != fmt.Sprintf("%s%016x", run, all[0].Request) {
		t.Errorf("got %+v %+v", a, a.Edge)
	}
	if b.Fault != "status 503" || b.Times != 1 || b.Of != 1 || b.Edge.String() != "orders" || b.Meaning != "queue-full" {
		t.Errorf("got %+v %+v", b, b.Edge)
	}
	if n := CountTraces(log); n.Asked != 23 || n.Found != 22 || n.WithoutServices != 0 || n.WithoutFailure != 2 {
		t.Errorf("got %+v", n)
	}
}

// Lines that name whom they are said to, each on a port of its own, say the same; whoever
// listens on such a port is named.
func TestOfCallers(t *testing.T) {
	log := &runlog.Log{Header: runlog.Header{RunID: run, Hosts: []runlog.Host{{Name: "app", Addrs: []string{"10.0.0.3"}}, {Name: "far", Addrs: []string{"10.0.0.5"}}}}}
	log.Series = []runlog.Series{{Metric: probe.Metric{Host: "app", Name: probe.Inbound, Instance: "*:40001"}}}
	for i := range 20 {
		log.Events = append(log.Events, line(5+float64(i)*0.01, "pgb", "pgbouncer", fmt.Sprintf("C-0x1: db/web@10.0.0.3:%d closing because: query_wait_timeout (age=2s)", 33000+i), "", 1))
	}
	log.Events = append(log.Events, line(6, "pgb", "pgbouncer", "connect to 10.0.0.3:40001 failed: connection refused", "", 1))
	log.Events = append(log.Events, line(6, "pgb", "pgbouncer", "connect to 10.0.0.99:40002 failed: connection refused", "", 1)) // nobody watches it
	// Who refuses, or answers, was asked: it may be there no more, or its listener was not seen.
	log.Events = append(log.Events, line(6, "pgb", "pgbouncer", "connect to 10.0.0.3:50051 failed: connection refused", "", 1))
	reply := line(6, "app", "http", "503 Service Unavailable: no seat left", "", 1)
	reply.Line.Peer, reply.Line.Format = "10.0.0.3:50052", "reply http"
	log.Events = append(log.Events, reply)
	log.Events = append(log.Events, line(6, "pgb", "pgbouncer", "read 10.0.0.5:50053: connection reset by peer", "", 1)) // no listeners of it are read
	peers := map[string]float64{}
	for _, l := range Read(log) {
		peers[l.Peer.String()] += l.Lines
	}
	if len(peers) != 6 || peers["10.0.0.5:50053"] != 1 || peers["10.0.0.3:50051"] != 1 || peers["10.0.0.3:50052"] != 1 || peers["10.0.0.3"] != 20 || peers["10.0.0.3:40001"] != 1 || peers["10.0.0.99:40002"] != 1 {
		t.Errorf("%v", peers)
	}
}

// TestPeerOf: of several servers that a proxy tried, the last one answered.
func TestPeerOf(t *testing.T) {
	for field, want := range map[string]string{
		"10.0.3.2:8080":                                "10.0.3.2:8080",
		"10.0.3.2:8080, 10.0.3.3:8080":                 "10.0.3.3:8080",
		"10.0.3.2:8080, 10.0.3.3:8080 : 10.0.4.2:8080": "10.0.4.2:8080",
		"10.0.3.2:8080, 10.0.3.3:8080, shop":           "10.0.3.3:8080", // no server of the group was live any more
		"shop":                                         "shop",
		"":                                             "",
	} {
		if got := peerOf(field).String(); got != want {
			t.Errorf("peerOf(%q) = %q, want %q", field, got, want)
		}
	}
}
