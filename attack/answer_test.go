package attack_test

import (
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
)

func TestCleanAnswers(t *testing.T) {
	hide := func(s string) string { return strings.ReplaceAll(s, "hunter2", "REDACTED") }
	a := &attack.Answer{
		Headers: []attack.AnswerHeader{{Name: "server", Value: "x\x1b[31m" + strings.Repeat("y", 400)}},
		Body:    "no\r\n\tclients \x1b[2Jleft for hunter2 é", Declared: 5, Received: 3,
	}
	got := a.Clean(hide)
	if got.Body != "no clients [2Jleft for REDACTED é" || got.Declared != 5 || got.Received != 3 {
		t.Errorf("%+v", got)
	}
	if v := got.Header("server"); len(v) > 120 || strings.ContainsRune(v, 0x1b) {
		t.Errorf("header of %d bytes: %q", len(v), v)
	}
	for name, a := range map[string]*attack.Answer{
		"binary":     {Body: "\x00\x01\xff\xfe\x03abc"},
		"compressed": {Body: "abc", Headers: []attack.AnswerHeader{{Name: "content-encoding", Value: "gzip"}}},
	} {
		if got := a.Clean(hide); got.Body != "" {
			t.Errorf("%s: %q, want no words", name, got.Body)
		}
	}
	if got := (&attack.Answer{Body: strings.Repeat("é", 1000)}).Clean(hide); len(got.Body) > attack.MaxAnswerBody || strings.ContainsRune(got.Body, '\ufffd') {
		t.Errorf("%d bytes: %.20q", len(got.Body), got.Body)
	}
}

func TestTellingHeadersHoldNoCredentials(t *testing.T) {
	for name, want := range map[string]bool{
		"server": true, "via": true, "x-envoy-upstream-service-time": true, "x-envoy-": false,
		"set-cookie": false, "authorization": false, "x-api-key": false,
	} {
		if attack.TellingHeader([]byte(name)) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
