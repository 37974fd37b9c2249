package run

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/profiles"
)

// gcPercent returns what is set.
func gcPercent() int {
	now := debug.SetGCPercent(100)
	debug.SetGCPercent(now)
	return now
}

func TestGarbageIsCollectedInSteps(t *testing.T) {
	before := gcPercent()
	defer debug.SetGCPercent(before)
	for _, test := range []struct {
		engine profiles.Engine
		set    string // in the environment
		want   int
	}{
		{profiles.EngineDirect, "", 25},
		{profiles.EngineVegeta, "", 100},
		{profiles.EngineDirect, "GOGC", 60},
		{profiles.EngineDirect, "GOMEMLIMIT", 60},
	} {
		t.Run(string(test.engine)+test.set, func(t *testing.T) {
			debug.SetGCPercent(60)
			env := console.Env{LookupEnv: func(name string) (string, bool) { return "", name == test.set }}
			restore := collectInSteps(env, test.engine)
			if got := gcPercent(); got != test.want {
				t.Errorf("GOGC is %d, want %d", got, test.want)
			}
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			if goal := m.NextGC; test.set == "" && goal < m.HeapAlloc+garbageStep*9/10 {
				t.Errorf("the next collection is at %d MB, %d are alive", goal>>20, m.HeapAlloc>>20)
			}
			restore()
			if got := gcPercent(); got != 60 {
				t.Errorf("GOGC is %d afterwards, want 60 as before", got)
			}
		})
	}
}
