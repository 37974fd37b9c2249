package network

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// unreachableScenarios keep packets from their destination: errors of ICMP, a
// route that is lost, a full table on the server itself, and a flood of SYNs.
func unreachableScenarios() []lab.Scenario {
	scenario := lab.InNetwork()
	return []lab.Scenario{
		scenario("path-filter", "path-reset", "path-icmp-refused",
			"a middlebox refuses a random share of new connections by ICMP, as a filter's plain reject does", func(b *lab.Bench) error {
				n, c, err := b.NetworkService("api", lab.Arg("work", "4ms"))
				if err != nil {
					return err
				}
				// As a rule a router sends few such errors a second.
				if err := b.Sysctl(n.Router, "net/ipv4/icmp_ratelimit", "0"); err != nil {
					return err
				}
				if err := b.NFT(n.Router, lab.Filter("forward", fmt.Sprintf("iifname lag tcp dport 8080 tcp flags & (syn | ack) == syn numgen random mod 1000 < %d counter name harm reject", b.Whole(20, 50)))); err != nil {
					return err
				}
				// A kernel that hears of the refusal while it is still in connect(2) takes it for
				// a passing one and tries again after a second. So it is where a packet takes no
				// time; on a path it comes later, and is final.
				if err := b.Delay(n, 3*time.Millisecond); err != nil {
					return err
				}
				b.Remote(c, "orders", lab.Post("/orders", 400), n)
				b.Run.Profile.Client.Connections = 0
				b.RampTo(80, b.Between(250, 330), 18*time.Second)
				b.WatchFilter(n.Router, "refusals")
				return b.WatchKernel(n.Server, "server")
			}),
		scenario("outage", "network-outage", "outage-unreachable",
			"a router loses its route to the server for seconds, twice, and says so by ICMP", func(b *lab.Bench) error {
				n, c, err := b.NetworkService("api", lab.Arg("work", "5ms"))
				if err != nil {
					return err
				}
				if err := b.Sysctl(n.Router, "net/ipv4/icmp_ratelimit", "0"); err != nil {
					return err
				}
				b.Remote(c, "orders", lab.Post("/orders", 400), n)
				b.Run.Profile.Client.Timeout = 800 * time.Millisecond
				b.RampTo(90, b.Between(240, 300), 18*time.Second)
				if err := b.WatchKernel(n.Server, "server"); err != nil {
					return err
				}
				return b.Interrupt(n, 2, b.Millis(5000, 7000), b.Millis(1500, 2500),
					[]string{"route", "add", "unreachable", lab.ServerAddr + "/32"}, []string{"route", "del", "unreachable", lab.ServerAddr + "/32"})
			}),
		scenario("tracking", "conntrack-table", "conntrack-table-host",
			"the table of tracked connections of the server's own firewall is full (changes nf_conntrack_max of this machine while it runs)", func(b *lab.Bench) error {
				n, c, err := b.NetworkService("api", lab.Arg("work", "3ms"))
				if err != nil {
					return err
				}
				b.Remote(c, "orders", lab.Get("/orders"), n)
				b.Run.Profile.Client.Connections = 0
				b.RampTo(60, b.Between(260, 320), 18*time.Second)
				if err := b.NFT(n.Server, `
table ip lab {
	chain c {
		type filter hook input priority 0;
		tcp dport 8080 ct state new,established accept
	}
}`); err != nil {
					return err
				}
				if err := b.GlobalSysctl("net/netfilter/nf_conntrack_max", fmt.Sprint(b.Whole(1400, 2200))); err != nil {
					return err
				}
				b.Run.Expect.Host, b.Run.Expect.Resource = "orders-1", "conntrack"
				b.WatchConntrack(n.Server, "drop", "early_drop")
				return b.WatchKernel(n.Server, "server")
			}, "conntrack"),
		scenario("syn-queue", "syn-backlog", "syn-flood",
			"somebody floods the server with SYNs from addresses that do not answer, and its SYN queue is full (no SYN cookies)", func(b *lab.Bench) error {
				length := b.Whole(128, 256)
				n, c, err := b.NetworkService("api", lab.Arg("backlog", length), lab.Arg("work", "4ms"))
				if err != nil {
					return err
				}
				for name, value := range map[string]string{
					"tcp_syncookies":      "0",
					"tcp_max_syn_backlog": strconv.Itoa(4 * length), // the listener's own backlog is the limit
					"tcp_synack_retries":  "1",
				} {
					if err := b.Sysctl(n.Server, "net/ipv4/"+name, value); err != nil {
						return err
					}
				}
				if err := b.IP(n.Router, "route", "add", "blackhole", "10.99.0.0/16"); err != nil {
					return err
				}
				b.Remote(c, "orders", lab.Get("/orders"), n)
				b.Run.Profile.Client.Connections = 0
				b.Run.Profile.Client.Timeout = 900 * time.Millisecond
				b.RampTo(80, b.Between(200, 260), 18*time.Second)
				b.Run.Expect.Resource = "syn-queue"
				file := filepath.Join(b.Env.Dir, "flood.py")
				if err := os.WriteFile(file, []byte(synFlood), 0o600); err != nil {
					return err
				}
				// A half-open connection stays for three seconds.
				rate := b.Between(0.5, 0.8) * float64(length)
				after := b.Millis(6000, 9000)
				return errors.Join(
					b.WatchKernel(n.Server, "server", "TCPReqQFullDrop"),
					b.AfterTraffic(n.Server, after, func() error {
						_, err := b.Program(n.Router, nil, "python3", file, lab.ServerAddr, "8080", fmt.Sprint(rate))
						return err
					}),
				)
			}, "python3"),
	}
}

// synFlood sends SYNs from addresses of 10.99.0.0/16 at a rate (RFC 9293, section
// 3.1, for the header and its checksum). The kernel fills in the rest.
const synFlood = `import random, socket, struct, sys, time

target, port, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
to = socket.inet_aton(target)
out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff

def syn():
    source = bytes([10, 99, random.randrange(256), random.randrange(1, 255)])
    fields = [random.randrange(1024, 65536), port, random.randrange(1 << 32), 0, 5 << 4, 2, 64240, 0, 0]
    tcp = struct.pack("!HHIIBBHHH", *fields)
    fields[7] = checksum(source + to + struct.pack("!BBH", 0, 6, len(tcp)) + tcp)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, 64, 6, 0) + source + to
    return ip + struct.pack("!HHIIBBHHH", *fields)

begin, sent = time.monotonic(), 0
while True:
    while sent < (time.monotonic() - begin) * rate:
        out.sendto(syn(), (target, 0))
        sent += 1
    time.sleep(0.005)
`
