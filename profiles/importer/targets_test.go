package importer

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/redaction"
	"github.com/rampload/rampload/profiles/rules"
)

func TestReadTargets(t *testing.T) {
	for file, body := range map[string]profiles.Request{
		"testdata/targets.txt":  {BodyFile: "testdata/body.json"},
		"testdata/targets.json": {Body: "{\"sku\":\"A-1\"}\n"},
	} {
		want := []profiles.Base{
			{URL: "http://one.test:8080", Requests: []profiles.Request{
				{Method: "GET", Path: "/a?b=c", Headers: []profiles.Header{{Name: "X-Tenant", Value: "red"}, {Name: "X-Tenant", Value: "blue"}, {Name: "accept", Value: "*/*"}}, Weight: 1},
				{Method: "DELETE", Path: "/gone", Weight: 1},
			}},
			{URL: "http://two.test", Requests: []profiles.Request{
				{Method: "POST", Path: "/orders", Headers: []profiles.Header{{Name: "Content-Type", Value: "application/json"}}, Body: body.Body, BodyFile: body.BodyFile, Weight: 1},
			}},
		}
		got, err := ReadTargets(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", file, d)
		}
	}
}

// A body is looked for beside the targets first, wherever the command is run, and then
// where vegeta looks for it.
func TestBodiesBesideTheTargets(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{
		"sub/targets.txt": "POST http://a.test/both\n@both.txt\n\nPOST http://a.test/beside\n@deep/beside.txt\n\nPOST http://a.test/here\n@here.txt\n",
		"sub/both.txt":    "beside", "both.txt": "here", "sub/deep/beside.txt": "beside", "here.txt": "here",
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(root)
	for _, file := range []string{filepath.Join("sub", "targets.txt"), filepath.Join(root, "sub", "targets.txt")} {
		bases, err := ReadTargets(file)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range bases[0].Requests {
			body, err := os.ReadFile(r.BodyFile)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(body))
		}
		if want := []string{"beside", "beside", "here"}; !slices.Equal(got, want) {
			t.Errorf("%s: bodies from %q, want %q", file, got, want)
		}
	}
}

// Editors of Windows begin a file with a mark.
func TestMarkedTargets(t *testing.T) {
	for _, text := range []string{"\xef\xbb\xbfGET http://a.test/a\r\n", "\xef\xbb\xbf{\"method\":\"GET\",\"url\":\"http://a.test/a\"}\n"} {
		got, err := ReadTargets(write(t, text))
		if err != nil || len(got) != 1 || got[0].URL != "http://a.test" || got[0].Requests[0].Path != "/a" {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// TestAsVegetaReads holds the reader against vegeta's own: what both accept is sent
// alike.
func TestAsVegetaReads(t *testing.T) {
	text := "# first\n\nGET http://one.test/a\nX-A: 1\n# between\nX-B: b:c\n\nPOST http://user:pw@two.test/b?x=1\n@testdata/body.json\n\n" +
		"GET http://one.test/c\nGET http://one.test/d\n  Accept:   */*  \n\n\n\nPUT http://one.test/e\n"
	path := write(t, text)
	type sent struct {
		method, url, body string
		headers           []string
	}
	var want, got []sent
	next := vegeta.NewHTTPTargeter(bufio.NewReader(strings.NewReader(text)), nil, nil)
	for {
		var target vegeta.Target
		if err := next(&target); errors.Is(err, vegeta.ErrNoTargets) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		s := sent{method: target.Method, url: target.URL, body: string(target.Body)}
		for name, values := range target.Header {
			for _, v := range values {
				s.headers = append(s.headers, name+": "+v)
			}
		}
		want = append(want, s)
	}
	bases, err := ReadTargets(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bases {
		for _, r := range b.Requests {
			s := sent{method: r.Method, url: b.URL + r.Path, body: r.Body}
			if r.BodyFile != "" {
				body, err := os.ReadFile(r.BodyFile)
				if err != nil {
					t.Fatal(err)
				}
				s.body = string(body)
			}
			for _, h := range r.Headers {
				s.headers = append(s.headers, h.Name+": "+h.Value)
			}
			got = append(got, s)
		}
	}
	// Ours are grouped by base.
	order := func(all []sent) {
		for i := range all {
			slices.Sort(all[i].headers)
		}
		slices.SortFunc(all, func(a, b sent) int { return strings.Compare(a.url, b.url) })
	}
	order(want)
	order(got)
	if d := cmp.Diff(want, got, cmp.AllowUnexported(sent{})); d != "" {
		t.Errorf("-vegeta +ours:\n%s", d)
	}
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "targets")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadTargetsRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ content, want string }{
		"empty":           {"", "has no targets: write lines such as GET http://host/path"},
		"only spaces":     {" \n\n", "has no targets"},
		"only comments":   {"# GET http://a.test/\n", "has no targets"},
		"no method":       {"http://a.test/\n", ":1: \"http://a.test/\" is no target: write METHOD URL"},
		"lower case":      {"get http://a.test/\n", ":1: "},
		"connect":         {"CONNECT http://a.test/\n", ":1: CONNECT opens a tunnel"},
		"bad header":      {"GET http://a.test/\nnonsense\n", ":2: \"nonsense\" is neither a header nor a body"},
		"our header":      {"GET http://a.test/\nContent-Length: 4\n", ":1: Content-Length follows from the body"},
		"no host":         {"GET /relative\n", ":1: \"/relative\" is not an http or https URL"},
		"scheme":          {"GET http://a.test/\n\nGET ftp://a.test/\n", ":3: "},
		"port":            {"GET http://a.test:99999/\n", ":1: "},
		"version":         {"GET http://a.test/shop?x=1 HTTP/1.1\n", ":1: the HTTP version behind the URL is not part of it: write GET http://a.test/shop?x=1"},
		"blank":           {"GET http://a.test/a b\n", ":1: \"http://a.test/a b\" has a blank"},
		"fragment":        {"GET http://a.test/a#b\n", ":1: \"http://a.test/a#b\" has a fragment"},
		"secret":          {"GET ftp://user:hunter2@a.test/\n", "REDACTED@a.test"},
		"binary":          {"\x7fELF\x00\x00", ":1: the line has a zero byte"},
		"json, no url":    {"{\"method\":\"GET\"}\n", ":1: the target has no method or no url"},
		"json, cut":       {"{\n", ":1: the line is not JSON"},
		"json, two":       {"{\"method\":\"GET\",\"url\":\"http://a.test/\"} {}\n", ":1: the line is not JSON"},
		"json, key":       {"{\"method\":\"GET\",\"url\":\"http://a.test/\",\"headers\":{}}\n", "did you mean \"header\"?"},
		"json, kind":      {"{\"method\":1,\"url\":\"http://a.test/\"}\n", "the value of \"method\" is of the wrong kind"},
		"json, body":      {"{\"method\":\"GET\",\"url\":\"http://a.test/\",\"body\":\"%%\"}\n", "not in base64"},
		"json, then text": {"{\"method\":\"GET\",\"url\":\"http://a.test/\"}\nGET http://a.test/\n", ":2: the line is not JSON"},
		"no body":         {"GET http://a.test/\n@missing.json\n", "missing.json, beside the targets, nor missing.json in the working directory"},
		"no body, line":   {"GET http://a.test/\n@missing.json\n", ":2: the body @missing.json cannot be read"},
		"UTF-16":          {"\xff\xfeG\x00E\x00T\x00", ":1: this is UTF-16: save the file as UTF-8"},
		"late mark":       {"GET http://a.test/\n\n\xef\xbb\xbfGET http://a.test/\n", ":3: "},
		"body, device":    {"GET http://a.test/\n@/dev/zero\n", "/dev/zero is no regular file"},
		"body, folder":    {"GET http://a.test/\n@testdata\n", "testdata is a folder"},
	} {
		_, err := ReadTargets(write(t, tt.content))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v shows the password", name, err)
		}
	}
	if _, err := ReadTargets(filepath.Join(t.TempDir(), "nothing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := ReadTargets("/dev/zero"); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a device: %v", err)
	}
}

func TestUsersAreBasesOfTheirOwn(t *testing.T) {
	got, err := ReadTargets(write(t, "GET http://a:b@one.test/\n\nGET http://c:d@one.test/\n\nGET http://a:b@one.test/2\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].URL != "http://a:b@one.test" || len(got[0].Requests) != 2 {
		t.Errorf("%v", got)
	}
	p := profiles.Profile{Targets: []profiles.Target{{Name: "t", File: "f", Read: got}}}
	if shown := fmt.Sprint(redaction.Profile(p).Targets[0].Read); strings.Contains(shown, "a:b") || strings.Contains(shown, "c:d") {
		t.Errorf("%s shows credentials", shown)
	}
}

func TestManyTargets(t *testing.T) {
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, "GET http://127.0.0.1:8080/item/%d\n\n", i)
	}
	got, err := ReadTargets(write(t, b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || len(got[0].Requests) != 100_000 || got[0].Requests[99_999].Path != "/item/99999" {
		t.Errorf("%d bases", len(got))
	}
}

func FuzzReadTargets(f *testing.F) {
	for _, name := range []string{"testdata/targets.txt", "testdata/targets.json"} {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		bases, err := parseTargets("targets", strings.NewReader(string(b)))
		if err != nil && len(bases) > 0 {
			t.Errorf("%d bases and %v", len(bases), err)
		}
		for _, base := range bases {
			if problems := rules.Base(base); len(problems) > 0 {
				t.Errorf("accepted %s, which breaks %v", base.URL, problems)
			}
		}
	})
}
