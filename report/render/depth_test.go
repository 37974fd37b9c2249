package render

import (
	"testing"

	"github.com/rampload/rampload/report"
)

func TestDepth(t *testing.T) {
	for _, test := range []struct {
		tier      report.Tier
		mechanism report.Mechanism
		want      string
	}{
		{report.TierServer, report.MechanismExhausted, "somewhere on the server: exhausted"},
		{report.TierPath, "", "somewhere on the path"},
		{"", report.MechanismPolicy, "policy"},
		{"", "", ""},
	} {
		f := report.Finding{Verdict: "unexplained", Tier: test.tier, Mechanism: test.mechanism}
		if got := depth(f); got != test.want {
			t.Errorf("%s, %s: got %q, want %q", test.tier, test.mechanism, got, test.want)
		}
	}
}
