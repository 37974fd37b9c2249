package assemble

import (
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
)

// What became of accepted transactions is told of them, and not of a client that waits for
// an answer; other findings stay as they are.
func TestAdviseCompletions(t *testing.T) {
	finding := func(target string) report.Finding {
		return report.Finding{
			Target: target, Verdict: "ambiguous", Cause: "client-timeout", Tier: report.TierServer, Mechanism: report.MechanismSlow,
			Summary:  "Shop shows timeouts from 50/s on. Answers took longer than the client waits on shop-1: 100% of the failures were answers that did not come in time.",
			Evidence: []report.Evidence{{Text: "100% of the failures were answers that did not come in time"}, {Text: "100% of the failures came while waiting for the response"}},
			Advice:   []string{"the client's timeout of 5 s only shows it"},
		}
	}
	r := &report.Report{Findings: []report.Finding{finding("shop:completion"), finding("shop")}}
	r.Targets = []report.Target{{Name: "shop"}, {Name: "shop:completion", Of: "shop", Part: profiles.RoleCompletion}}
	adviseCompletions(r)
	of, plain := r.Findings[0], r.Findings[1]
	if !strings.Contains(of.Summary, "What was accepted was not done in time on shop-1: 100% of the failures were transactions that were not done in time.") ||
		len(of.Evidence) != 1 || of.Tier != report.TierUpstream || slices.ContainsFunc(of.Advice, func(s string) bool { return strings.Contains(s, "client") }) || len(of.Advice) != 2 {
		t.Errorf("got %+v", of)
	}
	if want := finding("shop"); plain.Summary != want.Summary || plain.Tier != want.Tier || !slices.Equal(plain.Advice, want.Advice) {
		t.Errorf("got %+v", plain)
	}
}
