package passage

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/format"
)

// Elsewhere asks whether packets of open connections went to a machine that did not
// know them: its listener reset them, while another machine had the same connection, and got
// a reset when it sent again what nobody waited for any more. An address moved, or what
// spreads connections over machines chose anew, and the connections did not follow.
func Elsewhere(c *evidence.Case, f *evidence.Facts, h evidence.Hop) {
	ports := evidence.PortsOf(c, h)
	refused := map[evidence.Tuple]string{} // by which host
	of := func(e probe.Event) evidence.Tuple { return evidence.Tuple{Local: e.Local, Remote: e.Remote} }
	during := func(e probe.Event) bool {
		at := e.At.Seconds()
		return at >= c.From-evidence.JoinReach && at <= c.To+evidence.JoinReach && ports[e.Local.Port()]
	}
	for _, e := range c.Run.Log.Events {
		if e.Kind == probe.RSTSent && during(e) && strings.HasSuffix(e.State, "LISTEN") {
			refused[of(e)] = e.Host
		}
	}
	if len(refused) == 0 {
		return
	}
	type pair struct{ open, by string }
	known := map[evidence.Tuple]pair{}
	for _, e := range c.Run.Log.Events {
		if by, ok := refused[of(e)]; e.Kind == probe.RSTReceived && ok && by != e.Host {
			known[of(e)] = pair{e.Host, by}
		}
	}
	if len(known) < 2 {
		return
	}
	count := map[pair]float64{}
	for _, p := range known {
		count[p]++
	}
	var parts []string
	for _, p := range slices.SortedFunc(maps.Keys(count), func(a, b pair) int { return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a.open, b.open)) }) {
		parts = append(parts, fmt.Sprintf("%s that %s open on %s %s reset by %s, which did not know %s",
			format.Counted(count[p], "connection"), either(count[p], "was", "were"), p.open, either(count[p], "was", "were"), p.by, either(count[p], "it", "them")))
	}
	f.Set(evidence.KnownElsewhere, evidence.When(float64(len(known))/max(1, c.Parts.Failed), 0.02, 0.1), "kernel of "+h.Host, "%s", strings.Join(parts, ", "))
}

// either returns the word for one, or that for several.
func either(n float64, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}
