package yaml

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/fingerprint"
	"github.com/rampload/rampload/profiles/redaction"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/section"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// environment is what the files in testdata may take from it.
func environment(name string) (string, bool) {
	v, ok := map[string]string{"TOKEN": "sesame-open", "PASSWORD": "geheim&mehr", "FILE": "order.json", "RATE": "300", "EMPTY": ""}[name]
	return v, ok
}

func options() Options {
	return Options{Getenv: environment, Resources: []string{"open-files", "memory", "cpu"}}
}

// sameProfile compares everything but the secrets.
func sameProfile(t *testing.T, got, want profiles.Profile) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(profiles.Secrets{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
}

// TestInvalid decodes one file for each message, and compares the whole text of
// the error.
func TestInvalid(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid-*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Decode(filepath.Base(file), data, options())
			var problems *bind.Error
			if !errors.As(err, &problems) || len(problems.Problems) == 0 {
				t.Fatalf("error %v, want a *yaml.Error with problems", err)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, goldenErr := os.ReadFile(golden)
			if goldenErr != nil {
				t.Fatal(goldenErr)
			}
			if diff := cmp.Diff(string(want), err.Error()+"\n"); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			for _, p := range problems.Problems {
				if p.Line < 1 || p.Column < 1 {
					t.Errorf("%q has no position", p.Message)
				}
			}
		})
	}
}

// texts returns every profile that must be valid: those in testdata, the embedded
// ones and the starter.
func texts(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{"starter": Starter()}
	for _, name := range BuiltinNames() {
		data, ok := Builtin(name)
		if !ok {
			t.Fatalf("no embedded profile %s", name)
		}
		out[name] = data
	}
	files, err := filepath.Glob("testdata/valid-*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(file), ".yaml")] = data
	}
	return out
}

func TestValid(t *testing.T) {
	for name, data := range texts(t) {
		t.Run(name, func(t *testing.T) {
			p, err := Decode(name+".yaml", data, options())
			if err != nil {
				t.Fatal(err)
			}
			checkRoundTrip(t, p)
		})
	}
}

// checkRoundTrip writes a profile and reads it back, as it is and redacted.
func checkRoundTrip(t *testing.T, p profiles.Profile) {
	t.Helper()
	for _, p := range []profiles.Profile{p, redaction.Profile(p)} {
		text, err := Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode("again.yaml", text, Options{})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		sameProfile(t, again, p)
		if again.Secrets.Len() != 0 {
			t.Errorf("%d secrets without an environment", again.Secrets.Len())
		}
		if a, b := fingerprint.Of(p), fingerprint.Of(again); a != b && p.Secrets.Len() == 0 {
			t.Errorf("fingerprint %s became %s", a, b)
		}
	}
	if a, b := fingerprint.Of(p), fingerprint.Of(redaction.Profile(p)); a != b {
		t.Errorf("fingerprint %s became %s by redaction", a, b)
	}
}

func TestDecodeWholeProfile(t *testing.T) {
	data, err := os.ReadFile("testdata/valid-requests.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Decode("requests.yaml", data, options())
	if err != nil {
		t.Fatal(err)
	}
	body := "{\"price\": \"5$\", \"open\": \"${\", \"n\": {{.N}}}\n"
	post := profiles.Request{
		Method: "POST", Path: "/orders", Body: body, Template: true, Chunked: true, Weight: 0.25,
		Headers: []profiles.Header{
			{Name: "Authorization", Value: "Bearer sesame-open"},
			{Name: "X-Tenant", Value: "red"},
			{Name: "X-Tenant", Value: "blue"},
			{Name: "X-Retry", Value: "5"},
			{Name: "Cookie", Value: "a=b"},
		},
	}
	put := post
	put.Method = "PUT"
	want := profiles.Profile{
		Name: "peak",
		Targets: []profiles.Target{
			{
				Name: "orders", URL: "http://127.0.0.1:8080/api", Share: 0.333,
				Requests: []profiles.Request{{Method: "GET", Weight: 1}}, Expect: profiles.DefaultExpect(),
			},
			{
				Name: "a.b-c_d", URL: "unix:///run/orders.sock", Share: 0.001,
				Requests: []profiles.Request{
					{Method: "GET", Path: "/orders/42?full=1&x=%20", Weight: 1},
					{Method: "OPTIONS", Path: "*", Weight: 1},
					post, put,
					{Method: "GET", Path: "?q=1", Weight: 1},
					{Method: "PURGE", Path: "//double/slash", BodyFile: "order.json", Weight: 1},
				},
				Expect: profiles.StatusSet{{Low: 200, High: 299}, {Low: 404, High: 404}, {Low: 301, High: 308}, {Low: 500, High: 500}},
			},
			{
				Name: "file", File: "targets.http", Share: 0.666,
				Expect: profiles.StatusSet{{Low: 200, High: 299}, {Low: 404, High: 404}},
			},
		},
		Load:    profiles.Load{profiles.Ramp{From: 50, To: 500, For: 10e9}},
		Client:  profiles.DefaultClient(),
		AbortIf: profiles.DefaultAbortIf(),
	}
	sameProfile(t, p, want)
	if p.Secrets.Len() != 2 { // the token and the file
		t.Errorf("%s, want 2", p.Secrets)
	}
}

func TestDecodeStages(t *testing.T) {
	data, err := os.ReadFile("testdata/valid-stages.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Decode("stages.yaml", data, options())
	if err != nil {
		t.Fatal(err)
	}
	const s = 1e9
	want := profiles.Load{
		profiles.Ramp{From: 0, To: 0.5, For: 90 * s},
		profiles.Ramp{From: 2000, To: 50, For: 90 * s},
		profiles.Hold{For: 10 * s},
		profiles.Hold{Rate: 10, For: 5400 * s},
		profiles.Staircase{From: 500, To: 1450, Step: 100, Every: 10 * s},
		profiles.Staircase{From: 500, To: 100, Step: 100, Every: 10 * s},
		profiles.Burst{Size: 40, Every: 950e6, For: 25 * s},
		profiles.Burst{Size: 40, Every: 950e6, Jitter: 150e6, For: 25 * s},
		profiles.Max{For: 10 * s},
		profiles.Connections{From: 100, To: 10000, For: 120 * s},
		profiles.Connections{From: 270, To: 270, For: 10 * s},
		profiles.Connections{From: 80, To: 80, For: 10 * s},
	}
	if diff := cmp.Diff(want, p.Load); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
}

func TestNameOfTheFile(t *testing.T) {
	data, err := os.ReadFile("testdata/valid-minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"peak.yaml": "peak", "/a/b/night-run.yml": "night-run", "builtin": "builtin", "-": "profile", "my profile(2).yaml": "my-profile-2-", strings.Repeat("x", 90): strings.Repeat("x", 64)} {
		p, err := Decode(file, data, Options{})
		if err != nil || p.Name != want {
			t.Errorf("%s: name %q, error %v", file, p.Name, err)
		}
	}
}

func TestEmptyAbortIfStaysEmpty(t *testing.T) {
	p, err := Decode("x.yaml", []byte("targets: [{name: a, url: http://a}]\nload: [{at: 5/s, for: 5s}]\nabort-if: []\n"), Options{})
	if err != nil || p.AbortIf == nil || len(p.AbortIf) != 0 {
		t.Errorf("abort-if %#v, error %v", p.AbortIf, err)
	}
}

func TestFilesAreChecked(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "order.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := func(body, ca string) []byte {
		return []byte("targets:\n  - name: a\n    url: https://a\n    requests:\n      - {path: /, body-file: " + body + "}\n" +
			"load: [{at: 5/s, for: 5s}]\nclient:\n  tls: {ca: " + ca + "}\n")
	}
	p, err := Decode("x.yaml", text("order.json", filepath.Join(dir, "order.json")), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "order.json"); p.Targets[0].Requests[0].BodyFile != want || p.Client.TLS.CAFile != want {
		t.Errorf("files %q and %q, want %q", p.Targets[0].Requests[0].BodyFile, p.Client.TLS.CAFile, want)
	}
	_, err = Decode("x.yaml", text("oder.json", "."), Options{Dir: dir})
	want := "x.yaml:5:30: " + filepath.Join(dir, "oder.json") + " does not exist: correct the name, it is relative to " + dir +
		"\nx.yaml:8:13: " + dir + " is not a file: correct the name, it is relative to " + dir
	if err == nil || err.Error() != want {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
	if _, err := Decode("x.yaml", text("oder.json", "."), Options{}); err != nil {
		t.Errorf("without Dir: %v", err)
	}
}

func TestPositionsAfterByteOrderMark(t *testing.T) {
	_, err := Decode("x.yaml", []byte("\ufefftragets: []\n"), Options{})
	if err == nil || !strings.HasPrefix(err.Error(), "x.yaml:1:1: unknown key \"tragets\"; did you mean \"targets\"?") {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	repeat := strings.Repeat
	for name, c := range map[string]struct{ text, want string }{
		"size":      {repeat("#", tree.MaxBytes+1), "x.yaml: the profile has 1048577 bytes, more than 1048576: put bodies into files (body-file) and requests into a targets file (file)"},
		"brackets":  {repeat("[", 400000), "x.yaml:1:33: brackets and lists nest deeper than 32 here: no profile needs that, check the indentation"},
		"braces":    {repeat("{", 400000), "x.yaml:1:33: brackets and lists nest deeper than 32 here: no profile needs that, check the indentation"},
		"dashes":    {repeat("- ", 9000), "x.yaml:1:65: brackets and lists nest deeper than 32 here: no profile needs that, check the indentation"},
		"tokens":    {repeat("- a\n", 250000), "x.yaml:10001:1: the profile has more than 20000 words and marks: put requests into a targets file (file)"},
		"anchors":   {repeat("&a ", 340000), "x.yaml:1:97: brackets and lists nest deeper than 32 here: no profile needs that, check the indentation"},
		"not UTF-8": {"name: a\nb: \xff\n", "x.yaml:2:4: this byte is not UTF-8: save the profile as UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode("x.yaml", []byte(c.text), Options{})
			if err == nil || err.Error() != c.want {
				t.Errorf("error %.300v\nwant  %s", err, c.want)
			}
		})
	}
}

// TestStarterLines makes sure that what the starter shows in comments is right.
func TestStarterLines(t *testing.T) {
	text := string(Starter())
	uncommented := strings.NewReplacer(
		"\n# hosts:", "\nhosts:", "\n#   - {", "\n  - {", "\n# abort-if:", "\nabort-if:", "\n#   - failures", "\n  - failures",
		"    # hosts: [orders-1]", "    hosts: [orders-1]", "      # - {method", "      - {method", "  # - ", "  - ",
		"  # protocol: http2 ", "  protocol: http1 ", "  # per-", "  per-", "  # local-", "  local-", "  # retries", "  retries",
		"  # tls", "  tls", "  # proxy", "  proxy",
	).Replace(text)
	p, err := Decode("starter.yaml", []byte(uncommented), options())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Load) != 9 || len(p.Hosts) != 2 || len(p.Gate) != 6 || p.AbortIf[0].Within != 5e9 ||
		p.Client.Retries.Max != 2 || !p.Client.Proxy || len(p.Client.LocalAddrs) != 2 || len(p.Targets[0].Requests) != 2 {
		t.Errorf("some lines did not count: %+v", p)
	}
}

// TestSyntaxIsTagged makes sure that every field of the syntax has a key and an
// explanation, and that required ones say what to write.
func TestSyntaxIsTagged(t *testing.T) {
	for _, typ := range []reflect.Type{
		reflect.TypeFor[profileSyntax](), reflect.TypeFor[targetSyntax](), reflect.TypeFor[requestFields](), reflect.TypeFor[stageSyntax](),
		reflect.TypeFor[clientSyntax](), reflect.TypeFor[retriesSyntax](), reflect.TypeFor[section.TLSSyntax](), reflect.TypeFor[targetTLS](), reflect.TypeFor[hostSyntax](), reflect.TypeFor[processSyntax](),
	} {
		for _, f := range bind.FieldsOf(typ) {
			if f.Key == "" || f.About == "" || f.Required && f.Example == "" {
				t.Errorf("%s: %+v", typ, f)
			}
		}
	}
}

func TestDecodeSearchAndIdle(t *testing.T) {
	const s = 1e9
	until := profiles.DefaultUntil()
	for file, want := range map[string]profiles.Load{
		"search":       {profiles.Search{From: 100, To: 5000, Until: until, HoldFor: 20 * s, Precision: 0.025}},
		"search-gates": {profiles.Search{From: 0.5, To: 5000, HoldFor: 10 * s, CoolDown: 5 * s, Precision: 0.05}},
		"search-short": {profiles.Search{From: 100, To: 150, Until: until, HoldFor: 10 * s, CoolDown: 5 * s, Precision: 0.05}},
		"idle":         {profiles.Idle{From: s, To: 120 * s}},
		"idle-after":   {profiles.Ramp{From: 10, To: 100, For: 10 * s}, profiles.Idle{From: s, To: 90 * s}},
	} {
		data, err := os.ReadFile("testdata/valid-" + file + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		p, err := Decode(file+".yaml", data, options())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, p.Load); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}
