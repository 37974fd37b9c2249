package python

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/profiles"
)

// uwsgiScenarios have a real uWSGI as the server: what it kills for being slow,
// and how it fits the number of its workers to the load.
func uwsgiScenarios() []lab.Scenario {
	scenario := lab.InNetwork("uwsgi_python3")
	return []lab.Scenario{
		scenario("worker-killed", "worker-killed", "uwsgi-harakiri",
			"reports wait for a lock in turn, and with more of them uWSGI kills the workers that take too long (harakiri)", func(b *lab.Bench) error {
				hold, share := b.Millis(110, 150), b.Between(0.08, 0.14)
				n, err := startUWSGI(b, 10*time.Millisecond, hold, "--processes=48", "--harakiri=1")
				if err != nil {
					return err
				}
				b.Run.Profile.Targets[0].Requests = lab.Mixed(lab.Post("/orders", 600), lab.Post("/report", 600), share)
				b.Run.Profile.Client.Timeout = 8 * time.Second
				// Reports begin to pile up at this load. Seconds are what harakiri counts in:
				// it strikes when they have waited for one to three.
				load := 1 / hold.Seconds() / share
				b.RampTo(0.4*load, 2.6*load, 18*time.Second)
				b.Onset(1.7*load, 0.4)
				b.WatchLog("uwsgi_python3.log", "HARAKIRI ON WORKER")
				return b.WatchKernel(n.Server, "server")
			}),
		scenario("controls", "healthy", "healthy-uwsgi-cheaper",
			"uWSGI starts workers while the load rises and ends them while it falls (cheaper)", func(b *lab.Bench) error {
				n, err := startUWSGI(b, b.Millis(30, 50), 0, "--processes=24", "--cheaper=3", "--cheaper-initial=3", "--cheaper-step=4", "--cheaper-overload=1")
				if err != nil {
					return err
				}
				b.Run.Profile.Client.Timeout = 15 * time.Second
				most := b.Between(200, 260)
				b.Run.Profile.Load = profiles.Load{
					profiles.Hold{Rate: 30, For: 3 * time.Second},
					profiles.Ramp{From: 30, To: most, For: 10 * time.Second},
					profiles.Ramp{From: most, To: 20, For: 6 * time.Second},
					profiles.Hold{Rate: 20, For: 6 * time.Second},
				}
				return b.WatchKernel(n.Server, "server")
			}),
	}
}

// uwsgiApp answers after WORK seconds; a report holds the only lock for HOLD
// seconds.
const uwsgiApp = `import fcntl, os, time

def application(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if environ["PATH_INFO"] == "/report":
        with open("lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            time.sleep(float(os.environ["HOLD"]))
    else:
        time.sleep(float(os.environ["WORK"]))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
`

// startUWSGI runs uWSGI as the server of a network, with a new connection for every
// request: its own HTTP socket keeps none.
func startUWSGI(b *lab.Bench, work, hold time.Duration, args ...string) (*lab.Network, error) {
	n, err := b.Network(false)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(b.Env.Dir, "app.py")
	if err := os.WriteFile(file, []byte(uwsgiApp), 0o600); err != nil {
		return nil, fmt.Errorf("write application: %w", err)
	}
	args = append([]string{
		"--http-socket=" + lab.ServerAddr + ":8080", "--master", "--die-on-term", "--need-app", "--disable-logging", "--listen=1024",
		fmt.Sprintf("--env=WORK=%g", work.Seconds()), fmt.Sprintf("--env=HOLD=%g", hold.Seconds()), "--wsgi-file=" + file,
	}, args...)
	if _, err := b.Program(n.Server, nil, "uwsgi_python3", args...); err != nil {
		return nil, err
	}
	if err := b.Answers(n.Server, netip.MustParseAddr(lab.ServerAddr), 8080); err != nil {
		return nil, err
	}
	b.AtServer(n, lab.Post("/orders", 600), 8080)
	b.Run.Profile.Client.Connections = 0
	return n, nil
}
