package diagnose_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/diagnose/causes"
	"github.com/rampload/rampload/report/runlog"
)

// TestContentIsNoRefusal: answers of an expected status that fail a check or extract are
// put down to no limit, though the processor is used up from where they begin.
func TestContentIsNoRefusal(t *testing.T) {
	for name, from := range map[string]float64{"from the start": 0, "beyond a load": 0.5} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(rand.New(rand.NewPCG(3, 77)))
			w.length = 24
			w.fail = func(r *request) {
				if r.due >= from*w.length {
					answer(r, 200, `{"id": "42"}`)
					r.detail = attack.Content(1)
				}
			}
			w.background()
			w.series(serverHost, "", probe.CPU, 1, func(at float64) float64 {
				if at >= from*w.length {
					return 1
				}
				return 0.3
			})
			w.play()
			w.complete()
			w.log.Header.Targets[0].Content = []string{"check json id", "extract token: json nope.x"}
			f := diagnose.Analyze(w.log).Findings[0]
			if f.Cause != causes.UnexpectedAnswers || f.Verdict != diagnose.Explains || f.Resource != "" || !strings.Contains(f.Summary, "fail extract token: json nope.x") {
				t.Errorf("%s %s %s: %s", f.Verdict, f.Cause, f.Resource, f.Summary)
			}
			for _, a := range f.Advice {
				if strings.Contains(a, "503") || strings.Contains(a, "processor") {
					t.Errorf("advice: %s", a)
				}
			}
		})
	}
}

// TestWrongProtocol: where nothing was ever answered, and something else than the target's
// protocol was found at its address, no limit is blamed, though the processor is used up.
func TestWrongProtocol(t *testing.T) {
	const found = "10.0.0.2:8080 answers like Redis, not like an HTTP server; check scheme and port of its url"
	for name, x := range map[string]struct {
		answers bool
		reason  string
		wrong   bool
	}{
		"found":              {reason: runlog.NeverAnswered + found, wrong: true},
		"nobody asked":       {},
		"some were answered": {reason: runlog.NeverAnswered + found, answers: true},
		"measured otherwise": {reason: "no namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(rand.New(rand.NewPCG(3, 78)))
			w.length = 24
			w.fail = func(r *request) {
				if !x.answers || r.due > 1 {
					r.fault, r.phase = attack.EOF, attack.PhaseAwait
				}
			}
			w.background()
			w.series(serverHost, "", probe.CPU, 1, func(float64) float64 { return 1 })
			w.play()
			w.complete()
			w.log.Trailer.Sources = append(w.log.Trailer.Sources, probe.Status{Source: runlog.OfTarget(w.log.Header.Targets[0].Name), State: probe.Partial, Reason: x.reason})
			f := diagnose.Analyze(w.log).Findings
			if wrong := f[0].Cause == causes.WrongProtocol; wrong != x.wrong {
				t.Fatalf("%s %s: %s", f[0].Verdict, f[0].Cause, f[0].Summary)
			}
			if x.wrong && (len(f) != 1 || f[0].Verdict != diagnose.Explains || f[0].Resource != "" || !strings.Contains(f[0].Summary, "answers like Redis")) {
				t.Errorf("%+v", f)
			}
		})
	}
}
