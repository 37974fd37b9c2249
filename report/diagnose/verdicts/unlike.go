package verdicts

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rampload/rampload/report/diagnose/causes"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/format"
)

// unlike tells of answers that came as ever, and are not what the profile expects: which
// checks and extracts failed, and no limit.
func unlike(c *inquiry.Investigation, g evidence.GeneratorState) Finding {
	times := map[string]float64{}
	for _, w := range c.Target.Windows {
		for _, cell := range w.Cells {
			if evidence.UnlikeDetail(cell.Detail) {
				times[cell.Detail.Told(c.Target.Info.Content)] += float64(cell.Attempts)
			}
		}
	}
	names := slices.SortedFunc(maps.Keys(times), func(x, y string) int {
		return cmp.Or(cmp.Compare(times[y], times[x]), cmp.Compare(x, y))
	})
	var told []string
	for _, n := range names[:min(3, len(names))] {
		told = append(told, fmt.Sprintf("%s of them fail %s", format.Number(times[n]), n))
	}
	f := finding(c, Explains, causes.UnexpectedAnswers, 0.99, fmt.Sprintf(
		"%s %s. Nobody refused these requests, so nothing that ran out explains them.", onsetSentence(c), strings.Join(told, ", ")))
	if k, ok := causes.KindOf(f.Cause); ok {
		f.Tier, f.Mechanism = k.Tier, k.Mechanism
	}
	f.Evidence = onsetEvidence(c)
	f.RuledOut = excluded(c, nil, g)
	f.Advice = []string{
		"compare the answers with what the profile expects of them (rampload run --once shows them), and correct the profile or the service",
	}
	return f
}

// mistaken tells of a target at whose address another protocol is spoken, and of no limit.
func mistaken(c *inquiry.Investigation, g evidence.GeneratorState) Finding {
	found := evidence.SpeaksOther(c.Case)
	f := finding(c, Explains, causes.WrongProtocol, 0.99, fmt.Sprintf(
		"None of %s was answered: %s. No limit explains that.", format.Counted(c.Parts.Attempts, "attempt"), found))
	if k, ok := causes.KindOf(f.Cause); ok {
		f.Tier, f.Mechanism = k.Tier, k.Mechanism
	}
	f.Evidence = append(onsetEvidence(c), inquiry.Evidence{Source: "client", Text: "asked after the run: " + found})
	f.RuledOut = excluded(c, nil, g)
	f.Advice = []string{"correct scheme and port of the target's url, and look with rampload check whether it answers"}
	return f
}
