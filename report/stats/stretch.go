package stats

import "math"

const (
	// stretchWindows is how many windows are summed up in advance.
	stretchWindows = 64
	// groupPause parts two groups of events, in seconds: failures of one cause are
	// seldom further apart.
	groupPause = 3.0
)

// stretch sums up consecutive windows. Two that follow each other join to one, so
// that what happens in the rest of a series is known without a look at each of its
// windows.
type stretch struct {
	windows         int // with an exposure
	y, e            float64
	events          bool
	lead, tail      int // windows before the first with events, and after the last
	pauses          int // between events, of groupPause and more
	lowest, highest float64
}

// then joins a stretch and the one after it; pause is in windows.
func (a stretch) then(b stretch, pause int) stretch {
	out := stretch{
		windows: a.windows + b.windows, y: a.y + b.y, e: a.e + b.e,
		events: a.events || b.events, pauses: a.pauses + b.pauses,
		lowest: min(a.lowest, b.lowest), highest: max(a.highest, b.highest),
		lead: a.lead, tail: b.tail,
	}
	switch {
	case a.events && b.events:
		if a.tail+b.lead >= pause {
			out.pauses++
		}
	case a.events:
		out.tail = a.tail + b.windows
	case b.events:
		out.lead = a.windows + b.lead
	default:
		out.lead, out.tail = out.windows, out.windows
	}
	return out
}

// stretchOf is a single window.
func (s *series) stretchOf(i int) stretch {
	out := stretch{lowest: math.Inf(1), highest: math.Inf(-1)}
	if s.r.Exposure[i] <= 0 {
		return out
	}
	if s.r.Load != nil {
		out.lowest, out.highest = s.r.Load[i], s.r.Load[i]
	} else {
		out.lowest, out.highest = 0, 0
	}
	if s.masked[i] {
		return out
	}
	out.windows, out.y, out.e = 1, s.r.Count[i], s.r.Exposure[i]
	if out.events = out.y > 0; !out.events {
		out.lead, out.tail = 1, 1
	}
	return out
}

func (s *series) summarise() []stretch {
	pause := s.r.windows(groupPause)
	var out []stretch
	for i := range s.n {
		if i%stretchWindows == 0 {
			out = append(out, stretch{lowest: math.Inf(1), highest: math.Inf(-1)})
		}
		last := &out[len(out)-1]
		*last = last.then(s.stretchOf(i), pause)
	}
	return out
}

// later sums up the windows from one on at which the load is no lower than a
// given one.
func (s *series) later(from int, load float64) stretch {
	pause := s.r.windows(groupPause)
	out := stretch{lowest: math.Inf(1), highest: math.Inf(-1)}
	for i := from; i < s.n; {
		if i%stretchWindows == 0 && i+stretchWindows <= s.n {
			switch b := s.stretches[i/stretchWindows]; {
			case b.lowest >= load:
				out = out.then(b, pause)
				i += stretchWindows
				continue
			case b.highest < load:
				i += stretchWindows
				continue
			}
		}
		if s.r.Load == nil || s.r.Load[i] >= load {
			out = out.then(s.stretchOf(i), pause)
		}
		i++
	}
	return out
}
