package eval

import (
	"hash/fnv"
	"io"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/runlog"
)

// Thin returns a copy of a log that is small enough to keep in a repository and
// says nothing of the machine: of similar failures and resets one connection in
// keep stays, resets standing for those left out; times and shares lose digits
// that no conclusion rests on; series of sockets that the run had no part in go.
// Whether the conclusions are the same has to be checked.
func Thin(log *runlog.Log, keep int) *runlog.Log {
	out := *log
	t := thinner{log: log, keep: uint64(max(1, keep)), ports: map[uint16]bool{}}
	out.Events = slices.DeleteFunc(slices.Clone(log.Events), t.foreign)
	t.log = &out
	t.readPorts()
	out.Header.Host, out.Header.GitCommit, out.Header.Rampload, out.Header.RunID = "lab", "", "", strings.Repeat("0", 16)
	out.Header.Kernel = release.FindString(out.Header.Kernel)
	out.Header.Started = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	out.Header.Hosts = t.hosts()
	t.readFailures()
	out.Failures, out.Windows = t.failures()
	out.Events = t.events()
	out.Series = nil
	for _, s := range log.Series {
		if t.bears(s) {
			out.Series = append(out.Series, coarse(s))
		}
	}
	return &out
}

const (
	few       = 40 // of one kind are all kept
	clockUnit = 100 * time.Microsecond
)

type thinner struct {
	log   *runlog.Log
	keep  uint64
	ports map[uint16]bool // that targets listen on, here or behind a proxy
	kinds map[failureKind]int
}

// foreign reports whether an event belongs to other programs that used this
// machine's loopback while the run's targets were elsewhere.
func (t *thinner) foreign(e probe.Event) bool {
	return e.Local.Addr().IsLoopback() && e.Remote.Addr().IsLoopback() && e.Host == generatorHost &&
		!slices.ContainsFunc(t.log.Addresses, func(a attack.Address) bool { return a.Addr.Addr().IsLoopback() })
}

// readPorts collects listening ports: those of targets, and those that resets
// come from again and again.
func (t *thinner) readPorts() {
	for _, a := range t.log.Addresses {
		t.ports[a.Addr.Port()] = true
	}
	seen := map[uint16]int{}
	for _, e := range t.log.Events {
		seen[e.Local.Port()]++
		seen[e.Remote.Port()]++
	}
	for port, n := range seen {
		if n >= 20 {
			t.ports[port] = true
		}
	}
}

// hosts keeps of the addresses of hosts those that connections went between.
func (t *thinner) hosts() []runlog.Host {
	used := map[netip.Addr]bool{}
	note := func(a netip.AddrPort) { used[a.Addr().Unmap()] = true }
	for _, f := range t.log.Failures {
		note(f.Conn.Local)
		note(f.Conn.Remote)
	}
	for _, a := range t.log.Addresses {
		note(a.Addr)
	}
	for _, e := range t.log.Events {
		note(e.Local)
		note(e.Remote)
	}
	out := slices.Clone(t.log.Header.Hosts)
	for i := range out {
		out[i].Addrs = slices.DeleteFunc(slices.Clone(out[i].Addrs), func(s string) bool {
			a, err := netip.ParseAddr(s)
			return err != nil || !a.IsLoopback() && !used[a.Unmap()]
		})
	}
	return out
}

// kept chooses connections, the same ones among failures and events.
func (t *thinner) kept(a, b netip.AddrPort) bool {
	port := a.Port()
	if t.ports[port] {
		port = b.Port()
	}
	h := fnv.New32a()
	h.Write([]byte{byte(port), byte(port >> 8)})
	return uint64(h.Sum32())%t.keep == 0
}

type failureKind struct {
	target uint16
	fault  attack.Fault
	phase  attack.Phase
	status uint16
	reused bool
}

func kindOf(f attack.Failure) failureKind {
	return failureKind{f.Target, f.Fault, f.Phase, f.Status, f.Conn.Reused}
}

func (t *thinner) readFailures() {
	t.kinds = map[failureKind]int{}
	for _, f := range t.log.Failures {
		t.kinds[kindOf(f)]++
	}
}

// failures thins what there is many of; what goes is counted in its window, as
// the collector does with what it does not keep.
func (t *thinner) failures() ([]attack.Failure, [][]attack.Window) {
	type place struct {
		target uint16
		index  int32
	}
	var out []attack.Failure
	dropped := map[place]uint64{}
	for i, f := range t.log.Failures {
		there := t.kept(f.Conn.Local, f.Conn.Remote)
		if !f.Conn.Local.IsValid() {
			there = uint64(i)%t.keep == 0
		}
		if t.kinds[kindOf(f)] > few && !there {
			dropped[place{f.Target, int32(f.End / t.log.Header.Interval)}]++
			continue
		}
		for _, d := range []*time.Duration{&f.Due, &f.Start, &f.End, &f.Conn.Age, &f.Conn.Idle, &f.Info.RTT, &f.Info.RTTVar} {
			*d = d.Round(clockUnit)
		}
		out = append(out, f)
	}
	windows := make([][]attack.Window, len(t.log.Windows))
	for i, of := range t.log.Windows {
		windows[i] = slices.Clone(of)
		for k := range windows[i] {
			w := &windows[i][k]
			w.FailuresDropped += dropped[place{w.Target, w.Index}]
		}
	}
	return out, windows
}

// eventKind is what makes events alike but for their time and connection.
type eventKind struct {
	kind          probe.EventKind
	source        probe.Source
	host, process string
	pid           int32
	reason, state string
	flags, ttl    uint8
	fromPeer      bool
	serving       uint16
}

func (t *thinner) kindOf(e probe.Event) eventKind {
	k := eventKind{kind: e.Kind, source: e.Source, host: e.Host, process: e.Process, pid: e.PID, reason: e.Reason, state: e.State}
	for _, port := range []uint16{e.Local.Port(), e.Remote.Port()} {
		if t.ports[port] {
			k.serving = port
		}
	}
	if e.Packet != nil {
		k.flags, k.ttl, k.fromPeer = e.Packet.Flags, e.Packet.TTL, e.Packet.FromPeer
	}
	return k
}

// events thins resets that there are many of. A kept one stands for those that
// went since the one before it.
func (t *thinner) events() []probe.Event {
	numbers := map[eventKind]int{}
	for _, e := range t.log.Events {
		numbers[t.kindOf(e)]++
	}
	var out []probe.Event
	waiting := map[eventKind]uint64{}
	last := map[eventKind]int{}
	for _, e := range t.log.Events {
		k := t.kindOf(e)
		n := max(e.Count, 1) + waiting[k]
		reset := e.Kind == probe.RSTSent || e.Kind == probe.RSTReceived || e.Kind == probe.RSTPacket || e.Kind == probe.Retransmit
		if reset && numbers[k] > few && !t.kept(e.Local, e.Remote) {
			waiting[k] = n
			continue
		}
		waiting[k] = 0
		if reset {
			e.Count, e.At = n, e.At.Round(clockUnit)
		}
		if e.Packet != nil {
			p := *e.Packet
			p.Seq = 0
			e.Packet = &p
		}
		last[k] = len(out)
		out = append(out, e)
	}
	for k, n := range waiting {
		if i, ok := last[k]; ok {
			out[i].Count += n
		}
	}
	return out
}

// release is the part of a kernel's name that behaviour depends on.
var release = regexp.MustCompile(`^\d+\.\d+`)

var portOf = regexp.MustCompile(`:(\d+)$`)

// bears reports whether a series can bear on the run: sockets of other ports
// than the run's do not, nor interfaces that carried nothing.
func (t *thinner) bears(s runlog.Series) bool {
	if m := portOf.FindStringSubmatch(s.Metric.Instance); m != nil {
		port, err := strconv.ParseUint(m[1], 10, 16)
		return err == nil && t.ports[uint16(port)]
	}
	silent := len(s.Value) > 0 && slices.Min(s.Value) == slices.Max(s.Value)
	return !silent || s.Metric.Instance == ""
}

// coarse rounds what is no count to four digits.
func coarse(s runlog.Series) runlog.Series {
	s.At, s.Value = slices.Clone(s.At), slices.Clone(s.Value)
	for i := range s.At {
		s.At[i] = s.At[i].Round(time.Millisecond)
		if v := s.Value[i]; v != math.Trunc(v) {
			unit := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-3)
			s.Value[i] = math.Round(v/unit) * unit
		}
	}
	return s
}

// WriteLog writes a log in the form that [runlog.Read] reads.
func WriteLog(to io.Writer, log *runlog.Log) error {
	w, err := runlog.NewWriter(to, log.Header)
	if err != nil {
		return err
	}
	for _, a := range log.Addresses {
		w.Address(a)
	}
	for _, windows := range log.Windows {
		for _, win := range windows {
			w.Window(win)
		}
	}
	for _, f := range log.Failures {
		w.Failure(f)
	}
	at := map[time.Duration][]probe.Sample{}
	for _, s := range log.Series {
		for i, t := range s.At {
			at[t] = append(at[t], probe.Sample{At: t, Reading: probe.Reading{Metric: s.Metric, Value: s.Value[i], Limit: s.Limit[i]}})
		}
	}
	for _, t := range sortedKeys(at) {
		w.Samples(at[t])
	}
	for _, e := range log.Events {
		w.Event(e)
	}
	if log.Trailer == nil {
		return w.Err()
	}
	return w.Close(*log.Trailer)
}
