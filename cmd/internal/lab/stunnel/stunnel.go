// Package stunnel is a family of the lab's scenarios: stunnel as a TLS proxy.
package stunnel

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/cmd/internal/lab"
)

// Scenarios have a real stunnel before a service: it ends TLS and knows
// nothing of HTTP.
func Scenarios() []lab.Scenario {
	scenario := lab.InNetwork("stunnel4")
	return []lab.Scenario{
		scenario("connection-slots", "server-connection-limit", "stunnel-clients",
			"stunnel closes connections before the handshake when it has as many as its limit of descriptors lets it have (ulimit -n)", func(b *lab.Bench) error {
				// The number is computed from the limit of descriptors, and who is turned
				// away is so before the handshake.
				b.Run.Expect.Causes = []string{"server-file-descriptors", "tls-shedding"}
				clients, work := b.Whole(25, 40), b.Millis(100, 150)
				n, err := b.Network(false)
				if err != nil {
					return err
				}
				backend, err := b.Child(n.Server, "api", lab.Arg("addr", "127.0.0.1:9090"), lab.Arg("work", work))
				if err != nil {
					return err
				}
				// Two descriptors a client and six of its own (its main source file).
				if err := startStunnel(b, n.Server, lab.ServerAddr, backend, 2*clients+6); err != nil {
					return err
				}
				b.Target("orders", "https://"+lab.ServerAddr+":8080", lab.Post("/orders", 600), "router", "orders-1")
				b.Host("router", n.Router)
				b.Host("orders-1", n.Server, 8080, 9090)
				load := float64(clients) / work.Seconds()
				b.RampTo(0.3*load, 1.5*load, 18*time.Second)
				b.Onset(load, 0.35)
				// It writes its log late: the kernel tells when it closed what was unread.
				return b.WatchKernel(n.Server, "server", "TCPAbortOnClose")
			}),
		scenario("upstream", "upstream-application-abort", "stunnel-upstream-abort",
			"stunnel passes on the resets of a share of connections by the application behind it", func(b *lab.Bench) error {
				n, up, err := b.Upstream("api", lab.Arg("abort-every", b.Whole(60, 150)), lab.Arg("work", "10ms"))
				if err != nil {
					return err
				}
				if err := startStunnel(b, n.Router, lab.RouterClient, up, 4096); err != nil {
					return err
				}
				throughTunnel(b, n, up)
				b.Run.Expect.Host = "upstream"
				return nil
			}),
		scenario("controls", "healthy", "healthy-stunnel",
			"stunnel before a healthy service that closes connections after some requests, and says so", func(b *lab.Bench) error {
				n, up, err := b.Upstream("api", lab.Arg("per-conn", b.Whole(15, 40)), lab.Arg("work", b.Millis(5, 15)))
				if err != nil {
					return err
				}
				if err := startStunnel(b, n.Router, lab.RouterClient, up, 4096); err != nil {
					return err
				}
				throughTunnel(b, n, up)
				return nil
			}),
	}
}

// throughTunnel loads the upstream through stunnel on the router.
func throughTunnel(b *lab.Bench, n *lab.Network, up *lab.Child) {
	b.ThroughProxy(n, up, 1)
	b.Run.Profile.Targets[0].URL = "https://" + lab.RouterClient + ":8080"
	b.RampTo(80, b.Between(250, 350), 18*time.Second)
}

// startStunnel starts stunnel on port 8080 of an address with a limit of open files.
func startStunnel(b *lab.Bench, netns, addr string, up *lab.Child, files int) error {
	cert, err := fault.SelfSigned(net.ParseIP(addr))
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})...)
	if err := os.WriteFile(filepath.Join(b.Env.Dir, "stunnel.pem"), both, 0o600); err != nil {
		return err
	}
	conf := fmt.Sprintf(`foreground = yes
syslog = no
debug = 4
pid =
[orders]
accept = %s:8080
connect = %s
cert = %s/stunnel.pem
`, addr, up.Addr(), b.Env.Dir)
	file := filepath.Join(b.Env.Dir, "stunnel.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return err
	}
	if _, err := b.Program(netns, nil, "sh", "-c", fmt.Sprintf(`ulimit -n %d; exec stunnel4 "$1"`, files), "sh", file); err != nil {
		return err
	}
	if err := b.Answers(netns, netip.MustParseAddr(addr), 8080); err != nil {
		return err
	}
	b.Run.Profile.Client.TLS.SkipVerify = true
	return nil
}
