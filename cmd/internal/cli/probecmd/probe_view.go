package probecmd

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rampload/rampload/cmd/internal/watch"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/render/layout"

	"github.com/mattn/go-runewidth"

	"github.com/rampload/rampload/probe"
)

// lastEvents is how many resets the live table keeps.
const lastEvents = 12

// probeView is what the live table shows: the newest reading of every metric and
// the last events. Its methods may be called from several goroutines.
type probeView struct {
	mu      sync.Mutex
	rows    map[probe.Metric]*probeRow
	events  []probe.Event // newest last
	sources map[probe.Source]string
}

// probeRow is one metric: its newest value, and the one before for rates.
type probeRow struct {
	at, before      time.Duration
	value, previous float64
	limit, peak     float64
	readings        int
}

func newProbeView() *probeView {
	return &probeView{rows: map[probe.Metric]*probeRow{}, sources: map[probe.Source]string{}}
}

func (v *probeView) readings(source probe.Source, samples []probe.Sample, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sources[source] = ""
	if err != nil {
		v.sources[source] = layout.Clean(err.Error())
	}
	latest := time.Duration(math.MinInt64)
	for _, r := range samples {
		latest = max(latest, r.At)
		r.Metric.Process, r.Metric.Instance = layout.Clean(r.Metric.Process), layout.Clean(r.Metric.Instance) // a process names itself
		row := v.rows[r.Metric]
		if row == nil {
			row = &probeRow{}
			v.rows[r.Metric] = row
		}
		row.before, row.previous = row.at, row.value
		row.at, row.value, row.limit = r.At, r.Value, r.Limit
		row.peak = max(row.peak, r.Value)
		row.readings++
	}
	// A process that ended must not linger as if it were there.
	for m, row := range v.rows {
		if m.PID != 0 && m.Host == source.Host && len(samples) > 0 && latest-row.at > 5*time.Second {
			delete(v.rows, m)
		}
	}
}

func (v *probeView) event(e probe.Event) {
	switch e.Kind {
	case probe.RSTSent, probe.OOMKill, probe.ProcessStart, probe.ProcessExit:
	default:
		return // received and captured RSTs repeat what was sent; the rest is noise here
	}
	for _, s := range []*string{&e.Process, &e.Comm, &e.Reason, &e.State} {
		*s = layout.Clean(*s)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.events = append(v.events, e)
	v.events = v.events[max(len(v.events)-lastEvents, 0):]
}

func (v *probeView) missing(source probe.Source, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sources[source] = layout.Clean(err.Error())
}

// perSecond returns the rate of a cumulative metric; NaN before two readings.
func (r *probeRow) perSecond() float64 {
	if r.readings < 2 || r.at <= r.before {
		return math.NaN()
	}
	delta, _ := probe.Delta(r.previous, r.value)
	return delta / (r.at - r.before).Seconds()
}

func (v *probeView) sorted(keep func(probe.Definition, *probeRow) bool, order func(a, b *probeRow) int) []probe.Metric {
	var out []probe.Metric
	for m, row := range v.rows {
		if def, ok := m.Def(); ok && keep(def, row) {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b probe.Metric) int {
		return cmp.Or(order(v.rows[a], v.rows[b]), cmp.Compare(a.Process, b.Process), cmp.Compare(a.PID, b.PID),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.Instance, b.Instance))
	})
	return out
}

func (v *probeView) limited() []probe.Metric {
	return v.sorted(
		func(d probe.Definition, r *probeRow) bool {
			return (d.Kind == probe.HardLimit || d.Kind == probe.Utilisation) && r.limit > 0
		},
		func(a, b *probeRow) int { return cmp.Compare(b.value/b.limit, a.value/a.limit) })
}

func (v *probeView) counters() []probe.Metric {
	return v.sorted(
		func(d probe.Definition, _ *probeRow) bool { return d.Kind == probe.Counter || d.Kind == probe.Symptom },
		func(a, b *probeRow) int { return 0 })
}

// screen draws at most height lines of the given width.
func (v *probeView) screen(width, height int, colour bool) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var lines []string
	add := func(format string, args ...any) {
		lines = append(lines, runewidth.Truncate(fmt.Sprintf(format, args...), width, "…"))
	}
	bold := func(s string) string { return s }
	if colour {
		bold = func(s string) string { return "\x1b[1m" + s + "\x1b[0m" }
	}
	head := func(format string, args ...any) {
		lines = append(lines, bold(runewidth.Truncate(fmt.Sprintf(format, args...), width, "…")))
	}

	bottom := v.bottom(width)
	room := max(height-len(bottom)-2, 5)
	limited := v.limited()
	used := slices.IndexFunc(limited, func(m probe.Metric) bool { return v.rows[m].value < 0.005*v.rows[m].limit })
	if used < 0 {
		used = len(limited)
	}
	shown := limited[:min(used, room)]
	who := 0
	for _, m := range shown {
		who = max(who, runewidth.StringWidth(watch.MetricOwner(m)))
	}
	who, numbers := min(max(who, len("WHERE")), 24), 13
	if width < 75 { // narrow: the share must stay in sight
		who, numbers = min(who, max(width-44, 8)), 9
	}
	bar := max(width-(16+1+who+1+numbers+1+numbers+1+5+1), 0)
	head("%-16s %-*s %*s %*s %5s", "RESOURCE", who, "WHERE", numbers, "USE", numbers, "LIMIT", "FULL")
	for _, m := range shown {
		row := v.rows[m]
		def, _ := m.Def()
		share := row.value / row.limit
		line := fmt.Sprintf("%-16s %s %*s %*s %4.0f%% %s", m.Name,
			runewidth.FillRight(runewidth.Truncate(watch.MetricOwner(m), who, "…"), who),
			numbers, format.Amount(row.value, def.Unit), numbers, format.Amount(row.limit, def.Unit),
			100*share, gauge(share, min(bar, 30)))
		line = strings.TrimRight(runewidth.Truncate(line, width, "…"), " ")
		switch {
		case colour && share >= 0.98:
			line = "\x1b[31m" + line + "\x1b[0m"
		case colour && share >= 0.8:
			line = "\x1b[33m" + line + "\x1b[0m"
		}
		lines = append(lines, line)
	}
	if n := len(limited) - len(shown); n > 0 {
		add("and %d more, less full", n)
	}
	lines = append(lines, bottom...)
	if len(lines) > height {
		lines = lines[:height]
	}
	return strings.Join(lines, "\n") + "\n"
}

// sentences tells everything in lines that can be read aloud, none of them cut.
func (v *probeView) sentences() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out strings.Builder
	for _, m := range v.limited() {
		row := v.rows[m]
		def, _ := m.Def()
		fmt.Fprintf(&out, "%s of %s: %s of %s, %.0f%% full\n", m.Name, cmp.Or(watch.MetricOwner(m), "this machine"),
			format.Amount(row.value, def.Unit), format.Amount(row.limit, def.Unit), 100*row.value/row.limit)
	}
	for _, line := range v.bottom(math.MaxInt32) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			fmt.Fprintln(&out, line)
		}
	}
	return out.String()
}

// bottom is what stands below the limits: counters that move, resets, and what
// could not be measured.
func (v *probeView) bottom(width int) []string {
	lines := []string{""}
	add := func(format string, args ...any) {
		lines = append(lines, runewidth.Truncate(fmt.Sprintf(format, args...), width, "…"))
	}
	for _, group := range []struct {
		title   string
		always  bool // also where none moves: that is an answer
		belongs func(probe.Definition) bool
	}{
		{"LIMITS HIT", true, func(d probe.Definition) bool { return d.Kind == probe.Counter && d.Unit != timeLost }},
		{"TIME LOST", false, func(d probe.Definition) bool { return d.Kind == probe.Counter && d.Unit == timeLost }},
		{"SYMPTOMS", true, func(d probe.Definition) bool { return d.Kind == probe.Symptom }},
	} {
		if moving := v.moving(group.belongs); len(moving) > 0 || group.always {
			lines = append(lines, wrapped(group.title, moving, width)...)
		}
	}
	v.requests(width, add, add)
	if len(v.events) > 0 {
		lines = append(lines, "")
		add("LAST RESETS AND PROCESS EVENTS")
		for _, e := range slices.Backward(v.events) {
			add("%7s  %s", time.Duration(e.At).Round(100*time.Millisecond), eventText(e))
		}
	}
	for _, source := range slices.SortedFunc(maps.Keys(v.sources), func(a, b probe.Source) int { return cmp.Compare(a.Name, b.Name) }) {
		if reason := v.sources[source]; reason != "" {
			add("%s", reason)
		}
	}
	return lines
}

// timeLost is the unit of counters that count waiting, not events.
const timeLost = "µs"

// moving lists the counters of a group that grew between the last two readings.
func (v *probeView) moving(belongs func(probe.Definition) bool) []string {
	var out []string
	for _, m := range v.counters() {
		def, _ := m.Def()
		if !belongs(def) {
			continue
		}
		rate := v.rows[m].perSecond()
		if !(rate > 0) {
			continue
		}
		text := m.Name
		if owner := watch.MetricOwner(m); owner != "" {
			text += " " + owner
		}
		if def.Unit == timeLost { // a share of the time that passed
			text += " " + format.Amount(rate/1e6, "share")
		} else {
			text += " " + format.Rate(rate)
		}
		out = append(out, text)
	}
	return out
}

// wrapped sets words below a title in lines of at most width columns.
func wrapped(title string, words []string, width int) []string {
	if len(words) == 0 {
		words = []string{"none"}
	}
	const indent = 12
	lines := []string{fmt.Sprintf("%-*s", indent, title)}
	for i, w := range words {
		last := &lines[len(lines)-1]
		if i > 0 && runewidth.StringWidth(*last)+3+runewidth.StringWidth(w) > width {
			lines = append(lines, strings.Repeat(" ", indent))
			last = &lines[len(lines)-1]
		} else if i > 0 {
			*last += "   "
		}
		*last += w
	}
	return lines
}

func eventText(e probe.Event) string {
	who := e.Process
	if who == "" {
		who = e.Comm
	}
	if e.PID != 0 {
		who += "[" + watch.PidText(e.PID) + "]"
	}
	var b strings.Builder
	b.WriteString(e.Kind.String())
	if e.Local.IsValid() {
		fmt.Fprintf(&b, " %s -> %s", e.Local, e.Remote)
	}
	for _, s := range []string{e.Reason, e.State, who} {
		if s != "" {
			b.WriteString("  " + s)
		}
	}
	return b.String()
}

// gauge draws a share as a bar.
func gauge(share float64, width int) string {
	if width < 3 {
		return ""
	}
	full := int(math.Round(min(max(share, 0), 1) * float64(width)))
	return strings.Repeat("█", full) + strings.Repeat("·", width-full)
}

func (v *probeView) json(now time.Time) probeJSON {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := probeJSON{Schema: 1, Time: now, Resources: []probeResource{}, Counters: []probeCounter{}, Events: []probeEvent{}, Sources: []probeSource{}}
	levels := v.sorted(func(d probe.Definition, _ *probeRow) bool {
		return d.Kind == probe.HardLimit || d.Kind == probe.Utilisation || d.Kind == probe.Gauge && !d.Cumulative
	}, func(a, b *probeRow) int { return 0 })
	for _, m := range levels {
		row := v.rows[m]
		def, _ := m.Def()
		out.Resources = append(out.Resources, probeResource{
			m.Host, m.Process, m.PID, m.Name, m.Instance, def.Unit,
			row.value, finite(row.limit), finite(row.value / row.limit),
		})
	}
	for _, m := range v.counters() {
		row := v.rows[m]
		def, _ := m.Def()
		out.Counters = append(out.Counters, probeCounter{
			m.Host, m.Process, m.Name, m.Instance, def.Unit, def.Kind.String(),
			row.value, finite(row.perSecond()),
		})
	}
	for _, e := range v.events {
		j := probeEvent{AtS: e.At.Seconds(), Kind: e.Kind.String(), Reason: e.Reason, State: e.State, Process: e.Process, PID: e.PID}
		if j.Process == "" {
			j.Process = e.Comm
		}
		if e.Local.IsValid() {
			j.Local, j.Remote = e.Local.String(), e.Remote.String()
		}
		out.Events = append(out.Events, j)
	}
	for source, reason := range v.sources {
		state := probe.Measured
		if reason != "" {
			state = probe.NotMeasured
		}
		out.Sources = append(out.Sources, probeSource{source.Host, source.Name, string(state), reason})
	}
	slices.SortFunc(out.Sources, func(a, b probeSource) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Source, b.Source))
	})
	return out
}
