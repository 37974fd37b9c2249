package ramp

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// dataProfile has a table and a request that is filled with it.
func dataProfile(rows int, pick profiles.Pick, stages ...profiles.Stage) profiles.Profile {
	p := testProfile(stages...)
	table := profiles.Table{Name: "users", Columns: []string{"id"}, Pick: pick}
	for i := range rows {
		table.Rows = append(table.Rows, []string{fmt.Sprint(i)})
	}
	p.Data = []profiles.Table{table}
	p.Targets[0].Requests = []profiles.Request{{Method: "GET", Path: "/${users.id}", Filled: true, Weight: 1}}
	return p
}

// Rows that are used once end the load with the last of them: each was used once, and
// what was scheduled was sent or is unsent.
func TestRowsUsedOnceEndTheLoad(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		var mu sync.Mutex
		var used []int
		p := dataProfile(130, profiles.PickOnce, holdStage(100, 5*time.Second), profiles.Max{For: time.Second})
		rec, _, summary := drive(t, t.Context(), engine, Config{Profile: p}, func(a *attack.Attempt) (time.Duration, attack.Fault) {
			mu.Lock()
			defer mu.Unlock()
			used = append(used, a.Fill.Rows[0])
			return time.Millisecond, attack.None
		})
		slices.Sort(used)
		for i, row := range used {
			if i != row {
				t.Fatalf("rows %v", used)
			}
		}
		c := rec.sum(t, -1)
		if len(used) != 130 || c.sent != 130 || c.scheduled != c.sent+c.unsent || c.unsent < 1 || c.unsent > 10 {
			t.Errorf("%d rows used; %d scheduled, %d sent, %d unsent", len(used), c.scheduled, c.sent, c.unsent)
		}
		if summary.UsedUp != "users" || summary.Interrupted || summary.Ended > 1500*time.Millisecond {
			t.Errorf("%+v", summary)
		}
	})
}

// Whoever has one of the last rows goes on to the end of the journey: rows that are used once
// and half are of no use to anybody.
func TestLastRowsAreUsedToTheEnd(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		var mu sync.Mutex
		steps := map[uint16]int{}
		p := dataProfile(20, profiles.PickOnce, holdStage(100, 5*time.Second))
		step := profiles.Step{Name: "look", Request: p.Targets[0].Requests[0]}
		then := step
		then.Name, then.ThinkFrom, then.ThinkTo = "pay", 300*time.Millisecond, 300*time.Millisecond
		p.Journeys = []profiles.Journey{{Name: "buy", URL: p.Targets[0].URL, Expect: profiles.StatusSet{{Low: 0, High: 599}}, Steps: []profiles.Step{step, then}}}
		p.Targets = nil
		_, _, summary := drive(t, t.Context(), engine, Config{Profile: p.WithDefaults()}, func(a *attack.Attempt) (time.Duration, attack.Fault) {
			mu.Lock()
			defer mu.Unlock()
			steps[a.Target]++
			return time.Millisecond, attack.None
		})
		if steps[0] != 20 || steps[1] != 20 || summary.UsedUp != "users" || summary.Interrupted {
			t.Errorf("%v of 20 users, %+v", steps, summary)
		}
	})
}

// A row is chosen once for a request, whatever its tries; those that come in sequence
// begin anew, each as often as the others.
func TestRowsInSequence(t *testing.T) {
	forEngines(t, func(t *testing.T, engine string) {
		var mu sync.Mutex
		used, rowOf := map[int]int{}, map[uint64]int{}
		p := dataProfile(10, profiles.PickSequential, holdStage(100, time.Second))
		p.Client.Retries = profiles.Retries{Max: 1, Base: time.Millisecond}
		_, _, summary := drive(t, t.Context(), engine, Config{Profile: p}, func(a *attack.Attempt) (time.Duration, attack.Fault) {
			mu.Lock()
			defer mu.Unlock()
			row := a.Fill.Rows[0]
			if a.Try == 0 {
				used[row]++
				rowOf[a.Request] = row
				return time.Millisecond, attack.Reset
			}
			if rowOf[a.Request] != row {
				t.Errorf("request %d had row %d, and %d with its retry", a.Request, rowOf[a.Request], row)
			}
			return time.Millisecond, attack.None
		})
		for row, n := range used {
			if n != 10 {
				t.Errorf("row %d was used %d times", row, n)
			}
		}
		if len(used) != 10 || summary.UsedUp != "" {
			t.Errorf("%d rows, %+v", len(used), summary)
		}
	})
}

// The workers of a fleet share the rows: each has its own, and one that takes over a
// slice gives out no row again that is used once.
func TestRowsAreSplit(t *testing.T) {
	const workers, n = 3, 100
	for _, pick := range []profiles.Pick{profiles.PickOnce, profiles.PickSequential} {
		seen := map[int]int{}
		for i := range uint64(workers) {
			r := newRows(Config{Profile: dataProfile(n, pick), Slice: Slice{i, workers}}, 0)
			for range (n + workers - 1 - int(i)) / workers {
				var a attack.Attempt
				if !r.pick([]int{0}, &a, new(attack.Fill)) {
					t.Fatalf("%s: worker %d ran out", pick, i)
				}
				seen[a.Fill.Rows[0]]++
			}
			if more := r.pick([]int{0}, new(attack.Attempt), new(attack.Fill)); more != (pick == profiles.PickSequential) {
				t.Errorf("%s: one more row for worker %d: %v", pick, i, more)
			}
		}
		for row := range n {
			if seen[row] != 1 {
				t.Errorf("%s: row %d was used %d times", pick, row, seen[row])
			}
		}
	}
	few := newRows(Config{Profile: dataProfile(2, profiles.PickSequential), Slice: Slice{2, 3}}, 0)
	late := newRows(Config{Profile: dataProfile(n, profiles.PickOnce), Slice: Slice{1, 3}}, 31)
	for range 5 {
		if !few.pick([]int{0}, new(attack.Attempt), new(attack.Fill)) {
			t.Error("two rows for three workers ran out")
		}
		var a attack.Attempt
		if !late.pick([]int{0}, &a, new(attack.Fill)) || a.Fill.Rows[0] < 31 {
			t.Errorf("row %v after 31 requests", a.Fill)
		}
	}
}
