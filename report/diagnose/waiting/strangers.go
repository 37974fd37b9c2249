package waiting

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/format"
)

// Stranger is a machine that has connections to a hop and is not on the way of the requests.
type Stranger struct {
	Name                string  // of its host where that is watched, else its address
	Connections, Before float64 // connections now, and before the failures
}

// strangers returns the machines that have at least twice as many connections to a hop as
// before and are not on the way of the requests, those with the most connections first. asker
// is the hop before; nil for the first hop, which this machine asks. The result is empty where
// the asker itself is not seen among the callers: its address may be translated on the way,
// and then any caller may be it.
func (r *reader) strangers(h, asker *hops.Hop, now, before []Span) []Stranger {
	var out []Stranger
	asks := false // the asker is seen among the callers
	known := func(name string) bool {
		return asker == nil && name == profiles.LocalHost || asker != nil && slices.Contains(asker.Hosts(), name)
	}
	for _, x := range h.Instances {
		for addr, taken := range x.Taken {
			name := cmp.Or(r.hosts[addr], addr.String())
			if addr.IsLoopback() {
				name = x.Host // a process on the hop's own host
			}
			if known(name) || asker != nil && asker.Unwatched.Addr() == addr {
				asks = true
				continue
			}
			if name == x.Host {
				continue
			}
			n, was := finite(median(around(taken, now))), finite(median(around(taken, before)))
			if n >= 1 && was < 0.5*n {
				out = append(out, Stranger{name, n, was})
			}
		}
	}
	if !asks {
		return nil
	}
	slices.SortFunc(out, func(a, b Stranger) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// heldByStrangers reports whether the requests of strangers occupy all connections that this
// hop has to the next one. asked is what the caller on the way has out to this hop. Four signs
// together: strangers came with about as many connections to this hop as it has to the next;
// all of the latter are in use; more requests are open here than there are connections; and
// the oldest call to the next hop is older than any request of the caller on the way, so it
// was not made for one of those.
func (s *Step) heldByStrangers(to, asked *Behind) bool {
	came := 0.0
	for _, x := range s.Strangers {
		came += x.Connections - x.Before
	}
	enoughCame := to.Connections >= 2 && came >= allOf*to.Connections
	allInUse := to.Requests >= allOf*to.Connections
	moreOpen := s.Now.Open() >= 1.5*to.Connections
	olderThanAsked := to.Oldest >= 2*asked.Oldest && to.Oldest >= ageTimes*finite(to.OldestBefore)
	return enoughCame && allInUse && moreOpen && olderThanAsked
}

// strangersText names the first three strangers: "bi (10 connections, none before)".
func (s *Step) strangersText() string {
	var parts []string
	for _, x := range s.Strangers[:min(3, len(s.Strangers))] {
		was := "none"
		if x.Before >= 1 {
			was = format.Number(x.Before)
		}
		parts = append(parts, fmt.Sprintf("%s (%s, %s before)", x.Name, format.Counted(x.Connections, "connection"), was))
	}
	return strings.Join(parts, ", ")
}
