package profiles_test

import (
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// TestRetryFaultsAreFaults holds the names that profiles may use to those of the
// package that knows faults, which profiles may not import.
func TestRetryFaultsAreFaults(t *testing.T) {
	named := make(map[attack.Fault]bool)
	for _, name := range profiles.RetryFaults() {
		f, ok := attack.ParseFault(name)
		if !ok || !f.Failure() {
			t.Errorf("%s is no failure of a target", name)
		}
		named[f] = true
	}
	for f := range attack.Faults {
		if fault := attack.Fault(f); fault.Failure() && !named[fault] {
			t.Errorf("%s cannot be retried", fault)
		}
	}
}
