package yaml

import (
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/profiles/redaction"
	"github.com/rampload/rampload/profiles/yaml/bind"
)

func TestExpand(t *testing.T) {
	for _, c := range []struct {
		text, want string
		taken      []string
		err        string
	}{
		{"plain", "plain", nil, ""},
		{"$5 and $$6 $", "$5 and $6 $", nil, ""},
		{"Bearer ${TOKEN}", "Bearer sesame-open", []string{"sesame-open"}, ""},
		{"${TOKEN}${RATE}/s", "sesame-open300/s", []string{"sesame-open", "300"}, ""},
		{"${EMPTY}", "", []string{""}, ""},
		{"$${TOKEN}", "${TOKEN}", nil, ""},
		{"$$${RATE}", "$300", []string{"300"}, ""},
		{"${NOPE}", "", nil, "the environment has no NOPE: set it, or write $${NOPE} for the text itself"},
		{"${", "", nil, `"${" is not the name of an environment variable: write ${NAME}, or $${ for the text itself`},
		{"${A-B}", "", nil, `"${A-B" is not the name of an environment variable: write ${NAME}, or $${ for the text itself`},
		{"${}", "", nil, `"${" is not the name of an environment variable: write ${NAME}, or $${ for the text itself`},
	} {
		got, taken, err := bind.Expand(c.text, environment)
		message := ""
		if err != nil {
			message = err.Error()
		}
		if got != c.want || !slices.Equal(taken, c.taken) || message != c.err {
			t.Errorf("%q: %q, taken %q, error %q", c.text, got, taken, message)
		}
		if back, _, err := bind.Expand(bind.Escape(c.text), nil); err != nil || back != c.text {
			t.Errorf("%q escaped is %q, error %v", c.text, back, err)
		}
	}
}

// TestEnvironmentIsSecretInTextOnly takes every kind of value from the
// environment.
func TestEnvironmentIsSecretInTextOnly(t *testing.T) {
	env := map[string]string{
		"NAME": "night-run", "URL": "http://user:geheim@orders.internal:8080", "SHARE": "100%", "METHOD": "POST", "PATH_": "/orders/4711",
		"KEY": "0123456789abcdef", "RATE": "300/s", "FOR": "10s", "CONNS": "64", "GATE": "p99 < 123ms", "WEIGHT": "2", "BOOL": "true",
	}
	p, err := Decode("x.yaml", []byte(`
name: "${NAME}"
targets:
  - name: orders
    url: ${URL}
    share: ${SHARE}
    requests:
      - method: ${METHOD}
        path: ${PATH_}
        headers: {X-Key: "${KEY}"}
        body: "key=${KEY}"
        weight: ${WEIGHT}
        template: "${BOOL}"
load:
  - at: ${RATE}
    for: ${FOR}
client:
  connections: ${CONNS}
gate:
  - ${GATE}
`), Options{Getenv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	if err != nil {
		t.Fatal(err)
	}
	if p.Secrets.Len() != 3 { // URL, path and key
		t.Errorf("%s, want 3", p.Secrets)
	}
	text, err := Marshal(redaction.Profile(p))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"geheim", "orders.internal", "4711", "0123456789abcdef"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("%s is shown:\n%s", secret, text)
		}
	}
	for _, shown := range []string{"night-run", "300/s", "10s", "connections: 64", "p99 < 123ms", "method: POST"} {
		if !strings.Contains(string(text), shown) {
			t.Errorf("%s is not shown:\n%s", shown, text)
		}
	}
	if log := redaction.Of(p).Redact(`Get "http://user:geheim@orders.internal:8080/orders/4711": reset; X-Key: 0123456789abcdef`); log != `Get "REDACTEDREDACTED": reset; X-Key: REDACTED` {
		t.Error(log)
	}
}
