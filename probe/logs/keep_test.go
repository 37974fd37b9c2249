package logs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/logs/parse"
)

// In a journal the kernel writes fifty different lines for one kill: what a service says
// in the same second is told nevertheless. What there is of lines and names stays bounded.
func TestLoudVoiceSilencesNobody(t *testing.T) {
	tests := []struct {
		name  string
		write func(say func(service, text string))
		told  int // of payments' line
		most  int
		lost  uint64
	}{
		{name: "a loud one before", write: func(say func(service, text string)) {
			for i := range 5 * maxPatterns {
				say("kernel", "error: "+strings.Repeat("x", i))
			}
		}, told: 1, most: maxPatterns + 1, lost: 5*maxPatterns - maxPatterns},
		{name: "names without end", write: func(say func(service, text string)) {
			for i := range 1000 {
				say(fmt.Sprint("service-", i), "error: the same")
			}
		}, told: 1, most: 2*maxVoices + perPattern*maxPatterns + 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := &keeper{clock: probe.NewClock(time.Now())}
			told, all := 0, 0
			emit := func(e probe.Event) {
				all++
				if e.Process == "payments" {
					told++
				}
			}
			say := func(service, text string) {
				k.pending = &parse.Entry{Service: service, Text: text, Level: parse.LevelError}
				k.keep(emit)
			}
			test.write(say)
			say("payments", "error: pool exhausted")
			k.flush(time.Hour, emit)
			if told != test.told || all > test.most || k.dropped != test.lost {
				t.Errorf("told %d times of payments, want %d; %d events, want at most %d; %d lost, want %d", told, test.told, all, test.most, k.dropped, test.lost)
			}
			if len(k.voices) != 0 {
				t.Errorf("%d voices are kept beyond their second", len(k.voices))
			}
		})
	}
}

// What lines that say the same have in common is short, and takes no number of theirs.
func FuzzPattern(f *testing.F) {
	f.Add("connect to 10.0.3.2:8080 failed after 12 ms")
	f.Add("\xff\x00 0x7f")
	f.Fuzz(func(t *testing.T, text string) {
		e := parse.Entry{Text: text}
		e.Finish()
		got := patternOf(e)
		if len(got) > 128 {
			t.Fatalf("%d bytes: %q", len(got), got)
		}
		if i := strings.IndexAny(got[3:], "0123456789"); i >= 0 {
			t.Fatalf("%q keeps a number", got)
		}
	})
}
