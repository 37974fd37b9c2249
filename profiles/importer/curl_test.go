package importer

import (
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/rules"
)

func importCurl(t *testing.T, line string) Imported {
	t.Helper()
	in, err := Import("c", []byte(line), "")
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	for _, target := range in.Profile.Targets {
		if problems := rules.Base(profiles.Base{URL: target.URL, Requests: target.Requests}); len(problems) > 0 {
			t.Errorf("%s: what is imported breaks %v", line, problems)
		}
	}
	return in
}

func TestCurlForms(t *testing.T) {
	for flags, want := range map[string][]profiles.Part{
		`-F a=b -F c=d`:                                            {{Name: "a", Value: "b"}, {Name: "c", Value: "d"}},
		`-F f=@cat.png`:                                            {{Name: "f", File: "cat.png"}},
		`--form "f=@cat.png;type=image/png"`:                       {{Name: "f", File: "cat.png", Type: "image/png"}},
		`-F 'f=@"a;b.png";type=image/png'`:                         {{Name: "f", File: "a;b.png", Type: "image/png"}},
		`-F 'j={"a":1};type=application/json'`:                     {{Name: "j", Value: `{"a":1}`, Type: "application/json"}},
		`-F 'a=x;y=z'`:                                             {{Name: "a", Value: "x;y=z"}},
		`--form-string 'a=@b;type=c'`:                              {{Name: "a", Value: "@b;type=c"}},
		`-F password=hunter2`:                                      {{Name: "password", Value: "${PASSWORD}"}},
		`-Fa=b -H 'Content-Type: multipart/form-data; boundary=x'`: {{Name: "a", Value: "b"}},
	} {
		r := importCurl(t, "curl http://a.test/up "+flags).Profile.Targets[0].Requests[0]
		if r.Method != "POST" || r.Body != "" || len(r.Headers) > 0 || !slices.Equal(r.Parts, want) {
			t.Errorf("%s: %+v, want parts %+v", flags, r, want)
		}
	}
	in := importCurl(t, "curl http://a.test/up -F 'f=@cat.png;filename=dog.png'")
	for _, want := range []string{"filename=dog.png of part f is left out", "the file of part f cat.png is not here"} {
		if notes := strings.Join(in.Notes, "\n"); !strings.Contains(notes, want) {
			t.Errorf("no %q in the notes:\n%s", want, notes)
		}
	}
	for flags, want := range map[string]string{
		"-F a":            "is no part",
		"-F f=@-":         "standard input",
		"-F f=@":          "names no file",
		"-F 'f=<b.txt'":   "f=@b.txt",
		`-F 'f=@"a'`:      "has no end",
		"-F a=b -d c=d":   "two bodies",
		"--form-string a": "is no part",
	} {
		if _, err := Import("c", []byte("curl http://a.test/ "+flags), ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", flags, err, want)
		}
	}
}

// An address of the command is where connections go; the URL, and so the Host header,
// stays.
func TestCurlRoutes(t *testing.T) {
	for line, want := range map[string]string{
		"--resolve a.test:80:127.0.0.1 http://a.test/":                               "http://a.test 127.0.0.1:80",
		"--resolve a.test:443:10.0.0.1,10.0.0.2 https://a.test/":                     "https://a.test 10.0.0.1:443",
		"--resolve +a.test:80:[::1] http://A.test/":                                  "http://A.test [::1]:80",
		"--resolve a.test:8080:::1 http://a.test:8080/":                              "http://a.test:8080 [::1]:8080",
		"--resolve '*:80:127.0.0.1' http://b.test/":                                  "http://b.test 127.0.0.1:80",
		"--connect-to a.test:80:lb.internal:8080 http://a.test/":                     "http://a.test lb.internal:8080",
		"--connect-to ::lb.internal: http://a.test:81/":                              "http://a.test:81 lb.internal:81",
		"--connect-to a.test:80::8080 http://a.test/":                                "http://a.test a.test:8080",
		"--resolve b.test:80:127.0.0.1 http://a.test/":                               "http://a.test ",
		"--resolve a.test:80:127.0.0.1 --resolve a.test:80:127.0.0.2 http://a.test/": "http://a.test 127.0.0.1:80",
	} {
		in := importCurl(t, "curl "+line)
		target := in.Profile.Targets[0]
		if got := target.URL + " " + target.ConnectTo; got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
		noted := strings.Contains(strings.Join(in.Notes, "\n"), "is of no URL of the command")
		if noted != (target.ConnectTo == "") {
			t.Errorf("%s: notes %q", line, in.Notes)
		}
	}
	for _, line := range []string{"--resolve x:1 http://a.test/", "--resolve x:1:name http://a.test/", "--connect-to a:b http://a.test/"} {
		if _, err := Import("c", []byte("curl "+line), ""); err == nil {
			t.Errorf("%s was taken", line)
		}
	}
}

// What is left out is said, and what changes nothing is not.
func TestCurlNotesFlags(t *testing.T) {
	for flags, want := range map[string]string{
		"--frobnicate":  "--frobnicate is not known and is left out",
		"-sSLQ":         "-Q is not known",
		"--digest":      "--digest is left out",
		"--tls-max 1.2": "--tls-max is left out",
	} {
		if notes := strings.Join(importCurl(t, "curl "+flags+" http://a.test/").Notes, "\n"); !strings.Contains(notes, want) {
			t.Errorf("%s: no %q in the notes:\n%s", flags, want, notes)
		}
	}
	if notes := importCurl(t, "curl -sSvif --compressed --fail -o x -w y http://a.test/").Notes; len(notes) != 1 { // the load
		t.Errorf("notes %q", notes)
	}
}

// Browsers copy for cmd with carets; older ones double the quotation marks.
func TestCurlOfCmd(t *testing.T) {
	for name, text := range map[string]string{
		"carets": "curl ^\"http://a.test/a?x=1^&y=%^25^\" ^\r\n  -H ^\"X: y z^\" ^\r\n  --data-raw ^\"^{^\\^\"a^\\^\":^\\^\"it's ^^ 100^%^^\\^\"^}^\"\r\n",
		"plain":  "curl.exe \"http://a.test/a?x=1&y=%25\" ^\n  -H \"X: y z\" ^\n  --data-raw \"{\"\"a\"\":\"\"it's ^ 100%^\"\"}\"",
	} {
		r := importCurl(t, text).Profile.Targets[0].Requests[0]
		if r.Path != "/a?x=1&y=%25" || r.Body != `{"a":"it's ^ 100%^"}` || r.Headers[0] != (profiles.Header{Name: "X", Value: "y z"}) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	// Carets of a shell's words are their own.
	if r := importCurl(t, "curl 'http://a.test/' --data-raw 'say ^\"x^\" ^\n^'").Profile.Targets[0].Requests[0]; r.Body != "say ^\"x^\" ^\n^" {
		t.Errorf("body %q", r.Body)
	}
	lines := "curl ^\"http://a.test/^\" --data-raw ^\"one^\n\ntwo^\""
	if r := importCurl(t, lines).Profile.Targets[0].Requests[0]; r.Body != "one\ntwo" {
		t.Errorf("body %q", r.Body)
	}
}
