package faillog

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report"
)

var update = flag.Bool("update", false, "write the golden file")

var started = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)

func TestFailureLog(t *testing.T) {
	series := report.NewSeries(250*time.Millisecond, []string{"orders"})
	series.Add(attack.Window{Index: 0, Scheduled: 100})
	series.Add(attack.Window{Index: 1, Scheduled: 125})
	log := New(started, attack.RunID{1, 2, 3, 4, 5, 6, 7, 8}, []string{"orders"}, nil, series)
	conn := attack.Conn{
		ID: 7, Reused: true, Served: 41, Age: 1500 * time.Millisecond, Idle: 12345 * time.Microsecond,
		Local: netip.MustParseAddrPort("10.0.0.2:41892"), Remote: netip.MustParseAddrPort("10.0.0.7:8080"),
	}
	failures := []attack.Failure{
		{Attempt: attack.Attempt{Request: 42, Try: 1, Last: true, Due: 300 * time.Millisecond, End: 1234567 * time.Microsecond, Fault: attack.Reset, Phase: attack.PhaseAwait, WireReset: true, Conn: conn}},
		{Attempt: attack.Attempt{Due: 10 * time.Hour, End: 2 * time.Second, Fault: attack.Reset, Phase: attack.PhaseIdle, WireReset: true, Conn: conn}},
		{Attempt: attack.Attempt{Request: 43, Due: -time.Second, End: 2 * time.Second, Fault: attack.PortsExhausted, Phase: attack.PhaseDial}},
		{Attempt: attack.Attempt{Request: 44, End: 3 * time.Second, Fault: attack.Status, Status: 503, Phase: attack.PhaseDone, Conn: conn}},
		{Attempt: attack.Attempt{Request: 45, Target: 9, End: 3 * time.Second, Fault: attack.Timeout, Phase: attack.PhaseBody, Conn: conn}},
	}
	var out []byte
	for _, f := range failures {
		out = log.Append(out, f)
	}
	const golden = "testdata/failures.jsonl"
	if *update {
		if err := os.WriteFile(golden, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || !bytes.Equal(out, want) {
		t.Errorf("lines differ from %s (%v); with -update they become it:\n%s", golden, err, out)
	}
	lines := bytes.Split(bytes.TrimSuffix(out, []byte("\n")), []byte("\n"))
	if len(lines) != len(failures) {
		t.Fatalf("%d lines of %d failures", len(lines), len(failures))
	}
	for i, line := range lines {
		var got failureLine
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("line %d: %v", i, err)
		}
		// The ids have to be those that the request carried.
		id := attack.RunID{1, 2, 3, 4, 5, 6, 7, 8}
		want := string(id.AppendTransactionID(nil, failures[i].Request))
		if failures[i].Phase == attack.PhaseIdle {
			want = ""
		}
		if got.TransactionID != want {
			t.Errorf("line %d: transaction %q, want %q", i, got.TransactionID, want)
		}
		if parent := string(id.AppendTraceParent(nil, failures[i].Request, failures[i].Try, false)); want != "" && got.TraceID != parent[3:35] {
			t.Errorf("line %d: trace %q, want the one of %q", i, got.TraceID, parent)
		}
	}
	if got := New(started, attack.RunID{}, nil, nil, nil).Append(nil, failures[0]); !bytes.Contains(got, []byte(`"offered_rps":null`)) {
		t.Errorf("without a series the load is not null: %s", got)
	}
}
