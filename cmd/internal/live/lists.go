package live

import (
	"fmt"
	"math"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
)

// list is a titled list of lines, the most important first.
type list struct {
	title string
	lines []line
	want  int // of lines, where there is room
}

// lists lays the lists out: one below the other, or in two columns.
func (s State) lists(width, room int) []line {
	columns := width
	wide := width >= twoColumns
	if wide {
		columns = (width - 3) / 2
	}
	left := []list{s.fullest(columns), s.resets(columns)}
	right := []list{s.candidates(columns), s.notes()}
	if !wide {
		return fit([]list{left[0], right[0], left[1], right[1]}, room)
	}
	a, b := fit(left, room), fit(right, room)
	out := make([]line, max(len(a), len(b)))
	for i := range out {
		var l line
		if i < len(a) {
			l = a[i].clip(columns)
		}
		l = l.pad(columns + 3)
		if i < len(b) {
			l = l.joined(b[i].clip(columns))
		}
		out[i] = l
	}
	return out
}

// fit gives each list lines in turn, until there is no more room.
func fit(lists []list, room int) []line {
	shown := make([]int, len(lists))
	for more := true; more; {
		more = false
		for i, l := range lists {
			cost := 1
			if shown[i] == 0 {
				cost = 2 // its title
			}
			if shown[i] < min(len(l.lines), l.want) && cost <= room {
				shown[i]++
				room -= cost
				more = true
			}
		}
	}
	var out []line
	for i, l := range lists {
		if shown[i] > 0 {
			out = append(out, line{{l.title, bold}})
			out = append(out, l.lines[:shown[i]]...)
		}
	}
	return out
}

// fullest lists the resources that are nearest to their limits.
func (s State) fullest(width int) list {
	out := list{title: "FULLEST", want: 6}
	names := 0
	label := func(f int) string {
		m := s.Now.Fullest[f].Metric
		owner := report.Resource{Host: m.Host, Process: m.Process, PID: int(m.PID)}.Owner()
		if m.Process != "" && width < 100 { // the name tells most
			owner = m.Process
		}
		return oneLine(owner + " " + string(m.Name))
	}
	for i := range s.Now.Fullest {
		names = max(names, runewidth.StringWidth(label(i)))
	}
	names = min(names, max(16, width/2-8))
	bar := min(20, width-names-8)
	for i, f := range s.Now.Fullest {
		how := plain
		switch {
		case f.Share() >= 0.98:
			how = bad
		case f.Share() >= 0.8:
			how = unsure
		}
		l := line{{runewidth.FillRight(runewidth.Truncate(label(i), names, "…"), names) + " ", plain}}
		if bar >= 6 {
			n := min(int(math.Round(f.Share()*float64(bar))), bar)
			l = append(l, span{strings.Repeat("█", n), how}, span{strings.Repeat("░", bar-n), faint})
		}
		l = append(l, span{fmt.Sprintf(" %3.0f%%", 100*f.Share()), how})
		metric, _ := probe.Lookup(f.Metric.Name)
		amount := fmt.Sprintf("  %s of %s", format.Amount(f.Value, metric.Unit), format.Amount(f.Limit, metric.Unit))
		if f.Limit != 1 && l.width()+len(amount) < width {
			l = append(l, span{amount, faint})
		}
		out.lines = append(out.lines, l)
	}
	return out
}

// resets lists the last RSTs, with who sent them and why.
func (s State) resets(int) list {
	out := list{title: "LAST RESETS", want: 8}
	for _, r := range s.Resets {
		l := line{{clock(r.At) + "  ", faint}, {fmt.Sprintf("%6s  ", format.Count(r.Count)), bad}, {r.Who, plain}}
		if r.Why != "" {
			l = append(l, span{": " + r.Why, faint})
		}
		out.lines = append(out.lines, l)
	}
	return out
}

// candidates lists what the diagnosis thinks so far.
func (s State) candidates(width int) list {
	out := list{title: "SO FAR", want: 9}
	in := s.Interim
	if in == nil {
		if s.Begun {
			out.lines = []line{{{"looked at in a moment", faint}}}
		}
		return out
	}
	out.title = fmt.Sprintf("SO FAR, BY %s", clock(in.Upto))
	for _, l := range wrapped(in.Headline, width) {
		out.lines = append(out.lines, text(l))
	}
	for _, c := range in.Candidates {
		l := line{{fmt.Sprintf("%.2f ", c.Confidence), unsure}, {c.Cause, plain}}
		if c.Where != "" {
			l = append(l, span{" on " + c.Where, plain})
		}
		out.lines = append(out.lines, l)
		if c.Why != "" {
			for _, l := range wrapped(c.Why, width-5) {
				out.lines = append(out.lines, line{{"     " + l, faint}})
			}
		}
	}
	return out
}

func (s State) notes() list {
	out := list{title: "NOTES", want: 4}
	for i := len(s.Notes) - 1; i >= 0; i-- {
		out.lines = append(out.lines, text(s.Notes[i]))
	}
	return out
}
