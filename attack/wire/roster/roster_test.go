package roster

import (
	"math/rand/v2"
	"testing"
	"time"
)

// conn stands for a connection with some room.
type conn struct {
	room   int
	looked int
}

func room(c *conn) int {
	c.looked++
	return c.room
}

func members(n, room int) (*Roster[*conn], []*Member[*conn]) {
	r := new(Roster[*conn])
	var all []*Member[*conn]
	for range n {
		m := &Member[*conn]{Of: &conn{room: room}}
		r.Add(m)
		all = append(all, m)
	}
	return r, all
}

func looks(all []*Member[*conn]) (sum int) {
	for _, m := range all {
		sum += m.Of.looked
		m.Of.looked = 0
	}
	return sum
}

// What is idle is used in turn, or the last used first.
func TestIdleFirst(t *testing.T) {
	r, all := members(3, 1)
	for i, m := range all {
		r.Rest(m, time.Duration(i))
	}
	if m := r.Find(true, room); m != all[0] {
		t.Error("in turn, not the one that is idle the longest")
	}
	if m := r.Find(false, room); m != all[2] {
		t.Error("not the one that was used last")
	}
	all[2].Of.room = 0
	if m := r.Find(false, room); m != all[1] {
		t.Error("one without room is not passed over")
	}
	if m, since := r.Oldest(); m != all[0] || since != 0 {
		t.Errorf("%v is the oldest, since %v", m, since)
	}
	r.Remove(all[0], 10)
	if m, since := r.Oldest(); m != all[1] || since != 1 {
		t.Errorf("%v is the oldest, since %v", m, since)
	}
	if idle, sum := r.Stats(10); idle != 2 || sum != 10+9+8 {
		t.Errorf("%d idle, %v", idle, sum)
	}
}

// The least busy takes an attempt; when all are full nobody does, and nobody looks at
// them again before one changes.
func TestFull(t *testing.T) {
	const n = 20_000
	r, all := members(n, 2)
	for _, m := range all {
		m.Busy = 1
	}
	all[7].Busy = 0
	if m := r.Find(false, room); m != all[7] {
		t.Error("not the least busy of the first")
	}
	for _, m := range all {
		m.Busy = 2
	}
	looks(all)
	if m := r.Find(false, room); m != nil {
		t.Errorf("one of %d attempts takes another", m.Busy)
	}
	if sum := looks(all); sum != n {
		t.Errorf("%d looks at %d members that have filled up", sum, n)
	}
	for range 100 {
		if m := r.Find(true, room); m != nil {
			t.Errorf("one of %d attempts takes another", m.Busy)
		}
	}
	if sum := looks(all); sum != 0 {
		t.Errorf("%d looks at members that are known to be full", sum)
	}
	all[11].Busy = 1
	r.Changed(all[11])
	if m := r.Find(false, room); m != all[11] {
		t.Error("one that has room again is not found")
	}
	if sum := looks(all); sum != 1 {
		t.Errorf("%d looks for it", sum)
	}
}

// Whatever comes in, goes out, fills up and rests: what Find returns has room, it finds one
// while there is one, and the sums are right.
func TestAnything(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	r := new(Roster[*conn])
	var in []*Member[*conn]
	var want time.Duration
	now := time.Duration(0)
	idle := map[*Member[*conn]]time.Duration{}
	wake := func(m *Member[*conn]) {
		if since, ok := idle[m]; ok {
			want += now - since
			delete(idle, m)
		}
		r.Wake(m, now)
	}
	for range 50_000 {
		now += time.Duration(rng.IntN(5))
		switch k := rng.IntN(10); {
		case k < 3 || len(in) == 0:
			m := &Member[*conn]{Of: &conn{room: rng.IntN(4)}}
			r.Add(m)
			in = append(in, m)
		case k < 5:
			i := rng.IntN(len(in))
			m := in[i]
			wake(m)
			r.Remove(m, now)
			r.Remove(m, now)
			in[i] = in[len(in)-1]
			in = in[:len(in)-1]
		case k < 6:
			m := in[rng.IntN(len(in))]
			m.Of.room = rng.IntN(4)
			r.Changed(m)
		case k < 8:
			if m := in[rng.IntN(len(in))]; m.Busy > 0 {
				if m.Busy--; m.Busy == 0 {
					r.Rest(m, now)
					idle[m] = now
				}
				r.Changed(m)
			}
		default:
			m := r.Find(rng.IntN(2) == 0, func(c *conn) int { return c.room })
			free := 0
			for _, x := range in {
				if x.Busy < x.Of.room {
					free++
				}
			}
			switch {
			case m == nil && free > 0:
				t.Fatalf("none of %d is found", free)
			case m != nil && m.Busy >= m.Of.room:
				t.Fatalf("one with %d attempts has room for %d", m.Busy, m.Of.room)
			case m != nil:
				wake(m)
				m.Busy++
			}
		}
		sum := want
		for _, since := range idle {
			sum += now - since
		}
		if n, got := r.Stats(now); n != int64(len(idle)) || got != sum {
			t.Fatalf("%d idle for %v, want %d for %v", n, got, len(idle), sum)
		}
	}
}
