package importer

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/redaction"
)

// Format is what a file was written in.
type Format string

// The formats.
const (
	HAR     Format = "har"     // a browser's recording (HTTP Archive 1.2)
	OpenAPI Format = "openapi" // an API description, version 3.0 or 3.1, in YAML or JSON
	Curl    Format = "curl"    // a command line, as browsers copy it
	Vegeta  Format = "vegeta"  // targets, as [ReadTargets] reads them
	K6      Format = "k6"      // a script's options: its stages and thresholds
)

// Formats lists the formats in the order in which they are tried.
func Formats() []Format { return []Format{HAR, OpenAPI, Curl, K6, Vegeta} }

// Imported is a profile made of something that was written for another tool. It
// may leave values open: Notes say which, each in a line for people.
type Imported struct {
	Profile profiles.Profile
	Format  Format
	// Variables are the names of the environment variables that stand in the profile
	// as ${NAME} where the file had a secret, in order of appearance.
	Variables []string
	Notes     []string // what was left out, and what remains to be filled in
}

// ErrUnknownFormat means that a file is of no format that is read here.
var ErrUnknownFormat = errors.New("neither a HAR, an OpenAPI description, a curl command, a k6 script nor a file of vegeta targets")

// maxImport bounds what is read of a file: a HAR holds the bodies of responses.
const maxImport = 256 << 20

// Read imports a file. An empty format is found out from the content.
func Read(path string, format Format) (Imported, error) {
	data, err := readBounded(path)
	if err != nil {
		return Imported{}, fmt.Errorf("import: %w", err)
	}
	return Import(path, data, format)
}

// Import makes a profile of the content of a file; its name is for the profile's
// name and for messages.
func Import(name string, data []byte, format Format) (Imported, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if utf16(data) {
		return Imported{}, fmt.Errorf("import %s: this is UTF-16: save the file as UTF-8", name)
	}
	if format == "" {
		if format = detect(name, data); format == "" {
			return Imported{}, fmt.Errorf("import %s: %w: name its format with --format", name, ErrUnknownFormat)
		}
	}
	in := &importing{name: name, replaced: make(map[string]string)}
	in.out.Format = format
	base := filepath.Base(name)
	in.out.Profile.Name = plain(strings.TrimSuffix(base, filepath.Ext(base)), "imported")
	var err error
	switch format {
	case HAR:
		err = in.har(data)
	case OpenAPI:
		err = in.openAPI(data)
	case Curl:
		err = in.curl(string(data))
	case K6:
		err = in.k6(string(data))
	case Vegeta:
		err = in.vegeta(data)
	default:
		return Imported{}, fmt.Errorf("import: no format %q: write one of har, openapi, curl, k6, vegeta", format)
	}
	if err != nil {
		return Imported{}, fmt.Errorf("import %s: %w", name, err)
	}
	in.finish()
	return in.out, nil
}

// detect tells a format by its content.
func detect(name string, data []byte) Format {
	text := bytes.TrimSpace(data)
	head := text[:min(len(text), 64<<10)]
	switch {
	case len(text) == 0:
		return ""
	case bytes.HasPrefix(text, []byte("curl ")) || bytes.HasPrefix(text, []byte("curl.exe ")) || bytes.HasPrefix(text, []byte("$ curl ")):
		return Curl
	case strings.EqualFold(filepath.Ext(name), ".har"), text[0] == '{' && harShape.Match(head):
		return HAR
	case openAPIShape.Match(head):
		return OpenAPI
	case k6Shape.Match(text[:min(len(text), 1<<20)]):
		return K6
	case text[0] == '{' || targetShape.Match(head):
		return Vegeta
	}
	return ""
}

var (
	harShape     = regexp.MustCompile(`^\{\s*"log"\s*:`)
	openAPIShape = regexp.MustCompile(`(?m)^\s*\{?\s*["']?(openapi|swagger)["']?\s*:`)
	k6Shape      = regexp.MustCompile(`(?m)\bfrom\s+['"]k6(/[a-z]+)?['"]|export\s+(const|let|var)\s+options\s*=`)
	targetShape  = regexp.MustCompile(`(?m)^(#.*\n|\s*\n)*[A-Z]+ https?://`)
)

// importing is one import on its way.
type importing struct {
	name     string
	out      Imported
	replaced map[string]string // secret values and the variables that stand for them
}

func (imp *importing) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(imp.out.Notes, text) {
		imp.out.Notes = append(imp.out.Notes, text)
	}
}

// secret returns ${NAME} for a value that should not stand in a file.
func (imp *importing) secret(name, value string) string {
	if v, known := imp.replaced[value]; known {
		return "${" + v + "}"
	}
	unique := name
	for n := 2; slices.Contains(imp.out.Variables, unique); n++ {
		unique = fmt.Sprintf("%s_%d", name, n)
	}
	imp.replaced[value] = unique
	imp.out.Variables = append(imp.out.Variables, unique)
	return "${" + unique + "}"
}

// header returns a header as the profile has it: credentials become variables, and
// what the client sets by itself is left out.
func (imp *importing) header(name, value string) (profiles.Header, bool) {
	lower := strings.ToLower(name)
	switch {
	case name == "" || strings.HasPrefix(name, ":"): // HTTP/2's pseudo headers
		return profiles.Header{}, false
	case slices.Contains([]string{
		"host", "connection", "content-length", "transfer-encoding", "keep-alive", "proxy-connection", "upgrade", "te",
		"accept-encoding", "expect", "traceparent", "x-transaction-id", "if-none-match", "if-modified-since", "priority",
	}, lower), strings.HasPrefix(lower, "sec-"):
		return profiles.Header{}, false
	}
	if taken.MatchString(value) {
		return profiles.Header{Name: name, Value: strings.TrimSpace(value)}, true
	}
	if redaction.SensitiveHeader(name) || strings.Contains(lower, "token") || strings.Contains(lower, "api-key") {
		variable := strings.ToUpper(strings.ReplaceAll(plain(lower, "SECRET"), "-", "_"))
		variable = strings.ReplaceAll(variable, ".", "_")
		if scheme, credentials, ok := strings.Cut(value, " "); ok && strings.HasSuffix(lower, "authorization") {
			value = scheme + " " + imp.secret(variable, credentials)
		} else {
			value = imp.secret(variable, value)
		}
	}
	return profiles.Header{Name: name, Value: strings.TrimSpace(value)}, true
}

// taken is a reference to what a step was answered.
var taken = regexp.MustCompile(`(^|[^$])\$\{[a-z0-9_-]+\.[a-z0-9_]+\}`)

// target returns the target of a base URL, made when it is new.
func (imp *importing) target(base *url.URL) *profiles.Target {
	root := (&url.URL{Scheme: base.Scheme, Host: base.Host}).String()
	for i := range imp.out.Profile.Targets {
		if imp.out.Profile.Targets[i].URL == root {
			return &imp.out.Profile.Targets[i]
		}
	}
	name := plain(strings.ReplaceAll(base.Host, ":", "-"), "target")
	imp.out.Profile.Targets = append(imp.out.Profile.Targets, profiles.Target{Name: name, URL: root})
	return &imp.out.Profile.Targets[len(imp.out.Profile.Targets)-1]
}

// add puts a request into its target; the same request once more weighs more.
func (imp *importing) add(base *url.URL, r profiles.Request) {
	t := imp.target(base)
	if r.Weight == 0 {
		r.Weight = 1
	}
	imp.places(&r)
	for i := range t.Requests {
		same := &t.Requests[i]
		if same.Method == r.Method && same.Path == r.Path && same.Body == r.Body && same.BodyFile == r.BodyFile && slices.Equal(same.Headers, r.Headers) && slices.Equal(same.Parts, r.Parts) {
			same.Weight += r.Weight
			return
		}
	}
	t.Requests = append(t.Requests, r)
}

// finish gives a profile without a load a small one, and shares in proportion to
// the requests.
func (imp *importing) finish() {
	p := &imp.out.Profile
	if len(p.Load) == 0 {
		p.Load = profiles.Load{
			profiles.Ramp{From: 1, To: 50, For: time.Minute},
			profiles.Hold{Rate: 50, For: 30 * time.Second},
		}
		imp.note("the load is a guess: 1/s to 50/s; write what your service has to bear")
	}
	total := 0.0
	weights := make([]float64, len(p.Targets))
	for i, t := range p.Targets {
		for _, r := range t.Requests {
			weights[i] += r.Weight
		}
		total += weights[i]
	}
	if len(p.Targets) > 1 && total > 0 {
		for i := range p.Targets {
			p.Targets[i].Share = math.Round(1000*weights[i]/total) / 1000
		}
	}
	for _, v := range imp.out.Variables {
		imp.note("set %s in the environment: it stands for a secret of %s", v, filepath.Base(imp.name))
	}
}

// plain turns a text into a name of the profile.
func plain(text, otherwise string) string {
	out := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-' {
			return r
		}
		return '-'
	}, text)
	if len(out) > 60 {
		out = out[:60]
	}
	return cmp.Or(strings.Trim(out, "._-"), otherwise)
}

// vegeta imports a file of targets.
func (imp *importing) vegeta(data []byte) error {
	read, err := parseTargets(imp.name, bytes.NewReader(data))
	if err != nil {
		return err
	}
	if len(read) == 0 {
		return fmt.Errorf("no targets: write lines such as GET http://host/path")
	}
	for _, base := range read {
		u, err := url.Parse(base.URL)
		if err != nil {
			return fmt.Errorf("parse URL: %w", err)
		}
		for _, r := range base.Requests {
			headers := r.Headers
			r.Headers = nil
			if u.User != nil {
				r.Headers = append(r.Headers, profiles.Header{Name: "Authorization", Value: "Basic " + imp.secret("BASIC_CREDENTIALS", basic(u.User))})
				imp.note("BASIC_CREDENTIALS is base64 of user:password: printf user:password | base64")
			}
			for _, h := range headers {
				if h, keep := imp.header(h.Name, h.Value); keep {
					r.Headers = append(r.Headers, h)
				}
			}
			imp.add(u, r)
		}
	}
	return nil
}
