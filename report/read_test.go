package report

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

func number(v float64) *float64 { return &v }

// sample is a report that uses every field of schema 1.
func sample() *Report {
	at := time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)
	one := number(1.5)
	totals := Totals{
		Requests: 10, Attempts: 12, OK: 8, Failed: 2, Unsent: 1, Canceled: 1, WireResets: 3, VisibleResets: 2, IdleResets: 1, LocalFaults: 4,
		Faults: map[string]map[string]uint64{"reset": {"await": 2, "idle": 1}}, StatusCodes: map[string]uint64{"200": 8}, OfferedRPSMax: 11, AchievedRPSMax: 10,
	}
	onset := Onset{
		Status: "onset", Fault: "reset", AtS: one, LowS: one, HighS: one, LoadRPS: one, LoadLowRPS: one, LoadHighRPS: one,
		UpperBound: one, Before: 1, BeforeOf: 2, RateAfter: one, Coverage: one, Note: "note",
	}
	latency := Latency{P50: one, P90: one, P99: one, Max: one}
	return &Report{
		Schema: 1, Name: "peak", Label: "v1", Started: at, Ended: at.Add(time.Minute), Complete: true, Interrupted: true, ExitCode: 130,
		Aborted: "failures > 5%", Error: "error",
		Profile:     Profile{YAML: "name: peak\n", Fingerprint: "f00", Engine: "vegeta", DurationS: 60, MaxRPS: one},
		Environment: Environment{Rampload: "1.0", Go: "go1.26", OS: "linux", Kernel: "6.18", Host: "h", CPUs: 2, GitCommit: "abc", RunID: "01", SkipVerify: true},
		Totals:      totals,
		Targets: []Target{{
			Name: "orders", URL: "http://orders", Totals: totals, LatencyMS: latency, LatencyFromSendMS: latency,
			ByAddress: []Address{{Address: "10.0.0.1:80", Attempts: 12, Failed: 2, WireResets: 3, Faults: map[string]uint64{"reset": 2}}},
			ByLoad:    []LoadBin{{LowRPS: 0, HighRPS: 10, Seconds: 60, Requests: 10, Attempts: 12, Failed: 2, WireResets: 3, AchievedRPS: 9, P50MS: one, P99MS: one}},
			Onset:     onset, Onsets: []Onset{onset}, RecoveryRPS: one,
		}},
		Resources: []Resource{{
			Host: "orders-1", Process: "orders", PID: 7, Name: "open-files", Instance: "i", Kind: "hard-limit", Unit: "files", Limit: one, Peak: one,
			Utilisation: one, SaturatedAtS: one, LoadRPS: one, LagS: one, Verdict: "cause", Reason: "full", Score: one,
		}},
		Findings: []Finding{{
			Target: "orders", Verdict: "explains", Cause: "server-file-descriptors", Host: "orders-1", Process: "orders", PID: 7, Resource: "open-files",
			Confidence: 0.9, Summary: "summary", Evidence: []Evidence{{Source: "s", Text: "t", AtS: one}}, RuledOut: []RuledOut{{What: "w", Reason: "r"}}, Advice: []string{"a"},
		}},
		Gates:     []GateResult{{Expr: "failures < 1%", Value: one, Unit: "ratio", Result: "failed", Reason: "r"}},
		Generator: Generator{Limited: true, Reason: "r", AtS: one, LoadRPS: one, CPU: one, LagMSP99: one, ProbesCPUPercent: one},
		Sources:   []Source{{Host: "local", Source: "host", State: "partial", Reason: "r"}},
		Events: []Event{{
			AtS: 1.5, Kind: "rst-sent", Host: "h", Process: "p", PID: 7, Local: "l", Remote: "r", Reason: "NO_SOCKET", State: "s", Count: 1, Text: "t",
		}},
		EventsLeftOut: 3,
		Windows:       Windows{IntervalMS: 250, Columns: map[string][]*float64{"at_s": {one, nil}, "orders/p99_ms": {nil, one}}},
		Warnings:      []string{"w"},
	}
}

// The golden file is a schema 1 report as it was first written. It has to be
// read, whole, by every later version.
func TestReadSchema1(t *testing.T) {
	path := filepath.Join("testdata", "schema-1.json")
	if *update {
		var b bytes.Buffer
		if err := sample().Write(&b); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Errorf("the report is not what was written (-written +read):\n%s", diff)
	}
	var again bytes.Buffer
	if err := got.Write(&again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(b), again.String()); diff != "" {
		t.Errorf("written again it differs:\n%s", diff)
	}
}

func TestReadErrors(t *testing.T) {
	tests := []struct {
		name, in string
		is       error
		says     string
	}{
		{
			"newer schema", `{"schema": 2, "targets": {"not": "a list"}}`, ErrNewerSchema,
			"read report: unknown report schema 2: this rampload reads up to schema 1; read it with the release that wrote it, or a newer one",
		},
		{"no schema", `{"name": "x"}`, ErrNotReport, `it has no "schema"; expected the JSON file that a run wrote`},
		{"not JSON", "PASSED  orders", ErrNotReport, "expected the JSON file that a run wrote"},
		{"empty", "", ErrNotReport, "not a rampload report"},
		{"a list", "[1]", ErrNotReport, "not a rampload report"},
		{"schema of another kind", `{"schema": "http://json-schema.org"}`, ErrNotReport, "not a rampload report"},
		{"schema zero", `{"schema": 0}`, ErrNotReport, `schema "0" is no version`},
		{"schema 1.5", `{"schema": 1.5}`, ErrNotReport, `schema "1.5" is no version`},
		{"damaged", `{"schema": 1, "findings": 3}`, ErrNotReport, "the file is damaged or was edited"},
		{"without a verdict", `{"schema": 1}`, ErrNotReport, "it has no finding"},
		{"ragged windows", `{"schema":1,"findings":[{}],"windows":{"columns":{"a":[1],"b":[]}}}`, ErrNotReport, "rows"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(strings.NewReader(tt.in))
			if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Read = %v\nwant %v saying %q", err, tt.is, tt.says)
			}
		})
	}
}

// An unknown field is one that a later release added within the schema.
func TestReadUnknownField(t *testing.T) {
	r, err := Read(strings.NewReader(`{"schema":1,"findings":[{"verdict":"healthy","mood":"good"}],"added":1}`))
	if err != nil || r.Findings[0].Verdict != "healthy" {
		t.Errorf("Read = %+v, %v", r, err)
	}
}

func TestWriteRefusesNaN(t *testing.T) {
	r := sample()
	nan := math.NaN()
	r.Targets[0].LatencyMS.P99 = &nan
	var b bytes.Buffer
	if err := r.Write(&b); err == nil || b.Len() > 0 {
		t.Errorf("Write = %v after %d bytes, want an error and none", err, b.Len())
	}
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "peak.json")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("first"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 && filepath.Separator == '/' {
		t.Errorf("mode %v, want 0600", info.Mode().Perm())
	}
	if _, err := Create(path); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), "--out") {
		t.Errorf("second Create = %v, want ErrExists and what to do", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "first" {
		t.Errorf("the older report now holds %q", b)
	}
	link := filepath.Join(dir, "link.json")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), link); err == nil {
		if _, err := Create(link); !errors.Is(err, ErrExists) {
			t.Errorf("Create through a dangling link = %v, want ErrExists", err)
		}
	}
	if _, err := Create(filepath.Join(dir, "none", "peak.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Create in no directory = %v", err)
	}
}

func TestOutcome(t *testing.T) {
	failed, open, passed := GateResult{Result: GateFailed}, GateResult{Result: GateUndecided}, GateResult{Result: GatePassed}
	tests := []struct {
		name string
		e    Ending
		want int
	}{
		{"no gates", Ending{}, 0},
		{"passed", Ending{Gates: []GateResult{passed}}, 0},
		{"undecided", Ending{Gates: []GateResult{passed, open}}, 4},
		{"failed before undecided", Ending{Gates: []GateResult{open, failed}}, 1},
		{"abort", Ending{Aborted: true}, 1},
		{"abort before undecided", Ending{Aborted: true, Gates: []GateResult{open}}, 1},
		{"interrupted before failed", Ending{Interrupted: true, Aborted: true, Gates: []GateResult{failed}}, 130},
		{"not run before interrupted", Ending{NotCarriedOut: true, Interrupted: true, Gates: []GateResult{failed}}, 3},
		{"usage before all", Ending{Usage: true, NotCarriedOut: true, Interrupted: true, Aborted: true, Gates: []GateResult{failed}}, 2},
	}
	for _, tt := range tests {
		if got := Outcome(tt.e); got != tt.want {
			t.Errorf("%s: exit %d, want %d", tt.name, got, tt.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := sample().Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"schema":1,"findings":[{}]}`))
	f.Add([]byte(`{"schema":2}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := Read(bytes.NewReader(in))
		if err != nil {
			if !errors.Is(err, ErrNotReport) && !errors.Is(err, ErrNewerSchema) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		var first, second bytes.Buffer
		if err := r.Write(&first); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := Read(bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if err := again.Write(&second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("reading and writing again changes a report: %v", err)
		}
	})
}

func TestReadRefusesMoreThanAReportCanHave(t *testing.T) {
	for name, text := range map[string]string{
		"values":    `{"schema":1,"events":[` + strings.Repeat("{},", 5<<20) + `{}]}`,
		"numbers":   `{"schema":1,"windows":{"columns":{"a":[` + strings.Repeat("0,", 25<<20) + `0]}}}`,
		"depth":     `{"schema":1,"x":` + strings.Repeat("[", 1<<20),
		"no object": "\x00\x00\x00",
	} {
		began := time.Now()
		if _, err := Read(strings.NewReader(text)); !errors.Is(err, ErrNotReport) {
			t.Errorf("%s: %.100v", name, err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: refused after %s", name, took)
		}
	}
}

// A report that is cut short is told as that, with what makes it again.
func TestReadCutShort(t *testing.T) {
	_, err := Read(strings.NewReader(`{"schema": 1, "name": "peak", "targets": [{"na`))
	if !errors.Is(err, ErrNotReport) || !strings.Contains(err.Error(), "cut short; its run log makes it again: rampload report FILE.runlog") {
		t.Errorf("%v", err)
	}
}
