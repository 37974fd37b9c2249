package host

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

func TestHardLimitOfOpenFiles(t *testing.T) {
	var want unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &want); err != nil {
		t.Fatal(err)
	}
	p, err := NewProcess(profiles.Process{PID: os.Getpid()}, "local", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	got := map[string]probe.Reading{}
	if err := p.Sample(t.Context(), func(r probe.Sample) { got[r.Metric.Name] = r.Reading }); err != nil {
		t.Fatal(err)
	}
	hard, ok := got[probe.OpenFilesHard]
	if unlimited := want.Max == unix.RLIM_INFINITY; ok == unlimited {
		t.Fatalf("hard limit emitted: %v, unlimited: %v", ok, unlimited)
	}
	if ok && hard.Value != float64(want.Max) || got[probe.OpenFiles].Limit != float64(want.Cur) {
		t.Errorf("hard limit %v, soft limit %v; want %d, %d", hard.Value, got[probe.OpenFiles].Limit, want.Max, want.Cur)
	}
}
