package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/profiles"
)

// phpScenarios have PHP behind nginx on one host: the limits of its process
// manager, which come out of nginx as 502.
func phpScenarios() []Scenario {
	scenario := inNetwork("nginx", "php-fpm8.2")
	return []Scenario{
		scenario("upstream", "upstream-worker-killed", "php-fpm-session-lock",
			"requests of one PHP session wait for its lock in turn, and php-fpm kills those that take too long (request_terminate_timeout)", func(b *bench) error {
				hold, share := b.millis(70, 110), b.between(0.12, 0.2)
				n, err := b.php("127.0.0.1:9000", "pm.max_children = 48\nrequest_terminate_timeout = 1s", 15*time.Millisecond, hold,
					b.mixed(post("/orders", 600), post("/basket", 600), share), "reset by peer", "prematurely closed")
				if err != nil {
					return err
				}
				b.host("orders-1", n.server, 8080, 9000)
				b.run.Profile.Client.Timeout = 5 * time.Second
				// Baskets begin to pile up at this load; a dozen of them wait for a second.
				load := 1 / hold.Seconds() / share
				b.rampTo(0.3*load, 2.2*load, 18*time.Second)
				b.onset(1.4*load, 0.35)
				b.watchLog("php-fpm8.2.log", "execution timed out")
				return nil
			}),
		scenario("upstream", "upstream-listen-backlog", "php-fpm-backlog",
			"php-fpm's children are all busy, and nginx finds the short queue of its UNIX socket full (listen.backlog)", func(b *bench) error {
				b.run.Expect.Causes = []string{"upstream-threads"} // more children would empty the queue
				children, work := b.whole(4, 7), b.millis(35, 55)
				n, err := b.php(filepath.Join(b.env.Dir, "fpm.sock"), fmt.Sprintf("pm.max_children = %d\nlisten.backlog = %d", children, b.whole(6, 14)),
					work, 0, post("/orders", 600), "Resource temporarily unavailable")
				if err != nil {
					return err
				}
				b.host("orders-1", n.server, 8080)
				h := &b.run.Profile.Hosts[len(b.run.Profile.Hosts)-1]
				h.Processes = append(h.Processes, profiles.Process{Name: "php-fpm8.2"}) // it has no port
				load := float64(children) / (work.Seconds() + 0.001)
				b.rampTo(0.4*load, 1.6*load, 18*time.Second)
				b.onset(load, 0.3)
				return nil
			}),
	}
}

// phpApp answers after WORK microseconds; a basket has a session, the same for
// all, and keeps it for HOLD microseconds.
const phpApp = `<?php
file_get_contents("php://input");
if ($_SERVER["REQUEST_URI"] === "/basket") {
    session_id("basket");
    session_start(["use_cookies" => 0, "cache_limiter" => ""]);
    usleep((int) getenv("HOLD"));
    session_write_close();
} else {
    usleep((int) getenv("WORK"));
}
echo "ok";
`

// php runs nginx before php-fpm, which listens where it is told, on the server of
// a network. The texts are harm when nginx's error log gets them. The target's
// last host, orders-1, is left to the caller.
func (b *bench) php(listen, pool string, work, hold time.Duration, requests []profiles.Request, texts ...string) (*network, error) {
	n, err := b.network(false)
	if err != nil {
		return nil, err
	}
	conf := fmt.Sprintf(`[global]
daemonize = no
error_log = /dev/stderr
[orders]
user = root
listen = %s
pm = static
env[WORK] = %d
env[HOLD] = %d
php_admin_value[session.save_path] = %s
%s
`, listen, work.Microseconds(), hold.Microseconds(), b.env.Dir, pool)
	file, script := filepath.Join(b.env.Dir, "fpm.conf"), filepath.Join(b.env.Dir, "app.php")
	for name, text := range map[string]string{file: conf, script: phpApp} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("write configuration: %w", err)
		}
	}
	// As root, for the files are its own; without php.ini.
	if _, err := b.program(n.server, nil, "php-fpm8.2", "-F", "-O", "-R", "-n", "-y", file); err != nil {
		return nil, err
	}
	address := listen
	if filepath.IsAbs(listen) {
		address = "unix:" + listen
	}
	location := fmt.Sprintf(`fastcgi_pass %s;
fastcgi_param SCRIPT_FILENAME %s;
fastcgi_param REQUEST_METHOD $request_method;
fastcgi_param REQUEST_URI $request_uri;
fastcgi_param CONTENT_TYPE $content_type;
fastcgi_param CONTENT_LENGTH $content_length;`, address, script)
	if _, err := b.nginxSite(n.server, serverAddr, site{location: location}, texts...); err != nil {
		return nil, err
	}
	b.target("orders", "http://"+serverAddr+":8080", requests, "router", "orders-1")
	b.host("router", n.router)
	return n, b.watchKernel(n.server, "server")
}
