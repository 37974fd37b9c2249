package logs

import (
	"strings"
	"testing"

	"github.com/rampload/rampload/probe/logs/parse"
)

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
