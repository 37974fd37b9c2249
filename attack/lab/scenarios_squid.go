package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// squidScenarios have a real Squid as a reverse proxy.
func squidScenarios() []Scenario {
	scenario := inNetwork("squid")
	return []Scenario{
		scenario("proxy", "proxy-file-descriptors", "squid-descriptors",
			"Squid stops accepting for a while whenever it has few descriptors left (max_filedescriptors)", func(b *bench) error {
				limit, work := 64*b.whole(3, 5), b.millis(120, 160)
				n, up, err := b.upstream("api", arg("work", work))
				if err != nil {
					return err
				}
				if err := b.squid(n.router, up, fmt.Sprintf("max_filedescriptors %d", limit), "running out of filedescriptors"); err != nil {
					return err
				}
				// It keeps a quarter of them in reserve. A request takes two, and about a
				// dozen are its own.
				load := float64(limit*3/4-12) / 2 / work.Seconds()
				b.throughProxy(n, up, load)
				b.run.Profile.Client.Timeout = time.Second
				b.onset(load, 0.3)
				b.run.Expect.Host, b.run.Expect.Resource = "proxy", "open-files"
				return b.watchKernel(n.router, "proxy", "ListenOverflows")
			}),
	}
}

// squid starts Squid on port 8080 of the router, as a reverse proxy that caches
// nothing. The texts are harm when its log gets them.
func (b *bench) squid(netns string, up *Child, setting string, texts ...string) error {
	conf := fmt.Sprintf(`http_port %s:8080 accel defaultsite=orders
cache_peer %s parent %d 0 no-query no-digest originserver name=orders
never_direct allow all
http_access allow all
cache deny all
cache_mem 8 MB
%s
visible_hostname proxy
dns_nameservers 127.0.0.1
access_log none
cache_log /dev/null
pid_filename none
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
`, routerClient, up.Addr().Addr(), up.Addr().Port(), setting)
	file := filepath.Join(b.env.Dir, "squid.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	// In the foreground, and its log on standard error: it may write to no file here.
	if _, err := b.program(netns, nil, "squid", "-N", "-d", "1", "-f", file); err != nil {
		return err
	}
	if err := b.answers(netns, netip.MustParseAddr(routerClient), 8080); err != nil {
		return err
	}
	b.watchLog("squid.log", texts...)
	return nil
}
