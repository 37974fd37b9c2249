package causes

import (
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/diagnose/words"
)

// staleAddress: a hop goes on asking an address that the service has left, and that another machine
// has now.
func staleAddress() inquiry.Rule {
	return inquiry.Rule{
		Cause: "stale-address", Mechanism: report.MechanismBug,
		Any:   []evidence.Clue{evidence.AddressStale},
		Proof: []evidence.Clue{evidence.AddressStale},
		Told:  []evidence.Clue{evidence.AddressStale},
		Weights: []inquiry.Weight{
			{Clue: evidence.AddressStale, Yes: 2 * inquiry.Proves, No: 0},
			{Clue: evidence.RisesWithLoad, Yes: inquiry.Opposite(inquiry.Weak), No: 0},
		},
		Tells: map[inquiry.Experiment]inquiry.Outcome{inquiry.HalfRate: inquiry.Stays, inquiry.HalfConcurrency: inquiry.Stays, inquiry.Fresh: inquiry.Stays, inquiry.AroundProxy: inquiry.Goes},
		Says:  "it goes on asking the address where the service was; another machine has that now",
		Advice: func(_ *inquiry.Investigation, h *inquiry.Hypothesis) []string {
			return []string{
				"let " + words.OrThe(h.Hop.Process()) + " on " + h.Hop.Host + " look the name up again: reload or restart it now; later by itself (nginx: resolver and a variable in proxy_pass; haproxy: resolvers; JVM: networkaddress.cache.ttl)",
				"keep an address unused for longer than anybody caches it before another machine gets it, and let callers check whom they speak to (TLS)",
			}
		},
	}
}
