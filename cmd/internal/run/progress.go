package run

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/render/layout"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/cmd/internal/keep"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

// plainEvery is how often a log that is not a terminal gets a line.
const plainEvery = 10 * time.Second

// progress tells how a run goes: one line that is rewritten on a terminal, a
// line every ten seconds elsewhere.
type progress struct {
	w        io.Writer
	terminal bool
	quiet    bool
	plan     loadPlan

	mu        sync.Mutex
	lastPlain time.Duration
	drawn     bool
	stopped   bool
	hidden    func(string) // takes warnings while something else is shown; nil: nothing is
	held      []string     // warnings that were made meanwhile
}

func newProgress(t console.Terminal, w io.Writer, p loadPlan, quiet bool) *progress {
	return &progress{w: w, terminal: t.Progress, quiet: quiet, plan: p, lastPlain: -plainEvery}
}

// warn says what a person has to know of the run, above the line.
func (p *progress) warn(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hidden != nil {
		p.held = append(p.held, text)
		p.hidden(text)
		return
	}
	p.say(text)
}

// hide shows nothing from now on; warnings go to tell, and are told when show is called.
func (p *progress) hide(tell func(string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hidden = tell
}

func (p *progress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hidden = nil
	for _, text := range p.held {
		p.say(text)
	}
	p.held = nil
}

// words is one state of the run as one line.
func (p *progress) words(s session.Progress) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.line(s)
}

// announce says what a person may want to know of the run, and has not to.
func (p *progress) announce(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hidden != nil {
		p.hidden(text)
		return
	}
	line := "rampload: " + text + "\n"
	if p.drawn {
		line = "\r\x1b[K" + line
	}
	fmt.Fprint(p.w, line)
}

func (p *progress) say(text string) {
	line := "rampload: warning: " + console.Message(text) + "\n"
	if p.drawn {
		line = "\r\x1b[K" + line
	}
	fmt.Fprint(p.w, line)
}

// keep writes a file of the run and says where it is when that is not its place,
// "" when it is nowhere. why is what went wrong before, if anything did.
func (p *progress) keep(path string, why error, write func(io.Writer) error) string {
	kept, err := keep.Save(path, write)
	switch err = cmp.Or(why, err); {
	case kept == path:
	case kept != "":
		p.warn(fmt.Sprintf("%s; it is in %s", keep.CannotWrite(path, err), kept))
	default:
		p.warn(fmt.Sprintf("%s, and neither could a copy in %s: it is lost", keep.CannotWrite(path, err), os.TempDir()))
	}
	return kept
}

// settle waits until all of it is written.
func (p *progress) settle() {
	if v, ok := p.w.(*console.Voice); ok {
		v.Settle()
	}
}

// update shows the state of the run; it is called once a window.
func (p *progress) update(s session.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.quiet || p.stopped || p.hidden != nil:
	case p.terminal:
		p.drawn = true
		fmt.Fprintf(p.w, "\r\x1b[K%s", clip(p.line(s), p.columns()))
	case s.At-p.lastPlain >= plainEvery:
		p.lastPlain = s.At
		fmt.Fprintln(p.w, p.line(s))
	}
}

// idling shows that connections are held idle, until the returned function is
// called.
func (p *progress) idling(stage profiles.Idle) (stop func()) {
	began, over := time.Now(), make(chan struct{})
	show := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		spent := time.Since(began)
		text := fmt.Sprintf("holding idle connections for %s, %s", spelling.FormatDuration(stage.To), Clock(spent))
		switch {
		case p.quiet || p.stopped || p.hidden != nil:
		case p.terminal:
			p.drawn = true
			fmt.Fprintf(p.w, "\r\x1b[K%s", clip(text, p.columns()))
		default:
			fmt.Fprintln(p.w, text)
		}
	}
	every := plainEvery
	if p.terminal {
		every = time.Second
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for show(); ; show() {
			select {
			case <-ticker.C:
			case <-over:
				return
			}
		}
	})
	return func() {
		close(over)
		wg.Wait()
	}
}

// done removes the line.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

func (p *progress) columns() int {
	if f, ok := p.w.(interface{ Fd() uintptr }); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 10 {
			return w - 1
		}
	}
	return console.DefaultWidth - 1
}

// line is one state in words, most important first, so that a narrow terminal
// cuts the least.
func (p *progress) line(s session.Progress) string {
	var b strings.Builder
	left := max(p.plan.End()-s.At, 0).Round(time.Second)
	fmt.Fprintf(&b, "%s", Clock(s.At))
	switch {
	case p.plan.watching != nil:
		if end := p.plan.watching.For; end > 0 {
			fmt.Fprintf(&b, " -%s", Clock(max(end-s.At, 0)))
		}
	case s.Search != "": // nobody knows how long it takes
		fmt.Fprintf(&b, "  %s", s.Search)
	case left > 0:
		fmt.Fprintf(&b, " -%s", Clock(left))
	default:
		b.WriteString(" draining")
	}
	stages := p.plan.Profile.Load
	if i := p.stage(s.At); len(stages) > 1 && left > 0 {
		fmt.Fprintf(&b, "  %d/%d", i+1, len(stages))
	}
	fmt.Fprintf(&b, "  %s/s", format.Number(s.Achieved))
	if s.Offered > 0 && (s.Achieved < 0.98*s.Offered || s.Achieved > 1.02*s.Offered) {
		fmt.Fprintf(&b, " of %s/s", format.Number(s.Offered))
	}
	fmt.Fprintf(&b, "  resets %s", format.Count(s.WireResets))
	if s.Failures != s.WireResets {
		fmt.Fprintf(&b, "  failed %s", format.Number(float64(s.Failures)))
	}
	if s.LocalFaults > 0 {
		fmt.Fprintf(&b, "  local faults %s", format.Number(float64(s.LocalFaults)))
	}
	if s.Unsent > 0 {
		fmt.Fprintf(&b, "  unsent %s", format.Number(float64(s.Unsent)))
	}
	if s.P99 > 0 {
		fmt.Fprintf(&b, "  p99 %s", format.Seconds(s.P99.Seconds()))
	}
	for i, f := range s.Fullest {
		if i == 2 {
			break
		}
		who := f.Metric.Process
		if who != "" {
			who += " "
		}
		fmt.Fprintf(&b, "  %s%s %.0f%%", who, f.Metric.Name, 100*f.Share())
	}
	return layout.Clean(b.String())
}

func (p *progress) stage(at time.Duration) int {
	var end time.Duration
	stages := p.plan.Profile.Load
	for i, s := range stages {
		end += s.Duration()
		if at <= end {
			return i
		}
	}
	return len(stages) - 1
}

// Clock writes a duration as minutes and seconds.
func Clock(d time.Duration) string {
	if d < 0 { // before the load
		return "-" + Clock(-d)
	}
	s := int(d.Round(time.Second).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

func clip(s string, columns int) string { return runewidth.Truncate(s, columns, "…") }
