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

// eventLoopScenarios are faults of a server on one event loop (Python's asyncio):
// what blocks the loop, what ends its process, and what it does to connections.
func eventLoopScenarios() []lab.Scenario {
	scenario := lab.Needing("python3")
	return []lab.Scenario{
		scenario("listen-backlog", "listen-backlog", "event-loop-blocked",
			"a call blocks a server's event loop now and then, and its short accept queue overflows meanwhile", func(b *lab.Bench) error {
				// The client does not wait for the SYN that is sent again.
				b.Run.Expect.Causes = []string{"client-timeout"}
				n, err := b.Network(false)
				if err != nil {
					return err
				}
				b.Run.Profile.Client.Connections = 0
				b.Run.Profile.Client.Timeout = 900 * time.Millisecond
				if err := startEventLoop(b, n, lab.Post("/orders", 400), "--work=0.005", fmt.Sprintf("--backlog=%d", b.Whole(20, 40)),
					fmt.Sprintf("--block-every=%g", b.Between(2.5, 3.5)), fmt.Sprintf("--block-for=%g", b.Between(0.5, 0.7))); err != nil {
					return err
				}
				b.RampTo(60, b.Between(180, 240), 18*time.Second)
				return b.WatchKernel(n.Server, "server", "ListenOverflows")
			}, lab.NeedRoot, "ip"),
		scenario("worker-killed", "worker-killed", "memory-supervisor",
			"a supervisor ends a service that uses more memory than it should (SIGTERM) and starts it again", func(b *lab.Bench) error {
				// The same, as seen from elsewhere: who ended it is the supervisor's secret.
				b.Run.Expect.Causes = []string{"ungraceful-restart", "worker-recycling", "process-crash"}
				if err := startEventLoop(b, nil, lab.Post("/orders", 600), "--work=0.08", fmt.Sprintf("--leak=%d", b.Whole(150_000, 220_000)),
					"--supervise", fmt.Sprintf("--rss=%d", b.Whole(110, 150))); err != nil {
					return err
				}
				b.RampTo(60, b.Between(180, 240), 18*time.Second)
				b.WatchLog("python3.log", "uses too much memory")
				return nil
			}),
		scenario("crash", "process-crash", "memory-address-space",
			"a service reaches its own limit of memory (RLIMIT_AS), cannot allocate and aborts itself (SIGABRT)", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"server-memory-oom"} // no kernel killed it, but memory ran out
				if err := startEventLoop(b, nil, lab.Post("/orders", 600), "--work=0.08", fmt.Sprintf("--leak=%d", b.Whole(150_000, 220_000)),
					"--supervise", fmt.Sprintf("--address-space=%d", b.Whole(110, 150))); err != nil {
					return err
				}
				b.RampTo(60, b.Between(180, 240), 18*time.Second)
				b.WatchLog("python3.log", "cannot allocate")
				return nil
			}),
		scenario("crash", "process-crash", "crash-poison-request",
			"one kind of request crashes the service, with all the others in progress", func(b *lab.Bench) error {
				requests := lab.Mixed(lab.Post("/orders", 600), lab.Post("/poison", 600), b.Between(0.002, 0.004))
				if err := startEventLoop(b, nil, requests, "--work=0.05", "--supervise"); err != nil {
					return err
				}
				b.RampTo(60, b.Between(180, 240), 18*time.Second)
				b.WatchLog("python3.log", "cannot go on")
				return nil
			}),
		scenario("application-abort", "application-abort", "abort-large-responses",
			"a service aborts its large responses in the middle, the small ones are well", func(b *lab.Bench) error {
				requests := lab.Mixed(lab.Get("/orders"), lab.Get("/report"), b.Between(0.02, 0.05))
				if err := startEventLoop(b, nil, requests, "--work=0.01", fmt.Sprintf("--report=%d", b.Whole(60_000, 200_000))); err != nil {
					return err
				}
				b.RampTo(80, b.Between(250, 350), 18*time.Second)
				b.WatchLog("python3.log", "response too large")
				return nil
			}),
		scenario("application-abort", "short-response", "short-responses",
			"a server announces more bytes than it sends in a share of its responses, and closes (Content-Length)", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"application-abort"} // it does close under the response
				if err := startEventLoop(b, nil, lab.Post("/orders", 400), "--work=0.01", fmt.Sprintf("--short-every=%d", b.Whole(30, 70))); err != nil {
					return err
				}
				b.RampTo(80, b.Between(250, 350), 18*time.Second)
				b.WatchLog("python3.log", "short response")
				return nil
			}),
		scenario("application-abort", "application-abort", "connection-age",
			"a server closes each connection at a certain age, unannounced and in the middle of a request", func(b *lab.Bench) error {
				// It is what a caller sees of a connection closed between two requests.
				b.Run.Expect.Causes = []string{"idle-timeout-race"}
				if err := startEventLoop(b, nil, lab.Post("/orders", 400), fmt.Sprintf("--work=%g", b.Between(0.04, 0.06)),
					fmt.Sprintf("--age=%g", b.Between(1.2, 2))); err != nil {
					return err
				}
				b.RampTo(80, b.Between(250, 350), 18*time.Second)
				b.WatchLog("python3.log", "too old")
				return nil
			}),
	}
}

// eventLoopServer is an HTTP server on asyncio. With --supervise a parent starts
// it again whenever it ends, and ends it when it uses too much memory (MiB).
const eventLoopServer = `import argparse, asyncio, os, resource, subprocess, sys, time

args = argparse.ArgumentParser()
args.add_argument("--address")
args.add_argument("--port", type=int)
args.add_argument("--backlog", type=int, default=1024)
args.add_argument("--work", type=float, default=0)
args.add_argument("--block-every", type=float, default=0)
args.add_argument("--block-for", type=float, default=0)
args.add_argument("--leak", type=int, default=0)
args.add_argument("--address-space", type=int, default=0)
args.add_argument("--report", type=int, default=0)
args.add_argument("--short-every", type=int, default=0)
args.add_argument("--age", type=float, default=0)
args.add_argument("--supervise", action="store_true")
args.add_argument("--rss", type=int, default=0)
args = args.parse_args()

page = os.sysconf("SC_PAGE_SIZE")
kept = []
served = 0

def pages(pid, column):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[column])

def say(text):
    os.write(2, text + b"\n")  # print would need memory

def supervise():
    command = [sys.executable] + [a for a in sys.argv if a != "--supervise"]
    while True:
        child = subprocess.Popen(command)
        while child.poll() is None:
            time.sleep(0.05)
            if args.rss and pages(child.pid, 1) * page > args.rss << 20:
                say(b"service %d uses too much memory" % child.pid)
                child.terminate()
                child.wait()
        say(b"service %d ended: %d" % (child.pid, child.returncode))
        time.sleep(0.2)

def crash(text):
    os.write(2, text)
    os.abort()

async def requests(reader, writer, state):
    global served
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        state["busy"] = True
        path = head[0].split(" ")[1]
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:])}
        await reader.readexactly(int(fields.get("content-length", 0)))
        if path == "/poison":
            crash(b"cannot go on")
        if args.leak:
            kept.append(b"x" * args.leak)
        if args.work:
            await asyncio.sleep(args.work)
        size = args.report if path == "/report" else 2
        served += 1
        short = args.short_every and served % args.short_every == 0
        if short:
            say(b"short response")
            size += 1000
        if writer.is_closing():
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % size)
        if path == "/report":
            writer.write(b"x" * 20000)
            await writer.drain()
            say(b"response too large")
            writer.transport.abort()
            return
        writer.write(b"x" * (size - 1000 if short else size))
        await writer.drain()
        state["busy"] = False
        if short:
            return
        if fields.get("connection", "").lower() == "close":
            return

async def serve(reader, writer):
    state = {"busy": False}

    def old():
        if state["busy"]:
            say(b"too old")
        writer.close()

    timer = asyncio.get_running_loop().call_later(args.age, old) if args.age else None
    try:
        await requests(reader, writer, state)
    except MemoryError:
        crash(b"cannot allocate")
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        if timer:
            timer.cancel()
        writer.close()

async def main():
    parent = os.getppid()
    await asyncio.start_server(serve, args.address, args.port, backlog=args.backlog)
    last = time.monotonic()
    while os.getppid() == parent:
        await asyncio.sleep(0.1)
        if args.block_every and time.monotonic() - last > args.block_every:
            time.sleep(args.block_for)
            last = time.monotonic()

if args.supervise:
    supervise()
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
if args.address_space:
    limit = pages(os.getpid(), 0) * page + (args.address_space << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
asyncio.run(main())
`

// startEventLoop starts the server, on the server of a network or here, and adds it as
// the target.
func startEventLoop(b *lab.Bench, n *lab.Network, requests []profiles.Request, args ...string) error {
	netns, addr, port, hosts := "", "127.0.0.1", uint16(8080), []string{"orders-1"}
	if n != nil {
		netns, addr, hosts = n.Server, lab.ServerAddr, []string{"router", "orders-1"}
	} else {
		var err error
		if port, err = lab.FreePort(); err != nil {
			return err
		}
	}
	file := filepath.Join(b.Env.Dir, "service.py")
	if err := os.WriteFile(file, []byte(eventLoopServer), 0o600); err != nil {
		return err
	}
	args = append([]string{file, "--address=" + addr, fmt.Sprintf("--port=%d", port)}, args...)
	if _, err := b.Program(netns, nil, "python3", args...); err != nil {
		return err
	}
	if err := b.Answers(netns, netip.MustParseAddr(addr), port); err != nil {
		return err
	}
	b.Target("orders", fmt.Sprintf("http://%s:%d", addr, port), requests, hosts...)
	if n != nil {
		b.Host("router", n.Router)
	}
	b.Host("orders-1", netns, port)
	return nil
}
