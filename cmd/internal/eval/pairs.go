package eval

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/rampload/rampload/report/diagnose"
)

// Pair is one run of a scenario that was recorded in two ways, such as with its hosts
// watched as namespaces of this machine, and by agents.
type Pair struct {
	Case
	By     [2]Judgement
	Resets [2]uint64 // that the client counted
	Wanted [2]uint64 // that the injector counted, in each run
}

// Same reports whether both say the same: the cause, the host and what ran out there.
func (p Pair) Same() bool {
	a, b := p.By[0], p.By[1]
	return a.Cause == b.Cause && a.Host == b.Host && a.Resource == b.Resource && a.Verdict == b.Verdict
}

// Disturbed reports whether the machine was too busy in one of the two.
func (p Pair) Disturbed() bool { return p.By[0].Disturbed || p.By[1].Disturbed }

// Beside judges the runs that are in both lists, in order of name.
func Beside(one, other []Recorded) ([]Pair, error) {
	var out []Pair
	for _, a := range one {
		i := slices.IndexFunc(other, func(b Recorded) bool { return a.Name() == b.Name() })
		if i < 0 {
			continue
		}
		p := Pair{Case: a.Case}
		for k, r := range []Recorded{a, other[i]} {
			log, err := r.Log()
			if err != nil {
				return nil, err
			}
			p.By[k] = Judge(r.Case, log, diagnose.Analyze(log))
			p.Wanted[k] = r.Truth.Resets
			for _, windows := range log.Windows {
				for _, w := range windows {
					for _, c := range w.Cells {
						p.Resets[k] += c.WireResets
					}
				}
			}
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Pair) int { return cmp.Compare(a.Name(), b.Name()) })
	return out, nil
}

// WritePairs writes a row for each run, and how many say the same (Markdown).
func WritePairs(w io.Writer, pairs []Pair) error {
	same, right := 0, [2]int{}
	for _, p := range pairs {
		if p.Same() {
			same++
		}
		for k, j := range p.By {
			if j.Right {
				right[k]++
			}
		}
	}
	said := func(j Judgement) string {
		text := fmt.Sprintf("%s (%s, %.2f)", j.Cause, j.Verdict, j.Confidence)
		if j.Host != "" {
			text += " on " + j.Host
		}
		if !j.Right {
			text = "**" + text + "**"
		}
		return text
	}
	_, err := fmt.Fprintf(w, `%d of %d runs get the same verdict both ways: cause, host and what ran out. %d are right the
first way and %d the second. A verdict that is not right is bold; resets are those that the
client counted, of those that the injector did.

| run | first | second | same | resets | resets |
|---|---|---|---|---|---|
`, same, len(pairs), right[0], right[1])
	for _, p := range pairs {
		if err != nil {
			return fmt.Errorf("write rows: %w", err)
		}
		yes := "no"
		switch {
		case p.Same():
			yes = "yes"
		case p.Disturbed():
			yes = "busy"
		}
		_, err = fmt.Fprintf(w, "| %s | %s | %s | %s | %d of %d | %d of %d |\n", p.Name(), said(p.By[0]), said(p.By[1]), yes, p.Resets[0], p.Wanted[0], p.Resets[1], p.Wanted[1])
	}
	if err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	return nil
}
