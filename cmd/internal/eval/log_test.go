package eval

import (
	"math"
	"net/netip"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

const second = time.Second

// sampleLog is a run of 20 s from 100 to 500 requests per second in which the
// open files of a process of orders-1 reach their limit of 100 after 10 s, the
// memory climbs with the load, and from then on every fifth request is reset.
func sampleLog() *runlog.Log {
	const step = 250 * time.Millisecond
	client, server := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddrPort("10.0.0.2:8080")
	log := &runlog.Log{
		Header: runlog.Header{
			Schema: runlog.Schema, Name: "sample", RunID: "0123456789abcdef", Started: time.Unix(1000, 0).UTC(), Interval: step,
			Host: "a-machine", GitCommit: "abc", Kernel: "6.18.4-somebodys-build",
			Targets: []runlog.Target{{Name: "orders", URL: "http://10.0.0.2:8080", Hosts: []string{"orders-1"}, Share: 1, ListenPort: 8080}},
			Stages:  []runlog.Stage{{Kind: "ramp", End: 20 * second, From: 100, To: 500}},
			Hosts: []runlog.Host{
				{Name: "local", Addrs: []string{"127.0.0.1", "10.0.0.1", "192.168.7.7"}},
				{Name: "orders-1", Addrs: []string{"10.0.0.2"}, SameAs: "local"},
			},
		},
		Addresses: []attack.Address{{Target: 0, Index: 1, Addr: server}},
		Windows:   make([][]attack.Window, 1),
		Trailer:   &runlog.Trailer{Ended: 20 * second},
	}
	for _, s := range []probe.Source{
		{Host: "local", Name: "generator"},
		{Host: "local", Name: "sockets"},
		{Host: "local", Name: "host"},
		{Host: "local", Name: "kernel counters"},
		{Host: "orders-1", Name: "process port 8080"},
		{Host: "local", Name: "reset trace"},
		{Host: "local", Name: "reset capture"},
	} {
		log.Trailer.Sources = append(log.Trailer.Sources, probe.Status{Source: s, State: probe.Measured})
	}
	add := func(m probe.Metric, limit float64, f func(at float64) float64) {
		s := runlog.Series{Metric: m}
		for i := range 80 {
			at := time.Duration(i) * step
			s.At, s.Value, s.Limit = append(s.At, at+time.Microsecond), append(s.Value, f(at.Seconds())), append(s.Limit, limit)
		}
		log.Series = append(log.Series, s)
	}
	none := math.NaN()
	add(probe.Metric{Host: "orders-1", Process: "api", PID: 7, Name: probe.OpenFiles}, 100, func(t float64) float64 { return min(100, 10+9*t) })
	add(probe.Metric{Host: "orders-1", Process: "api", PID: 7, Name: probe.RSS}, 1e9, func(t float64) float64 { return 1e7 * (1 + t) })
	add(probe.Metric{Host: "orders-1", Process: "api", PID: 7, Name: probe.ProcessCPU}, 1, func(t float64) float64 { return 0.02*t + 0.01*math.Sin(7*t) })
	add(probe.Metric{Host: "local", Name: probe.ListenOverflows}, none, func(float64) float64 { return 3 })
	add(probe.Metric{Host: "local", Name: probe.OutRsts}, none, func(t float64) float64 { return max(0, t-10) * 40 })
	add(probe.Metric{Host: "local", Name: probe.ListenQueue, Instance: "*:8080"}, 128, func(float64) float64 { return 1 })
	add(probe.Metric{Host: "local", Name: probe.ListenQueue, Instance: "*:9999"}, 128, func(t float64) float64 { return t })
	add(probe.Metric{Host: "local", Process: "rampload", PID: 9, Name: probe.OpenFiles}, 1000, func(t float64) float64 { return 20 + t })

	id := uint64(0)
	for i := range 80 {
		rate := 100 + 400*(float64(i)+0.5)/80
		n := uint64(rate / 4)
		w := attack.Window{Index: int32(i), Scheduled: n, Sent: n, FromSend: attack.Histogram{{Value: 2000, Count: n}}, Lag: attack.Histogram{{Value: 50, Count: n}}}
		bad := uint64(0)
		if i >= 40 {
			bad = n / 5
		}
		w.Cells = append(w.Cells, attack.Cell{DueWindow: int32(i), Remote: 1, Phase: attack.PhaseDone, Attempts: n - bad, Requests: n - bad})
		if bad > 0 {
			w.Cells = append(w.Cells, attack.Cell{DueWindow: int32(i), Remote: 1, Fault: attack.Reset, Phase: attack.PhaseAwait, Attempts: bad, Requests: bad, WireResets: bad})
		}
		log.Windows[0] = append(log.Windows[0], w)
		for range bad {
			id++
			at := time.Duration(i)*step + time.Duration(id%200)*time.Millisecond
			local := netip.AddrPortFrom(client, uint16(20000+id))
			log.Failures = append(log.Failures, attack.Failure{Attempt: attack.Attempt{
				Request: id, Due: at, Start: at, End: at + 1234567, Fault: attack.Reset, Phase: attack.PhaseAwait, WireReset: true, Last: true,
				Conn: attack.Conn{ID: id, Local: local, Remote: server, RemoteIndex: 1},
			}})
			trace, capture := log.Trailer.Sources[5].Source, log.Trailer.Sources[6].Source
			log.Events = append(
				log.Events,
				probe.Event{Kind: probe.RSTSent, At: at, Source: trace, Host: "orders-1", Process: "api", PID: 7, Local: server, Remote: local, Reason: "TCP_ABORT_ON_CLOSE", State: "TCP_CLOSE"},
				probe.Event{Kind: probe.RSTPacket, At: at, Source: capture, Host: "local", Local: local, Remote: server, Packet: &probe.Packet{FromPeer: true, Flags: 0x14, Seq: uint32(id), TTL: 63, SynAckTTL: 63}},
			)
		}
	}
	log.Events = append(log.Events, probe.Event{Kind: probe.ProcessExit, At: 19 * second, Source: log.Trailer.Sources[4].Source, Host: "orders-1", Process: "api", PID: 7})
	return log
}

func count[T any](all []T, is func(T) bool) int {
	n := 0
	for _, v := range all {
		if is(v) {
			n++
		}
	}
	return n
}
