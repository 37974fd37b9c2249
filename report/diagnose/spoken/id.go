package spoken

import (
	"strconv"
	"strings"
)

// RequestOf reads the number of a request from a transaction id of the run, or from the
// trace id that stands for it.
func RequestOf(run, id string) (uint64, bool) {
	if run == "" || len(run) != 16 || !strings.HasPrefix(id, run) {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(id[len(run):], "-"), 16, 64)
	return n, err == nil
}
