package spoken

import (
	"strconv"
	"strings"
)

// RequestOf returns the number of the request that a transaction id or trace id of the run stands
// for; ok is false for an id of something else. Ids begin with the run's id, 16 hex digits.
func RequestOf(run, id string) (uint64, bool) {
	if run == "" || len(run) != 16 || !strings.HasPrefix(id, run) {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(id[len(run):], "-"), 16, 64)
	return n, err == nil
}
