package answers_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/answers"
)

func answered(status uint16, endpoint uint32, body string, headers ...string) *attack.Failure {
	a := &attack.Answer{Body: body, Declared: -1}
	for i := 0; i+1 < len(headers); i += 2 {
		a.Headers = append(a.Headers, attack.AnswerHeader{Name: headers[i], Value: headers[i+1]})
	}
	return &attack.Failure{Attempt: attack.Attempt{Endpoint: endpoint, Status: status, Fault: attack.Status, Answer: a}}
}

func TestAnswersThatSayTheSameAreOne(t *testing.T) {
	var failures []*attack.Failure
	for i := range 119 {
		failures = append(failures, answered(500, 0, fmt.Sprintf("FATAL: sorry, too many clients already (session %d, id %x)", i, i*7919), "server", "shop"))
	}
	failures = append(failures, answered(429, 1, "slow down", "retry-after", "2"), &attack.Failure{Attempt: attack.Attempt{Fault: attack.Reset}})
	got := answers.SumAnswers(failures, nil, func(e uint32) string { return [...]string{"GET /a", "GET /b"}[e] })
	if len(got) != 2 || got[0].Times != 119 || got[0].Of != 120 || got[0].By != "shop" || got[0].Requests[0] != "GET /a" {
		t.Fatalf("%+v, want 119 of 120 to say the same", got)
	}
	if w := got[1].RetryAfterS; got[1].Status != 429 || w == nil || *w != 2 {
		t.Errorf("%+v, want a 429 that asks to wait 2 s", got[1])
	}
}

func TestWordsOfAnAnswer(t *testing.T) {
	page := "<html>\r\n<head><title>503 Service Temporarily Unavailable</title><style>p{color:red}</style></head>\r\n<body>\r\n" +
		"<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>"
	for _, tt := range []struct{ body, kind, want string }{
		{page, "text/html", "503 Service Temporarily Unavailable nginx/1.22.1"},
		{page[:70], "text/html", "503 Service Temporarily Unavailable"},
		{`{"error":"pool exhausted"}`, "application/json", `{"error":"pool exhausted"}`},
		{"<title>Oops</title><p>caf&eacute; is <b>closed", "", "Oops: café is closed"},
		{"", "", ""},
	} {
		a := &attack.Answer{Body: tt.body}
		if tt.kind != "" {
			a.Headers = []attack.AnswerHeader{{Name: "content-type", Value: tt.kind}}
		}
		if got := answers.WordsOf(a); got != tt.want {
			t.Errorf("%.40q says %q, want %q", tt.body, got, tt.want)
		}
	}
	if got := answers.WordsOf(&attack.Answer{Body: strings.Repeat("word ", 100)}); len(got) > 210 || !strings.HasSuffix(got, " ...") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}
