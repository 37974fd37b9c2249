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

// Stranger is somebody who asks a hop and is not on the way of the requests.
type Stranger struct {
	Name                string // of its host, where that is watched, else its address
	Connections, Before float64
}

// strangers returns who has more connections to a hop than before, and is not of those who
// asked it on the way: the client's own host asks the first hop. Where these are not seen to
// ask, their addresses may be translated on the way, and nobody knows who is a stranger.
func (r *reader) strangers(h, asker *hops.Hop, now, before []Span) []Stranger {
	var out []Stranger
	asks := false // one of those on the way is seen to ask
	known := func(name string) bool {
		return asker == nil && name == profiles.LocalHost || asker != nil && slices.Contains(asker.Hosts(), name)
	}
	for _, x := range h.Instances {
		for addr, taken := range x.Taken {
			name := cmp.Or(r.hosts[addr], addr.String())
			if addr.IsLoopback() {
				name = x.Host
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

// taken reports whether strangers hold all connections that a hop has to the next: they have
// as many to it, all of these are in use for longer than those before it wait at all, and
// more stands inside than there are places.
func (s *Step) taken(to, asked *Behind) bool {
	n := 0.0
	for _, x := range s.Strangers {
		n += x.Connections - x.Before
	}
	return to.Connections >= 2 && n >= allOf*to.Connections && to.Requests >= allOf*to.Connections &&
		s.Now.Open() >= 1.5*to.Connections && to.Oldest >= 2*asked.Oldest && to.Oldest >= ageTimes*finite(to.OldestBefore)
}

// strangersText names them: "bi (10 connections, none before)".
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
