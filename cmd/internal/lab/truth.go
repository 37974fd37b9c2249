package lab

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// Tally counts what a service does, by name and tenth of a second. The name
// "resets" is what Truth.Resets reports. Safe for concurrent use.
type Tally struct {
	source string

	mu     sync.Mutex
	first  time.Time
	counts map[string]int64
	log    map[tallyKey]int64
}

type tallyKey struct {
	tenth int64 // since the epoch
	what  string
}

func NewTally(source string) *Tally {
	return &Tally{source: source, counts: make(map[string]int64), log: make(map[tallyKey]int64)}
}

// Count adds to a total that is no harm, such as requests.
func (t *Tally) Count(what string) {
	t.mu.Lock()
	t.counts[what]++
	t.mu.Unlock()
}

// Set sets a total that was counted elsewhere.
func (t *Tally) Set(what string, n uint64) {
	t.mu.Lock()
	t.counts[what] = int64(n)
	t.mu.Unlock()
}

// Add adds what another process counted, with its times.
func (t *Tally) Add(o Truth) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first.IsZero() || !o.First.IsZero() && o.First.Before(t.first) {
		t.first = o.First
	}
	for what, n := range o.Counts {
		t.counts[what] += n
	}
	for _, p := range o.Log {
		t.log[tallyKey{p.At.UnixMilli() / 100, p.What}] += p.N
	}
}

// Harm adds to a total, notes its time, and the first of all.
func (t *Tally) Harm(what string) { t.HarmBy(what, 1) }

// HarmBy adds several at once; fewer than one is nothing.
func (t *Tally) HarmBy(what string, n int64) {
	if n < 1 {
		return
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first.IsZero() {
		t.first = now
	}
	t.counts[what] += n
	t.log[tallyKey{now.UnixMilli() / 100, what}] += n
}

// IdleCloses is the name of connections that were closed for having rested too long.
const IdleCloses = "idle-closes"

// LateAnswers is the name of answers that came after their callers had gone.
const LateAnswers = "late-answers"

// Least reports whether more resets may have been sent than were counted: what crosses
// the close of an idle connection is reset by the kernel, which no injector sees.
func (t Truth) Least() bool { return t.Counts[IdleCloses] > 0 }

// OnlyLate reports whether all harm was answers that came after their callers had
// gone.
func (t Truth) OnlyLate() bool {
	return len(t.Log) > 0 && !slices.ContainsFunc(t.Log, func(p TruthPoint) bool { return p.What != LateAnswers })
}

func (t *Tally) Truth() Truth {
	t.mu.Lock()
	defer t.mu.Unlock()
	tr := Truth{Source: t.source, Resets: uint64(t.counts["resets"]), First: t.first, Counts: maps.Clone(t.counts)}
	for k, n := range t.log {
		tr.Log = append(tr.Log, TruthPoint{At: time.UnixMilli(k.tenth * 100), What: k.what, N: n})
	}
	slices.SortFunc(tr.Log, func(a, b TruthPoint) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.What, b.What))
	})
	return tr
}
