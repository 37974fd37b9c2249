package session

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/series"
)

// Progress is what a person wants to see while a run goes on.
type Progress struct {
	At          time.Duration // since the load began
	Offered     float64       // requests per second, now
	Achieved    float64       // requests per second, over the last second
	Requests    uint64        // ended so far
	Failures    uint64        // requests so far
	WireResets  uint64        // connections so far
	LocalFaults uint64        // attempts so far
	Unsent      uint64
	P99         time.Duration // of successful requests over the last second; 0: none
	Fullest     []Fullness    // fullest first
	Search      string        // where a search for capacity is; empty without one
}

// Fullness is how full one limited resource is.
type Fullness struct {
	Metric probe.Metric
	Value  float64
	Limit  float64
}

// Share returns the use as a share of the limit.
func (f Fullness) Share() float64 { return f.Value / f.Limit }

// live is the sink between the loader and the recorder: it sees windows pass,
// judges abort conditions and keeps what the progress line shows.
type live struct {
	cfg  Config
	stop context.CancelFunc

	mu       sync.Mutex
	series   report.Series
	abort    *series.Abort
	progress Progress
	recent   [][]attack.Window // by target, the last second
	struck   string
	fullest  map[probe.Metric]lastUse
	rounds   int       // calls of readings
	searcher *searcher // nil: the load is as planned

	latencies bool // whether the load is judged by its latencies while it goes on
}

var _ attack.Sink = (*live)(nil)

func newLive(cfg Config, stop context.CancelFunc) *live {
	l := &live{
		cfg: cfg, stop: stop,
		series:  *report.NewSeries(cfg.Interval, cfg.Targets),
		recent:  make([][]attack.Window, len(cfg.Targets)),
		fullest: map[probe.Metric]lastUse{},
	}
	l.series.Roles = cfg.Roles
	l.abort = series.NewAbort(cfg.AbortIf, &l.series)
	if cfg.Search != nil {
		l.searcher = newSearcher(*cfg.Search, cfg.Interval, &l.series)
	}
	l.latencies = l.searcher != nil || slices.ContainsFunc(cfg.AbortIf, func(g profiles.Gate) bool { return g.Metric == profiles.GateLatency })
	return l
}

// Address passes an address on.
func (l *live) Address(a attack.Address) { l.cfg.Recorder.Address(a) }

// Failure passes a failure on.
func (l *live) Failure(f attack.Failure) { l.cfg.Recorder.Failure(f) }

// Window passes a window on and, when it is the last target's of its interval,
// judges the abort conditions and tells the progress.
func (l *live) Window(w attack.Window) {
	l.cfg.Recorder.Window(w)

	l.mu.Lock()
	defer l.mu.Unlock()
	end := time.Duration(w.Index+1) * l.cfg.Interval
	offered := l.cfg.Offered(end - l.cfg.Interval/2)
	l.count(w)
	if !l.latencies {
		w.FromDue = nil // nobody looks at them
	}
	l.series.Add(w)
	if int(w.Target) != len(l.cfg.Targets)-1 {
		return
	}
	if l.struck == "" {
		if g, struck := l.abort.Struck(); struck {
			l.struck = g.Text
			l.stop()
			if l.cfg.Struck != nil {
				l.cfg.Struck(g.Text)
			}
		}
	}
	if l.searcher != nil {
		l.searcher.observe(end, l.cfg.Clock.Now(), l.inFlight(), l.portsInUse())
	} else { // a search looks at all of its run
		l.abort.Forget()
	}
	if l.cfg.Progress == nil {
		return
	}
	p := l.progress
	if l.searcher != nil {
		p.Search = l.searcher.progress()
	}
	p.At, p.Offered = end, offered
	p.Achieved, p.P99 = l.lastSecond()
	p.Fullest = l.fullestFirst()
	l.cfg.Progress(p)
}

func (l *live) count(w attack.Window) {
	p := &l.progress
	if role := l.series.Role(int(w.Target)); role != profiles.RoleRequests {
		for _, c := range w.Cells {
			p.WireResets += c.WireResets
			if c.Fault.Failure() && role == profiles.RoleCompletion {
				p.Failures += c.Requests
			}
		}
		l.recent[w.Target] = []attack.Window{{InFlight: w.InFlight}}
		return
	}
	p.Unsent += w.Unsent
	for _, c := range w.Cells {
		p.Requests += c.Requests
		p.WireResets += c.WireResets
		if c.Fault.Failure() {
			p.Failures += c.Requests
		}
		if c.Fault.Local() {
			p.LocalFaults += c.Attempts
		}
	}
	keep := max(int(time.Second/l.cfg.Interval), 1)
	recent := append(l.recent[w.Target], w)
	l.recent[w.Target] = recent[max(len(recent)-keep, 0):]
}

func (l *live) lastSecond() (achieved float64, p99 time.Duration) {
	var sent uint64
	var latency attack.Histogram
	windows := 0
	for _, target := range l.recent {
		windows = max(windows, len(target))
		for _, w := range target {
			sent += w.Sent
			latency = latency.Merge(w.FromDue)
		}
	}
	if windows == 0 {
		return 0, 0
	}
	if us, ok := latency.Quantile(0.99); ok {
		p99 = time.Duration(us) * time.Microsecond
	}
	return float64(sent) / (time.Duration(windows) * l.cfg.Interval).Seconds(), p99
}

// lastUse is the latest use of a resource and the round that brought it.
type lastUse struct {
	Fullness
	round int
}

// forgetAfter is for how many of its source's readings a resource may be missing
// before it is forgotten: a process that has ended is not full, and its like may
// come by the thousand.
const forgetAfter = 20

// samples takes all that one source has read at one time.
func (l *live) samples(ss []probe.Sample) {
	var limited []probe.Reading
	for _, s := range ss {
		if s.Limit > 0 { // NaN: no limit
			limited = append(limited, s.Reading)
		}
	}
	l.readings(limited)
}

// readings keeps the latest use of every limited resource. Each call brings all
// that one source has read.
func (l *live) readings(rs []probe.Reading) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rounds++
	if old := forgetAfter * max(len(l.cfg.Samplers), 1); l.rounds%old == 0 {
		maps.DeleteFunc(l.fullest, func(_ probe.Metric, u lastUse) bool { return u.round <= l.rounds-old })
	}
	for _, r := range rs {
		if !(r.Limit > 0) { // NaN: no limit
			continue
		}
		if def, ok := r.Metric.Def(); ok && (def.Kind == probe.HardLimit || def.Kind == probe.Utilisation) {
			l.fullest[r.Metric] = lastUse{Fullness{r.Metric, r.Value, r.Limit}, l.rounds}
		}
	}
}

// inFlight returns the requests in flight at the end of the last window.
func (l *live) inFlight() int64 {
	var n int64
	for _, windows := range l.recent {
		if len(windows) > 0 {
			n += windows[len(windows)-1].InFlight
		}
	}
	return n
}

// portsInUse returns the share of this machine's ports in use, 0 if nobody looks.
func (l *live) portsInUse() float64 {
	most := 0.0
	for m, f := range l.fullest {
		if m.Name == probe.EphemeralPorts && m.Host == profiles.LocalHost {
			most = max(most, f.Share())
		}
	}
	return most
}

func (l *live) fullestFirst() []Fullness {
	out := make([]Fullness, 0, len(l.fullest))
	for _, f := range l.fullest {
		if probe.Tells(f.Metric.Name, f.Share()) {
			out = append(out, f.Fullness)
		}
	}
	slices.SortFunc(out, func(a, b Fullness) int {
		return cmp.Or(cmp.Compare(b.Share(), a.Share()),
			cmp.Compare(a.Metric.Name, b.Metric.Name), cmp.Compare(a.Metric.PID, b.Metric.PID))
	})
	return out[:min(len(out), 4)]
}

func (l *live) aborted() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.struck
}
