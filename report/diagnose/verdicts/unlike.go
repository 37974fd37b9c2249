package verdicts

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/diagnose/words"
)

// unlike tells of answers that had the expected status, and not the content that the
// profile asks for: which checks and extracts failed, and no limit.
func unlike(c *inquiry.Investigation, g evidence.GeneratorState) Finding {
	times := map[string]float64{}
	for _, w := range c.Target.Windows {
		for _, cell := range w.Cells {
			if cell.Detail.Kind == attack.ContentDetail {
				times[cell.Detail.Told(c.Target.Info.Content)] += float64(cell.Attempts)
			}
		}
	}
	names := slices.SortedFunc(maps.Keys(times), func(x, y string) int {
		return cmp.Or(cmp.Compare(times[y], times[x]), cmp.Compare(x, y))
	})
	var told []string
	for _, n := range names[:min(3, len(names))] {
		told = append(told, fmt.Sprintf("%s (%s)", n, words.Commas(times[n])))
	}
	f := finding(c, Unexplained, "unexplained", c.None, fmt.Sprintf(
		"%s They have the status that the profile expects, and not the content: %s. Nobody refused these requests, so nothing that ran out explains them.",
		onsetSentence(c), strings.Join(told, ", ")))
	f.Evidence = onsetEvidence(c)
	f.RuledOut = excluded(c, nil, g)
	f.Advice = []string{
		"compare the answer with what the step checks for and extracts (rampload run --once shows both), and correct the profile or the service",
	}
	return f
}
