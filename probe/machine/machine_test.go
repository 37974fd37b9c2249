package machine_test

import (
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/machine"
	"github.com/rampload/rampload/probe/probetest"
	"github.com/rampload/rampload/profiles"
)

func open(entry profiles.Host) func(*testing.T) probe.Host {
	m := machine.Machine{Clock: probe.NewClock(time.Now()), Name: "local", Generator: true}
	return func(*testing.T) probe.Host { return m.Host(entry) }
}

func TestMachine(t *testing.T) {
	names := probetest.RunHost(t, open(profiles.Host{Name: "local"}), probe.Selection{})
	want := []string{"host", "generator"}
	if runtime.GOOS == "linux" {
		want = append(want, "sockets", "kernel counters", "requests")
	}
	for _, name := range want {
		if !slices.Contains(names, name) {
			t.Errorf("the machine has no source %q, only %q", name, names)
		}
	}
}

func TestProcessOfTheMachine(t *testing.T) {
	self := profiles.Process{PID: os.Getpid()}
	names := probetest.RunHost(t, open(profiles.Host{Name: "payments"}), probe.Selection{Processes: []profiles.Process{self}})
	if slices.Contains(names, "host") || len(names) == 0 {
		t.Errorf("a part of the machine opens %q", names)
	}
}

func TestMissingNamespace(t *testing.T) {
	sources := open(profiles.Host{Name: "router", Netns: "no-such-namespace"})(t).Open(t.Context(), probe.Selection{})
	defer sources.Close()
	if len(sources.Samplers) != 0 || len(sources.Missing) != 3 {
		t.Errorf("a namespace that is not there opens %+v, lacks %+v", sources.Samplers, sources.Missing)
	}
}
