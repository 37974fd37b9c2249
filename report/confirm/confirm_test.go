package confirm_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/confirm"
)

func confirmRun(onset report.Onset, reached float64, resources ...report.Resource) *report.Report {
	t := report.Target{Name: "payments", Onset: onset}
	t.AchievedRPSMax = reached
	return &report.Report{Profile: report.Profile{Fingerprint: "f"}, Targets: []report.Target{t}, Resources: resources}
}

func onsetAt(load, low, high float64) report.Onset {
	return report.Onset{Status: "onset", LoadRPS: &load, LoadLowRPS: &low, LoadHighRPS: &high}
}

func suspect(name, verdict string, limit float64, pid int) report.Resource {
	return report.Resource{Host: "local", Process: "payments", PID: pid, Name: name, Limit: &limit, Verdict: verdict}
}

func TestConfirm(t *testing.T) {
	before := confirmRun(onsetAt(1500, 1480, 1520), 2000,
		suspect("open-files", "candidate", 1024, 1), suspect("threads", "candidate", 100, 1), suspect("rss", "headroom", 1e9, 1))
	gone := report.Onset{Status: "none"}
	tests := []struct {
		name  string
		after *report.Report
		files string // outcome of open-files
		other string // outcome of threads
		text  string
	}{
		{
			"raised and gone", confirmRun(gone, 2000, suspect("open-files", "headroom", 4096, 2), suspect("threads", "candidate", 100, 2)),
			confirm.Confirmed, confirm.Refuted, "from 1,024 to 4,096",
		},
		{
			"raised and moved", confirmRun(onsetAt(1900, 1880, 1920), 2000, suspect("open-files", "cause", 1300, 2), suspect("threads", "headroom", 100, 2)),
			confirm.Confirmed, confirm.Refuted, "moved to 1,900/s",
		},
		{
			"raised and stayed", confirmRun(onsetAt(1510, 1490, 1530), 2000, suspect("open-files", "headroom", 4096, 2), suspect("threads", "cause", 100, 2)),
			confirm.Refuted, confirm.Unsettled, "stayed",
		},
		{
			"both raised", confirmRun(gone, 2000, suspect("open-files", "headroom", 4096, 2), suspect("threads", "headroom", 200, 2)),
			confirm.Unsettled, confirm.Unsettled, "one at a time",
		},
		{
			"nothing done", confirmRun(onsetAt(1500, 1480, 1520), 2000, suspect("open-files", "cause", 1024, 2), suspect("threads", "candidate", 100, 2)),
			confirm.NothingDone, confirm.NothingDone, "raise it",
		},
		{
			"something else changed", confirmRun(gone, 2000, suspect("open-files", "headroom", 1024, 2), suspect("threads", "headroom", 100, 2)),
			confirm.Unsettled, confirm.Unsettled, "something else",
		},
		{
			"the load was not reached", confirmRun(gone, 900, suspect("open-files", "headroom", 4096, 2), suspect("threads", "headroom", 100, 2)),
			confirm.Unsettled, confirm.Unsettled, "reached only 900/s",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := confirm.Compare(before, tt.after)
			if err != nil || len(got) != 2 {
				t.Fatalf("%+v, %v", got, err)
			}
			if got[0].Outcome != tt.files || got[1].Outcome != tt.other {
				t.Errorf("open-files %s, threads %s; want %s, %s", got[0].Outcome, got[1].Outcome, tt.files, tt.other)
			}
			if !strings.Contains(got[0].Summary, tt.text) {
				t.Errorf("summary %q lacks %q", got[0].Summary, tt.text)
			}
		})
	}
}

func TestConfirmRefusesAnotherProfile(t *testing.T) {
	other := confirmRun(report.Onset{Status: "none"}, 1)
	other.Profile.Fingerprint = "g"
	if _, err := confirm.Compare(confirmRun(report.Onset{}, 1), other); !errors.Is(err, report.ErrDifferent) {
		t.Errorf("%v, want ErrDifferent", err)
	}
}
