package redaction_test

import (
	"os"
	"strings"
	"testing"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/fingerprint"
	"github.com/rampload/rampload/profiles/redaction"
)

func TestRedactByPlace(t *testing.T) {
	p := profiles.Profile{Targets: []profiles.Target{
		{
			Name: "orders", URL: "http://admin:12345@orders:8080/v1",
			Requests: []profiles.Request{{
				Method: "GET", Path: "/a?api_key=7&page=12345&X-Amz-Security-Token=abc%2F&Sig=9", Weight: 1,
				Headers: []profiles.Header{{Name: "X-Auth-Token", Value: "42"}, {Name: "api-key", Value: "8080"}, {Name: "Accept", Value: "12345"}},
			}},
		},
		{Name: "file", File: "f", Read: []profiles.Base{{URL: "http://:1@x", Requests: []profiles.Request{{Path: "/?token=sesame"}}}}},
	}}
	shown := redaction.Profile(p)
	for what, got := range map[string][2]string{
		"url":        {shown.Targets[0].URL, "http://REDACTED@orders:8080/v1"},
		"query":      {shown.Targets[0].Requests[0].Path, "/a?api_key=REDACTED&page=12345&X-Amz-Security-Token=REDACTED&Sig=REDACTED"},
		"header":     {shown.Targets[0].Requests[0].Headers[0].Value, "REDACTED"},
		"spelling":   {shown.Targets[0].Requests[0].Headers[1].Value, "REDACTED"},
		"no secret":  {shown.Targets[0].Requests[0].Headers[2].Value, "12345"},
		"in a text":  {redaction.Of(p).Redact(`Get "http://admin:12345@orders:8080/v1": reset after 12345 requests`), `Get "http://REDACTED@orders:8080/v1": reset after 12345 requests`},
		"a file's":   {redaction.Of(p).Redact("http://:1@x/?token=sesame, sesame"), "http://REDACTED@x/?token=REDACTED sesame"},
		"mail":       {redaction.Of(p).Redact("ask admin@example.com"), "ask admin@example.com"},
		"path":       {redaction.Of(p).Redact("http://x/a@b?c=d"), "http://x/a@b?c=d"},
		"assertions": {redaction.Of(p).Redact("a=b;session_id=17; x"), "a=b;session_id=REDACTED; x"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %s, want %s", what, got[0], got[1])
		}
	}
	if a, b := fingerprint.Of(p), fingerprint.Of(shown); a != b {
		t.Errorf("fingerprint %s became %s", a, b)
	}
}

// A number out of the environment may be a port: it stays readable, and is hidden
// where it is a password.
func TestRedactNumbersOutOfTheEnvironment(t *testing.T) {
	p := profiles.Profile{Targets: []profiles.Target{{Name: "a", URL: "http://u:8080@h:8080"}}}
	p.Secrets.Add("8080")
	if got, want := redaction.Profile(p).Targets[0].URL, "http://REDACTED@h:8080"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// What messages tell people to write is shown; what looks like it and may be somebody's is
// not.
func TestExamplesAreShown(t *testing.T) {
	for _, s := range profiles.Schemes() {
		for _, text := range []string{s.Example, "no user: write one, as in " + s.Example + ", and\ngo on", "write " + s.Example + "\nwrite " + s.Example} {
			if got := redaction.URLs(text); got != text {
				t.Errorf("%s became %s", text, got)
			}
		}
	}
	const ours = "postgres://user:password@db.internal/orders"
	for text, want := range map[string]string{
		"dial postgres://user:password@db.example/orders":         "dial postgres://REDACTED@db.example/orders",
		"postgres://me:hunter2@db.internal/orders, as in " + ours: "postgres://REDACTED@db.internal/orders, as in " + ours,
		ours + " and postgres://me:hunter2@db":                    ours + " and postgres://REDACTED@db",
		"redis://:password@cache.internal,x:hunter2@other":        "redis://REDACTED@other",
		"redis://:password@cache.internal:hunter2@other":          "redis://REDACTED@other",
		"http://x/?token=" + ours:                                 "http://x/?token=REDACTED",
		"http://a:redis://:password@cache.internal":               "http://a:redis://REDACTED@cache.internal",
	} {
		if got := redaction.URLs(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestSensitiveNames(t *testing.T) {
	for _, name := range redaction.SensitiveNames() {
		for _, spelled := range []string{name, strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "_", "")} {
			if !redaction.SensitiveHeader(spelled) || !redaction.SensitiveKey(spelled) {
				t.Errorf("%s is shown", spelled)
			}
		}
	}
	for _, name := range []string{"Accept", "page", "key", "X-Request-Id", ""} {
		if redaction.SensitiveHeader(name) {
			t.Errorf("%q is hidden", name)
		}
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"X-Auth-Token", "Api-Key", "X-Amz-Security-Token", "profiles/sensitive.go"} {
		if !strings.Contains(string(readme), name) {
			t.Errorf("the README does not name %s", name)
		}
	}
}

func FuzzRedactURLs(f *testing.F) {
	f.Add("http://u:p@h/?token=a", "x")
	f.Fuzz(func(t *testing.T, before, password string) {
		if password == "" || strings.ContainsAny(password, "/?#@ \t\n\v\f\r\u0085\u00a0") {
			t.Skip("no password of a URL")
		}
		got := redaction.URLs(before + " http://user:" + password + "@host/")
		if !strings.HasSuffix(got, "REDACTED@host/") {
			t.Errorf("%q: %q", password, got)
		}
		if again := redaction.URLs(got); again != got {
			t.Errorf("%q became %q", got, again)
		}
	})
}
