package yaml

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/rules"
	"github.com/rampload/rampload/profiles/yaml/bind"
)

// FuzzDecode feeds any text: Decode neither panics nor takes long, its errors are
// all positioned problems, and what it accepts survives writing and reading.
func FuzzDecode(f *testing.F) {
	for _, text := range texts(f) {
		f.Add(text)
	}
	files, err := filepath.Glob("testdata/invalid-*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if len(text) < 2000 { // large seeds slow the fuzzer down and teach it nothing
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		began := time.Now()
		p, err := Decode("x.yaml", text, options())
		if took := time.Since(began); took > 5*time.Second { // about a second on an idle core
			t.Errorf("%d bytes took %v", len(text), took)
		}
		if err != nil {
			var problems *bind.Error
			if !errors.As(err, &problems) || len(problems.Problems) == 0 {
				t.Fatalf("error %v of type %T", err, err)
			}
			for _, p := range problems.Problems {
				if p.Message == "" || p.Line < 1 || p.Column < 1 {
					t.Errorf("problem %+v", p)
				}
			}
			return
		}
		checkRoundTrip(t, p)
	})
}

// FuzzMarshal writes bodies, headers and names of any text and reads them back.
func FuzzMarshal(f *testing.F) {
	f.Add("plain", "a: b", "#")
	f.Add("true", "null", "~")
	f.Add("- a\n- b\n", " leading", "trailing ")
	f.Add("\u0085\u2028\ufeff\U0001F600\x7f\x00\x1b", "'\"\\", "${A}$$")
	f.Add("{{.N}}", "[]", "{}")
	f.Add("1e5", "0x10", "12:30:45")
	f.Fuzz(func(t *testing.T, body, path, key string) {
		p := profiles.Profile{
			Name: "x",
			Targets: []profiles.Target{{
				Name: "a", URL: "http://127.0.0.1",
				Requests: []profiles.Request{
					{Method: "GET", Path: path},
					{Method: "POST", Path: "/", Body: body, Headers: []profiles.Header{{Name: "X-A", Value: path}, {Name: key, Value: key}}},
				},
			}},
			Load:  profiles.Load{profiles.Hold{Rate: 1, For: 1e9}},
			Hosts: []profiles.Host{{Name: "h", Processes: []profiles.Process{{Name: key}}}},
		}.WithDefaults()
		if len(rules.Profile(p, nil)) > 0 {
			return
		}
		text, err := Marshal(p)
		if err != nil {
			if utf8.ValidString(body) && utf8.ValidString(path) && utf8.ValidString(key) {
				t.Error(err)
			}
			return
		}
		again, err := Decode("x.yaml", text, Options{})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		sameProfile(t, again, p)
	})
}

// FuzzOverride applies any override: it neither panics nor breaks what follows.
func FuzzOverride(f *testing.F) {
	f.Add("client.timeout=2s")
	f.Add("targets.orders.requests.0.path=/a")
	f.Add("targets.0={name: b, url: http://b}")
	f.Add("load.0.to=[[[")
	f.Add("targets.pay.v2.requests.0.headers.A.B=c")
	f.Add("gate.0=x=y")
	f.Fuzz(func(t *testing.T, set string) {
		opt := options()
		opt.Set = []string{set}
		p, err := Decode("peak.yaml", []byte(overridden), opt)
		if err == nil {
			checkRoundTrip(t, p)
		}
	})
}
