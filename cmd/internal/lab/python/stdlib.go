package python

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// stdlibScenarios are limits that a server has which stands on Python's
// socketserver as it comes.
func stdlibScenarios() []lab.Scenario {
	scenario := lab.InNetwork("python3")
	return []lab.Scenario{
		scenario("listen-backlog", "listen-backlog", "python-single-thread",
			"a server with one thread works on one connection after the other, and its accept queue of five overflows (socketserver's default)", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"server-threads"} // more threads would empty the queue
				work := b.Millis(8, 14)
				b.Run.Profile.Client.Timeout = 900 * time.Millisecond
				load := 1 / (work.Seconds() + 0.002)
				b.Onset(0.9*load, 0.4)
				b.Run.Expect.Resource = "listen-queue"
				return startStdlib(b, 0.3*load, 1.6*load, "ListenOverflows", "--mode=single", fmt.Sprintf("--work=%g", work.Seconds()))
			}),
		scenario("descriptors", "server-file-descriptors", "python-descriptors",
			"a server with a thread for each connection and files for each request runs out of descriptors (RLIMIT_NOFILE)", func(b *lab.Bench) error {
				limit, files, work := b.Whole(90, 130), b.Whole(2, 3), b.Millis(200, 280)
				load := float64(limit-8) / float64(files+1) / work.Seconds()
				b.Onset(load, 0.35)
				b.Run.Expect.Resource = "open-files"
				return startStdlib(b, 0.3*load, 1.5*load, "", "--mode=thread", "--backlog=512", fmt.Sprintf("--nofile=%d", limit), fmt.Sprintf("--files=%d", files), fmt.Sprintf("--work=%g", work.Seconds()))
			}),
		scenario("descriptors", "server-file-descriptors", "close-wait-leak",
			"a server never closes what its callers have closed: sockets in CLOSE_WAIT use up its descriptors", func(b *lab.Bench) error {
				b.Run.Expect.Resource = "open-files"
				return startStdlib(b, 40, b.Between(100, 120), "", "--mode=thread", "--backlog=512", "--leak", fmt.Sprintf("--nofile=%d", b.Whole(800, 1100)), "--work=0.005")
			}),
		scenario("threads", "server-threads", "processes-user-limit",
			"a server with a process for each connection reaches its user's limit of processes and closes connections unread (RLIMIT_NPROC)", func(b *lab.Bench) error {
				limit, work := b.Whole(20, 30), b.Millis(280, 350)
				load := float64(limit-1) / work.Seconds()
				b.Onset(0.95*load, 0.3)
				// The limit counts all tasks of a user: one that nobody else has.
				return startStdlib(b, 0.3*load, 1.6*load, "", "--mode=fork", "--backlog=512", fmt.Sprintf("--user=%d", b.Whole(58000, 60900)), fmt.Sprintf("--nproc=%d", limit), fmt.Sprintf("--work=%g", work.Seconds()))
			}),
	}
}

// stdlibServer speaks HTTP/1.0, as http.server does: one request a connection.
// What fails for lack of something is written down, at most every 20 ms.
const stdlibServer = `import argparse, errno, http.server, linecache, os, resource, socketserver, sys, time, traceback

args = argparse.ArgumentParser()
args.add_argument("--address")
args.add_argument("--port", type=int)
args.add_argument("--mode")
args.add_argument("--backlog", type=int, default=0)
args.add_argument("--work", type=float)
args.add_argument("--files", type=int, default=0)
args.add_argument("--nofile", type=int, default=0)
args.add_argument("--nproc", type=int, default=0)
args.add_argument("--user", type=int, default=0)
args.add_argument("--leak", action="store_true")
args = args.parse_args()

said = {}

def say(text):
    now = time.monotonic()
    if now - said.get(text, 0) > 0.02:
        said[text] = now
        os.write(2, text.encode() + b"\n")

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        files = []
        try:
            for _ in range(args.files):
                files.append(open("/dev/null"))
            time.sleep(args.work)
        except OSError:
            say("open failed")
            raise
        finally:
            for f in files:
                f.close()
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass

kept = []

class Server(http.server.HTTPServer):
    def get_request(self):
        try:
            return super().get_request()
        except OSError as e:
            if e.errno == errno.EMFILE:
                say("accept failed")
            raise

    def handle_error(self, request, client_address):
        if isinstance(sys.exc_info()[1], BlockingIOError):
            say("no process")

    def shutdown_request(self, request):
        if args.leak:
            kept.append(request)
            return
        super().shutdown_request(request)

class Threading(socketserver.ThreadingMixIn, Server):
    daemon_threads = True

class Forking(socketserver.ForkingMixIn, Server):
    max_children = 1000

kind = {"single": Server, "thread": Threading, "fork": Forking}[args.mode]
if args.backlog:
    kind.request_queue_size = args.backlog
server = kind((args.address, args.port), Handler)
if args.nofile:
    resource.setrlimit(resource.RLIMIT_NOFILE, (args.nofile, args.nofile))
if args.nproc:
    resource.setrlimit(resource.RLIMIT_NPROC, (args.nproc, args.nproc))
if args.user:
    os.setgid(args.user)
    os.setuid(args.user)
server.serve_forever()
`

// startStdlib runs the server in a network and ramps. What it says of itself is harm,
// and so is the kernel's counter, if one is named.
func startStdlib(b *lab.Bench, from, to float64, counter string, args ...string) error {
	n, err := b.Network(false)
	if err != nil {
		return err
	}
	file := filepath.Join(b.Env.Dir, "service.py")
	if err := os.WriteFile(file, []byte(stdlibServer), 0o600); err != nil {
		return err
	}
	args = append([]string{file, "--address=" + lab.ServerAddr, "--port=8080"}, args...)
	if _, err := b.Program(n.Server, nil, "python3", args...); err != nil {
		return err
	}
	if err := b.Answers(n.Server, netip.MustParseAddr(lab.ServerAddr), 8080); err != nil {
		return err
	}
	b.Target("orders", "http://"+lab.ServerAddr+":8080", lab.Post("/orders", 400), "router", "orders-1")
	b.Host("router", n.Router)
	b.Host("orders-1", n.Server, 8080)
	b.RampTo(from, to, 18*time.Second)
	b.WatchLog("python3.log", "open failed", "accept failed", "no process")
	if counter == "" {
		return b.WatchKernel(n.Server, "server")
	}
	return b.WatchKernel(n.Server, "server", counter)
}
