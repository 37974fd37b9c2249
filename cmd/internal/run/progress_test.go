package run

import (
	"bytes"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/golden"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestProgress(t *testing.T) {
	p := profiles.Profile{Load: profiles.Load{
		profiles.Ramp{From: 50, To: 2000, For: 2 * time.Minute},
		profiles.Hold{Rate: 2000, For: time.Minute},
	}}
	plan, err := planLoad(p)
	if err != nil {
		t.Fatal(err)
	}
	states := []session.Progress{
		{At: 250 * time.Millisecond, Offered: 52, Achieved: 52},
		{At: 90 * time.Second, Offered: 1512, Achieved: 1510, Requests: 70_080, P99: 84 * time.Millisecond, Fullest: []session.Fullness{
			{Metric: probe.Metric{Process: "payments", Name: probe.OpenFiles}, Value: 1000, Limit: 1024},
			{Metric: probe.Metric{Name: probe.CPU}, Value: 0.61, Limit: 1},
		}},
		{At: 150 * time.Second, Offered: 2000, Achieved: 1800, WireResets: 3112, Failures: 3200, Unsent: 12, LocalFaults: 3, P99: 1200 * time.Millisecond},
		{At: 160 * time.Second, Offered: 700, Achieved: 700, WireResets: 12, Failures: 12, Search: "step 6 at 700/s (600/s passes, 800/s does not)"},
		{At: 181 * time.Second, Offered: 0, Achieved: 10, WireResets: 3112, Failures: 3112},
	}
	var plain, rewritten bytes.Buffer
	lines := newProgress(console.Terminal{}, &plain, plan, false)
	line := newProgress(console.Terminal{Progress: true}, &rewritten, plan, false)
	for _, s := range states {
		lines.update(s)
		line.update(s)
	}
	line.done()
	line.update(states[0])
	golden.File(t, *update, "progress-plain.txt", plain.String())
	golden.File(t, *update, "progress-terminal.txt", strings.ReplaceAll(rewritten.String(), "\r\x1b[K", "\n"))
	var none bytes.Buffer
	newProgress(console.Terminal{}, &none, plan, true).update(states[0])
	if none.Len() != 0 {
		t.Errorf("--quiet printed %q", none.String())
	}
}
