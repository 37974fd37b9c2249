package render

import (
	"strings"
	"testing"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/answers"
)

func TestAnswersAndRequestsAreShown(t *testing.T) {
	r := &report.Report{Schema: 1, Targets: []report.Target{{
		Name: "shop", Totals: report.Totals{Requests: 240, Failed: 119},
		Answers: []answers.Answer{
			{Status: 500, Fault: "status", Times: 60, Of: 64, By: "gunicorn", Says: "too many clients"},
			{Status: 429, Fault: "status", Times: 3, Of: 64, RetryAfterS: new(2.0)},
			{Status: 200, Fault: "timeout", Times: 1, Of: 64, DeclaredBytes: new(int64(5000)), ReceivedBytes: new(int64(4900))},
		},
		ByRequest: []answers.Request{
			{Name: "GET /small", Attempts: 120, SentBytes: new(180.0), ReceivedBytes: new(12.0)},
			{Name: "POST /big", Attempts: 120, Failed: 119, SentBytes: new(2180.4)},
		},
	}}}
	var out strings.Builder
	if err := Markdown(&out, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"60 of 64 | gunicorn | too many clients", "(retry after 2 s)", "4,900 of the 5,000 bytes that it announced",
		"POST /big", "2,180 B", "99%",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not shown in:\n%s", want, out.String())
		}
	}
}
