package push

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampload/rampload/cmd/internal/meter/family"
	"github.com/rampload/rampload/cmd/internal/otlp"
)

// store is a receiver that does as it is told.
type store struct {
	mu     sync.Mutex
	fail   error
	hang   bool
	at     []time.Time // of the snapshots that it took
	inside int
	most   int // messages at once
	closed bool
}

func (s *store) Send(ctx context.Context, snapshot family.Snapshot) error {
	s.mu.Lock()
	s.inside++
	s.most = max(s.most, s.inside)
	fail, hang := s.fail, s.hang
	s.mu.Unlock()
	if hang {
		<-ctx.Done()
		fail = ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inside--
	if fail == nil {
		s.at = append(s.at, snapshot.At)
	}
	return fail
}

func (s *store) Where() string { return "store:9090" }

func (s *store) Close() { s.closed = true }

func (s *store) set(fail error, hang bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail, s.hang = fail, hang
}

func now() family.Snapshot { return family.Snapshot{At: time.Now()} }

// lines keeps what is told.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) tell(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, text)
}

// TestPush sends at once, each time that it is asked to, and at the end.
func TestPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, said := &store{}, &lines{}
		p := Start(s, 5*time.Second, now, said.tell)
		time.Sleep(12 * time.Second)
		p.End()
		var gaps []time.Duration
		for i := range s.at[1:] {
			gaps = append(gaps, s.at[i+1].Sub(s.at[i]))
		}
		if want := []time.Duration{5 * time.Second, 5 * time.Second, 2 * time.Second}; !slices.Equal(gaps, want) || len(said.all) > 0 || !s.closed {
			t.Errorf("sent after %v, want %v; said %q", gaps, want, said.all)
		}
	})
}

// TestStoreThatIsDown is told in a line, not again while the reason is the same, and once
// more when it is back.
func TestStoreThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, said := &store{fail: errors.New("connection refused")}, &lines{}
		p := Start(s, 2*time.Second, now, said.tell)
		time.Sleep(21 * time.Second)
		s.set(&otlp.Refused{Status: 503, Text: "later", Again: true, After: 10 * time.Second}, false)
		time.Sleep(11 * time.Second)
		s.set(nil, false)
		time.Sleep(30 * time.Second)
		p.End()
		if len(said.all) != 3 || !strings.Contains(said.all[0], "do not arrive at store:9090: connection refused") ||
			!strings.Contains(said.all[1], "503: later") || !strings.Contains(said.all[2], "again, after") {
			t.Errorf("said %q", said.all)
		}
	})
}

// TestStoreThatHangs holds up nothing: one message is under way at a time, and the end
// takes five seconds.
func TestStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, said := &store{hang: true}, &lines{}
		p := Start(s, time.Second, now, said.tell)
		time.Sleep(65 * time.Second)
		began := time.Now()
		p.End()
		if took := time.Since(began); took > lastIn || s.most != 1 {
			t.Errorf("the end took %s, %d messages at once", took, s.most)
		}
		if len(said.all) != 2 || !strings.Contains(said.all[0], "no answer in time") || !strings.Contains(said.all[1], "the last metrics did not arrive at store:9090") {
			t.Errorf("said %q", said.all)
		}
	})
}

// TestStoreThatTakesAPart is told once, and is no failure.
func TestStoreThatTakesAPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, said := &store{fail: &otlp.Refused{Part: 3, Text: "too old"}}, &lines{}
		p := Start(s, time.Second, now, said.tell)
		time.Sleep(10 * time.Second)
		p.End()
		if len(said.all) != 1 || !strings.Contains(said.all[0], "takes a part of the metrics only") {
			t.Errorf("said %q", said.all)
		}
	})
}
