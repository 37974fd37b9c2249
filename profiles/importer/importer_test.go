package importer

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/profiles"
)

func TestDetect(t *testing.T) {
	for name, want := range map[string]Format{
		"browser.curl": Curl, "shop.har": HAR, "orders.yaml": OpenAPI, "ramp.js": K6, "users.js": K6, "targets.txt": Vegeta,
	} {
		data, err := os.ReadFile(filepath.Join("testdata/import", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := detect("x", data); got != want { // by its content, not by its name
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestCurl(t *testing.T) {
	request := func(r profiles.Request) profiles.Request { r.Weight = 1; return r }
	form := []profiles.Header{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}
	for line, want := range map[string]profiles.Request{
		`curl localhost:8080/a`:                                     {Method: "GET", Path: "/a"},
		`$ curl -sSL -XPUT "http://a.test/b" -d x=1 -d 'y=2'`:       {Method: "PUT", Path: "/b", Body: "x=1&y=2", Headers: form},
		`curl -G http://a.test/s?p=1 --data-urlencode "q=a b"`:      {Method: "GET", Path: "/s?p=1&q=a+b"},
		`curl --json '{"a":1}' http://a.test`:                       {Method: "POST", Path: "/", Body: `{"a":1}`, Headers: []profiles.Header{{Name: "Content-Type", Value: "application/json"}}},
		"curl http://a.test/ \\\n  -H 'X-A: b' \\\n  --compressed":  {Method: "GET", Path: "/", Headers: []profiles.Header{{Name: "X-A", Value: "b"}}},
		"curl -I http://a.test/":                                    {Method: "HEAD", Path: "/"},
		`curl http://a.test/ --data-raw $'it\'s \u00e9\n' -H "A:b"`: {Method: "POST", Path: "/", Body: "it's é\n", Headers: append([]profiles.Header{{Name: "A", Value: "b"}}, form...)},
		`curl --data-raw "a\"b\$c" --url=http://a.test/`:            {Method: "POST", Path: "/", Body: `a"b$c`, Headers: form},
	} {
		in, err := Import("c", []byte(line), "")
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		got := in.Profile.Targets[0].Requests
		if len(got) != 1 || !equal(got[0], request(want)) {
			t.Errorf("%s:\n%+v, want\n%+v", line, got, want)
		}
	}
}

func equal(a, b profiles.Request) bool {
	return a.Method == b.Method && a.Path == b.Path && a.Body == b.Body && a.Weight == b.Weight && slices.Equal(a.Headers, b.Headers)
}

func TestImportRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		data   string
		format Format
		want   string
	}{
		"nothing":        {"", "", "name its format"},
		"prose":          {"once upon a time", "", "name its format"},
		"format":         {"curl http://a.test", "soap", `no format "soap"`},
		"curl, no URL":   {"curl -v", "", "has no URL"},
		"curl, quote":    {"curl 'http://a.test", "", "has no end"},
		"curl, value":    {"curl http://a.test -H", "", "-H has no value"},
		"curl, two":      {"curl http://a.test; curl http://b.test", "", "more than one command"},
		"curl, scheme":   {"curl ftp://a.test", "", "not an http or https URL"},
		"har, empty":     {`{"log":{"entries":[]}}`, "", "no request for a document or data"},
		"har, cut":       {`{"log":{"entries":[`, "", "no HTTP Archive"},
		"openapi, empty": {"openapi: 3.0.0\ninfo: {title: a, version: '1'}\npaths: {}\n", "", "no operations"},
		"swagger 2":      {"swagger: '2.0'\ninfo: {title: a, version: '1'}\npaths: {}\n", "", "convert it from Swagger 2"},
		"k6, code":       {"export const options = { vus: Number(__ENV.VUS) };", "", "only literal values"},
		"k6, none":       {"import http from 'k6/http';", "", "no options"},
		"vegeta, line":   {"GET http://a.test/\n\nGET nowhere\n", "", ":3: "},
	} {
		_, err := Import("file", []byte(tt.data), tt.format)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tt.want)
		}
	}
	if _, err := Read("/dev/zero", ""); err == nil {
		t.Error("a device was read")
	}
	if _, err := Import("x", []byte("?"), ""); !errors.Is(err, ErrUnknownFormat) {
		t.Error(err)
	}
}

func FuzzImport(f *testing.F) {
	files, _ := filepath.Glob("testdata/import/*")
	for _, name := range files {
		if strings.HasSuffix(name, ".golden") {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "")
	}
	f.Fuzz(func(t *testing.T, data []byte, format string) {
		in, err := Import("file", data, Format(format))
		if err != nil {
			return
		}
		for _, target := range in.Profile.Targets {
			if in.Format == K6 {
				continue // its requests are to be written
			}
			if len(target.Requests) == 0 {
				t.Errorf("target %s has no request", target.Name)
			}
		}
	})
}

// A recording becomes a journey: what answers gave and later requests repeat is taken from
// the answers, and what is like a secret is a variable.
func TestRecording(t *testing.T) {
	data, err := os.ReadFile("testdata/import/journey.har")
	if err != nil {
		t.Fatal(err)
	}
	in, err := Import("journey.har", data, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Profile.Journeys) != 1 || len(in.Profile.Targets) != 0 {
		t.Fatalf("%+v", in.Profile)
	}
	j := in.Profile.Journeys[0]
	var names []string
	for _, s := range j.Steps {
		names = append(names, s.Name)
	}
	if got, want := strings.Join(names, " "), "home config login home-2 session items pay"; got != want {
		t.Fatalf("steps %s, want %s", got, want)
	}
	pay := j.Steps[6]
	if pay.At.URL != "https://api.shop.example" || pay.Request.Path != "/carts/${session.id}/pay" || !pay.Request.Filled {
		t.Errorf("%+v", pay)
	}
	auth := slices.IndexFunc(pay.Request.Headers, func(h profiles.Header) bool { return h.Name == "authorization" })
	if auth < 0 || pay.Request.Headers[auth].Value != "Bearer ${session.access_token}" {
		t.Errorf("%+v", pay.Request.Headers)
	}
	if got := j.Steps[2].Request.Body; got != "user=anna&password=${PASSWORD}&csrf=9f8e7d6c5b4a3f2e1d" {
		t.Errorf("log-in %s", got)
	}
	if s := j.Steps[2]; s.ThinkFrom < 3*time.Second || s.ThinkTo > 6*time.Second {
		t.Errorf("a pause of %v to %v, recorded were 4.6 s", s.ThinkFrom, s.ThinkTo)
	}
	if !slices.Equal(in.Variables, []string{"PASSWORD"}) {
		t.Errorf("variables %q", in.Variables)
	}
}

func TestReplaceWholeWords(t *testing.T) {
	for text, want := range map[string]string{
		"/a/12345/b": "/a/X/b", "/a/123456": "/a/123456", "x12345": "x12345", "12345": "X", "a=12345&b=12345": "a=X&b=X", "_12345-12345": "_12345-X",
	} {
		if got := replace(text, "12345", "X"); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
