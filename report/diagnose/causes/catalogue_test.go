package causes

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose/evidence"
	"github.com/rampload/rampload/report/diagnose/inquiry"
	"github.com/rampload/rampload/report/runlog"
)

// keys are the documented cause keys that a rule may give.
var keys = strings.Fields(`
client-timeout
server-file-descriptors server-connection-limit listen-backlog syn-backlog server-memory-oom server-cpu-shedding server-threads bandwidth-send-timeout
application-abort early-response-unread-body process-crash worker-killed worker-recycling ungraceful-restart tls-shedding rate-limit-policy idle-timeout-race
proxy-ephemeral-ports proxy-file-descriptors proxy-queue-limit nat-ports conntrack-table conntrack-invalid path-reset path-connection-limit path-rate-limit
path-idle-expiry certificate tls-mismatch dns address-down service-down request-too-large credentials processor-stolen disk-saturated disk-full file-access output-blocked timeout-too-short
short-response dependency-read-only dependency-memory-full identifier-exhausted slow-consumer schema-mismatch lock-contention application-error configuration-change deny-rule dependency-error marked-down circuit-open response-refused address-unreachable address-conflict stale-address connection-age-limit retry-storm slow-dependency pool-exhausted deadlock process-paused host-firewall silent-firewall reverse-path-filter rst-injection packet-loss path-delay network-outage mtu-black-hole failover pods-not-ready pod-evicted`)

func TestCatalogue(t *testing.T) {
	rules := Catalogue()
	var seen []string
	for _, r := range rules {
		if !slices.Contains(keys, r.Cause) {
			t.Errorf("%s is no documented cause key", r.Cause)
		}
		if slices.Contains(seen, r.Cause) {
			t.Errorf("%s is there twice", r.Cause)
		}
		seen = append(seen, r.Cause)
		if r.Says == "" || len(r.Weights) == 0 {
			t.Errorf("%s says nothing or weighs nothing", r.Cause)
		}
		for _, name := range append(slices.Clone(r.Gauges), r.Counters...) {
			if _, ok := probe.Lookup(name); !ok {
				t.Errorf("%s: %s is not in the catalogue of metrics", r.Cause, name)
			}
		}
		var clues []evidence.Clue
		for _, w := range r.Weights {
			if slices.Contains(clues, w.Clue) {
				t.Errorf("%s weighs clue %d twice", r.Cause, w.Clue)
			}
			clues = append(clues, w.Clue)
		}
		if len(r.Proof) == 0 && r.ProvenBy != inquiry.RanOut && !r.Symptom {
			t.Errorf("%s can never be claimed: it has no proof", r.Cause)
		}
		if _, ok := KindOf(r.Cause); !ok || r.Mechanism == "" {
			t.Errorf("%s has no kind", r.Cause)
		}
		for _, explains := range []map[evidence.Clue][]evidence.Clue{r.Instead, r.Despite} {
			for by, others := range explains {
				for _, x := range append(slices.Clone(others), by) {
					if !slices.Contains(clues, x) {
						t.Errorf("%s explains clue %d, which it does not weigh", r.Cause, x)
					}
				}
			}
		}
		c := &inquiry.Investigation{Case: &evidence.Case{Run: &evidence.Run{Log: &runlog.Log{}}, Target: &evidence.Target{}, Onset: &evidence.Onset{Fault: attack.Reset}}}
		if advice := r.Advice(c, &inquiry.Hypothesis{Rule: r, Cause: r.Cause}); len(advice) == 0 || advice[0] == "" {
			t.Errorf("%s comes without advice", r.Cause)
		}
		if r.Leg == inquiry.Server && !r.Behind {
			inner := inquiry.Key(c, r, evidence.Hop{Index: 1, Host: "db"})
			if !strings.HasPrefix(inner, "upstream-") || strings.Contains(inner, "server-") {
				t.Errorf("%s behind a proxy is %s", r.Cause, inner)
			}
			if advice := r.Advice(c, &inquiry.Hypothesis{Rule: r, Cause: inner}); len(advice) == 0 {
				t.Errorf("%s comes without advice", inner)
			}
		}
	}
	for _, k := range keys {
		if !slices.Contains(seen, k) {
			t.Errorf("no rule gives %s", k)
		}
	}
}

func TestReason(t *testing.T) {
	for _, s := range []string{"SK_RST_REASON_TCP_STATE", "TCP_STATE", "STATE", "tcp_state"} {
		if got := evidence.Reason(s); got != "STATE" {
			t.Errorf("reason(%q) = %q", s, got)
		}
	}
	for s, want := range map[string]string{"NO_SOCKET": "NO_SOCKET", "TCP_ABORT_ON_CLOSE": "ABORT_ON_CLOSE", "ABORT_ON_CLOSE": "ABORT_ON_CLOSE"} {
		if got := evidence.Reason(s); got != want {
			t.Errorf("reason(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestLoadSpan(t *testing.T) {
	span := evidence.Span{Value: 1510, Low: 1490, High: 1525}
	if got, want := (&evidence.Run{Log: &runlog.Log{}}).LoadSpanText(span, 0), "1,510/s (1,490-1,525)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The threshold of a hard limit leaves room for one unit where limits are small.
func TestThreshold(t *testing.T) {
	for limit, want := range map[float64]float64{10: 9, 40: 39, 64: 62.72, 1024: 1003.52} {
		if got := evidence.Threshold(limit) * limit; fmt.Sprintf("%.2f", got) != fmt.Sprintf("%.2f", want) {
			t.Errorf("limit %v is full at %v, want %v", limit, got, want)
		}
	}
}
