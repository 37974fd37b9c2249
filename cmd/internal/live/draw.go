package live

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/rampload/rampload/report/format"
)

const (
	leastWidth = 40
	twoColumns = 116 // from which on the lists stand side by side
)

// Frame draws the run for a screen of so many columns and lines. It is as wide as the
// screen at most, from 40 columns on, and as tall.
func Frame(s State, width, height int) string {
	width = max(width, leastWidth)
	lines := []line{s.title(width)}
	lines = append(lines, s.subtitle(width))
	keys := s.keys(width)
	room := height - len(lines) - 1 - len(s.numbers(width))
	rows := min(max(room-14, 2), 16)
	if room < 8 {
		rows = 0
	}
	if rows > 0 {
		lines = append(lines, s.chart(width, rows)...)
	}
	lines = append(lines, s.numbers(width)...)
	lines = append(lines, s.lists(width, height-len(lines)-1)...)
	for len(lines) < height-1 {
		lines = append(lines, nil)
	}
	lines = append(lines[:max(height-1, 0)], keys)
	var b strings.Builder
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(l.clip(width).String())
	}
	return b.String()
}

// title says which run it is and how far it has come.
func (s State) title(width int) line {
	left := line{{"rampload ", faint}, {oneLine(s.Name), bold}}
	var right line
	switch end, known := s.end(); {
	case !s.Begun:
		right = text("the load begins in a moment")
	case s.Held:
		right = line{{"HELD ", unsure}, {clock(s.Now.At), plain}}
	case s.Now.Search != "":
		right = text(clock(s.Now.At))
	case known && s.Now.At >= end:
		right = text("waiting for the last answers, " + clock(s.Now.At))
	case known:
		right = text(fmt.Sprintf("%s of %s", clock(s.Now.At), clock(end)))
	default:
		right = text(clock(s.Now.At))
	}
	if s.Factor != 1 {
		right = append(line{{fmt.Sprintf("x%s ", format.Fine(s.Factor)), unsure}}, right...)
	}
	if gap := width - left.width() - right.width(); gap >= 1 {
		return append(left.pad(left.width()+gap), right...)
	}
	return left.clip(max(8, width-right.width()-1)).pad(max(8, width-right.width()-1) + 1).joined(right).clip(width)
}

// subtitle says which stage it is.
func (s State) subtitle(int) line {
	if s.Now.Search != "" {
		return line{{s.Now.Search, faint}}
	}
	all := s.stages()
	for i, st := range all {
		if s.Now.At < st.End {
			return line{{fmt.Sprintf("stage %d of %d: %s", i+1, len(all), st.Text), faint}}
		}
	}
	return nil
}

// bars are the heights of a cell, in eighths.
var bars = []rune(" ▁▂▃▄▅▆▇█")

// chart draws the load against the plan over the whole run: bars are what was sent,
// those with failures in red, dots the plan.
func (s State) chart(width, rows int) []line {
	const axis = 8
	columns := width - axis
	over := s.Now.At
	if end, known := s.end(); known {
		over = max(over, end)
	}
	if over <= 0 {
		over = time.Second
	}
	over = max(over, 10*time.Second)
	sent := make([]float64, columns)
	planned := make([]float64, columns)
	failed := make([]bool, columns)
	counts := make([]int, columns)
	at := func(t time.Duration) int {
		return min(max(int(float64(columns)*float64(t)/float64(over)), 0), columns-1)
	}
	for _, p := range s.Course {
		c := at(p.At - 1)
		sent[c] += p.Achieved
		counts[c]++
		failed[c] = failed[c] || p.Failed > 0 || p.Resets > 0
	}
	top := 0.0
	for c := range sent {
		if counts[c] > 0 {
			sent[c] /= float64(counts[c])
		} else if c > 0 && c <= at(s.Now.At) { // less than a window wide
			sent[c] = sent[c-1]
		}
		planned[c] = rateAt(s.stages(), time.Duration((float64(c)+0.5)/float64(columns)*float64(over)))
		top = max(top, sent[c], planned[c])
	}
	if top == 0 {
		top = 1
	}
	out := make([]line, rows)
	for r := range rows {
		row := rows - 1 - r // from below
		label := strings.Repeat(" ", axis)
		switch r {
		case 0:
			label = fmt.Sprintf("%*s ", axis-1, format.Rate(math.Round(top)))
		case rows - 1:
			label = fmt.Sprintf("%*s ", axis-1, "0")
		}
		l := line{{label, faint}}
		for c := range columns {
			fill := sent[c]/top*float64(rows) - float64(row)
			cell, how := bars[int(math.Round(8*min(max(fill, 0), 1)))], plain
			if failed[c] {
				how = bad
			}
			if level := planned[c] / top * float64(rows); cell == ' ' && planned[c] > 0 && int(min(level, float64(rows)-0.01)) == row {
				cell, how = '·', faint
			}
			l = l.add(string(cell), how)
		}
		out[r] = l
	}
	return out
}

// rateAt is the planned load at a time.
func rateAt(stages []Stage, at time.Duration) float64 {
	for _, st := range stages {
		if at < st.End {
			if st.End <= st.Start {
				return st.From
			}
			return st.From + (st.To-st.From)*float64(at-st.Start)/float64(st.End-st.Start)
		}
	}
	return 0
}

// numbers are the lines below the chart.
func (s State) numbers(width int) []line {
	p := s.Now
	load := line{{"load      ", faint}, {format.Rate(p.Achieved), plain}}
	if p.Offered > 0 {
		how := plain
		if p.Achieved < 0.98*p.Offered {
			how = unsure
		}
		load = append(load, span{" of " + format.Rate(p.Offered), how})
	}
	load = append(load, span{fmt.Sprintf("  %s requests", format.Count(p.Requests)), faint})
	if p.Unsent > 0 {
		load = append(load, span{fmt.Sprintf("  %s unsent", format.Count(p.Unsent)), unsure})
	}
	if p.LocalFaults > 0 {
		load = append(load, span{fmt.Sprintf("  %s failed on this machine", format.Count(p.LocalFaults)), unsure})
	}
	faults := line{{"faults    ", faint}}
	if p.Failures == 0 && p.WireResets == 0 && len(s.Faults) == 0 {
		faults = append(faults, span{"none", good})
	} else {
		faults = append(faults, span{fmt.Sprintf("%s requests failed", format.Count(p.Failures)), bad})
		for _, f := range s.Faults {
			faults = append(faults, span{fmt.Sprintf("  %s %s", f.Fault, format.Count(f.Count)), bad})
		}
	}
	latency := line{{"latency   ", faint}}
	if n := len(s.Course); n > 0 && p.P99 > 0 {
		latency = append(latency, span{fmt.Sprintf("p50 %s  p99 %s", short(s.Course[n-1].P50), short(p.P99)), plain})
		if left := width - latency.width() - 2; left >= 20 {
			latency = append(latency, span{"  " + s.tail(min(left, 60)), faint})
		}
	} else {
		latency = append(latency, span{"no answer in the last second", plain})
	}
	return []line{load, faults, latency}
}

// tail draws p99 over the last points, on a logarithmic scale.
func (s State) tail(columns int) string {
	course := s.Course[max(0, len(s.Course)-columns):]
	low, high := math.Inf(1), 0.0
	for _, p := range course {
		if v := float64(p.P99); v > 0 {
			low, high = min(low, v), max(high, v)
		}
	}
	var b strings.Builder
	for _, p := range course {
		v := float64(p.P99)
		switch {
		case v <= 0:
			b.WriteRune(' ')
		case high < 1.5*low:
			b.WriteRune(bars[2])
		default:
			b.WriteRune(bars[1+int(math.Round(7*math.Log(v/low)/math.Log(high/low)))])
		}
	}
	return b.String()
}

func short(d time.Duration) string {
	if d <= 0 {
		return "-"
	}
	return format.Seconds(d.Seconds())
}

// keys says what can be pressed.
func (s State) keys(width int) line {
	if !s.Steered {
		if width < 60 || s.Unsteered == "" {
			return line{{"q stop", faint}}
		}
		return line{{"q stop   (no other keys: " + s.Unsteered + ")", faint}}
	}
	hold := "h hold"
	if s.Held {
		hold = "h go on"
	}
	if width < 60 {
		return line{{hold + "  s skip  +/- scale  q stop", faint}}
	}
	return line{{hold + "   s skip the stage   + - scale by 10%   q stop", faint}}
}
