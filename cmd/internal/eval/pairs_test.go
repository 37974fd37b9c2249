package eval_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rampload/rampload/cmd/internal/eval"
	"github.com/rampload/rampload/report/diagnose"
)

func TestWritePairs(t *testing.T) {
	said := func(cause, host string, right bool) eval.Judgement {
		return eval.Judgement{Verdict: diagnose.Explains, Cause: cause, Host: host, Confidence: 0.98, Right: right}
	}
	pairs := []eval.Pair{
		{Case: eval.Case{Scenario: "a", Seed: 1}, By: [2]eval.Judgement{said("server-file-descriptors", "payments-1", true), said("server-file-descriptors", "payments-1", true)}, Resets: [2]uint64{7, 8}, Wanted: [2]uint64{7, 8}},
		{Case: eval.Case{Scenario: "b", Seed: 1}, By: [2]eval.Judgement{said("nat-ports", "router", true), said("listen-backlog", "orders-1", false)}},
	}
	if !pairs[0].Same() || pairs[1].Same() {
		t.Error("what is the same is not seen")
	}
	var out bytes.Buffer
	if err := eval.WritePairs(&out, pairs); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"1 of 2 runs get the same verdict both ways", "2 are right the\nfirst way and 1 the second",
		"| a-1 | server-file-descriptors (explains, 0.98) on payments-1 | server-file-descriptors (explains, 0.98) on payments-1 | yes | 7 of 7 | 8 of 8 |",
		"| **listen-backlog (explains, 0.98) on orders-1** | no |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
