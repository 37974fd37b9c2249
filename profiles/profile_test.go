package profiles_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/fingerprint"
	"github.com/rampload/rampload/profiles/redaction"
)

func sample() profiles.Profile {
	return profiles.Profile{
		Name: "peak",
		Targets: []profiles.Target{
			{Name: "orders", URL: "http://orders.internal:8080/api", Share: 0.7, Requests: []profiles.Request{
				{Path: "/orders/42"},
				{Method: "POST", Path: "/orders", Headers: []profiles.Header{{"Authorization", "Bearer sesame-open"}, {"X-Tenant", "red"}}, Body: "x", Weight: 2},
			}},
			{Name: "payments", URL: "http://127.0.0.1:8081"},
			{Name: "files", File: "/srv/targets.http"},
		},
		Load: profiles.Load{
			profiles.Ramp{From: 50, To: 2000, For: 2 * time.Minute},
			profiles.Staircase{From: 500, To: 1500, Step: 100, Every: 10 * time.Second},
		},
		Hosts: []profiles.Host{{Name: "db", Prometheus: []profiles.Metrics{{URL: "http://u:dbpassword@db:9100/metrics"}}}},
	}
}

func TestWithDefaults(t *testing.T) {
	p := sample()
	q := p.WithDefaults()
	if got := []float64{q.Targets[0].Share, q.Targets[1].Share, q.Targets[2].Share}; !reflect.DeepEqual(got, []float64{0.7, 0.15, 0.15}) {
		t.Errorf("shares %v", got)
	}
	if !reflect.DeepEqual(q.Targets[1].Requests, []profiles.Request{{Method: "GET", Weight: 1}}) || q.Targets[2].Requests != nil {
		t.Errorf("requests %+v and %+v", q.Targets[1].Requests, q.Targets[2].Requests)
	}
	if r := q.Targets[0].Requests; r[0].Method != "GET" || r[0].Weight != 1 || r[1].Weight != 2 {
		t.Errorf("requests %+v", r)
	}
	for status, want := range map[int]bool{199: false, 200: true, 302: true, 399: true, 400: false} {
		if q.Targets[0].Expect.Contains(status) != want {
			t.Errorf("status %d: %v", status, !want)
		}
	}
	if !reflect.DeepEqual(q.Client, profiles.DefaultClient()) || q.Client.IdleTimeout != 90*time.Second {
		t.Errorf("client %+v", q.Client)
	}
	if len(q.AbortIf) != 1 || q.AbortIf[0].String() != "failures within 10s > 50%" || q.AbortIf[0].Text != q.AbortIf[0].String() {
		t.Errorf("abort-if %+v", q.AbortIf)
	}
	if parsed, err := profiles.ParseGate(q.AbortIf[0].Text); err != nil || parsed != q.AbortIf[0] {
		t.Errorf("default abort-if %+v, parsed %+v", q.AbortIf[0], parsed)
	}
	if d := q.Load[1].Duration(); d != 110*time.Second {
		t.Errorf("staircase lasts %v", d)
	}
	if !reflect.DeepEqual(q.WithDefaults(), q) {
		t.Error("defaults are not idempotent")
	}
	if !reflect.DeepEqual(p, sample()) {
		t.Error("defaults changed the original")
	}
	p.Client = profiles.Client{Timeout: time.Second} // zero connections and idle timeout mean something
	if c := p.WithDefaults().Client; c.Connections != 0 || c.IdleTimeout != 0 || c.MaxInFlight != 10000 || c.Engine != profiles.EngineVegeta || c.Timeout != time.Second {
		t.Errorf("client %+v", c)
	}
	p.AbortIf = []profiles.Gate{}
	if len(p.WithDefaults().AbortIf) != 0 {
		t.Error("an empty abort-if did not stay empty")
	}
	thirds := profiles.Profile{Targets: make([]profiles.Target, 3)}.WithDefaults()
	if sum := thirds.Targets[0].Share * 3; math.Abs(sum-1) > 1e-9 {
		t.Errorf("thirds add up to %v", sum)
	}
}

func TestRedacted(t *testing.T) {
	p := sample()
	p.Targets[0].URL = "http://user:urlpassword@orders.internal:8080/api"
	p.Targets[1].URL = "http://secret-host.internal:8081/" + "t0ken/x"
	p.Targets[0].Requests[1].Headers = append(p.Targets[0].Requests[1].Headers,
		profiles.Header{"cookie", "session=1"}, profiles.Header{"X-API-Key", "k"}, profiles.Header{"X-Trace", "on t0ken"})
	p.Targets[0].Requests[1].Body = `{"a": "t0ken", "b": "ab", "c": "abc"}`
	p.Targets[0].Requests[0].Path = "/p%40th?key=a%26b"
	p.Hosts[0].Agent, p.Hosts[0].Processes = profiles.Agent{Name: "db"}, []profiles.Process{{Unit: "t0ken"}}
	for _, s := range []string{"t0ken", "secret-host", "ab", "a&b", "8080", ""} {
		p.Secrets.Add(s)
	}
	before := fmt.Sprintf("%#v", p.Targets)
	q := redaction.Profile(p.WithDefaults())
	shown := fmt.Sprintf("%+v", q)
	for _, secret := range []string{"sesame", "urlpassword", "dbpassword", "session", "t0ken", "secret-host", `"ab"`, "a%26b"} {
		if strings.Contains(shown, secret) {
			t.Errorf("%s is shown: %s", secret, shown)
		}
	}
	for got, want := range map[string]string{
		q.Targets[0].URL: "http://REDACTED@orders.internal:8080/api",
		q.Targets[1].URL: "http://REDACTED.internal:8081/REDACTED/x",
		q.Targets[0].Requests[1].Headers[1].Value: "red",
		q.Targets[0].Requests[1].Body:             `{"a": "REDACTED", "b": "REDACTED", "c": "abc"}`,
		q.Targets[0].Requests[0].Path:             "/p%40th?key=REDACTED",
		q.Hosts[0].Prometheus[0].URL:              "http://REDACTED@db:9100/metrics",
		q.Hosts[0].Processes[0].Unit:              "REDACTED.service",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if fmt.Sprintf("%#v", p.Targets) != before {
		t.Error("redaction changed the original")
	}
	if q.Secrets.Len() != 0 || !reflect.DeepEqual(redaction.Profile(q), q) {
		t.Error("the redacted profile has secrets")
	}
	if a, b := fingerprint.Of(p), fingerprint.Of(q); a != b {
		t.Errorf("fingerprints %s and %s", a, b)
	}
}

func TestRedactText(t *testing.T) {
	p := sample()
	p.Secrets.Add(`quo"ted secret`)
	p.Secrets.Add("abc")
	for text, want := range map[string]string{
		"nothing":                                  "nothing",
		"Authorization: Bearer sesame-open":        "Authorization: REDACTED",
		"token sesame-open.":                       "token REDACTED.",
		"dial http://u:dbpassword@db":              "dial http://REDACTED@db",
		`"quo\"ted secret"`:                        `"REDACTED"`,
		"?q=quo%22ted+secret&r=quo%22ted%20secret": "?q=REDACTED&r=REDACTED",
		"abc abcd xabc (abc)":                      "REDACTED abcd xabc (REDACTED)",
	} {
		if got := redaction.Of(p).Redact(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestSecretsAreNotPrinted prints and encodes a profile in every way that comes
// easily.
func TestSecretsAreNotPrinted(t *testing.T) {
	var p profiles.Profile
	p.Secrets.Add("sesame-open")
	encoded, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(p), fmt.Sprintf("%v", p), fmt.Sprintf("%+v", p), fmt.Sprintf("%#v", p), fmt.Sprintf("%s", p.Secrets), string(encoded)} {
		if strings.Contains(text, "sesame") {
			t.Error(text)
		}
	}
	if p.Secrets.String() != "1 secrets" {
		t.Error(p.Secrets.String())
	}
}

func TestFingerprint(t *testing.T) {
	base := sample()
	// Pinned: reports of older versions carry it.
	if got, want := fingerprint.Of(base), "v1:47824250f7fcfc7d9e3a77701892aac1"; got != want {
		t.Errorf("fingerprint %s, want %s: bump its version if the definition changed", got, want)
	}
	for name, same := range map[string]func(*profiles.Profile){
		"name":     func(p *profiles.Profile) { p.Name = "x" },
		"host":     func(p *profiles.Profile) { p.Targets[0].URL = "http://127.0.0.1:9999/api" },
		"token":    func(p *profiles.Profile) { p.Targets[0].Requests[1].Headers[0].Value = "Bearer other" },
		"userinfo": func(p *profiles.Profile) { p.Targets[0].URL = "http://a:b@orders.internal:8080/api" },
		"gates":    func(p *profiles.Profile) { p.Gate = profiles.DefaultAbortIf() },
		"hosts":    func(p *profiles.Profile) { p.Hosts = nil },
		"folder":   func(p *profiles.Profile) { p.Targets[2].File = "/tmp/targets.http" },
		"defaults": func(p *profiles.Profile) { *p = p.WithDefaults() },
	} {
		p := sample()
		same(&p)
		if fingerprint.Of(p) != fingerprint.Of(base) {
			t.Errorf("%s changes the fingerprint", name)
		}
	}
	seen := map[string]string{fingerprint.Of(base): "base"}
	for name, other := range map[string]func(*profiles.Profile){
		"rate":        func(p *profiles.Profile) { p.Load[0] = profiles.Ramp{From: 50, To: 2001, For: 2 * time.Minute} },
		"length":      func(p *profiles.Profile) { p.Load[0] = p.Load[0].Lasting(time.Hour) },
		"stage":       func(p *profiles.Profile) { p.Load = p.Load[:1] },
		"path":        func(p *profiles.Profile) { p.Targets[0].URL = "http://orders.internal:8080/v2" },
		"scheme":      func(p *profiles.Profile) { p.Targets[0].URL = "https://orders.internal:8080/api" },
		"request":     func(p *profiles.Profile) { p.Targets[0].Requests[0].Path = "/x" },
		"header":      func(p *profiles.Profile) { p.Targets[0].Requests[1].Headers[1].Value = "blue" },
		"weight":      func(p *profiles.Profile) { p.Targets[0].Requests[0].Weight = 5 },
		"share":       func(p *profiles.Profile) { p.Targets[0].Share = 0.5 },
		"expect":      func(p *profiles.Profile) { p.Targets[0].Expect = profiles.StatusSet{{200, 200}} },
		"connections": func(p *profiles.Profile) { p.Client = profiles.DefaultClient(); p.Client.Connections = 1 },
		"retries": func(p *profiles.Profile) {
			p.Client = profiles.DefaultClient()
			p.Client.Retries = profiles.DefaultRetries(2)
		},
		"engine": func(p *profiles.Profile) {
			p.Client.Engine = profiles.EngineDirect
			p.Client.Connections = 256
			p.Client.IdleTimeout = 90 * time.Second
		},
	} {
		p := sample()
		other(&p)
		print := fingerprint.Of(p)
		if seen[print] != "" {
			t.Errorf("%s has the fingerprint of %s", name, seen[print])
		}
		seen[print] = name
	}
}
