package python

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// gunicornScenarios use a real pre-forking server.
func gunicornScenarios() []lab.Scenario {
	scenario := lab.Needing("gunicorn")
	return []lab.Scenario{
		scenario("worker-recycling", "worker-recycling", "worker-recycling",
			"gunicorn replaces its workers after a number of requests, with their connections", func(b *lab.Bench) error {
				return startGunicorn(b, 80, 200, "--worker-class=gthread", "--threads=16", "--workers=2", "--keep-alive=5",
					lab.Arg("-max-requests", b.Whole(50, 90)))
			}),
		scenario("worker-recycling", "worker-recycling", "worker-recycling-one",
			"gunicorn replaces its only worker after a number of requests", func(b *lab.Bench) error {
				return startGunicorn(b, 60, 160, "--worker-class=gthread", "--threads=16", "--workers=1", "--keep-alive=5",
					lab.Arg("-max-requests", b.Whole(200, 300)))
			}),
		scenario("worker-killed", "worker-killed", "worker-timeout",
			"gunicorn kills workers that are stuck in a request", func(b *lab.Bench) error {
				return startGunicorn(b, 10, 60, "--worker-class=sync", "--workers=4", "--timeout=1", fmt.Sprintf("--env=HANG_EVERY=%d", b.Whole(80, 150)))
			}),
	}
}

// gunicornApp answers after WORK seconds; every HANG_EVERY-th request of a worker
// hangs, and each leaves LEAK bytes allocated.
const gunicornApp = `import itertools, os, time

numbers = itertools.count(1)
hang = int(os.environ.get("HANG_EVERY", "0"))
work = float(os.environ.get("WORK", "0.005"))
leak = int(os.environ.get("LEAK", "0"))
leaked = []

def app(environ, start_response):
    environ["wsgi.input"].read()
    if leak:
        leaked.append(b"x" * leak)
    time.sleep(60 if hang and next(numbers) % hang == 0 else work)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
`

func startGunicorn(b *lab.Bench, from, to float64, args ...string) error {
	port, err := lab.FreePort()
	if err != nil {
		return err
	}
	addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
	if err := StartGunicorn(b, "", addr, nil, args...); err != nil {
		return err
	}
	GunicornTarget(b, addr, from, to)
	b.WatchLog("gunicorn.log", "Booting worker", "WORKER TIMEOUT")
	return nil
}

// GunicornTarget loads gunicorn on this machine.
func GunicornTarget(b *lab.Bench, addr netip.AddrPort, from, to float64) {
	b.Target("orders", "http://"+addr.String(), lab.Post("/orders", 3000), "orders-1")
	b.Host("orders-1", "", addr.Port())
	b.Run.Profile.Client.Timeout = 5 * time.Second
	b.RampTo(from, to, 18*time.Second)
}

// StartGunicorn starts gunicorn in a namespace and control groups.
func StartGunicorn(b *lab.Bench, netns string, addr netip.AddrPort, cgroups []string, args ...string) error {
	if err := os.WriteFile(filepath.Join(b.Env.Dir, "app.py"), []byte(gunicornApp), 0o600); err != nil {
		return err
	}
	args = append(args, "--bind="+addr.String(), "--worker-tmp-dir="+b.Env.Dir, "app:app")
	if _, err := b.Program(netns, cgroups, "gunicorn", args...); err != nil {
		return err
	}
	return b.Answers(netns, addr.Addr(), addr.Port())
}
