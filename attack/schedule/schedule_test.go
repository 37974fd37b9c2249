package schedule_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rampload/rampload/attack/schedule"
	"github.com/rampload/rampload/profiles"
)

func ramp(from, to float64, over time.Duration) profiles.Stage {
	return profiles.Ramp{From: from, To: to, For: over}
}

func hold(at float64, d time.Duration) profiles.Stage {
	return profiles.Hold{Rate: at, For: d}
}

func stairs(from, to, step float64, every time.Duration) profiles.Stage {
	return profiles.Staircase{From: from, To: to, Step: step, Every: every}
}

func burst(size int, every, jitter, d time.Duration) profiles.Stage {
	return profiles.Burst{Size: size, Every: every, Jitter: jitter, For: d}
}

func atMax(d time.Duration) profiles.Stage { return profiles.Max{For: d} }

func conns(from, to int, over time.Duration) profiles.Stage {
	return profiles.Connections{From: from, To: to, For: over}
}

func build(t testing.TB, stages ...profiles.Stage) *schedule.Schedule {
	t.Helper()
	s, err := schedule.New(stages, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTotalsAgainstClosedForms(t *testing.T) {
	tests := []struct {
		name   string
		stages []profiles.Stage
		total  uint64
		end    time.Duration
	}{
		{"hold", []profiles.Stage{hold(10, time.Second)}, 10, time.Second},
		{"hold of a third", []profiles.Stage{hold(1.0/3, 9*time.Second)}, 3, 9 * time.Second}, // 0.333333/s: 2.999997
		{"pause", []profiles.Stage{hold(0, time.Hour)}, 0, time.Hour},
		{"soak of a day", []profiles.Stage{hold(20_000, 24*time.Hour)}, 20_000 * 86_400, 24 * time.Hour},
		{"ramp up", []profiles.Stage{ramp(50, 2000, 2*time.Minute)}, (50 + 2000) * 120 / 2, 2 * time.Minute},
		{"ramp down", []profiles.Stage{ramp(2000, 50, 30*time.Second)}, (50 + 2000) * 30 / 2, 30 * time.Second},
		{"ramp from and to zero", []profiles.Stage{ramp(0, 1000, time.Minute), ramp(1000, 0, time.Minute)}, 60_000, 2 * time.Minute},
		{"staircase", []profiles.Stage{stairs(500, 1500, 100, 10*time.Second)}, (500 + 1500) * 11 / 2 * 10, 110 * time.Second},
		{"staircase down", []profiles.Stage{stairs(1500, 500, 100, 10*time.Second)}, (500 + 1500) * 11 / 2 * 10, 110 * time.Second},
		{"uneven staircase ends at its end", []profiles.Stage{stairs(100, 350, 100, time.Second)}, 100 + 200 + 300 + 350, 4 * time.Second},
		{"bursts", []profiles.Stage{burst(40, time.Second, 0, 25*time.Second)}, 25 * 40, 25 * time.Second},
		{"closed loop", []profiles.Stage{atMax(time.Minute)}, 0, time.Minute},
		{"connections", []profiles.Stage{conns(100, 10_000, 2*time.Minute)}, (100 + 10_000) * 2 * 120 / 2, 2 * time.Minute},
		{"fractions carry over", []profiles.Stage{hold(0.5, time.Second), hold(0.5, time.Second), hold(0.5, time.Second), hold(0.5, time.Second)}, 2, 4 * time.Second},
		{"all together", []profiles.Stage{
			ramp(0, 100, 10*time.Second), burst(7, time.Second, 0, 3*time.Second), atMax(time.Second), hold(100, time.Second),
		}, 500 + 21 + 100, 15 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := build(t, tt.stages...)
			if s.Total() != tt.total || s.End() != tt.end {
				t.Errorf("total %d over %v, want %d over %v", s.Total(), s.End(), tt.total, tt.end)
			}
			if got := s.Count(s.End()); got != tt.total {
				t.Errorf("Count at the end is %d, want %d", got, tt.total)
			}
			if _, ok := s.Due(tt.total); ok {
				t.Errorf("request %d has a due time", tt.total)
			}
			if tt.total > 0 {
				if due, ok := s.Due(tt.total - 1); !ok || due >= tt.end {
					t.Errorf("last request due at %v, %v; want before the end", due, ok)
				}
			}
		})
	}
}

func TestDueAgainstClosedForms(t *testing.T) {
	day := build(t, hold(20_000, 24*time.Hour))
	for _, n := range []uint64{0, 1, 2, 19_999, 20_000, 1_000_000_007, 1_727_999_999} {
		if got, _ := day.Due(n); got != time.Duration(n)*50*time.Microsecond {
			t.Errorf("request %d of the soak due at %v, want exactly %v", n, got, time.Duration(n)*50*time.Microsecond)
		}
	}
	// A ramp from 0 to R over T: n = R·t²/(2T).
	up := build(t, ramp(0, 1000, 100*time.Second))
	down := build(t, ramp(1000, 0, 100*time.Second))
	for _, n := range []uint64{1, 5, 100, 12_345, 49_999} {
		want := math.Sqrt(float64(n)*2*100/1000) * 1e9
		if got, _ := up.Due(n); math.Abs(float64(got)-want) > 2 {
			t.Errorf("ramp up: request %d due at %v, want %v", n, got, time.Duration(want))
		}
		mirrored, _ := down.Due(50_000 - n)
		if got := float64(100*time.Second - mirrored); math.Abs(got-want) > 2 {
			t.Errorf("ramp down: request %d is due %v before the end, want %v", 50_000-n, time.Duration(got), time.Duration(want))
		}
	}
	// Nothing in a pause; the next stage begins at once.
	pause := build(t, hold(10, time.Second), hold(0, 10*time.Second), hold(10, time.Second))
	for n, want := range map[uint64]time.Duration{9: 900 * time.Millisecond, 10: 11 * time.Second, 11: 11100 * time.Millisecond} {
		if got, _ := pause.Due(n); got != want {
			t.Errorf("around a pause: request %d due at %v, want %v", n, got, want)
		}
	}
	// All requests of a burst at once.
	b := build(t, hold(0.4, time.Second), burst(3, time.Second, 0, 2*time.Second), hold(1, time.Second))
	for n, want := range []time.Duration{0, time.Second, time.Second, time.Second, 2 * time.Second, 2 * time.Second, 2 * time.Second, 3 * time.Second} {
		if got, _ := b.Due(uint64(n)); got != want {
			t.Errorf("around bursts: request %d due at %v, want %v", n, got, want)
		}
	}
}

func TestBurstJitter(t *testing.T) {
	stage := burst(40, 950*time.Millisecond, 150*time.Millisecond, 25*time.Second)
	times := func(seed uint64) (at []time.Duration) {
		s, err := schedule.New([]profiles.Stage{stage}, seed, 0)
		if err != nil {
			t.Fatal(err)
		}
		if s.Total()%40 != 0 {
			t.Fatalf("%d requests are no whole bursts of 40", s.Total())
		}
		for n := uint64(0); n < s.Total(); n += 40 {
			first, _ := s.Due(n)
			last, _ := s.Due(n + 39)
			if first != last {
				t.Fatalf("burst spread from %v to %v", first, last)
			}
			at = append(at, first)
		}
		return at
	}
	a, again, other := times(1), times(1), times(2)
	var sum, widest time.Duration
	for i := 1; i < len(a); i++ {
		gap := a[i] - a[i-1]
		if gap < 800*time.Millisecond || gap > 1100*time.Millisecond {
			t.Errorf("gap of %v is outside 950ms ± 150ms", gap)
		}
		sum += gap
		widest = max(widest, (gap - 950*time.Millisecond).Abs())
	}
	if mean := sum / time.Duration(len(a)-1); (mean - 950*time.Millisecond).Abs() > 70*time.Millisecond {
		t.Errorf("mean gap %v", mean)
	}
	if widest < 75*time.Millisecond {
		t.Errorf("gaps stray by %v at most: no jitter", widest)
	}
	for i := range a {
		if a[i] != again[i] {
			t.Fatal("the same seed gave other bursts")
		}
	}
	if a[1] == other[1] {
		t.Error("another seed gave the same bursts")
	}
}

func TestRateAndStages(t *testing.T) {
	s := build(t,
		ramp(100, 200, 10*time.Second),
		stairs(10, 30, 10, time.Second),
		burst(40, 500*time.Millisecond, 0, 5*time.Second),
		atMax(2*time.Second),
		conns(10, 20, 10*time.Second),
	)
	at := func(sec float64) time.Duration { return time.Duration(sec * 1e9) }
	for _, tt := range []struct {
		at    float64
		rate  float64
		stage int
	}{
		{-1, 0, 0},
		{0, 100, 0},
		{5, 150, 0},
		{10, 10, 1},
		{11.5, 20, 1},
		{12.999, 30, 1},
		{13, 80, 2},
		{17.9, 80, 2},
		{18, 0, 3},
		{20, 20, 4},
		{25, 30, 4},
		{30, 0, 4},
		{99, 0, 4},
	} {
		if got := s.Rate(at(tt.at)); math.Abs(got-tt.rate) > 1e-9 {
			t.Errorf("rate at %vs is %v, want %v", tt.at, got, tt.rate)
		}
		if got, _ := s.StageAt(at(tt.at)); got != tt.stage {
			t.Errorf("stage at %vs is %d, want %d", tt.at, got, tt.stage)
		}
	}
	for sec, want := range map[float64]int{20: 10, 25: 15, 29.999: 20} {
		if got, ok := s.Conns(at(sec)); !ok || got != want {
			t.Errorf("connections at %vs: %d, %v; want %d", sec, got, ok, want)
		}
	}
	for _, sec := range []float64{-1, 0, 19, 30} {
		if n, ok := s.Conns(at(sec)); ok {
			t.Errorf("%d connections wanted at %vs", n, sec)
		}
	}
	for sec, want := range map[float64]bool{-1: false, 17.9: false, 18: true, 19.9: true, 20: false, 40: false} {
		end, on := s.MaxAt(at(sec))
		if on != want || on && end != at(20) {
			t.Errorf("closed loop at %vs: %v until %v, want %v", sec, on, end, want)
		}
	}
}

func TestImpossibleStages(t *testing.T) {
	for name, stages := range map[string][]profiles.Stage{
		"none":            nil,
		"no length":       {hold(1, 0)},
		"negative length": {hold(1, -1)},
		"negative rate":   {hold(-1, time.Second)},
		"not a number":    {ramp(0, math.NaN(), time.Second)},
		"infinite":        {ramp(0, math.Inf(1), time.Second)},
		"too fast":        {hold(1e9, time.Second)},
		"no step":         {stairs(1, 2, 0, time.Second)},
		"endless stairs":  {stairs(0, 1e7, 1e-6, time.Second)},
		"jitter":          {burst(1, time.Second, time.Second, time.Minute)},
		"negative burst":  {burst(-1, time.Second, 0, time.Minute)},
		"dense bursts":    {burst(1, 1, 0, time.Minute)},
		"too long":        {hold(1, math.MaxInt64)},
		"too long in all": {hold(1, 80*24*time.Hour), hold(1, 80*24*time.Hour)},
		"no stage":        {nil},
		"search":          {profiles.DefaultSearch(1, 2)},
		"negative conns":  {conns(-1, 1, time.Second)},
	} {
		if _, err := schedule.New(stages, 0, 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// checkInverse holds the promise of Due against Count at request n.
func checkInverse(t *testing.T, s *schedule.Schedule, n uint64) {
	t.Helper()
	due, ok := s.Due(n)
	if !ok || due < 0 || due >= s.End() {
		t.Fatalf("request %d due at %v, %v of %v", n, due, ok, s.End())
	}
	if got := s.Count(due); got <= n {
		t.Fatalf("Count(%d) at the due time of request %d is %d", due, n, got)
	}
	if got := s.Count(due - 1); got > n {
		t.Fatalf("Count(%d) just before request %d is %d", due-1, n, got)
	}
	if n+1 < s.Total() {
		if next, _ := s.Due(n + 1); next < due {
			t.Fatalf("request %d is due at %v, after the next at %v", n, due, next)
		}
	}
}

func randomStages(r *rand.Rand) []profiles.Stage {
	var out []profiles.Stage
	length := func() time.Duration { return time.Duration(math.Exp(r.Float64()*math.Log(86_400e9))) + 1 }
	rate := func() float64 {
		if r.IntN(4) == 0 {
			return 0
		}
		return math.Exp(r.Float64()*math.Log(1e7)) - 1
	}
	for range 1 + r.IntN(5) {
		switch r.IntN(6) {
		case 0:
			out = append(out, hold(rate(), length()))
		case 1:
			from := rate()
			st := profiles.Staircase{From: from, To: rate(), Step: 1 + rate(), Every: length()/1000 + 1}
			if math.Abs(st.To-st.From)/st.Step > 1000 {
				st.Step = math.Abs(st.To-st.From) / 1000
			}
			out = append(out, st)
		case 2:
			every := length()/1000 + 2
			out = append(out, burst(r.IntN(50), every, time.Duration(r.Int64N(int64(every))), every*time.Duration(1+r.IntN(50))))
		case 3:
			out = append(out, atMax(length()))
		default:
			out = append(out, ramp(rate(), rate(), length()))
		}
	}
	return out
}

func TestInverseOfRandomSchedules(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 400 {
		stages := randomStages(r)
		s, err := schedule.New(stages, r.Uint64(), 1)
		if err != nil {
			t.Fatalf("%+v: %v", stages, err)
		}
		total := s.Total()
		for i := range uint64(20) {
			if i < total {
				checkInverse(t, s, i)
				checkInverse(t, s, total-1-i)
				checkInverse(t, s, r.Uint64N(total))
			}
		}
		last := uint64(0)
		for at := time.Duration(-1); at <= s.End(); at += s.End()/97 + 1 {
			n := s.Count(at)
			if n < last {
				t.Fatalf("%+v: Count falls from %d to %d at %v", stages, last, n, at)
			}
			last = n
		}
	}
}

// The integral against arbitrary-precision rationals, for ramps.
func TestCountAgainstRationals(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for range 300 {
		from, to := float64(r.IntN(2_000_000))/100, float64(r.IntN(2_000_000))/100
		length := time.Duration(1 + r.Int64N(int64(48*time.Hour)))
		s := build(t, ramp(from, to, length))
		for range 20 {
			at := time.Duration(r.Int64N(int64(length)))
			// ⌈from·τ + (to-from)·τ²/(2T)⌉ for τ = at+1, in seconds.
			tau := big.NewRat(int64(at+1), 1e9)
			a, b := big.NewRat(int64(math.Round(from*1e6)), 1e6), big.NewRat(int64(math.Round(to*1e6)), 1e6)
			slope := new(big.Rat).Sub(b, a)
			slope.Quo(slope, big.NewRat(2*int64(length), 1e9))
			want := new(big.Rat).Mul(a, tau)
			want.Add(want, slope.Mul(slope, new(big.Rat).Mul(tau, tau)))
			n := new(big.Int).Add(want.Num(), want.Denom())
			n.Sub(n, big.NewInt(1))
			n.Div(n, want.Denom())
			// The integral is taken to 5e-16 of a request below: one count less
			// is right only when it lies that close above a whole number.
			if got := s.Count(at); got != n.Uint64() {
				t.Fatalf("ramp %v to %v over %v: Count(%v) = %d, want %v", from, to, length, at, got, n)
			}
		}
	}
}

func FuzzInverse(f *testing.F) {
	f.Add(uint64(1), uint64(0))
	f.Fuzz(func(t *testing.T, seed, n uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		s, err := schedule.New(randomStages(r), seed, 1)
		if err != nil {
			t.Fatal(err)
		}
		if s.Total() > 0 {
			checkInverse(t, s, n%s.Total())
		}
	})
}

func TestNoAllocations(t *testing.T) {
	s := build(t, ramp(0, 20_000, time.Hour), hold(20_000, 24*time.Hour), ramp(20_000, 0, time.Hour))
	m, err := schedule.NewMix([]float64{0.7, 0.3}, [][]float64{{1, 2}, {1}})
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(0)
	if got := testing.AllocsPerRun(1000, func() {
		n += 1_000_003
		due, _ := s.Due(n)
		_ = s.Count(due)
		m.Pick(n)
	}); got != 0 {
		t.Errorf("%v allocations for a request", got)
	}
}

func BenchmarkDue(b *testing.B) {
	s := build(b, ramp(0, 20_000, time.Hour), hold(20_000, 24*time.Hour), ramp(20_000, 0, time.Hour))
	n := uint64(0)
	for b.Loop() {
		n = (n + 1_000_003) % s.Total()
		s.Due(n)
	}
}

// TestConnsAfter walks from change to change: between two of them the number is the
// same, and no change is left out.
func TestConnsAfter(t *testing.T) {
	up := profiles.Connections{From: 3, To: 40, For: 7 * time.Second}
	down := profiles.Connections{From: 40, To: 0, For: time.Second}
	still := profiles.Connections{From: 9, To: 9, For: time.Second}
	requests := profiles.Hold{Rate: 10, For: time.Second}
	for _, stages := range [][]profiles.Stage{{up}, {requests, up, down}, {up, requests, still}, {requests}, {still, down, up}} {
		s, err := schedule.New(stages, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Duration(-1)
		for {
			next, ok := s.ConnsAfter(at)
			if !ok {
				next = s.End() + time.Second
			}
			if next <= at {
				t.Fatalf("after %v comes %v", at, next)
			}
			n, on := s.Conns(max(at, 0))
			for _, mid := range []time.Duration{at + (next-at)/3, at + (next-at)/2, next - 2} {
				if mid < max(at, 0) {
					continue
				}
				if m, still := s.Conns(mid); (m != n || still != on) && at >= 0 {
					t.Fatalf("%d at %v, and %d at %v: a change was left out", n, at, m, mid)
				}
			}
			if !ok {
				break
			}
			at = next
		}
		if _, last := stages[len(stages)-1].(profiles.Connections); last && at >= 0 && at != s.End() {
			t.Errorf("the last change is at %v, the end at %v", at, s.End())
		}
	}
}
