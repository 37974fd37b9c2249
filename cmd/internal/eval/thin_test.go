package eval

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report/diagnose"
	"github.com/rampload/rampload/report/runlog"
)

func encode(t *testing.T, log *runlog.Log) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteLog(&b, log); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWriteLog(t *testing.T) {
	log := sampleLog()
	got, err := runlog.Read(bytes.NewReader(encode(t, log)))
	if err != nil {
		t.Fatal(err)
	}
	sorted := func(l *runlog.Log) {
		slices.SortFunc(l.Series, func(a, b runlog.Series) int { return strings.Compare(fmt.Sprint(a.Metric), fmt.Sprint(b.Metric)) })
		slices.SortStableFunc(l.Events, func(a, b probe.Event) int { return int(a.At - b.At) })
		slices.SortStableFunc(l.Failures, func(a, b attack.Failure) int { return int(a.End - b.End) })
	}
	sorted(log)
	sorted(got)
	if diff := cmp.Diff(log, got, cmpopts.EquateNaNs(), cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Errorf("read back (-written +read):\n%s", diff)
	}
}

func TestThin(t *testing.T) {
	log := sampleLog()
	before := encode(t, log)
	for _, keep := range []int{1, 4, 16} {
		got := Thin(log, keep)
		if after := encode(t, log); !bytes.Equal(before, after) {
			t.Fatal("the log was changed")
		}
		// Nothing is lost from the counts.
		var sent, packets, dropped uint64
		for _, e := range got.Events {
			switch e.Kind {
			case probe.RSTSent:
				sent += e.Count
			case probe.RSTPacket:
				packets += e.Count
			}
		}
		for _, w := range got.Windows[0] {
			dropped += w.FailuresDropped
		}
		n := uint64(len(log.Failures))
		if sent != n || packets != n || dropped+uint64(len(got.Failures)) != n {
			t.Errorf("keep 1 of %d: %d resets sent, %d packets, %d failures and %d dropped, of %d each", keep, sent, packets, len(got.Failures), dropped, n)
		}
		if most := int(n)/keep*2 + few; len(got.Failures) > most || keep > 1 && len(got.Failures) < int(n)/keep/2 {
			t.Errorf("keep 1 of %d: %d of %d failures", keep, len(got.Failures), n)
		}
		if h := got.Header; h.Host != "lab" || h.GitCommit != "" || h.Kernel != "6.18" || len(h.Hosts[0].Addrs) != 2 {
			t.Errorf("the machine shows: %q, %q, %v", h.Host, h.GitCommit, h.Hosts[0].Addrs)
		}
		if count(got.Series, func(s runlog.Series) bool { return s.Metric.Instance == "*:9999" }) > 0 {
			t.Error("another program's listener was kept")
		}
		a, b := diagnose.Analyze(log).Findings[0], diagnose.Analyze(got).Findings[0]
		if a.Verdict != b.Verdict || a.Cause != b.Cause {
			t.Errorf("keep 1 of %d: %s %s, the whole log says %s %s", keep, b.Verdict, b.Cause, a.Verdict, a.Cause)
		}
	}
	if whole, thin := len(encode(t, Thin(log, 1))), len(encode(t, Thin(log, 16))); thin > whole/2 {
		t.Errorf("thinned from %d to %d bytes only", whole, thin)
	}
}
