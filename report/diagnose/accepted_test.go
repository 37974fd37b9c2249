package diagnose_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose"
)

// TestAccepted: what becomes of transactions that were accepted is told of them, and not of
// a client that waits for an answer; what is told of answers stays as it is.
func TestAccepted(t *testing.T) {
	run := func(part profiles.Role) diagnose.Finding {
		w := newWorld(rand.New(rand.NewPCG(7, 7)))
		w.log.Header.Generator.Timeout = dur(0.4)
		if part != "" {
			w.log.Header.Targets[0].Name, w.log.Header.Targets[0].Part, w.log.Header.Targets[0].Of = "orders:completion", part, "orders"
		}
		c := w.loadBetween(0.5, 0.6)
		w.fail = func(r *request) {
			r.latency += 0.35 * max(0, (r.load-0.7*c)/(0.3*c)) * (0.8 + 0.2*w.rng.Float64())
			if r.latency >= 0.4 {
				timeout(r, attack.PhaseAwait, 0.4)
			}
		}
		w.play()
		w.complete()
		return diagnose.Analyze(w.log).Findings[0]
	}
	const queue = "look at the queue behind orders: "
	whole := func(f diagnose.Finding) string {
		return f.Summary + strings.Join(append(evidence(f), f.Advice...), "; ")
	}
	plain, of := run(profiles.RoleRequests), run(profiles.RoleCompletion)
	if plain.Cause != "client-timeout" || plain.Tier == report.TierUpstream || !strings.Contains(plain.Summary, "Answers took longer than the client waits") || strings.Contains(whole(plain), queue) {
		t.Errorf("of requests: %s in %s: %s", plain.Cause, plain.Tier, whole(plain))
	}
	if of.Cause != "client-timeout" || of.Tier != report.TierUpstream || of.Mechanism != report.MechanismSlow {
		t.Errorf("of transactions: %s in %s (%s)", of.Cause, of.Tier, of.Mechanism)
	}
	for _, want := range []string{"What was accepted was not done in time", "of the failures were transactions that were not done in time", queue} {
		if !strings.Contains(whole(of), want) {
			t.Errorf("%q is not told: %s", want, whole(of))
		}
	}
	for _, not := range []string{"client waits", "waiting for the response", "answers that did not come"} {
		if strings.Contains(whole(of), not) {
			t.Errorf("%q is told: %s", not, whole(of))
		}
	}
	if slices.ContainsFunc(of.Advice, func(s string) bool { return strings.Contains(s, "client") }) {
		t.Errorf("advises %q", of.Advice)
	}
}
