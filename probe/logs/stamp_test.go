package logs

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/profiles"
)

// A writer's clock may be off, its zone another, its lines under way for a while: what it
// says is dated by when it was said, on the clock of the run.
func TestDatesByTheRunsClock(t *testing.T) {
	const lines = 12
	for _, test := range []struct {
		name   string
		layout string
		off    time.Duration // the writer's clock is ahead
		held   int           // lines that the writer writes at once
		late   time.Duration // a line may be dated so long after it was said
		told   bool          // that the clock is another
	}{
		{"a clock that is right", "2006-01-02 15:04:05.000", 0, 1, 10 * time.Millisecond, false},
		{"two seconds behind", "2006-01-02 15:04:05.000", -2 * time.Second, 1, 500 * time.Millisecond, true},
		{"four seconds behind", "2006-01-02 15:04:05.000", -4 * time.Second, 1, 500 * time.Millisecond, true},
		{"half a second ahead", "2006-01-02 15:04:05.000", 500 * time.Millisecond, 1, 500 * time.Millisecond, false},
		{"minutes behind", "2006-01-02 15:04:05.000", -7 * time.Minute, 1, 500 * time.Millisecond, true},
		{"minutes ahead", "2006-01-02 15:04:05.000", 7 * time.Minute, 1, 500 * time.Millisecond, true},
		{"another zone that is not told", "2006-01-02 15:04:05.000", -5 * time.Hour, 1, 500 * time.Millisecond, true},
		{"another zone, and lines held back", "2006-01-02 15:04:05.000", 9 * time.Hour, 4, 2500 * time.Millisecond, true},
		{"lines held back by a clock that is right", "2006-01-02 15:04:05.000", 0, 4, 1600 * time.Millisecond, false},
		{"whole seconds", "2006-01-02 15:04:05", 0, 1, 500 * time.Millisecond, false},
		{"whole seconds, hours behind", "2006-01-02 15:04:05", -3 * time.Hour, 1, 500 * time.Millisecond, true},
		{"no time", "", 0, 1, 500 * time.Millisecond, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.log")
			add(t, path, "")
			said := map[string]time.Duration{}
			events, log, err := follow(t, profiles.Log{File: path}, func() {
				start := time.Now().Add(-time.Second) // of the run
				held := ""
				for i := range lines {
					word := fmt.Sprintf("fault %c", 'a'+i)
					said[word] = time.Since(start)
					stamp := ""
					if test.layout != "" {
						stamp = time.Now().Add(test.off).Format(test.layout) + " "
					}
					held += fmt.Sprintf("%sERROR %s happened\n", stamp, word)
					if (i+1)%test.held == 0 {
						add(t, path, held)
						held = ""
					}
					time.Sleep(490 * time.Millisecond)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			seen := 0
			for _, e := range events {
				for word, at := range said {
					if !strings.Contains(e.Reason, word+" ") {
						continue
					}
					if seen++; e.At < at-10*time.Millisecond || e.At > at+test.late {
						t.Errorf("%s, said at %v, is dated %v", word, at, e.At)
					}
				}
			}
			if seen != lines {
				t.Errorf("%d of %d lines were handed on", seen, lines)
			}
			told := false
			for _, m := range log.Missing() {
				told = told || strings.Contains(m.Reason, "another clock or zone")
			}
			if told != test.told {
				t.Errorf("told that its clock is another: %v, %v", told, log.Missing())
			}
		})
	}
}

// A clock that is set while the log is followed is told anew within two turns.
func TestClockThatIsSet(t *testing.T) {
	var w writerClock
	now := time.Duration(0)
	for _, step := range []struct {
		behind, until, want time.Duration
	}{
		{3 * time.Second, 100 * time.Second, 3 * time.Second},
		{100 * time.Millisecond, 101 * time.Second, 0}, // set right: the soonest line tells at once
		{time.Minute, 200 * time.Second, time.Minute},  // and set back
		{-time.Hour, 201 * time.Second, -time.Hour},    // ahead: nobody reads what is not written yet
		{500 * time.Millisecond, 300 * time.Second, 0},
	} {
		for ; now < step.until; now += 250 * time.Millisecond {
			w.take(step.behind, now)
		}
		if add, known := w.off(); !known || add != step.want {
			t.Errorf("at %v, %v behind: %v is added (%v), want %v", now, step.behind, add, known, step.want)
		}
	}
}

// A server may write its own lines with whole seconds between those of the application, which
// have milliseconds: that the seconds are cut off is no clock that is ahead.
func TestWholeSecondsBesideMilliseconds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	add(t, path, "")
	said := map[string]time.Duration{}
	events, _, err := follow(t, profiles.Log{File: path}, func() {
		start := time.Now().Add(-time.Second) // of the run
		for i := range 12 {
			word, layout := fmt.Sprintf("fault %c", 'a'+i), "2006-01-02 15:04:05.000"
			if i%2 == 0 {
				layout = "2006-01-02 15:04:05"
			}
			said[word] = time.Since(start)
			add(t, path, fmt.Sprintf("%s ERROR %s happened\n", time.Now().Format(layout), word))
			time.Sleep(490 * time.Millisecond)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		for word, at := range said {
			if strings.Contains(e.Reason, word+" ") && (e.At < at-10*time.Millisecond || e.At > at+500*time.Millisecond) {
				t.Errorf("%s, said at %v, is dated %v", word, at, e.At)
			}
		}
	}
	if len(events) != len(said) {
		t.Errorf("%d of %d lines were handed on", len(events), len(said))
	}
}
