package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/rampload/rampload/"

var installed = []string{
	"profiles", "profiles/", "attack", "attack/", "probe", "probe/", "report", "report/", "cmd/internal/session", "cmd/internal/explain", "cmd/internal/fleet", "cmd/internal/fleet/", "cmd/internal/bus",
	"cmd/internal/cli", "cmd/internal/cli/", "cmd/internal/investigate", "cmd/internal/plan", "cmd/internal/preflight", "cmd/internal/run", "cmd/internal/watch", "cmd/internal/input", "cmd/internal/console", "cmd/internal/keep", "cmd/internal/live",
	"cmd/internal/web", "cmd/internal/web/own", "cmd/internal/mark", "cmd/internal/topic", "cmd/internal/otlp", "cmd/internal/spans", "cmd/internal/meter", "cmd/internal/meter/", "cmd/internal/notify", "cmd/internal/broadcast", "cmd/internal/boards",
	"cmd/internal/lab", "cmd/internal/lab/services", "cmd/internal/lab/teach",
}

// Each room of the command line is behind those that it builds on.
var (
	keeping  = []string{"profiles", "attack", "probe", "report", "report/stats", "cmd/internal/keep"}
	consoles = append(slices.Clone(keeping), "report/", "profiles/", "cmd/internal/console", "cmd/internal/lab")
	inputs   = append(slices.Clone(consoles), "attack/schedule", "cmd/internal/input")
	watches  = []string{"profiles", "profiles/", "attack", "attack/schedule", "attack/ramp", "attack/ramp/", "attack/wire", "attack/wire/", "probe", "probe/", "report", "report/", "cmd/internal/session", "cmd/internal/bus", "cmd/internal/fleet", "cmd/internal/fleet/", "cmd/internal/watch"}
	plans    = append(slices.Clone(inputs), "attack/", "cmd/internal/bus", "cmd/internal/topic", "cmd/internal/plan")
	looks    = append(slices.Concat(plans, watches), "cmd/internal/preflight")
	runs     = append(slices.Clone(looks), "cmd/internal/run", "cmd/internal/live", "cmd/internal/web", "cmd/internal/web/own", "cmd/internal/mark", "cmd/internal/otlp", "cmd/internal/spans", "cmd/internal/meter", "cmd/internal/meter/", "cmd/internal/notify", "cmd/internal/broadcast")
)

// Imports may point only along these arrows. A package is judged by the longest
// prefix that stands here; everything that it reaches within the module must
// match one of its prefixes (a trailing slash means any package below).
var arrows = map[string][]string{
	"profiles":              {"profiles/spelling"},
	"profiles/spelling":     {},
	"profiles/command":      {},
	"profiles/data":         {"profiles"},
	"profiles/schema":       {"profiles", "profiles/data"},
	"profiles/fingerprint":  {"profiles", "profiles/redaction"},
	"profiles/workload":     {},
	"profiles/fields":       {},
	"profiles/redaction":    {"profiles"},
	"profiles/rules":        {"profiles", "profiles/redaction", "profiles/command", "profiles/data", "profiles/schema", "profiles/workload"},
	"profiles/yaml":         {"profiles", "profiles/command", "profiles/data", "profiles/redaction", "profiles/rules", "profiles/schema", "profiles/workload", "profiles/yaml/bind", "profiles/yaml/scalar", "profiles/yaml/section", "profiles/yaml/tree"},
	"profiles/yaml/bind":    {"profiles", "profiles/yaml/tree"},
	"profiles/yaml/scalar":  {"profiles", "profiles/yaml/bind", "profiles/yaml/tree"},
	"profiles/yaml/section": {"profiles", "profiles/yaml/bind", "profiles/yaml/scalar", "profiles/yaml/tree"},
	"profiles/yaml/tree":    {},
	"profiles/importer":     {"profiles", "profiles/command", "profiles/data", "profiles/redaction", "profiles/rules", "profiles/schema", "profiles/workload"},
	"attack":                {"profiles", "profiles/fields"},
	"attack/schedule":       {"profiles", "attack"},
	"attack/wire":           {"profiles", "attack", "attack/wire/classify", "attack/wire/route", "attack/wire/socket", "attack/wire/queue", "attack/wire/roster", "attack/wire/agenda", "attack/wire/tunnel", "attack/wire/link"},
	"attack/wire/classify":  {"profiles", "attack"},
	"attack/wire/route":     {"profiles"},
	"attack/wire/queue":     {"profiles", "attack"},
	"attack/wire/agenda":    {},
	"attack/wire/link":      {"profiles", "attack", "attack/wire/classify", "attack/wire/socket"},
	"attack/wire/tunnel":    {},
	"attack/wire/socket":    {"profiles", "attack", "attack/wire/classify"},
	"attack/wire/http2":     {"profiles", "attack"}, // a state machine over bytes
	// Protocols stand on the connection layer, which knows none of them.
	"attack/wire/":                {"profiles", "profiles/command", "profiles/data", "attack", "attack/fill", "attack/wire", "attack/wire/classify", "attack/wire/route", "attack/wire/socket", "attack/wire/queue", "attack/wire/roster", "attack/wire/agenda", "attack/wire/tunnel", "attack/wire/link", "attack/wire/message", "attack/wire/pad", "attack/wire/stream", "attack/wire/http1", "attack/wire/http2", "attack/wire/mux"},
	"attack/wire/grpc":            {"profiles", "profiles/data", "profiles/schema", "attack", "attack/fill", "attack/wire", "attack/wire/classify", "attack/wire/route", "attack/wire/socket", "attack/wire/queue", "attack/wire/roster", "attack/wire/agenda", "attack/wire/tunnel", "attack/wire/link", "attack/wire/message", "attack/wire/http2", "attack/wire/mux"},
	"attack/wire/message":         {"profiles", "profiles/data", "attack", "attack/fill", "attack/wire", "attack/wire/classify", "attack/wire/route", "attack/wire/socket", "attack/wire/queue", "attack/wire/roster", "attack/wire/agenda", "attack/wire/tunnel", "attack/wire/link"},
	"attack/wire/protocol":        {"profiles", "profiles/command", "profiles/data", "profiles/schema", "attack", "attack/fill", "attack/wire", "attack/wire/"},
	"attack/wire/wiretest":        {"profiles", "attack", "attack/fault", "attack/wire", "attack/wire/classify", "attack/wire/route", "attack/wire/socket", "attack/wire/queue", "attack/wire/roster", "attack/wire/agenda", "attack/wire/tunnel", "attack/wire/link", "attack/wire/wiretest/record"}, // for tests
	"attack/wire/wiretest/record": {"profiles", "attack"},
	"attack/fill":                 {"profiles", "profiles/data", "attack"},
	"attack/journey":              {"profiles", "profiles/redaction", "attack"},
	"attack/completion":           {"profiles", "profiles/redaction", "profiles/data", "attack", "attack/fill", "attack/journey"},
	"attack/ramp":                 {"profiles", "profiles/redaction", "profiles/data", "attack", "attack/fill", "attack/journey", "attack/completion", "attack/schedule", "attack/ramp/tally"},
	"attack/ramp/tally":           {"profiles", "profiles/redaction", "attack"},
	"attack/benchtable":           {}, // for tests
	"attack/fault":                {},
	"probe":                       {"profiles", "profiles/fields"},
	"probe/":                      {"profiles", "profiles/fields", "profiles/workload", "probe", "probe/"},
	"report":                      {"profiles", "attack", "probe", "report/stats", "report/format", "report/series", "report/judge", "report/compare", "report/answers"},
	"report/stats":                {},
	"report/stats/bend":           {},
	"report/stats/calibration":    {"report/stats"}, // for tests
	// What a report is made of, and everybody who may import it reaches.
	"report/format":            {"profiles/spelling"},
	"report/series":            {"profiles", "attack", "report/stats"},
	"report/judge":             {"profiles", "attack", "report/stats", "report/format", "report/series"},
	"report/compare":           {"profiles", "attack", "report/stats", "report/format", "report/series", "report/judge"},
	"report/answers":           {"profiles", "attack"},
	"report/search":            {"profiles", "attack", "probe", "report", "report/stats"},
	"report/confirm":           {"profiles", "attack", "probe", "report", "report/stats"},
	"report/investigate":       {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/"},
	"report/runlog":            {"profiles", "attack", "probe"},
	"report/diagnose":          {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/"},
	"report/traffic":           {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/series"},
	"report/assemble":          {"profiles", "attack", "probe", "report", "report/search", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose", "report/diagnose/", "report/traffic"},
	"report/render":            {"profiles", "attack", "probe", "report", "report/stats", "report/history", "report/render/page", "report/render/layout", "report/render/comparison", "report/render/windows"},
	"report/render/layout":     {"profiles", "attack", "probe", "report", "report/stats", "report/format", "report/render/page"},
	"report/render/comparison": {"profiles", "attack", "probe", "report", "report/stats", "report/render/page", "report/render/layout"},
	"report/render/releases":   {"profiles", "attack", "probe", "report", "report/stats", "report/history", "report/render/page", "report/render/layout"},
	"report/render/windows":    {"profiles", "attack", "probe", "report", "report/stats", "report/render/page", "report/render/layout"},
	"report/render/faillog":    {"profiles", "attack", "probe", "report", "report/format", "report/stats"},
	"report/history":           {"profiles", "attack", "probe", "report", "report/stats"},
	"report/render/page":       {"profiles", "attack", "probe", "report", "report/stats"},
	"cmd/internal/lab":         {"profiles"},
	"cmd/internal/lab/":        {"profiles", "attack/fault", "cmd/internal/lab", "cmd/internal/lab/"},
	"cmd/internal/bus":         {},
	"cmd/internal/explain":     {},
	"cmd/internal/live":        {"profiles", "attack", "probe", "report", "report/", "cmd/internal/session"},
	"cmd/internal/web":         {"cmd/internal/web/own"},
	"cmd/internal/web/own":     {},
	"cmd/internal/otlp":        {},
	"cmd/internal/spans":       {"profiles", "profiles/", "attack", "probe", "probe/traces", "probe/internal/ask", "report/runlog", "report/format", "cmd/internal/otlp"},
	// The numbers of a run: kept, and the ways out, which know only their form.
	"cmd/internal/meter":        {"profiles", "attack", "probe", "report", "report/", "cmd/internal/session", "cmd/internal/meter/family"},
	"cmd/internal/meter/family": {},
	"cmd/internal/notify":       {"cmd/internal/otlp"},
	"cmd/internal/boards":       {},
	"cmd/internal/broadcast":    {"profiles", "attack", "probe", "report", "report/", "cmd/internal/session", "cmd/internal/otlp", "cmd/internal/meter", "cmd/internal/meter/", "cmd/internal/notify", "cmd/internal/web/own"},
	"cmd/internal/meter/expose": {"cmd/internal/meter/family", "cmd/internal/web/own"},
	"cmd/internal/meter/push":   {"cmd/internal/meter/family", "cmd/internal/otlp"},
	"cmd/internal/meter/push/":  {"cmd/internal/meter/family", "cmd/internal/otlp"},
	"cmd/internal/session":      {"profiles", "attack", "probe", "report", "report/search", "report/stats"},
	// The installed tool carries the scenarios that teach, and not the rest of the lab.
	"cmd/rampload":             installed,
	"cmd/internal/cli/":        installed, // each a command
	"cmd/internal/golden":      {},
	"cmd/internal/cli":         installed,
	"cmd/internal/investigate": {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/investigate", "report/diagnose/"},
	"cmd/internal/keep":        keeping,
	"cmd/internal/console":     consoles,
	"cmd/internal/input":       inputs,
	"cmd/internal/watch":       watches,
	"cmd/internal/plan":        plans,
	"cmd/internal/preflight":   looks,
	"cmd/internal/run":         runs,
	"cmd/":                     {"profiles", "profiles/", "attack", "attack/", "probe", "probe/", "report", "report/", "cmd/internal/"},

	// The rooms of a diagnosis, each behind those that it builds on.
	"report/diagnose/words":       {"profiles", "attack", "report/format"},
	"report/diagnose/says":        {},
	"report/diagnose/spoken":      {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/says"},
	"report/diagnose/hops":        {"profiles", "attack", "probe", "report/runlog"},
	"report/diagnose/reach":       {"profiles", "attack", "probe", "report/runlog"},
	"report/diagnose/waiting":     {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/hops"},
	"report/diagnose/demand":      {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/hops", "report/diagnose/waiting"},
	"report/diagnose/evidence":    {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/says", "report/diagnose/spoken", "report/diagnose/hops", "report/diagnose/reach", "report/diagnose/waiting"},
	"report/diagnose/kernels":     {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/says", "report/diagnose/spoken", "report/diagnose/hops", "report/diagnose/reach", "report/diagnose/waiting", "report/diagnose/evidence"},
	"report/diagnose/gather":      {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/says", "report/diagnose/spoken", "report/diagnose/hops", "report/diagnose/reach", "report/diagnose/waiting", "report/diagnose/evidence", "report/diagnose/kernels"},
	"report/diagnose/generator":   {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/says", "report/diagnose/spoken", "report/diagnose/hops", "report/diagnose/reach", "report/diagnose/waiting", "report/diagnose/evidence"},
	"report/diagnose/onset":       {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/says", "report/diagnose/spoken", "report/diagnose/hops", "report/diagnose/reach", "report/diagnose/waiting", "report/diagnose/evidence"},
	"report/diagnose/saturation":  {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/says", "report/diagnose/spoken", "report/diagnose/hops", "report/diagnose/reach", "report/diagnose/waiting", "report/diagnose/evidence"},
	"report/diagnose/course":      {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/says", "report/diagnose/spoken", "report/diagnose/hops", "report/diagnose/reach", "report/diagnose/waiting", "report/diagnose/evidence", "report/diagnose/kernels", "report/diagnose/gather"},
	"report/diagnose/moment":      {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/says", "report/diagnose/spoken", "report/diagnose/hops", "report/diagnose/reach", "report/diagnose/waiting", "report/diagnose/evidence", "report/diagnose/kernels", "report/diagnose/gather", "report/diagnose/saturation"},
	"report/diagnose/stored":      {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/says", "report/diagnose/spoken", "report/diagnose/hops", "report/diagnose/reach", "report/diagnose/waiting", "report/diagnose/evidence", "report/diagnose/kernels", "report/diagnose/gather", "report/diagnose/saturation"},
	"report/diagnose/passage":     {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/says", "report/diagnose/spoken", "report/diagnose/hops", "report/diagnose/reach", "report/diagnose/waiting", "report/diagnose/evidence", "report/diagnose/kernels", "report/diagnose/gather", "report/diagnose/saturation"},
	"report/diagnose/signals":     {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/says", "report/diagnose/spoken", "report/diagnose/hops", "report/diagnose/reach", "report/diagnose/waiting", "report/diagnose/demand", "report/diagnose/evidence", "report/diagnose/kernels", "report/diagnose/gather", "report/diagnose/saturation", "report/diagnose/moment", "report/diagnose/passage", "report/diagnose/stored", "report/diagnose/course"},
	"report/diagnose/inquiry":     {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/says", "report/diagnose/spoken", "report/diagnose/hops", "report/diagnose/reach", "report/diagnose/waiting", "report/diagnose/evidence", "report/diagnose/kernels", "report/diagnose/gather", "report/diagnose/saturation", "report/diagnose/moment", "report/diagnose/passage", "report/diagnose/stored", "report/diagnose/signals"},
	"report/diagnose/causes/path": {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/says", "report/diagnose/spoken", "report/diagnose/hops", "report/diagnose/reach", "report/diagnose/waiting", "report/diagnose/evidence", "report/diagnose/kernels", "report/diagnose/gather", "report/diagnose/saturation", "report/diagnose/moment", "report/diagnose/passage", "report/diagnose/stored", "report/diagnose/signals", "report/diagnose/inquiry"},
	"report/diagnose/causes":      {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/says", "report/diagnose/spoken", "report/diagnose/hops", "report/diagnose/reach", "report/diagnose/waiting", "report/diagnose/evidence", "report/diagnose/kernels", "report/diagnose/gather", "report/diagnose/saturation", "report/diagnose/moment", "report/diagnose/passage", "report/diagnose/stored", "report/diagnose/signals", "report/diagnose/inquiry", "report/diagnose/causes/path"},
	"report/diagnose/ranking":     {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/says", "report/diagnose/spoken", "report/diagnose/hops", "report/diagnose/reach", "report/diagnose/waiting", "report/diagnose/demand", "report/diagnose/evidence", "report/diagnose/kernels", "report/diagnose/gather", "report/diagnose/saturation", "report/diagnose/moment", "report/diagnose/passage", "report/diagnose/stored", "report/diagnose/course", "report/diagnose/signals", "report/diagnose/inquiry", "report/diagnose/causes/path", "report/diagnose/causes"},
	"report/diagnose/verdicts":    {"profiles", "attack", "probe", "report", "report/runlog", "report/stats", "report/stats/bend", "report/diagnose/words", "report/diagnose/says", "report/diagnose/spoken", "report/diagnose/hops", "report/diagnose/reach", "report/diagnose/waiting", "report/diagnose/demand", "report/diagnose/evidence", "report/diagnose/kernels", "report/diagnose/gather", "report/diagnose/saturation", "report/diagnose/moment", "report/diagnose/passage", "report/diagnose/stored", "report/diagnose/course", "report/diagnose/signals", "report/diagnose/inquiry", "report/diagnose/causes/path", "report/diagnose/causes", "report/diagnose/ranking"},
}

// Third-party modules that only these packages may reach.
var owners = map[string][]string{
	"github.com/tsenart/vegeta/v12/lib": {"attack/ramp", "cmd/internal/cli", "cmd/rampload", "cmd/internal/release"},
	"github.com/prometheus/":            {"probe/prom", "cmd/internal/meter/expose", "cmd/internal/broadcast", "cmd/internal/cli", "cmd/rampload", "cmd/internal/release"},
	"github.com/shirou/gopsutil/v3":     {"probe/host", "probe/machine", "cmd/internal/cli", "cmd/rampload", "cmd/internal/release"},
	"github.com/olekukonko/tablewriter": {"report/render", "report/render/", "cmd/internal/live", "cmd/internal/broadcast", "cmd/internal/cli", "cmd/rampload", "cmd/internal/release"},
	"github.com/nats-io/":               {"cmd/internal/bus", "cmd/internal/topic", "cmd/internal/fleet", "cmd/internal/fleet/roster", "cmd/internal/fleet/manifests", "cmd/internal/cli", "cmd/rampload", "cmd/internal/release"},
	"k8s.io/client-go/":                 {"probe/kube", "probe/kube/", "cmd/internal/cli", "cmd/rampload", "cmd/internal/release"},
	"github.com/brianvoe/gofakeit/v7":   {"attack/fill", "attack/completion", "attack/ramp", "attack/wire/", "cmd/internal/cli", "cmd/rampload", "cmd/internal/release"},
	"github.com/goccy/go-yaml":          {"profiles/yaml", "profiles/yaml/bind", "profiles/yaml/scalar", "profiles/yaml/section", "profiles/yaml/tree", "cmd/internal/cli", "cmd/rampload", "cmd/internal/release"},
}

// commandLine takes the rooms of the command line, and who else builds on them, for one.
var commandLine = strings.NewReplacer("rampload-lab", "rampload", "internal/labeval", "internal/cli", "internal/cli/fleetcmd", "internal/cli", "internal/cli/probecmd", "internal/cli", "internal/run", "internal/cli", "internal/plan", "internal/cli", "internal/preflight", "internal/cli",
	"internal/watch", "internal/cli", "internal/input", "internal/cli", "internal/console", "internal/cli")

func TestArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Deps", module+"...").Output()
	if err != nil {
		t.Fatalf("list packages: %v", err)
	}
	packages := 0
	for d := json.NewDecoder(bytes.NewReader(out)); ; packages++ {
		var pkg struct {
			ImportPath string
			Deps       []string
		}
		if err := d.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from := strings.TrimPrefix(pkg.ImportPath, module)
		allowed, known := arrowsOf(from)
		if !known {
			t.Errorf("%s has no arrows: say in this test what it may import", from)
		}
		for _, base := range []string{"profiles", "attack", "probe", "report"} { // who may import it reaches what it is made of
			if slices.Contains(allowed, base) {
				allowed = slices.Concat(allowed, arrows[base])
			}
		}
		for _, dep := range pkg.Deps {
			if to, ours := strings.CutPrefix(dep, module); ours && !matches(allowed, to) {
				t.Errorf("%s must not reach %s", from, to)
			}
			for third, by := range owners {
				if strings.HasPrefix(dep, third) && !matches(by, commandLine.Replace(from)) {
					t.Errorf("%s must not reach %s", from, dep)
				}
			}
		}
	}
	if packages < len(arrows)-2 {
		t.Errorf("only %d packages were listed", packages)
	}
}

func arrowsOf(pkg string) ([]string, bool) {
	if a, ok := arrows[pkg]; ok {
		return a, true
	}
	for i := len(pkg) - 1; i > 0; i-- {
		if pkg[i] == '/' {
			if a, ok := arrows[pkg[:i+1]]; ok {
				return a, true
			}
		}
	}
	return nil, false
}

func matches(prefixes []string, pkg string) bool {
	for _, p := range prefixes {
		if pkg == p || strings.HasSuffix(p, "/") && strings.HasPrefix(pkg, p) {
			return true
		}
	}
	return false
}
