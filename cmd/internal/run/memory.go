package run

import (
	"runtime"
	"runtime/debug"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/profiles"
)

// garbageStep is how many bytes of garbage there are at least when it is collected.
const garbageStep = 32 << 20

// collectInSteps sets when garbage is collected while an engine sends, and returns what
// sets it back. Requests leave 1 to 3 kB each, and as little is alive, 5 MB, the collector
// would come twenty and more times a second and take a tenth of the processor. So it
// counts memory as alive that is never touched, and hence is none of the machine's. It
// leaves alone what the environment sets (GOGC, GOMEMLIMIT).
func collectInSteps(env console.Env, engine profiles.Engine) (restore func()) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if _, set := env.LookupEnv(name); set {
			return func() {}
		}
	}
	percent := 100 // of what is alive, the default
	if engine == profiles.EngineDirect {
		percent = 25 // many connections may be held: memory near its final size from the start
	}
	ballast := make([]byte, garbageStep*100/percent)
	before := debug.SetGCPercent(percent)
	return func() {
		debug.SetGCPercent(before)
		runtime.KeepAlive(ballast)
	}
}
