package live

import (
	"flag"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/cmd/internal/golden"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
)

var update = flag.Bool("update", false, "rewrite golden files")

// nowhere is a recorder that keeps nothing.
type nowhere struct{}

func (nowhere) Address(attack.Address) {}
func (nowhere) Window(attack.Window)   {}
func (nowhere) Failure(attack.Failure) {}
func (nowhere) Samples([]probe.Sample) {}
func (nowhere) Event(probe.Event)      {}

func plan() Plan {
	return Plan{
		Name: "peak v1.4.2", Targets: []string{"payments"}, Steered: true,
		Stages: []Stage{
			{End: 30 * time.Second, From: 50, To: 1200, Text: "ramp 50/s to 1,200/s over 30s"},
			{Start: 30 * time.Second, End: 40 * time.Second, From: 1200, To: 1200, Text: "hold 1,200/s for 10s"},
		},
	}
}

// run feeds a run up to a time: a ramp that resets from 765/s on.
func run(upto time.Duration, traced bool) *Feed {
	const every = 250 * time.Millisecond
	f := NewFeed(plan())
	to := f.Tap(nowhere{})
	p := session.Progress{}
	for i := 0; time.Duration(i+1)*every <= upto; i++ {
		p.At = time.Duration(i+1) * every
		p.Offered = 50 + 1150*p.At.Seconds()/30
		p.Achieved = p.Offered * 0.995
		p.P99 = time.Duration(4+p.Offered*p.Offered/40_000) * time.Millisecond
		n := uint64(p.Offered / 4)
		p.Requests += n
		w := attack.Window{Index: int32(i), FromDue: attack.Histogram{{Value: 3000, Count: n}}}
		if p.Offered > 765 {
			w.Cells = []attack.Cell{{Fault: attack.Reset, Phase: attack.PhaseAwait, Attempts: n / 5, Requests: n / 5, WireResets: n / 5}}
			p.Failures, p.WireResets = p.Failures+n/5, p.WireResets+n/5
			to.Failure(attack.Failure{Attempt: attack.Attempt{
				Fault: attack.Reset, Phase: attack.PhaseAwait, WireReset: true, End: p.At,
				Conn: attack.Conn{Reused: true, Remote: netip.MustParseAddrPort("10.0.0.7:8080")},
			}})
			if traced {
				to.Event(probe.Event{
					Kind: probe.RSTSent, At: p.At, Host: "payments-1", Comm: "payments", PID: 4127, Count: n / 5,
					Kernel: &probe.Kernel{Path: "closed with unread data"},
				})
			}
		}
		to.Window(w)
		p.Fullest = []session.Fullness{
			{Metric: probe.Metric{Host: "payments-1", Process: "payments", PID: 4127, Name: probe.OpenFiles}, Value: min(278, p.Offered/2.8), Limit: 278},
			{Metric: probe.Metric{Host: "local", Name: probe.CPU}, Value: 0.34, Limit: 1},
			{Metric: probe.Metric{Host: "local", Name: probe.EphemeralPorts, Instance: "10.0.0.7:8080"}, Value: 2100, Limit: 28232},
			{Metric: probe.Metric{Host: "local", Name: probe.Memory}, Value: 1 << 30, Limit: 24 << 30},
		}
		f.Progress(p)
	}
	return f
}

func judged(f *Feed) *Feed {
	r := &report.Report{
		Started: time.Unix(0, 0), Ended: time.Unix(24, 0),
		Targets: []report.Target{{Name: "payments", Totals: report.Totals{Requests: 12308, Failed: 946, WireResets: 946}, Onset: report.Onset{
			Status: report.OnsetFound, Fault: "reset", AtS: new(18.5), LoadRPS: new(765.0),
		}}},
		Findings: []report.Finding{
			{Target: "payments", Verdict: "ambiguous", Cause: "server-file-descriptors", Host: "payments-1", Process: "payments", PID: 4127, Confidence: 0.62, Evidence: []report.Evidence{{Text: "open files of payments (pid 4127) 278 of 278, 0.2 s before the first reset"}}},
			{Target: "payments", Verdict: "ambiguous", Cause: "listen-backlog", Host: "payments-1", Confidence: 0.31},
		},
	}
	f.Interim(r, 40*time.Millisecond)
	return f
}

var escape = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestFrames(t *testing.T) {
	states := map[string]func() State{
		"before": func() State { return NewFeed(plan()).Snapshot() },
		"failing": func() State {
			f := judged(run(24*time.Second, true))
			f.Note("0:12: payments (pid 4100) on payments-1 ended: exit status 1")
			return f.Snapshot()
		},
		"untraced": func() State { return run(22*time.Second, false).Snapshot() },
		"held": func() State {
			f := run(15*time.Second, false)
			f.Changed(Load{Held: true, Factor: 1.1, Stages: []Stage{
				{End: 10 * time.Second, From: 50, To: 433, Text: "50/s to 433/s"},
				{Start: 10 * time.Second, End: time.Hour, From: 476, To: 476, Text: "held by hand at 476/s"},
			}})
			f.Note("0:10: held at 476/s")
			return f.Snapshot()
		},
	}
	sizes := [][2]int{{40, 16}, {40, 40}, {60, 20}, {80, 24}, {120, 40}, {200, 50}}
	for name, state := range states {
		for _, size := range sizes {
			t.Run(fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), func(t *testing.T) {
				frame := Frame(state(), size[0], size[1])
				lines := strings.Split(escape.ReplaceAllString(frame, ""), "\n")
				if len(lines) != size[1] {
					t.Errorf("%d lines on a screen of %d", len(lines), size[1])
				}
				for _, l := range lines {
					if w := runewidth.StringWidth(l); w > size[0] {
						t.Errorf("%d columns: %q", w, l)
					}
				}
				if name == "failing" || size == [2]int{80, 24} {
					golden.File(t, *update, fmt.Sprintf("%s-%dx%d.txt", name, size[0], size[1]), strings.Join(lines, "\n")+"\n")
				}
			})
		}
	}
}

// Whatever is shown, in whatever size, a frame is drawn, and hostile text cannot move
// the cursor.
func TestFramesOfAnything(t *testing.T) {
	f := judged(run(24*time.Second, true))
	f.Note("evil\x1b[2J\r\nname\x07")
	f.Tap(nowhere{}).Event(probe.Event{Kind: probe.RSTSent, Comm: "a\x1b]0;x\x07b", Count: 1, Reason: strings.Repeat("日本", 200)})
	s := f.Snapshot()
	s.Now.Fullest = append(s.Now.Fullest, session.Fullness{Metric: probe.Metric{Process: strings.Repeat("long", 50), Name: probe.RSS}, Value: 3, Limit: 1})
	s.Now.Achieved = math.MaxFloat64
	for width := 1; width < 210; width += 7 {
		for height := 1; height < 60; height += 5 {
			frame := Frame(s, width, height)
			if strings.ContainsAny(escape.ReplaceAllString(frame, ""), "\x1b\x07\r") {
				t.Fatalf("%d x %d: control characters: %q", width, height, frame)
			}
			if n := strings.Count(frame, "\n") + 1; n > height {
				t.Fatalf("%d x %d: %d lines", width, height, n)
			}
		}
	}
}

// A day's run is kept in the room of an hour's, and none of its failures is lost.
func TestCourseIsBounded(t *testing.T) {
	f := NewFeed(plan())
	p := session.Progress{}
	const windows = 24 * 3600 * 4
	for i := range windows {
		p.At = time.Duration(i+1) * 250 * time.Millisecond
		p.Offered, p.Achieved = 100, 100
		if i%1000 == 0 {
			p.Failures++
		}
		f.Progress(p)
	}
	s := f.Snapshot()
	if n := len(s.Course); n > mostPoints || n < mostPoints/2 {
		t.Errorf("%d points", n)
	}
	var failed uint64
	for _, point := range s.Course {
		failed += point.Failed
	}
	if failed != p.Failures || s.Course[len(s.Course)-1].At != p.At {
		t.Errorf("%d of %d failures, up to %v of %v", failed, p.Failures, s.Course[len(s.Course)-1].At, p.At)
	}
}

// Many senders take no more room than a few, and the latest stay.
func TestResetsAreBounded(t *testing.T) {
	f := NewFeed(plan())
	to := f.Tap(nowhere{})
	for i := range 1000 {
		to.Event(probe.Event{Kind: probe.RSTSent, At: time.Duration(i) * time.Second, Comm: fmt.Sprint("p", i), PID: int32(i + 1)})
	}
	s := f.Snapshot()
	if len(s.Resets) != mostResets || !strings.HasPrefix(s.Resets[0].Who, "p999 ") {
		t.Errorf("%+v", s.Resets)
	}
}

// Whoever fills the feed and whoever draws do not get in each other's way. Run with
// -race.
func TestFeedIsShared(t *testing.T) {
	f := NewFeed(plan())
	to := f.Tap(nowhere{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for i := range 300 {
				to.Window(attack.Window{Index: int32(i), FromDue: attack.Histogram{{Value: 10, Count: 1}}})
				to.Event(probe.Event{Kind: probe.RSTSent, Comm: fmt.Sprint(i)})
				f.Progress(session.Progress{At: time.Duration(i) * time.Second})
				f.Note("x")
				_ = Frame(f.Snapshot(), 80, 24)
			}
		})
	}
	wg.Wait()
}

// What a view costs the run: a window through the tap, and a frame of it.
func BenchmarkWindow(b *testing.B) {
	f := run(24*time.Second, true)
	to := f.Tap(nowhere{})
	w := attack.Window{FromDue: attack.Histogram{{Value: 3000, Count: 200}, {Value: 4000, Count: 20}}, Cells: make([]attack.Cell, 12)}
	for b.Loop() {
		to.Window(w)
		f.Progress(session.Progress{})
	}
}

func BenchmarkFrame(b *testing.B) {
	f := judged(run(24*time.Second, true))
	for b.Loop() {
		_ = Frame(f.Snapshot(), 120, 40)
	}
}
