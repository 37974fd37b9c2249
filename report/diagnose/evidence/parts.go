package evidence

import (
	"fmt"
	"math"

	"github.com/rampload/rampload/report/answers"
	"github.com/rampload/rampload/report/format"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/says"
	"github.com/rampload/rampload/report/diagnose/spoken"
	"github.com/rampload/rampload/report/diagnose/words"
)

// Heard is what a part of the failures is said to be about, by the answers to them.
type Heard struct {
	says.Statement
	// Share is the part of all failures that it is said of.
	Share  float64
	Source string // "answers"
	Text   string // who said it how often, word for word
	// By is the commonest answer that says so.
	By answers.Answer
	// Line is what a log says so; nil: it was said in answers.
	Line *spoken.Joined
}

// Split is a size that parts what fails from what does not: of several requests to a
// target, those above it fail, and those below it hardly ever do.
type Split struct {
	What          string  // "requests" or "responses"
	Passes, Fails float64 // bytes: the largest that passes, the smallest that fails
	Above, Below  Tally
	Request       string // the smallest that fails
}

// Tally counts attempts and those of them that failed.
type Tally struct{ Attempts, Failed float64 }

// Share returns the part that failed.
func (t Tally) Share() float64 { return t.Failed / max(t.Attempts, 1) }

func (t *Tally) Add(o Tally) { t.Attempts, t.Failed = t.Attempts+o.Attempts, t.Failed+o.Failed }

// Text words a split.
func (s Split) Text() string {
	verb := "failed"
	if s.Above.Share() < 0.99 {
		verb = "failed as a rule"
	}
	none := fmt.Sprintf("%s of %s", format.Number(s.Below.Failed), format.Number(s.Below.Attempts))
	if s.Below.Failed == 0 {
		none = "none of " + format.Number(s.Below.Attempts)
	}
	return fmt.Sprintf("%s of %s bytes and more %s (%s of %s), those of up to %s bytes did not (%s)",
		s.What, format.Number(math.Round(s.Fails)), verb, format.Number(s.Above.Failed), format.Number(s.Above.Attempts), format.Number(math.Round(s.Passes)), none)
}

// Death is one end of a serving process, with its restart.
type Death struct {
	At, Back float64 // back: when it was there again; +2 s where nobody saw that
	Process  string
	Pid      int32
	Why      string
	Beside   map[int32]bool // processes of its name that lived then
	Others   int            // how many
	Replaced bool
	Oom      bool
}

// Who names the process that ended, with its number where that is known.
func (d Death) Who() string {
	if d.Pid == 0 {
		return words.OrThe(d.Process)
	}
	return fmt.Sprintf("%s (pid %d)", words.OrThe(d.Process), d.Pid)
}

// OfAnother reports whether a process belongs to another hop on the same host.
func OfAnother(c *Case, host, process string, pid int32, h Hop) bool {
	if h.Station == nil || pid != 0 && h.Station.Has(host, pid) {
		return false
	}
	for _, o := range c.Hops {
		if o.Index == h.Index || o.Station == nil || o.Host != host {
			continue
		}
		if pid != 0 && o.Station.Has(host, pid) || process != "" && process == o.Station.Process && process != h.Station.Process {
			return true
		}
	}
	return false
}

// Stops returns the stretches of half a second and more in which nothing was answered
// though requests were open, each between stretches in which much was.
func Stops(c *Case) []Spell {
	n := c.Run.N
	done := make([]float64, n)
	for _, w := range c.Target.Windows {
		if i := int(w.Index); i >= 0 && i < n {
			done[i] = float64(w.FromSend.Total())
		}
	}
	usual := QuantileOf(done, 0.5)
	if usual < 4 {
		return nil
	}
	var out []Spell
	least := max(2, int(math.Round(0.5/c.Run.Step)))
	for i := 0; i < n; {
		if done[i] > 0.05*usual || c.Target.InFlight[i] < 1 {
			i++
			continue
		}
		j := i
		for j < n && done[j] <= 0.05*usual {
			j++
		}
		if j-i >= least && i > 2 && j < n && done[j] >= usual {
			out = append(out, Spell{From: c.Run.Seconds(float64(i)), To: c.Run.Seconds(float64(j))})
		}
		i = j
	}
	return out
}

// WatchedPIDs returns the processes of a hop that were watched at some time.
func WatchedPIDs(c *Case, h Hop) map[int32]bool {
	out := map[int32]bool{}
	for _, s := range c.Run.Log.Series {
		if m := s.Metric; m.Host == h.Host && m.PID != 0 && !GeneratorOwn(m) {
			out[m.PID] = true
		}
	}
	for _, e := range c.Run.Log.Events {
		if (e.Kind == probe.ProcessStart || e.Kind == probe.ProcessExit) && e.Host == h.Host && e.PID != 0 {
			out[e.PID] = true
		}
	}
	return out
}
