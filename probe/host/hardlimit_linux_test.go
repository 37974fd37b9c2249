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
	if want.Max == unix.RLIM_INFINITY {
		t.Skip("this process has no hard limit of open files")
	}
	p, err := NewProcess(profiles.Process{PID: os.Getpid()}, "local", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	got := map[string]probe.Reading{}
	if err := p.Sample(t.Context(), func(r probe.Reading) { got[r.Metric.Name] = r }); err != nil {
		t.Fatal(err)
	}
	if got[probe.OpenFilesHard].Value != float64(want.Max) || got[probe.OpenFiles].Limit != float64(want.Cur) {
		t.Errorf("hard limit %v, soft limit %v; want %d, %d", got[probe.OpenFilesHard].Value, got[probe.OpenFiles].Limit, want.Max, want.Cur)
	}
}
