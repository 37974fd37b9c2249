package diagnose

import (
	"slices"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/verdicts"
	"github.com/rampload/rampload/report/diagnose/words"
)

// judged reports whether the generator's limit leaves the failures of a target to be judged.
func judged(c *evidence.Case) bool { return !c.Censored }

// joined is the result of a run that its generator limited before anything could be judged:
// of the targets that failed at loads which the generator bore, what is found in the run up to
// that limit. All above it stays the generator's.
func joined(whole, borne Result, cases []*evidence.Case) Result {
	stands := map[string]bool{}
	for i, c := range cases {
		if standsBelow(whole.Generator, c, borne.Findings) {
			stands[c.Target.Info.Name] = true
			whole.Targets[i] = borne.Targets[i]
			for k := range whole.Targets[i].Onsets {
				o := &whole.Targets[i].Onsets[k]
				o.Note = words.Join(o.Note, "read up to the generator's limit")
			}
		}
	}
	if len(stands) == 0 {
		return whole
	}
	below := func(f Finding) bool { return stands[f.Target] }
	whole.Findings = append(
		slices.DeleteFunc(borne.Findings, func(f Finding) bool { return !below(f) }),
		slices.DeleteFunc(whole.Findings, below)...)
	whole.Resources = borne.Resources
	return whole
}

// standsBelow reports whether the failures of a target before the generator's limit are
// something by themselves: an onset that had begun a second and more before it, which is how
// long a generator must be late to be limited, or failures of which what caused them is known.
// A few that nothing explains may be the first that the generator made.
func standsBelow(g GeneratorState, c *evidence.Case, findings []Finding) bool {
	if !c.Faulty() {
		return false
	}
	i := slices.IndexFunc(findings, func(f Finding) bool { return f.Target == c.Target.Info.Name })
	if i < 0 {
		return false
	}
	switch findings[i].Verdict {
	case verdicts.Explains:
		return true
	case verdicts.Ambiguous, verdicts.Unexplained:
		return c.Onset.Status != evidence.NoOnset && c.Onset.Interval().High <= (g.At-attack.FairFor).Seconds()
	}
	return false
}
