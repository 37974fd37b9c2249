package diagnose_test

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// world makes run logs of services that do not exist: requests one by one on a
// ramp, gauges at 4 Hz with a random phase, counters and events. It was written
// together with the method, so what it measures is an upper bound.
type world struct {
	rng      *rand.Rand
	from, to float64 // requests per second
	length   float64 // seconds of ramp
	down     float64 // seconds of the way down again
	pooled   bool    // connections are reused
	latency  float64 // seconds at light load
	log      *runlog.Log
	phase    float64 // of sampling
	windows  []attack.Window
	fail     func(r *request) // decides what becomes of a request
	conns    int
}

// request is one request as the world plays it.
type request struct {
	number  uint64
	due     float64
	load    float64
	latency float64
	fault   attack.Fault
	detail  attack.Detail
	phase   attack.Phase
	status  uint16
	reused  bool
	idle    float64
	served  uint32
	wire    bool
	retrans uint32
	local   netip.AddrPort
	remote  int // index of the address

	endpoint       uint32
	sent, received int
	unacked        uint32
	answer         *attack.Answer
}

const (
	windowLength = 0.25
	serverHost   = "orders-1"
	serverName   = "orders"
	serverPort   = 8080
)

func newWorld(rng *rand.Rand) *world {
	w := &world{
		rng: rng, from: 80 + 60*rng.Float64(), to: 400 + 400*rng.Float64(), length: 16 + 10*rng.Float64(),
		pooled: true, latency: 0.004 + 0.02*rng.Float64(), phase: rng.Float64() * 0.25,
	}
	w.log = &runlog.Log{
		Header: runlog.Header{
			Schema: 1, Interval: 250 * time.Millisecond, CPUs: 2, Kernel: "6.18",
			Targets:   []runlog.Target{{Name: "orders", URL: "http://10.0.0.2:8080", Hosts: []string{serverHost}, Share: 1, ListenPort: serverPort}},
			Generator: runlog.Generator{Engine: "vegeta", Connections: 256, MaxInFlight: 10000, Timeout: 5 * time.Second, IdleTimeout: 90 * time.Second, NoFile: 1024},
			Hosts:     []runlog.Host{{Name: "local", Addrs: []string{"10.0.0.1"}}, {Name: serverHost, Addrs: []string{"10.0.0.2"}}},
		},
		Addresses: []attack.Address{{Target: 0, Index: 1, Addr: netip.MustParseAddrPort("10.0.0.2:8080")}},
		Trailer:   &runlog.Trailer{},
	}
	return w
}

// onLoopback puts the service on the generator's machine.
func (w *world) onLoopback() {
	w.log.Header.Targets[0].URL = "http://127.0.0.1:8080"
	w.log.Header.Hosts = []runlog.Host{{Name: "local", Addrs: []string{"127.0.0.1"}}, {Name: serverHost, SameAs: "local"}}
	w.log.Addresses[0].Addr = netip.MustParseAddrPort("127.0.0.1:8080")
}

func (w *world) duration() float64 { return w.length + w.down }

func (w *world) loadAt(t float64) float64 {
	switch {
	case t < w.length:
		return w.from + (w.to-w.from)*t/w.length
	case t < w.length+w.down:
		return w.to + (w.from-w.to)*(t-w.length)/w.down
	}
	return 0
}

// timeOf returns when the load is reached on the way up.
func (w *world) timeOf(load float64) float64 { return (load - w.from) / (w.to - w.from) * w.length }

// between returns a random load in a part of the ramp.
func (w *world) loadBetween(low, high float64) float64 {
	return w.from + (w.to-w.from)*(low+(high-low)*w.rng.Float64())
}

// play sends the requests.
func (w *world) play() {
	w.log.Header.Stages = []runlog.Stage{{Kind: "ramp", End: dur(w.length), From: w.from, To: w.to}}
	if w.down > 0 {
		w.log.Header.Stages = append(w.log.Header.Stages, runlog.Stage{Kind: "ramp", Start: dur(w.length), End: dur(w.duration()), From: w.to, To: w.from})
	}
	w.log.Trailer.Ended = dur(w.duration())
	n := int(math.Ceil((w.duration() + 6) / windowLength))
	w.windows = make([]attack.Window, n)
	for i := range w.windows {
		w.windows[i].Index = int32(i)
	}
	number := uint64(0)
	for t := 0.0; t < w.duration(); {
		r := request{
			number: number, due: t, load: w.loadAt(t), phase: attack.PhaseDone, reused: w.pooled && w.rng.Float64() < 0.97,
			latency: w.latency * math.Exp(0.25*w.rng.NormFloat64()), status: 200,
			local: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(20000+number%40000)), remote: 1,
		}
		if w.pooled {
			r.idle = w.rng.ExpFloat64() * 0.05
			r.served = uint32(w.rng.IntN(200))
		}
		if w.fail != nil {
			w.fail(&r)
		}
		w.record(r)
		number++
		t += 1 / w.loadAt(t)
	}
	open := 0.0
	for i := range w.windows {
		win := &w.windows[i]
		load := w.loadAt(float64(i) * windowLength)
		busy := load * w.latency
		if w.pooled {
			open = max(open, math.Ceil(busy*1.3)+2)
		} else {
			open = math.Ceil(busy)
		}
		win.Open, win.InFlight = int64(open), int64(busy)
		if w.conns > 0 {
			win.Open = min(win.Open, int64(w.conns))
		}
	}
	w.log.Windows = [][]attack.Window{w.windows}
	slices.SortStableFunc(w.log.Failures, func(a, b attack.Failure) int { return int(a.End - b.End) })
}

func dur(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (w *world) record(r request) {
	due := int32(r.due / windowLength)
	end := int32(min(float64(len(w.windows)-1), (r.due+r.latency)/windowLength))
	w.windows[due].Scheduled++
	w.windows[due].Sent++
	w.windows[due].Lag = w.windows[due].Lag.Merge(attack.Histogram{{Value: 200, Count: 1}})
	if !r.reused || r.fault != attack.None && r.phase == attack.PhaseDial {
		w.windows[due].Dials++
	}
	win := &w.windows[end]
	cell := attack.Cell{DueWindow: due, Remote: uint16(r.remote), Fault: r.fault, Detail: r.detail, Phase: r.phase, Reused: r.reused, Attempts: 1, Requests: 1}
	if r.fault == attack.Reset || r.wire {
		cell.WireResets = 1
	}
	i := slices.IndexFunc(win.Cells, func(c attack.Cell) bool {
		return c.DueWindow == cell.DueWindow && c.Remote == cell.Remote && c.Fault == cell.Fault && c.Detail == cell.Detail && c.Phase == cell.Phase && c.Reused == cell.Reused
	})
	if i < 0 {
		win.Cells = append(win.Cells, cell)
	} else {
		win.Cells[i].Attempts++
		win.Cells[i].Requests++
		win.Cells[i].WireResets += cell.WireResets
	}
	if r.status != 0 && (r.fault == attack.None || r.fault == attack.Status) {
		j := slices.IndexFunc(win.Statuses, func(s attack.StatusCount) bool { return s.Status == r.status })
		if j < 0 {
			win.Statuses = append(win.Statuses, attack.StatusCount{Status: r.status, Count: 1})
		} else {
			win.Statuses[j].Count++
		}
	}
	if r.sent > 0 {
		for len(win.Requests) <= int(r.endpoint) {
			win.Requests = append(win.Requests, attack.RequestCount{Endpoint: uint32(len(win.Requests))})
		}
		n := &win.Requests[r.endpoint]
		n.Attempts, n.Sent = n.Attempts+1, n.Sent+uint64(r.sent)
		if r.fault != attack.None {
			n.Failed++
		} else {
			n.Received += uint64(r.received)
		}
	}
	if r.fault == attack.None {
		us := int64(r.latency * 1e6)
		win.FromSend = win.FromSend.Merge(attack.Histogram{{Value: rounded(us), Count: 1}})
		if r.reused {
			win.IdleAge = win.IdleAge.Merge(attack.Histogram{{Value: rounded(int64(math.Ceil(r.idle * 1000))), Count: 1}})
		}
		return
	}
	a := attack.Attempt{
		Request: r.number, Due: dur(r.due), Start: dur(r.due + 0.0002), End: dur(r.due + r.latency), Status: r.status,
		Fault: r.fault, Detail: r.detail, Phase: r.phase, WireReset: cell.WireResets > 0, Last: true,
		Conn:     attack.Conn{ID: r.number + 1, Reused: r.reused, Served: r.served, Idle: dur(r.idle), Local: r.local, Remote: w.log.Addresses[r.remote-1].Addr},
		Info:     attack.TCPInfo{Valid: r.phase > attack.PhaseDial, TotalRetrans: r.retrans, Unacked: r.unacked},
		Endpoint: r.endpoint, Sent: uint32(r.sent), Received: uint64(r.received), Answer: r.answer,
	}
	w.log.Failures = append(w.log.Failures, attack.Failure{Attempt: a})
}

// rounded keeps the resolution of HDR histograms with two significant digits.
func rounded(v int64) int64 {
	unit := int64(1)
	for v/unit >= 256 {
		unit *= 2
	}
	return (v + unit - 1) / unit * unit
}

// series samples a level at 4 Hz.
func (w *world) series(host, process, name string, limit float64, value func(t float64) float64) {
	m := probe.Metric{Host: host, Process: process, Name: name}
	if process == "rampload" {
		m.PID = 1
	}
	w.seriesOf(m, limit, value)
}

func (w *world) seriesOf(m probe.Metric, limit float64, value func(t float64) float64) {
	s := runlog.Series{Metric: m}
	for t := -1 + w.phase; t < w.duration()+1; t += 0.25 {
		s.At = append(s.At, dur(t))
		s.Value = append(s.Value, value(t))
		s.Limit = append(s.Limit, limit)
	}
	w.log.Series = append(w.log.Series, s)
}

// counter samples a total that grows by rate(t) per second.
func (w *world) counter(host, name string, rate func(t float64) float64) {
	total := float64(w.rng.IntN(1000))
	last := -1.0
	w.series(host, "", name, math.NaN(), func(t float64) float64 {
		total += math.Floor(rate(t)*(t-last) + 0.999*w.rng.Float64())
		last = t
		return total
	})
}

func (w *world) event(e probe.Event) {
	w.log.Events = append(w.log.Events, e)
}

// restart is the end of a process, as the probe words it, and its return.
func (w *world) restart(host, process string, pid int32, at, pause float64, why string) {
	w.event(probe.Event{Kind: probe.ProcessExit, At: dur(at), Host: host, Process: process, PID: pid, Reason: why})
	w.event(probe.Event{Kind: probe.ProcessStart, At: dur(at + pause), Host: host, Process: process, PID: pid + 1})
}

// traced adds what the kernel of a host says of the resets of all failures that
// carried one.
func (w *world) traced(host, why, state string) {
	for _, f := range w.log.Failures {
		if f.WireReset || f.Fault == attack.Refused {
			w.event(probe.Event{
				Kind: probe.RSTSent, At: f.End - 100*time.Microsecond, Host: host, Source: probe.Source{Host: host, Name: "reset trace"},
				Local: f.Conn.Remote, Remote: f.Conn.Local, Reason: why, State: state,
			})
		}
	}
}

// captured adds the packets of the resets.
func (w *world) captured(p probe.Packet) {
	p.FromPeer = true
	for _, f := range w.log.Failures {
		if f.WireReset {
			packet := p
			w.event(probe.Event{
				Kind: probe.RSTPacket, At: f.End, Host: "local", Source: probe.Source{Host: "local", Name: "reset capture"},
				Local: f.Conn.Local, Remote: f.Conn.Remote, Packet: &packet,
			})
		}
	}
}

var (
	aborted  = probe.Packet{Flags: 0x14, Window: 500, IPID: 77, DF: true, TTL: 63, SynAckTTL: 63, SynAckFlow: true, HasOptions: true}
	bare     = probe.Packet{Flags: 0x04, DF: true, TTL: 63, SynAckTTL: 63, SynAckFlow: true}
	rejected = probe.Packet{Flags: 0x04, DF: true, TTL: 64, SynAckTTL: 63, SynAckFlow: true}
)

// background adds what is always there: gauges that follow the load, some with
// room, one that is always full, some that fill up harmlessly at a random time,
// counters that do not move, and the generator itself.
func (w *world) background() {
	follow := func(scale, noise float64) func(t float64) float64 {
		return func(t float64) float64 {
			return max(0, scale*w.loadAt(min(max(t, 0), w.duration()-0.01))/w.to*(1+noise*w.rng.NormFloat64()))
		}
	}
	cpu := 0.25 + 0.5*w.rng.Float64()
	w.series(serverHost, "", probe.CPU, math.NaN(), func(t float64) float64 { return min(1, 0.05+follow(cpu, 0.1)(t)) })
	w.series(serverHost, "", probe.Memory, 8<<30, func(t float64) float64 { return 3e9 + 1e6*t })
	w.series(serverHost, "", probe.FileTable, 9e6, func(t float64) float64 { return 3000 + follow(100, 0.02)(t) })
	w.series(serverHost, "", probe.Established, math.NaN(), func(t float64) float64 { return math.Round(10 + follow(60, 0.05)(t)) })
	w.series(serverHost, "", probe.TimeWait, 16384, func(t float64) float64 { return 40 * max(t, 0) })
	w.series(serverHost, "", probe.HostThreads, 30000, func(float64) float64 { return 300 })
	w.series(serverHost, "", probe.SynQueue, 128, func(float64) float64 { return float64(w.rng.IntN(3)) })
	w.series(serverHost, serverName, probe.RSS, 2e9, func(t float64) float64 { return 2e8 + 3e6*max(0, t) })
	w.series(serverHost, serverName, probe.ProcessCPU, math.NaN(), func(t float64) float64 { return min(1, 0.02+follow(cpu*0.8, 0.1)(t)) })
	w.series("local", "", probe.CPU, math.NaN(), func(t float64) float64 { return min(1, 0.1+follow(0.5, 0.1)(t)) })
	w.series("local", "", probe.EphemeralPorts, 28231, func(t float64) float64 { return 50 + 30*max(0, t) })
	w.series("local", "rampload", probe.OpenFiles, 1024, func(t float64) float64 { return math.Round(30 + follow(60, 0.05)(t)) })
	w.series("local", "rampload", probe.ProcessCPU, math.NaN(), func(t float64) float64 { return min(1, 0.02+follow(0.4, 0.1)(t)) })
	for _, name := range []string{probe.ReqQueueFullDrop, probe.QdiscDrops, probe.NICDrops, probe.SoftnetDrops} {
		w.counter(serverHost, name, func(float64) float64 { return 0 })
	}
	// Always full, and full at some time without consequence.
	w.series(serverHost, "", probe.Swap, 1e9, func(float64) float64 { return 1e9 })
	harmless := w.rng.Float64() * w.length
	w.series(serverHost, serverName, probe.Threads, 64, func(t float64) float64 { return math.Round(64 * min(1, max(0.2, t/harmless))) })
}

// complete adds what a healthy service shows where a scenario says nothing else.
func (w *world) complete() {
	have := func(host, name string) bool {
		return slices.ContainsFunc(w.log.Series, func(s runlog.Series) bool { return s.Metric.Host == host && s.Metric.Name == name })
	}
	if !have(serverHost, probe.OpenFiles) {
		w.series(serverHost, serverName, probe.OpenFiles, 1024, func(t float64) float64 {
			return math.Round(20 + 0.15*w.loadAt(min(max(t, 0), w.duration()-0.01)) + w.rng.Float64())
		})
	}
	if !have(serverHost, probe.ListenQueue) {
		w.series(serverHost, "", probe.ListenQueue, 4096, func(float64) float64 { return float64(w.rng.IntN(3)) })
	}
	for _, name := range []string{probe.ListenOverflows, probe.ListenDrops} {
		if !have(serverHost, name) {
			w.counter(serverHost, name, func(float64) float64 { return 0 })
		}
	}
	for _, name := range []string{probe.AbortOnData, probe.AbortOnClose} {
		if !have(serverHost, name) {
			w.counter(serverHost, name, w.sentAs(name))
		}
	}
	if !have(serverHost, probe.OutRsts) {
		w.counter(serverHost, probe.OutRsts, w.sentAs(""))
	}
	if !have(serverHost, probe.OOMKills) {
		killed := -1.0
		for _, e := range w.log.Events {
			if e.Kind == probe.OOMKill {
				killed = e.At.Seconds()
			}
		}
		w.series(serverHost, "", probe.OOMKills, math.NaN(), func(t float64) float64 {
			if killed >= 0 && t > killed {
				return 4
			}
			return 3
		})
	}
	if !have(serverHost, probe.RetransSegs) {
		w.counter(serverHost, probe.RetransSegs, func(float64) float64 { return 0.1 })
	}
	for _, f := range []string{"process " + serverName, "kernel counters", "sockets", "host", "reset trace"} {
		w.log.Trailer.Sources = append(w.log.Trailer.Sources, probe.Status{Source: probe.Source{Host: serverHost, Name: f}, State: probe.Measured})
	}
	for _, f := range []string{"host", "process rampload", "sockets", "kernel counters", "reset trace", "reset capture"} {
		w.log.Trailer.Sources = append(w.log.Trailer.Sources, probe.Status{Source: probe.Source{Host: "local", Name: f}, State: probe.Measured})
	}
	slices.SortStableFunc(w.log.Events, func(a, b probe.Event) int { return int(a.At - b.At) })
}

// sentAs is the rate of a counter that follows what the trace says was sent.
func (w *world) sentAs(name string) func(t float64) float64 {
	var at []float64
	for _, e := range w.log.Events {
		reason := strings.ReplaceAll(strings.TrimPrefix(e.Reason, "TCP_"), "_", "-")
		match := name == "" || strings.EqualFold(reason, name) || reason == "STATE" && name == probe.AbortOnData
		if e.Kind == probe.RSTSent && e.Host == serverHost && match {
			at = append(at, e.At.Seconds())
		}
	}
	slices.Sort(at)
	last := -1.0
	return func(t float64) float64 {
		i, _ := slices.BinarySearch(at, last)
		j, _ := slices.BinarySearch(at, t)
		rate := float64(j-i) / max(t-last, 1e-9)
		last = t
		return rate
	}
}

// level is how much of a run is observed.
type level int

const (
	everything level = iota
	noRoot           // no trace, no capture
	clientOnly       // nothing of the serving hosts
)

func (l level) String() string { return [...]string{"everything", "no root", "client only"}[l] }

// seen returns a copy of a log as a run with fewer probes would have recorded
// it.
func seen(log *runlog.Log, l level) *runlog.Log {
	out := *log
	trailer := *log.Trailer
	out.Trailer = &trailer
	out.Series, out.Events, trailer.Sources = nil, nil, nil
	if l == clientOnly {
		// A profile without probes names no hosts either.
		out.Header.Targets = slices.Clone(log.Header.Targets)
		out.Header.Hosts = log.Header.Hosts[:1]
		for i := range out.Header.Targets {
			out.Header.Targets[i].Hosts = nil
		}
	}
	for _, s := range log.Series {
		if l < clientOnly || s.Metric.Host == "local" {
			out.Series = append(out.Series, s)
		}
	}
	for _, e := range log.Events {
		rst := e.Kind == probe.RSTSent || e.Kind == probe.RSTReceived || e.Kind == probe.RSTPacket || e.Kind == probe.Retransmit
		if l == everything || !rst && l == noRoot {
			out.Events = append(out.Events, e)
		}
	}
	for _, s := range log.Trailer.Sources {
		if strings.HasPrefix(s.Source.Name, "reset") && l > everything {
			s.State, s.Reason = probe.NotMeasured, "needs root"
		}
		if l < clientOnly || s.Source.Host == "local" {
			trailer.Sources = append(trailer.Sources, s)
		}
	}
	return &out
}

func addrPort(ip string, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(ip), port)
}

// behindProxy makes the target a proxy before a payment service.
func (w *world) behindProxy() {
	w.log.Header.Targets[0].Hosts = []string{serverHost, "payments-1"}
	w.log.Header.Hosts = append(w.log.Header.Hosts, runlog.Host{Name: "payments-1", Addrs: []string{"10.0.0.3"}})
	w.series("payments-1", "", probe.CPU, math.NaN(), func(float64) float64 { return 0.3 + 0.05*w.rng.Float64() })
	w.series("payments-1", "payments", probe.ProcessCPU, math.NaN(), func(float64) float64 { return 0.2 + 0.05*w.rng.Float64() })
	w.counter("payments-1", probe.ListenOverflows, func(float64) float64 { return 0 })
	for _, f := range []string{"process payments", "kernel counters", "sockets", "host", "reset trace"} {
		w.log.Trailer.Sources = append(w.log.Trailer.Sources, probe.Status{Source: probe.Source{Host: "payments-1", Name: f}, State: probe.Measured})
	}
}
