package report_test

import (
	"fmt"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
)

// The verdict of a report, as another program reads it.
func ExampleRead() {
	file := strings.NewReader(`{"schema": 1, "name": "peak", "exit_code": 1,
		"totals": {"requests": 123000, "failed": 3112, "wire_resets": 3112},
		"findings": [{"target": "payments", "verdict": "explains", "cause": "server-file-descriptors", "host": "payments-1"}]}`)
	r, err := report.Read(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	verdict := r.Findings[0]
	fmt.Println(verdict.Verdict, verdict.Cause, "on", verdict.Host)
	fmt.Println(format.Count(r.Totals.WireResets), "resets in", format.Count(r.Totals.Requests), "requests")
	// Output:
	// explains server-file-descriptors on payments-1
	// 3,112 resets in 123,000 requests
}
