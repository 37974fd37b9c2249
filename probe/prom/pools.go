package prom

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

// shared is what the pages of a host know together: the number of its processors,
// and the pools that the profile names, which may be on any of them.
type shared struct {
	pages int

	mu    sync.Mutex
	pools []bool // whether the pool was seen on any page
	reads int
	cores float64 // 0: no page has told
}

func (s *shared) setCores(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cores = float64(n)
}

func (s *shared) getCores() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cores
}

// read emits the pools that are on a page.
func (s *shared) read(r *reading, host string, pools []profiles.Pool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	for i, p := range pools {
		use := r.measured(p.Use)
		if math.IsNaN(use) {
			continue
		}
		s.pools[i] = true
		r.put(probe.Metric{Host: host, Name: probe.Pool, Instance: p.Name}, math.Round(use), r.measured(p.Limit))
	}
}

// missing names the pools that none of the pages has shown, when each was read.
func (s *shared) missing(pools []profiles.Pool) []*probe.Unsupported {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reads < s.pages {
		return nil
	}
	var out []*probe.Unsupported
	for i, p := range pools {
		if !s.pools[i] {
			out = append(out, &probe.Unsupported{What: "pool " + p.Name, Reason: fmt.Sprintf("no page has %s", p.Use), Needs: "use: with the name of a metric on the page"})
		}
	}
	return out
}

// measured returns the sum over the series that a text of a profile means, such as
// pool_size{pool="db"}, or the number that it is; NaN without any.
func (r *reading) measured(text string) float64 {
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		return v
	}
	name, rest, hasLabels := strings.Cut(text, "{")
	if !hasLabels {
		return r.sum(name)
	}
	var labels []string
	for rest = strings.TrimSuffix(rest, "}"); rest != ""; {
		key, after, ok := strings.Cut(rest, "=")
		if !ok {
			return math.NaN()
		}
		quoted, err := strconv.QuotedPrefix(strings.TrimSpace(after))
		if err != nil {
			return math.NaN()
		}
		v, _ := strconv.Unquote(quoted) // QuotedPrefix has checked it
		labels = append(labels, strings.TrimSpace(key), v)
		rest = strings.TrimLeft(strings.TrimSpace(after)[len(quoted):], ", ")
	}
	return r.sum(name, labels...)
}
