package python

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// pythonScenarios are limits of a server with a thread for each connection
// (Python's http.server) and of one with few workers (gunicorn).
func pythonScenarios() []lab.Scenario {
	scenario := lab.Needing()
	return []lab.Scenario{
		scenario("threads", "server-threads", "threads-cgroup",
			"a server with a thread for each connection reaches its control group's limit of tasks (pids.max) and closes connections", func(b *lab.Bench) error {
				limit, work := b.Whole(35, 60), b.Millis(120, 180)
				text := fmt.Sprint(limit)
				dir, err := b.Cgroup("pids", map[string]string{"pids.max": text}, map[string]string{"pids.max": text})
				if err != nil {
					return err
				}
				return pythonThreads(b, limit, work, dir)
			}, lab.NeedRoot, "python3"),
		scenario("threads", "server-threads", "threads-user-limit",
			"a server with a thread for each connection reaches its user's limit of processes (RLIMIT_NPROC) and closes connections", func(b *lab.Bench) error {
				limit, work := b.Whole(35, 60), b.Millis(120, 180)
				// The limit counts all tasks of a user: one that nobody else has.
				return pythonThreads(b, limit, work, "", "-u", fmt.Sprint(b.Whole(61000, 64000)), "-n", fmt.Sprint(limit))
			}, lab.NeedRoot, "python3"),
		scenario("threads", "server-threads", "threads-user-limit-dropped",
			"a server with a thread for each connection reaches its user's limit of processes and leaves connections open without an answer", func(b *lab.Bench) error {
				limit, work := b.Whole(40, 60), b.Millis(120, 180)
				b.Run.Profile.Client.Timeout = time.Second
				return pythonThreads(b, limit, work, "", "-u", fmt.Sprint(b.Whole(61000, 64000)), "-n", fmt.Sprint(limit), "-k")
			}, lab.NeedRoot, "python3"),
		scenario("listen-backlog", "listen-backlog", "gunicorn-backlog",
			"gunicorn's few workers are all busy and its short accept queue overflows (--backlog)", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"server-threads"} // more workers would empty the queue
				const workers = 2
				work := b.Millis(25, 40)
				n, err := b.Network(false)
				if err != nil {
					return err
				}
				addr := netip.AddrPortFrom(netip.MustParseAddr(lab.ServerAddr), 8080)
				if err := StartGunicorn(b, n.Server, addr, nil, "--worker-class=sync", fmt.Sprintf("--workers=%d", workers),
					fmt.Sprintf("--backlog=%d", b.Whole(8, 16)), fmt.Sprintf("--env=WORK=%g", work.Seconds())); err != nil {
					return err
				}
				b.Target("orders", "http://"+addr.String(), lab.Post("/orders", 300), "router", "orders-1")
				b.Host("router", n.Router)
				b.Host("orders-1", n.Server, 8080)
				b.Run.Profile.Client.Connections = 0
				b.Run.Profile.Client.Timeout = 1500 * time.Millisecond
				load := workers / (work.Seconds() + 0.002)
				b.RampTo(0.4*load, 1.6*load, 18*time.Second)
				b.Onset(load, 0.35)
				b.Run.Expect.Resource = "listen-queue"
				return b.WatchKernel(n.Server, "server", "ListenOverflows")
			}, lab.NeedRoot, "ip", "gunicorn"),
	}
}

// threadingServer answers each connection in a thread of its own. When no thread
// can be started, Python's socketserver closes the connection; with -k it is kept
// and never served, as by servers that lose the exception.
const threadingServer = `import argparse, http.server, linecache, os, resource, socketserver, sys, time, traceback

args = argparse.ArgumentParser()
args.add_argument("-p", type=int)
args.add_argument("-w", type=float)
args.add_argument("-u", type=int)
args.add_argument("-n", type=int)
args.add_argument("-k", action="store_true")
args = args.parse_args()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(args.w)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass

kept = []

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512

    def handle_error(self, request, client_address):
        if "start new thread" in str(sys.exc_info()[1]):
            print("no thread", file=sys.stderr, flush=True)

    def shutdown_request(self, request):
        if args.k and "start new thread" in str(sys.exc_info()[1]):
            kept.append(request)
            return
        super().shutdown_request(request)

server = Server(("127.0.0.1", args.p), Handler)
if args.n:
    resource.setrlimit(resource.RLIMIT_NPROC, (args.n, args.n))
if args.u:
    os.setgid(args.u)
    os.setuid(args.u)
server.serve_forever()
`

// pythonThreads runs the threading server, in a control group or not, and ramps
// beyond the load at which its connections need more threads than it may have.
func pythonThreads(b *lab.Bench, limit int, work time.Duration, cgroup string, args ...string) error {
	port, err := lab.FreePort()
	if err != nil {
		return err
	}
	file := filepath.Join(b.Env.Dir, "server.py")
	if err := os.WriteFile(file, []byte(threadingServer), 0o600); err != nil {
		return err
	}
	var cgroups []string
	if cgroup != "" {
		cgroups = []string{cgroup}
	}
	args = append([]string{file, "-p", fmt.Sprint(port), "-w", fmt.Sprint(work.Seconds())}, args...)
	if _, err := b.Program("", cgroups, "python3", args...); err != nil {
		return err
	}
	if err := b.Answers("", netip.MustParseAddr("127.0.0.1"), port); err != nil {
		return err
	}
	b.Target("orders", fmt.Sprintf("http://127.0.0.1:%d", port), lab.Post("/orders", 800), "orders-1")
	b.Host("orders-1", "", port)
	load := float64(limit-1) / work.Seconds()
	b.RampTo(0.3*load, 1.5*load, 18*time.Second)
	b.Onset(0.85*load, 0.3) // an idle pooled connection has a thread too
	b.WatchLog("python3.log", "no thread")
	return nil
}
