package lab

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// stunnelScenarios have a real stunnel before a service: it ends TLS and knows
// nothing of HTTP.
func stunnelScenarios() []Scenario {
	scenario := inNetwork("stunnel4")
	return []Scenario{
		scenario("connection-slots", "server-connection-limit", "stunnel-clients",
			"stunnel closes connections before the handshake when it has as many as its limit of descriptors lets it have (ulimit -n)", func(b *bench) error {
				// The number is computed from the limit of descriptors, and who is turned
				// away is so before the handshake.
				b.run.Expect.Causes = []string{"server-file-descriptors", "tls-shedding"}
				clients, work := b.whole(25, 40), b.millis(100, 150)
				n, err := b.network(false)
				if err != nil {
					return err
				}
				backend, err := b.child(n.server, "api", arg("addr", "127.0.0.1:9090"), arg("work", work))
				if err != nil {
					return err
				}
				// Two descriptors a client and six of its own (its main source file).
				if err := b.stunnel(n.server, serverAddr, backend, 2*clients+6); err != nil {
					return err
				}
				b.target("orders", "https://"+serverAddr+":8080", post("/orders", 600), "router", "orders-1")
				b.host("router", n.router)
				b.host("orders-1", n.server, 8080, 9090)
				load := float64(clients) / work.Seconds()
				b.rampTo(0.3*load, 1.5*load, 18*time.Second)
				b.onset(load, 0.35)
				// It writes its log late: the kernel tells when it closed what was unread.
				return b.watchKernel(n.server, "server", "TCPAbortOnClose")
			}),
		scenario("upstream", "upstream-application-abort", "stunnel-upstream-abort",
			"stunnel passes on the resets of a share of connections by the application behind it", func(b *bench) error {
				n, up, err := b.upstream("api", arg("abort-every", b.whole(60, 150)), arg("work", "10ms"))
				if err != nil {
					return err
				}
				if err := b.stunnel(n.router, routerClient, up, 4096); err != nil {
					return err
				}
				b.throughTunnel(n, up)
				b.run.Expect.Host = "upstream"
				return nil
			}),
		scenario("controls", "healthy", "healthy-stunnel",
			"stunnel before a healthy service that closes connections after some requests, and says so", func(b *bench) error {
				n, up, err := b.upstream("api", arg("per-conn", b.whole(15, 40)), arg("work", b.millis(5, 15)))
				if err != nil {
					return err
				}
				if err := b.stunnel(n.router, routerClient, up, 4096); err != nil {
					return err
				}
				b.throughTunnel(n, up)
				return nil
			}),
	}
}

// throughTunnel loads the upstream through stunnel on the router.
func (b *bench) throughTunnel(n *network, up *Child) {
	b.throughProxy(n, up, 1)
	b.run.Profile.Targets[0].URL = "https://" + routerClient + ":8080"
	b.rampTo(80, b.between(250, 350), 18*time.Second)
}

// stunnel starts stunnel on port 8080 of an address with a limit of open files.
func (b *bench) stunnel(netns, addr string, up *Child, files int) error {
	cert, err := selfSigned(net.ParseIP(addr))
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})...)
	if err := os.WriteFile(filepath.Join(b.env.Dir, "stunnel.pem"), both, 0o600); err != nil {
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
`, addr, up.Addr(), b.env.Dir)
	file := filepath.Join(b.env.Dir, "stunnel.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return err
	}
	if _, err := b.program(netns, nil, "sh", "-c", fmt.Sprintf(`ulimit -n %d; exec stunnel4 "$1"`, files), "sh", file); err != nil {
		return err
	}
	if err := b.answers(netns, netip.MustParseAddr(addr), 8080); err != nil {
		return err
	}
	b.run.Profile.Client.TLS.SkipVerify = true
	return nil
}
