package runlog

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

// ErrOtherRun says that run logs are of different runs and cannot be merged.
var ErrOtherRun = errors.New("of another run")

// Coordinator is the host name of a machine that leads a run and sends no load
// itself, where others do.
const Coordinator = "coordinator"

// Merge returns one log of what several machines recorded of a run, on the clock of
// the first that is not a worker's or an agent's. It changes none of them, and
// depends on nothing else.
//
//   - Windows of workers are added up by their index: the workers began at one
//     agreed time, and what their clocks differ is in the error of their times only.
//   - What was due of the slice of a lost worker, until another one took it over, is
//     scheduled and unsent.
//   - Times of samples, events and failures are converted by the comparisons of the
//     clocks that the logs hold, else by the wall clocks of their headers, which are
//     then of unknown error.
//   - Where load was sent by workers, "local" is all of them: the series of each
//     carries its name as instance. The machine of the coordinator is "coordinator".
//
// The errors match ErrOtherRun.
func Merge(logs ...*Log) (*Log, error) {
	if len(logs) == 0 {
		return nil, errors.New("merge run logs: there are none")
	}
	main, parts := split(logs)
	if len(parts) == 0 {
		return main, nil
	}
	m := merger{out: *main, index: map[probe.Metric]int{}, addresses: map[attack.Address]uint16{}}
	if err := m.check(main, parts); err != nil {
		return nil, err
	}
	m.begin(main, parts)
	clocks := make([]ClockModel, len(parts))
	for i, p := range parts {
		clocks[i] = clockOf(main, p)
		m.add(i+1, p, clocks[i])
	}
	for _, t := range main.Takeovers {
		m.addTakeover(t, parts)
	}
	m.finish(main, parts)
	for i, p := range parts {
		m.tellClock(p, clocks[i])
	}
	return &m.out, nil
}

// split tells the log that leads from the others, with the parts of all.
func split(logs []*Log) (main *Log, parts []*Log) {
	lead := slices.IndexFunc(logs, func(l *Log) bool {
		return l.Header.Role != RoleWorker && l.Header.Role != RoleAgent
	})
	for i, l := range logs {
		if i != lead {
			parts = append(parts, l)
		}
		parts = append(parts, l.Parts...)
	}
	switch {
	case lead >= 0:
		return logs[lead], parts
	case len(logs) == 1:
		return logs[0], logs[0].Parts
	}
	// Workers without their coordinator: what one knows of the plan, they all know.
	first := *logs[0]
	for _, l := range logs {
		if l.Header.Role == RoleWorker {
			first = *l
			break
		}
	}
	led := &Log{Header: first.Header, Windows: make([][]attack.Window, len(first.Header.Targets)), Truncated: first.Truncated}
	led.Header.Role, led.Header.Member = RoleCoordinator, ""
	led.Header.Hosts = slices.DeleteFunc(slices.Clone(led.Header.Hosts), func(h Host) bool { return h.Name == profiles.LocalHost })
	return led, parts
}

// clockOf returns how the clock of a part runs against the run's.
func clockOf(main, part *Log) ClockModel {
	var readings []ClockReading
	for _, r := range main.Clocks {
		if r.Member == part.Header.Member {
			readings = append(readings, r)
		}
	}
	if model := EstimateClock(ofStart(readings, part)); model.Known() {
		return model
	}
	return ClockModel{Offset: main.Header.Started.Sub(part.Header.Started)}
}

type merger struct {
	out       Log
	index     map[probe.Metric]int // of a series
	addresses map[attack.Address]uint16
	windows   []map[int32]attack.Window // by target
}

func (m *merger) check(main *Log, parts []*Log) error {
	for _, p := range parts {
		// What watches only may have been started by itself.
		if p.Header.Role == RoleAgent {
			continue
		}
		if p.Header.RunID != main.Header.RunID {
			return fmt.Errorf("merge run logs: %s (run %s) is %w than %s (run %s): name the logs of one run",
				name(p), p.Header.RunID, ErrOtherRun, name(main), main.Header.RunID)
		}
		same := slices.EqualFunc(p.Header.Targets, main.Header.Targets, func(a, b Target) bool { return a.Name == b.Name })
		if !same || p.Header.Interval != main.Header.Interval {
			return fmt.Errorf("merge run logs: %s has other targets or windows than %s: it is %w", name(p), name(main), ErrOtherRun)
		}
	}
	return nil
}

func name(l *Log) string {
	if l.Header.Member != "" {
		return fmt.Sprintf("%s %s", l.Header.Role, l.Header.Member)
	}
	return l.Header.Name
}

func sendsNone(l *Log) bool { return l.Header.Role == RoleCoordinator }

// begin takes over what the leading log recorded itself.
func (m *merger) begin(main *Log, parts []*Log) {
	m.out.Parts = parts
	m.out.Header.Hosts = slices.Clone(main.Header.Hosts)
	m.out.Addresses, m.out.Failures, m.out.Series, m.out.Events = nil, nil, nil, nil
	m.windows = make([]map[int32]attack.Window, len(main.Header.Targets))
	for i := range m.windows {
		m.windows[i] = map[int32]attack.Window{}
	}
	own := *main
	if sendsNone(main) {
		zero := time.Duration(0)
		for i, h := range m.out.Header.Hosts {
			if h.Name == profiles.LocalHost {
				m.out.Header.Hosts[i].Name, m.out.Header.Hosts[i].ClockError = Coordinator, &zero
			}
			if h.SameAs == profiles.LocalHost {
				m.out.Header.Hosts[i].SameAs = Coordinator
				m.out.Header.Hosts[i].ClockError = &zero
			}
		}
	}
	m.add(0, &own, ClockModel{})
}

// renamed returns the host of a record in the merged log.
func renamed(role Role, host string) string {
	if role == RoleCoordinator && host == profiles.LocalHost {
		return Coordinator
	}
	return host
}

// add adds the records of one machine, the number-th; the leading log's is 0.
func (m *merger) add(number int, l *Log, clock ClockModel) {
	remote := m.addAddresses(l)
	for _, windows := range l.Windows {
		for _, w := range windows {
			m.addWindow(w, remote)
		}
	}
	for _, f := range l.Failures {
		f.Due, f.Start, f.End = clock.ToRun(f.Due), clock.ToRun(f.Start), clock.ToRun(f.End)
		if f.Conn.ID != 0 {
			f.Conn.ID |= uint64(number) << 48 // a machine does not open 2⁴⁸ connections
		}
		f.Conn.RemoteIndex = remote[f.Target][f.Conn.RemoteIndex]
		m.out.Failures = append(m.out.Failures, f)
	}
	for _, s := range l.Series {
		m.addSeries(l.Header, s, clock)
	}
	for _, e := range l.Events {
		e.At = clock.ToRun(e.At)
		e.Host = renamed(l.Header.Role, e.Host)
		e.Source.Host = renamed(l.Header.Role, e.Source.Host)
		m.out.Events = append(m.out.Events, e)
	}
	if number > 0 {
		m.addHosts(l.Header, clock)
	}
}

// addAddresses numbers the addresses of a machine's targets as in the merged log.
// The answer is by target and by the machine's own index.
func (m *merger) addAddresses(l *Log) []map[uint16]uint16 {
	remote := make([]map[uint16]uint16, len(m.out.Header.Targets))
	for i := range remote {
		remote[i] = map[uint16]uint16{}
	}
	for _, a := range l.Addresses {
		if int(a.Target) >= len(remote) {
			continue
		}
		key := attack.Address{Target: a.Target, Addr: a.Addr}
		index, known := m.addresses[key]
		if !known {
			index = 1
			for k := range m.addresses {
				if k.Target == a.Target {
					index++
				}
			}
			m.addresses[key] = index
			m.out.Addresses = append(m.out.Addresses, attack.Address{Target: a.Target, Index: index, Addr: a.Addr})
		}
		remote[a.Target][a.Index] = index
	}
	return remote
}

func (m *merger) addWindow(w attack.Window, remote []map[uint16]uint16) {
	w.Cells = slices.Clone(w.Cells)
	for i := range w.Cells {
		w.Cells[i].Remote = remote[w.Target][w.Cells[i].Remote]
	}
	if before, both := m.windows[w.Target][w.Index]; both {
		w = before.Merge(w)
	}
	m.windows[w.Target][w.Index] = w
}

// addTakeover counts what was due of a lost worker's slice until it was taken over,
// less what the lost one's own record counts: it may have gone on, or come late.
func (m *merger) addTakeover(t Takeover, parts []*Log) {
	for i, due := range t.Due {
		index := t.From + int32(i)
		for target, n := range due {
			if target >= len(m.windows) {
				break
			}
			known := uint64(0)
			for _, p := range parts {
				if p.Header.Role != RoleWorker || p.Header.Member != t.Member || p.Header.Slice != t.Slice || target >= len(p.Windows) {
					continue
				}
				for _, w := range p.Windows[target] {
					if w.Index == index {
						known += w.Scheduled
					}
				}
			}
			if n > known {
				m.addWindow(attack.Window{Target: uint16(target), Index: index, Scheduled: n - known, Unsent: n - known}, nil)
			}
		}
	}
	m.addBacklog(t, parts)
	m.out.Events = append(m.out.Events, probe.Event{
		Kind: probe.Gap, At: time.Duration(t.From) * m.out.Header.Interval, Host: profiles.LocalHost,
		Source: probe.Source{Host: t.Member, Name: string(RoleWorker)}, Value: (time.Duration(t.Until-t.From) * m.out.Header.Interval).Seconds(),
	})
}

// addBacklog counts as unsent what a lost worker had counted as due, and was to send in
// a window that did not come.
func (m *merger) addBacklog(t Takeover, parts []*Log) {
	for target := range m.windows {
		var due, done uint64
		for _, p := range parts {
			if p.Header.Role != RoleWorker || p.Header.Member != t.Member || p.Header.Slice != t.Slice || target >= len(p.Windows) {
				continue
			}
			for _, w := range p.Windows[target] {
				due, done = due+w.Scheduled, done+w.Sent+w.Unsent
			}
		}
		if due > done {
			m.addWindow(attack.Window{Target: uint16(target), Index: t.From, Unsent: due - done}, nil)
		}
	}
}

// addSeries adds the samples of a metric. The same metric in two logs, as of a host
// whose agent was started again, is one series.
func (m *merger) addSeries(h Header, s Series, clock ClockModel) {
	s.Metric.Host = renamed(h.Role, s.Metric.Host)
	if h.Role == RoleWorker && s.Metric.Host == profiles.LocalHost {
		s.Metric.Instance = instanceOf(s.Metric.Instance, h.Member)
	}
	at := make([]time.Duration, len(s.At))
	for i, t := range s.At {
		at[i] = clock.ToRun(t)
	}
	i, known := m.index[s.Metric]
	if !known {
		m.index[s.Metric] = len(m.out.Series)
		m.out.Series = append(m.out.Series, Series{Metric: s.Metric, At: at, Value: slices.Clone(s.Value), Limit: slices.Clone(s.Limit)})
		return
	}
	both := &m.out.Series[i]
	both.At, both.Value, both.Limit = append(both.At, at...), append(both.Value, s.Value...), append(both.Limit, s.Limit...)
}

func instanceOf(instance, member string) string {
	if instance == "" {
		return member
	}
	return instance + " of " + member
}

// addHosts adds the hosts of a part, or what it knows of those that are named
// already.
func (m *merger) addHosts(h Header, clock ClockModel) {
	for _, host := range h.Hosts {
		if clock.Known() {
			e := clock.Error
			host.ClockError = &e
		}
		host.Generator = h.Role == RoleWorker && host.Name == profiles.LocalHost
		i := slices.IndexFunc(m.out.Header.Hosts, func(o Host) bool { return o.Name == host.Name })
		if i < 0 {
			m.out.Header.Hosts = append(m.out.Header.Hosts, host)
			continue
		}
		known := &m.out.Header.Hosts[i]
		for _, a := range host.Addrs {
			if !slices.Contains(known.Addrs, a) {
				known.Addrs = append(slices.Clone(known.Addrs), a)
			}
		}
		known.Generator = known.Generator || host.Generator
		if host.ClockError != nil && (known.ClockError == nil || *host.ClockError > *known.ClockError) {
			known.ClockError = host.ClockError
		}
	}
}

// finish puts everything in order and adds up the ends.
func (m *merger) finish(main *Log, parts []*Log) {
	m.out.Windows = make([][]attack.Window, len(m.windows))
	for target, byIndex := range m.windows {
		for _, index := range slices.Sorted(maps.Keys(byIndex)) {
			m.out.Windows[target] = append(m.out.Windows[target], byIndex[index])
		}
	}
	for i := range m.out.Series {
		m.out.Series[i].sort()
	}
	m.out.sort()
	m.out.Trailer = mergeTrailers(main, parts)
	for _, p := range parts {
		m.out.Truncated = m.out.Truncated || p.Truncated && p.Header.Role == RoleWorker && main.Trailer == nil
	}
}

// sort puts the samples in order of time: those of a machine that was away for a
// while come late.
func (s *Series) sort() {
	if slices.IsSorted(s.At) {
		return
	}
	order := make([]int, len(s.At))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(s.At[a] - s.At[b]) })
	sorted := Series{Metric: s.Metric}
	for _, i := range order {
		sorted.At = append(sorted.At, s.At[i])
		sorted.Value = append(sorted.Value, s.Value[i])
		sorted.Limit = append(sorted.Limit, s.Limit[i])
	}
	*s = sorted
}

// mergeTrailers returns the leading log's trailer with the sources of all. Without a
// leading machine the run has ended when every worker has said so.
func mergeTrailers(main *Log, parts []*Log) *Trailer {
	var out Trailer
	switch {
	case main.Trailer != nil:
		out = *main.Trailer
		out.Sources = slices.Clone(out.Sources)
		for i := range out.Sources {
			out.Sources[i].Source.Host = renamed(main.Header.Role, out.Sources[i].Source.Host)
		}
	case slices.ContainsFunc(parts, func(p *Log) bool { return p.Header.Role == RoleWorker && p.Trailer == nil }) ||
		!slices.ContainsFunc(parts, func(p *Log) bool { return p.Header.Role == RoleWorker }):
		return nil
	}
	for _, p := range parts {
		if p.Trailer == nil {
			if cut := cutShort(p); !told(main, cut.Source) {
				out.Sources = append(out.Sources, cut)
			}
			continue
		}
		if main.Trailer == nil && p.Header.Role == RoleWorker {
			out.Ended = max(out.Ended, p.Trailer.Ended)
			out.Interrupted = out.Interrupted || p.Trailer.Interrupted
			if out.Aborted == "" {
				out.Aborted = p.Trailer.Aborted
			}
			if out.Error == "" {
				out.Error = p.Trailer.Error
			}
		}
		for _, s := range p.Trailer.Sources {
			if p.Header.Role == RoleWorker && s.Source.Host == profiles.LocalHost {
				s.Source.Name = instanceOf(s.Source.Name, p.Header.Member)
			}
			out.Sources = append(out.Sources, s)
		}
	}
	return &out
}

// tellClock says of the connection to a part how well its clock is known.
func (m *merger) tellClock(p *Log, clock ClockModel) {
	if m.out.Trailer == nil || p.Header.Role == RoleWorker {
		return
	}
	text := "its clock was not compared with the run's"
	if clock.Known() {
		text = fmt.Sprintf("its times are right within %s", clock.Error.Round(10*time.Microsecond))
	}
	for i := range m.out.Trailer.Sources {
		s := &m.out.Trailer.Sources[i]
		if s.Source == (probe.Source{Host: p.Header.Member, Name: string(p.Header.Role)}) && s.Reason == "" {
			s.Reason = text
		}
	}
}

// told reports whether who led a run says itself what a source lacks.
func told(main *Log, s probe.Source) bool {
	return main.Trailer != nil && slices.ContainsFunc(main.Trailer.Sources, func(o probe.Status) bool { return o.Source == s && o.State != probe.Measured })
}

// cutShort says of a part without an end that it has none.
func cutShort(p *Log) probe.Status {
	last := time.Duration(math.MinInt64)
	for _, s := range p.Series {
		if n := len(s.At); n > 0 {
			last = max(last, s.At[n-1])
		}
	}
	for _, windows := range p.Windows {
		if n := len(windows); n > 0 {
			last = max(last, time.Duration(windows[n-1].Index+1)*p.Header.Interval)
		}
	}
	status := probe.Status{
		Source: probe.Source{Host: p.Header.Member, Name: string(p.Header.Role)},
		State:  probe.Partial, Reason: "its record has no end: the connection to it was lost, or it ended early",
	}
	if last == math.MinInt64 {
		status.State = probe.NotMeasured
		status.Reason = "nothing of its record arrived"
	}
	return status
}
