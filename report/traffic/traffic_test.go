package traffic_test

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/runlog"
	"github.com/rampload/rampload/report/traffic"
)

const window = 250 * time.Millisecond

var server = netip.MustParseAddrPort("10.0.0.2:8080")

func client(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), port)
}

// series is a metric of a host read once a window, growing by so many each time.
func series(host, name, instance string, windows int, each float64) runlog.Series {
	s := runlog.Series{Metric: probe.Metric{Host: host, Name: name, Instance: instance}}
	for i := range windows + 1 {
		s.At, s.Value, s.Limit = append(s.At, time.Duration(i)*window), append(s.Value, 1000+each*float64(i)), append(s.Limit, math.NaN())
	}
	return s
}

// watched is a log of one target on a host, watched for so many windows.
func watched(windows int, events ...probe.Event) *runlog.Log {
	return &runlog.Log{
		Header: runlog.Header{
			Role: runlog.RoleWatcher, Interval: window,
			Targets: []runlog.Target{{Name: "orders", Hosts: []string{"orders-1"}, ListenPort: 8080}},
			Hosts:   []runlog.Host{{Name: "orders-1", Addrs: []string{"10.0.0.2"}, SameAs: "local"}, {Name: "local"}},
		},
		Addresses: []attack.Address{{Target: 0, Index: 1, Addr: server}},
		Windows:   make([][]attack.Window, 1),
		Events:    events,
		Trailer: &runlog.Trailer{
			Ended:   time.Duration(windows) * window,
			Sources: []probe.Status{{Source: probe.Source{Host: "local", Name: "reset trace"}, State: probe.Measured}},
		},
	}
}

func sent(at time.Duration, to netip.AddrPort, reason, state string) probe.Event {
	return probe.Event{Kind: probe.RSTSent, At: at, Host: "orders-1", Local: server, Remote: to, Reason: reason, State: state}
}

func sums(log *runlog.Log) (requests uint64, faults map[attack.Fault]uint64) {
	faults = map[attack.Fault]uint64{}
	for _, w := range log.Windows[0] {
		requests += w.Scheduled
		for _, c := range w.Cells {
			faults[c.Fault] += c.Attempts
		}
	}
	return requests, faults
}

// Each connection that was reset counts once, by whom it was and what it had come to.
func TestResetsOfConnections(t *testing.T) {
	other := sent(time.Second, client(9), "ABORT_ON_CLOSE", "TCP_ESTABLISHED")
	other.Host = "orders-2"
	log := watched(40,
		sent(time.Second, client(1), "ABORT_ON_CLOSE", "TCP_ESTABLISHED"),
		sent(time.Second+time.Millisecond, client(1), "NO_SOCKET", ""),                // of the same connection
		sent(3*time.Second, client(1), "TCP_STATE", "TCP_ESTABLISHED"),                // the port is used again
		sent(3*time.Second+500*time.Millisecond, client(1), "TCP_STATE", "TCP_CLOSE"), // and again, at once
		sent(4*time.Second, client(2), "NO_SOCKET", ""),                               // somebody listens: of a connection that is gone
		probe.Event{Kind: probe.RSTSent, At: 5 * time.Second, Host: "orders-1", Local: server, Remote: netip.AddrPortFrom(client(0).Addr(), 0), Reason: "TCP_STATE", Count: 50},
		probe.Event{Kind: probe.RSTReceived, At: 6 * time.Second, Host: "orders-1", Local: server, Remote: client(3), State: "TCP_ESTABLISHED"},
		probe.Event{Kind: probe.RSTReceived, At: 6 * time.Second, Host: "orders-1", Local: server, Remote: client(4)}, // closed already
		other,
	)
	log.Series = []runlog.Series{series("orders-1", probe.Arrived, "*:8080", 40, 25), series("orders-1", probe.Arrived, "*:9090", 40, 500)}
	got, told := traffic.Read(log)
	requests, faults := sums(got)
	if requests != 1000+50-25 { // in one window more were reset than had come in
		t.Errorf("%d requests", requests)
	}
	if faults[attack.Reset] != 54 || faults[attack.Refused] != 0 || faults[attack.Canceled] != 1 {
		t.Errorf("faults %v", faults)
	}
	if len(got.Failures) != 4 || got.Failures[0].Conn.Local != client(1) || got.Failures[0].Conn.Remote != server || !got.Failures[0].WireReset {
		t.Errorf("failures %+v", got.Failures)
	}
	want := report.Counted{Target: "orders", By: report.CountedByKernel, Traced: true, GivenUp: 1}
	if len(told) != 1 || told[0] != want {
		t.Errorf("told %+v, want %+v", told, want)
	}
}

// While it goes on nobody has said yet whether resets are told one by one: where a trace is
// open they are, and what the host counts of its other services is none of the target's.
func TestWhileItGoesOn(t *testing.T) {
	log := watched(40)
	log.Trailer = nil
	log.Series = []runlog.Series{series("orders-1", probe.EstabResets, "", 40, 2)}
	for _, traced := range []bool{false, true} {
		log.Header.Hosts[0].Traced = traced
		got, told := traffic.Read(log)
		if _, faults := sums(got); (faults[attack.Reset] == 0) != traced || told[0].HostWide == traced || told[0].Traced != traced {
			t.Errorf("trace open %v: faults %v, told %+v", traced, faults, told)
		}
	}
}

// What a service counts itself is preferred, and a total that begins anew loses nothing.
func TestServiceCounts(t *testing.T) {
	log := watched(40)
	own := series("orders-1", probe.Served, "http_requests_total", 40, 10)
	for i := 20; i <= 40; i++ {
		own.Value[i] = 10 * float64(i-19)
	}
	log.Series = []runlog.Series{series("orders-1", probe.Arrived, "*:8080", 40, 25), own, series("orders-1", probe.Refused, "http_requests_total", 40, 0.5)}
	got, told := traffic.Read(log)
	requests, faults := sums(got)
	if requests != 400 || faults[attack.Status] != 20 {
		t.Errorf("%d requests, faults %v", requests, faults)
	}
	if told[0].By != report.CountedByService || told[0].Metric != "http_requests_total" {
		t.Errorf("told %+v", told)
	}
}

// Where nobody listens a reset is a refusal; where resets are not told one by one, what the
// host counts is taken.
func TestRefusedAndCounted(t *testing.T) {
	log := watched(40, sent(time.Second, client(1), "NO_SOCKET", ""), sent(8*time.Second, client(2), "NO_SOCKET", ""))
	listens := series("orders-1", probe.Inbound, "*:8080", 20, 0) // up to second 5
	log.Series = []runlog.Series{series("orders-1", probe.Inbound, "", 40, 0), listens}
	got, _ := traffic.Read(log)
	if _, faults := sums(got); faults[attack.Reset] != 1 || faults[attack.Refused] != 1 {
		t.Errorf("faults %v", faults)
	}
	log.Trailer.Sources[0].State = probe.NotMeasured
	log.Series = []runlog.Series{series("orders-1", probe.EstabResets, "", 40, 2)}
	got, told := traffic.Read(log)
	if _, faults := sums(got); faults[attack.Reset] != 80 || !told[0].HostWide || told[0].Traced {
		t.Errorf("faults %v, told %+v", faults, told)
	}
}

func TestOtherRunsStayAsTheyAre(t *testing.T) {
	log := watched(40)
	log.Header.Role = runlog.RoleAlone
	if got, told := traffic.Read(log); got != log || told != nil {
		t.Error("a run that sent its load is read as one that did not")
	}
}
