package ramp

import (
	"sync/atomic"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fill"
	"github.com/rampload/rampload/profiles"
)

// rows hands out the rows of the profile's tables, each generator its slice of them.
type rows struct {
	run    attack.RunID
	tables []rowsOf
	usedUp atomic.Pointer[string] // the table whose rows are all used
}

type rowsOf struct {
	profiles.Table
	slice Slice
	next  atomic.Uint64 // how many rows of the slice were handed out
	_     [48]byte      // counters do not lie in one cache line
}

func newRows(cfg Config, first uint64) *rows {
	r := &rows{run: cfg.RunID, tables: make([]rowsOf, len(cfg.Profile.Data))}
	for i, t := range cfg.Profile.Data {
		r.tables[i].Table, r.tables[i].slice = t, cfg.Slice
		// Whoever sent this slice before used at most a row for each request.
		r.tables[i].next.Store(first / cfg.Slice.of())
	}
	return r
}

// pick chooses the rows of a request, and keeps them in its attempt. It returns false
// when a table has none left.
func (r *rows) pick(tables []int, a *attack.Attempt, f *attack.Fill) bool {
	if len(f.Rows) != len(r.tables) {
		f.Rows = make([]int, len(r.tables))
	}
	for _, i := range tables {
		row, ok := r.tables[i].pick(r.run, a.Request)
		if !ok {
			r.usedUp.CompareAndSwap(nil, &r.tables[i].Name)
			return false
		}
		f.Rows[i] = row
	}
	a.Fill = f
	return true
}

func (t *rowsOf) pick(run attack.RunID, request uint64) (row int, ok bool) {
	n := uint64(len(t.Rows))
	switch t.Pick {
	case profiles.PickRandom:
		return fill.RandomRow(run, request, t.Name, len(t.Rows)), true
	case profiles.PickOnce:
		k := t.slice.Index + (t.next.Add(1)-1)*t.slice.of()
		return int(k), k < n
	}
	// The rows of the slice, again and again; all of them where there are fewer rows
	// than slices.
	k := t.next.Add(1) - 1
	if own := (n + t.slice.of() - 1 - t.slice.Index%t.slice.of()) / t.slice.of(); own > 0 {
		return int(t.slice.Index + k%own*t.slice.of()), true
	}
	return int((t.slice.Index + k) % n), true
}

// Filler fills requests outside of a load, as those that are sent once. It is not safe
// for concurrent use.
type Filler struct {
	scope fill.Scope
	rows  *rows
}

// NewFiller returns what fills the requests of a profile.
func NewFiller(p profiles.Profile, run attack.RunID) *Filler {
	return &Filler{fill.Scope{Tables: p.Data}, newRows(Config{Profile: p, RunID: run}, 0)}
}

// Fill chooses the rows for an attempt of a request, or returns false if a table has
// none left.
func (f *Filler) Fill(r profiles.Request, a *attack.Attempt) bool {
	return f.rows.pick(f.scope.TablesOf(r), a, new(attack.Fill))
}
