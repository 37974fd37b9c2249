// Package php is a family of the lab's scenarios: PHP-FPM behind nginx.
package php

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/nginx"
	"github.com/rampload/rampload/profiles"
)

// Scenarios have PHP behind nginx on one host: the limits of its process
// manager, which come out of nginx as 502.
func Scenarios() []lab.Scenario {
	scenario := lab.InNetwork("nginx", "php-fpm8.2")
	return []lab.Scenario{
		scenario("upstream", "upstream-worker-killed", "php-fpm-session-lock",
			"requests of one PHP session wait for its lock in turn, and php-fpm kills those that take too long (request_terminate_timeout)", func(b *lab.Bench) error {
				hold, share := b.Millis(70, 110), b.Between(0.12, 0.2)
				n, err := startPHP(b, "127.0.0.1:9000", "pm.max_children = 48\nrequest_terminate_timeout = 1s", 15*time.Millisecond, hold,
					lab.Mixed(lab.Post("/orders", 600), lab.Post("/basket", 600), share), "reset by peer", "prematurely closed")
				if err != nil {
					return err
				}
				b.Host("orders-1", n.Server, 8080, 9000)
				b.Run.Profile.Client.Timeout = 5 * time.Second
				// Baskets begin to pile up at this load; a dozen of them wait for a second.
				load := 1 / hold.Seconds() / share
				b.RampTo(0.3*load, 2.2*load, 18*time.Second)
				b.Onset(1.4*load, 0.35)
				b.WatchLog("php-fpm8.2.log", "execution timed out")
				return nil
			}),
		scenario("upstream", "upstream-listen-backlog", "php-fpm-backlog",
			"php-fpm's children are all busy, and nginx finds the short queue of its UNIX socket full (listen.backlog)", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"upstream-threads"} // more children would empty the queue
				children, work := b.Whole(4, 7), b.Millis(35, 55)
				n, err := startPHP(b, filepath.Join(b.Env.Dir, "fpm.sock"), fmt.Sprintf("pm.max_children = %d\nlisten.backlog = %d", children, b.Whole(6, 14)),
					work, 0, lab.Post("/orders", 600), "Resource temporarily unavailable")
				if err != nil {
					return err
				}
				b.Host("orders-1", n.Server, 8080)
				h := &b.Run.Profile.Hosts[len(b.Run.Profile.Hosts)-1]
				h.Processes = append(h.Processes, profiles.Process{Name: "php-fpm8.2"}) // it has no port
				load := float64(children) / (work.Seconds() + 0.001)
				b.RampTo(0.4*load, 1.6*load, 18*time.Second)
				b.Onset(load, 0.3)
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

// startPHP runs nginx before php-fpm, which listens where it is told, on the server of
// a network. The texts are harm when nginx's error log gets them. The target's
// last host, orders-1, is left to the caller.
func startPHP(b *lab.Bench, listen, pool string, work, hold time.Duration, requests []profiles.Request, texts ...string) (*lab.Network, error) {
	n, err := b.Network(false)
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
`, listen, work.Microseconds(), hold.Microseconds(), b.Env.Dir, pool)
	file, script := filepath.Join(b.Env.Dir, "fpm.conf"), filepath.Join(b.Env.Dir, "app.php")
	for name, text := range map[string]string{file: conf, script: phpApp} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("write configuration: %w", err)
		}
	}
	// As root, for the files are its own; without php.ini.
	if _, err := b.Program(n.Server, nil, "php-fpm8.2", "-F", "-O", "-R", "-n", "-y", file); err != nil {
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
	if _, err := nginx.StartSite(b, n.Server, lab.ServerAddr, nginx.Site{Location: location}, texts...); err != nil {
		return nil, err
	}
	b.Target("orders", "http://"+lab.ServerAddr+":8080", requests, "router", "orders-1")
	b.Host("router", n.Router)
	return n, b.WatchKernel(n.Server, "server")
}
