// Package squid is a family of the lab's scenarios: Squid as a proxy.
package squid

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// Scenarios have a real Squid as a reverse proxy.
func Scenarios() []lab.Scenario {
	scenario := lab.InNetwork("squid")
	return []lab.Scenario{
		scenario("proxy", "proxy-file-descriptors", "squid-descriptors",
			"Squid stops accepting for a while whenever it has few descriptors left (max_filedescriptors)", func(b *lab.Bench) error {
				limit, work := 64*b.Whole(3, 5), b.Millis(120, 160)
				n, up, err := b.Upstream("api", lab.Arg("work", work))
				if err != nil {
					return err
				}
				if err := startSquid(b, n.Router, up, fmt.Sprintf("max_filedescriptors %d", limit), "running out of filedescriptors"); err != nil {
					return err
				}
				// It keeps a quarter of them in reserve. A request takes two, and about a
				// dozen are its own.
				load := float64(limit*3/4-12) / 2 / work.Seconds()
				b.ThroughProxy(n, up, load)
				b.Run.Profile.Client.Timeout = time.Second
				b.Onset(load, 0.3)
				b.Run.Expect.Host, b.Run.Expect.Resource = "proxy", "open-files"
				return b.WatchKernel(n.Router, "proxy", "ListenOverflows")
			}),
	}
}

// startSquid starts Squid on port 8080 of the router, as a reverse proxy that caches
// nothing. The texts are harm when its log gets them.
func startSquid(b *lab.Bench, netns string, up *lab.Child, setting string, texts ...string) error {
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
`, lab.RouterClient, up.Addr().Addr(), up.Addr().Port(), setting)
	file := filepath.Join(b.Env.Dir, "squid.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	// In the foreground, and its log on standard error: it may write to no file here.
	if _, err := b.Program(netns, nil, "squid", "-N", "-d", "1", "-f", file); err != nil {
		return err
	}
	if err := b.Answers(netns, netip.MustParseAddr(lab.RouterClient), 8080); err != nil {
		return err
	}
	b.WatchLog("squid.log", texts...)
	return nil
}
