package meter

import (
	"github.com/rampload/rampload/cmd/internal/meter/family"
	"github.com/rampload/rampload/report"
)

// mostFindings bounds the conclusions that are told.
const mostFindings = 20

// tellReport adds what a run came to.
func tellReport(b *builder, r *report.Report) {
	at := func(pairs ...string) []family.Label { return b.labels(Local, pairs...) }
	b.gauge("rampload_exit_code", "The exit code of the run: 0 passed, 1 failed, 3 not carried out, 4 not judged, 130 interrupted.", float64(r.ExitCode), at())
	b.gauge("rampload_generator_limited", "1 if the generator was the limit.", truth(r.Generator.Limited), at())
	for _, f := range r.Findings[:min(len(r.Findings), mostFindings)] {
		labels := at("target", f.Target, "verdict", f.Verdict, "cause", f.Cause, "host", f.Host, "process", f.Process, "resource", f.Resource)
		b.once("rampload_verdict", "The conclusions of the run, by target.", 1, labels)
		if f.Confidence > 0 {
			b.once("rampload_verdict_confidence", "How sure a conclusion is, from 0 to 1.", f.Confidence, labels)
		}
	}
	for _, t := range r.Targets[:min(len(r.Targets), mostTargets)] {
		if t.Onset.Status == report.OnsetNone || t.Onset.LoadRPS == nil {
			continue
		}
		b.gauge("rampload_onset_requests_per_second", "The load at which faults of a target begin.", *t.Onset.LoadRPS, at("target", t.Name, "fault", t.Onset.Fault))
	}
}
