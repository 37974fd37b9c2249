// Package traffic reads a load that rampload did not send: the requests that came in to
// watched services and the connections of theirs that were reset, as the services' own
// counters and the kernels of their hosts tell. It is pure. It concludes nothing: what it
// returns is a run log as of a load that was sent, which is judged as any other.
//
// It is not for runs that send a load: what they count is exact, and this is an estimate
// (see probe/waiting).
package traffic

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/runlog"
)

// Kind is the kind of the stage that stands for the time in which a load was watched.
const Kind = "watched"

// Read returns the log of a run that watched a load with windows and failures made of
// what was watched, and how the load of each target was counted. Any other log is
// returned as it is.
func Read(log *runlog.Log) (*runlog.Log, []report.Counted) {
	if log.Header.Role != runlog.RoleWatcher || log.Header.Interval <= 0 {
		return log, nil
	}
	out := *log
	n := int((lasted(log) + log.Header.Interval - 1) / log.Header.Interval)
	out.Header.Stages = []runlog.Stage{{Text: "live traffic", Kind: Kind, End: time.Duration(n) * log.Header.Interval}}
	out.Windows, out.Failures = make([][]attack.Window, len(log.Header.Targets)), nil
	var told []report.Counted
	for i := range log.Header.Targets {
		t := newTarget(log, i, n)
		out.Windows[i] = t.windows()
		out.Failures = append(out.Failures, t.failures...)
		told = append(told, t.told)
	}
	slices.SortStableFunc(out.Failures, func(a, b attack.Failure) int { return cmp.Compare(a.End, b.End) })
	return &out, told
}

// lasted is how long the load was watched: as recorded, or up to the last reading.
func lasted(log *runlog.Log) time.Duration {
	if log.Trailer != nil {
		return log.Trailer.Ended
	}
	var last time.Duration
	for _, s := range log.Series {
		if k := len(s.At); k > 0 {
			last = max(last, s.At[k-1])
		}
	}
	return last
}

// target collects what was seen of one target, by window.
type target struct {
	log      *runlog.Log
	index    int
	hosts    []string // that take its connections from outside
	ports    map[uint16]bool
	remotes  map[netip.AddrPort]uint16
	came     []float64 // requests
	refused  []float64 // answered with a 5xx
	reset    []map[cellKey]uint64
	given    []uint64 // connections that their clients reset
	open     []float64
	failures []attack.Failure
	told     report.Counted
}

// cellKey is what failures of a window have in common.
type cellKey struct {
	fault  attack.Fault
	phase  attack.Phase
	remote uint16
}

func newTarget(log *runlog.Log, index, n int) *target {
	info := log.Header.Targets[index]
	t := &target{
		log: log, index: index, ports: map[uint16]bool{}, remotes: map[netip.AddrPort]uint16{},
		came: make([]float64, n), refused: make([]float64, n), open: make([]float64, n), given: make([]uint64, n),
		reset: make([]map[cellKey]uint64, n), told: report.Counted{Target: info.Name, By: report.CountedNot},
	}
	if info.ListenPort > 0 {
		t.ports[uint16(info.ListenPort)] = true
	}
	for _, a := range log.Addresses {
		if int(a.Target) == index {
			t.remotes[unmapped(a.Addr)] = a.Index
			t.ports[a.Addr.Port()] = true
		}
	}
	t.hosts = t.front(info)
	t.count()
	t.resets()
	return t
}

// front returns the hosts that the target's connections go to: those that have one of its
// addresses, else the outermost of the profile. Behind them the same port may be used again.
func (t *target) front(info runlog.Target) []string {
	var out []string
	for _, h := range t.log.Header.Hosts {
		has := slices.ContainsFunc(h.Addrs, func(text string) bool {
			addr, err := netip.ParseAddr(text)
			return err == nil && slices.ContainsFunc(t.log.Addresses, func(a attack.Address) bool {
				return int(a.Target) == t.index && a.Addr.Addr().Unmap() == addr.Unmap()
			})
		})
		if has && (len(info.Hosts) == 0 || slices.Contains(info.Hosts, h.Name)) {
			out = append(out, h.Name)
		}
	}
	if len(out) == 0 && len(info.Hosts) > 0 {
		out = info.Hosts[:1]
	}
	return out
}

func (t *target) has(host string) bool { return slices.Contains(t.hosts, host) }

// count finds how many requests came in: as the services count them, else as the kernels
// of their hosts do.
func (t *target) count() {
	for _, s := range t.log.Series {
		switch m := s.Metric; {
		case !t.has(m.Host):
		case m.Name == probe.Served:
			t.told.By, t.told.Metric = report.CountedByService, m.Instance
		case m.Name == probe.Arrived && t.told.By == report.CountedNot && t.serves(m.Instance):
			t.told.By = report.CountedByKernel
		}
	}
	for _, s := range t.log.Series {
		m := s.Metric
		if !t.has(m.Host) {
			continue
		}
		switch {
		case m.Name == probe.Served && t.told.By == report.CountedByService,
			m.Name == probe.Arrived && t.told.By == report.CountedByKernel && t.serves(m.Instance):
			t.spread(s, t.came)
		case m.Name == probe.Refused && t.told.By == report.CountedByService:
			t.spread(s, t.refused)
		case m.Name == probe.Inbound && t.serves(m.Instance):
			t.level(s)
		}
	}
}

// serves reports whether a listener, such as "*:8080", is the target's.
func (t *target) serves(instance string) bool {
	i := strings.LastIndexByte(instance, ':')
	if i < 0 {
		return false
	}
	for port := range t.ports {
		if instance[i+1:] == portText(port) {
			return true
		}
	}
	return false
}

// spread adds what a total grew by to the windows in which it did, evenly between two
// readings. A total that falls was begun anew.
func (t *target) spread(s runlog.Series, to []float64) {
	for i := 1; i < len(s.At); i++ {
		grew := s.Value[i] - s.Value[i-1]
		if grew < 0 {
			grew = s.Value[i]
		}
		from, until := s.At[i-1], s.At[i]
		if grew == 0 || math.IsNaN(grew) || until <= from {
			continue
		}
		for w := max(0, int(from/t.log.Header.Interval)); w < len(to) && t.start(w) < until; w++ {
			part := min(until, t.start(w+1)) - max(from, t.start(w))
			if part > 0 {
				to[w] += grew * float64(part) / float64(until-from)
			}
		}
	}
}

// level adds a level, such as how many connections are open, at the end of each window.
func (t *target) level(s runlog.Series) {
	k := 0
	for w := range t.open {
		for k < len(s.At) && s.At[k] < t.start(w+1) {
			k++
		}
		if k > 0 && !math.IsNaN(s.Value[k-1]) {
			t.open[w] += s.Value[k-1]
		}
	}
}

func (t *target) start(window int) time.Duration {
	return time.Duration(window) * t.log.Header.Interval
}

// windows returns what was seen as windows of a load. Numbers of requests are estimates;
// they are rounded so that none is lost.
func (t *target) windows() []attack.Window {
	out := make([]attack.Window, 0, len(t.came))
	came, refused := rounding{}, rounding{}
	for i := range t.came {
		n, status := came.next(t.came[i]), refused.next(t.refused[i])
		w := attack.Window{Target: uint16(t.index), Index: int32(i), Open: int64(t.open[i])}
		failed := uint64(0)
		for _, k := range sortedKeys(t.reset[i]) {
			c := attack.Cell{DueWindow: w.Index, Remote: k.remote, Fault: k.fault, Phase: k.phase}
			c.Attempts = t.reset[i][k]
			c.Requests = c.Attempts
			if k.fault == attack.Reset {
				c.WireResets = c.Attempts
			}
			failed += c.Attempts
			w.Cells = append(w.Cells, c)
		}
		if status > 0 {
			failed += status
			w.Cells = append(w.Cells, attack.Cell{DueWindow: w.Index, Fault: attack.Status, Phase: attack.PhaseDone, Attempts: status, Requests: status})
			w.FailuresDropped += status // nobody saw them one by one
		}
		if n > failed {
			w.Cells = append(w.Cells, attack.Cell{DueWindow: w.Index, Phase: attack.PhaseDone, Attempts: n - failed, Requests: n - failed})
		}
		if given := t.given[i]; given > 0 {
			w.Cells = append(w.Cells, attack.Cell{DueWindow: w.Index, Fault: attack.Canceled, Phase: attack.PhaseAwait, Attempts: given, Requests: given})
		}
		w.Scheduled = max(n, failed)
		w.Sent = w.Scheduled
		out = append(out, w)
	}
	return out
}

func sortedKeys(m map[cellKey]uint64) []cellKey {
	keys := make([]cellKey, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b cellKey) int {
		return cmp.Or(cmp.Compare(a.fault, b.fault), cmp.Compare(a.phase, b.phase), cmp.Compare(a.remote, b.remote))
	})
	return keys
}

// rounding makes whole numbers of parts, whose sum is that of the parts.
type rounding struct{ sum, told float64 }

func (r *rounding) next(v float64) uint64 {
	r.sum += v
	n := math.Floor(r.sum + 0.5 - r.told)
	r.told += n
	return uint64(max(n, 0))
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
