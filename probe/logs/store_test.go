package logs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

// shipped is a store that lines come to some time after they were written.
type shipped struct {
	at     []time.Time // when each was written
	after  []time.Duration
	fails  func() error
	takes  time.Duration // how long it takes to answer
	asked  int
	longer time.Duration // the longest time that was asked for
}

func (s *shipped) lines(ctx context.Context, from, to time.Time) (out []stored, err error) {
	s.asked++
	s.longer = max(s.longer, to.Sub(from))
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(s.takes):
	}
	if s.fails != nil {
		if err := s.fails(); err != nil {
			return nil, err
		}
	}
	for i, at := range s.at {
		if !at.Before(from) && at.Before(to) && time.Since(at) >= s.after[i] {
			out = append(out, stored{at: at, text: fmt.Sprintf("ERROR: no %c", 'a'+i), service: "shop"})
		}
	}
	return out, nil
}

// question asks a store for 30 seconds, and returns what it said and what the log lacks.
func question(t *testing.T, s *shipped) (said []string, log *Log, err error) {
	t.Helper()
	log = New(profiles.Log{URL: "http://store"}, "local", "", probe.NewClock(time.Now()))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err = log.questions(ctx, s, func(e probe.Event) { said = append(said, e.Reason) })
	slices.Sort(said)
	return said, log, err
}

// Lines are read once each: those that are shipped at once, some seconds late, in the
// last moment of the run, and by a clock that is ahead.
func TestStoreTakesLinesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		at := func(d time.Duration) time.Time { return now.Add(d) }
		s := &shipped{
			at:    []time.Time{at(5 * time.Second), at(6 * time.Second), at(8 * time.Second), at(29900 * time.Millisecond), at(50 * time.Second)},
			after: []time.Duration{0, 9 * time.Second, 4 * time.Second, 0, -time.Minute},
		}
		said, log, err := question(t, s)
		if want := []string{"ERROR: no a", "ERROR: no b", "ERROR: no c", "ERROR: no d", "ERROR: no e"}; err != nil || !slices.Equal(said, want) {
			t.Errorf("%q, %v; want %q", said, err, want)
		}
		if m := log.Missing(); len(m) != 1 || !strings.Contains(m[0].Reason, "20s after that at which they were read") {
			t.Errorf("of the clock that is ahead it says %v", m)
		}
	})
}

// A store that is away for a time is asked for all of it when it is back.
func TestStoreComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		s := &shipped{at: []time.Time{now.Add(9 * time.Second)}, after: []time.Duration{0}}
		s.fails = func() error {
			if d := time.Since(now); d > 5*time.Second && d < 20*time.Second {
				return errors.New("ask store: connection refused")
			}
			return nil
		}
		said, log, err := question(t, s)
		if err != nil || !slices.Equal(said, []string{"ERROR: no a"}) || len(log.Missing()) != 1 {
			t.Errorf("%q, %v, %v", said, err, log.Missing())
		}
	})
}

// A store that never answers costs no more than its patience, and is told of.
func TestStoreNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		s := &shipped{takes: time.Hour}
		_, _, err := question(t, s)
		if d := time.Since(now); d > 30*time.Second+askFor+afterwards {
			t.Errorf("it ended after %s", d)
		}
		var none *probe.Unsupported
		if !errors.As(err, &none) || !strings.Contains(none.Reason, "asked in vain") {
			t.Errorf("it says %v", err)
		}
	})
}
