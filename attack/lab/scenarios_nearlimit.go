package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
)

// nearLimitScenarios are controls: a resource that is nearly used up, a queue
// that holds all who wait, and responses that have no body.
func nearLimitScenarios() []Scenario {
	scenario := func(name, about string, fill func(*bench) error, needs ...Need) Scenario {
		return needing()("controls", "healthy", name, about, fill, needs...)
	}
	return []Scenario{
		scenario("healthy-descriptors-near", "a service's descriptors climb to nine tenths of their limit and stay there", func(b *bench) error {
			limit := b.whole(600, 900)
			const connections = 40
			c, err := b.child("", "api", arg("nofile", limit), arg("hoard", 3), arg("hoard-max", limit*9/10-20), arg("work", "6ms"))
			if err != nil {
				return err
			}
			b.simple(c, "orders", post("/orders", 500))
			b.run.Profile.Client.Connections = connections
			b.rampTo(80, b.between(250, 350), 18*time.Second)
			return nil
		}),
		scenario("healthy-accept-queue", "bursts of new connections wait in a long accept queue, and all of them are served", func(b *bench) error {
			n, c, err := b.networkService("api", arg("backlog", 512), arg("accept-gap", b.millis(2, 3)))
			if err != nil {
				return err
			}
			b.remote(c, "orders", post("/orders", 400), n)
			b.run.Profile.Client.Connections = 0
			b.run.Profile.Client.Timeout = 5 * time.Second
			b.bursts(b.whole(60, 120), 1200*time.Millisecond, 200*time.Millisecond, 20*time.Second)
			return b.watchKernel(n.server, "server")
		}, NeedRoot, "ip"),
		scenario("healthy-not-modified", "callers ask nginx for headers only, or for what they have already: 304 is the right answer", func(b *bench) error {
			n, err := b.nginxOrigin(site{server: "if_modified_since before;", location: "root files;"}, 0)
			if err != nil {
				return err
			}
			dir := filepath.Join(b.env.Dir, "files")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("make folder: %w", err)
			}
			if err := os.WriteFile(filepath.Join(dir, "orders"), []byte(strings.Repeat("x", b.whole(5000, 50_000))), 0o600); err != nil {
				return fmt.Errorf("write file: %w", err)
			}
			// A date that the file's own is before, for years to come.
			known := profiles.Header{Name: "If-Modified-Since", Value: "Fri, 01 Jan 2100 00:00:00 GMT"}
			t := &b.run.Profile.Targets[0]
			t.Requests = []profiles.Request{
				{Method: "HEAD", Path: "/orders", Weight: 0.4},
				{Method: "GET", Path: "/orders", Weight: 0.4, Headers: []profiles.Header{known}},
				{Method: "GET", Path: "/orders", Weight: 0.2},
			}
			t.Expect = profiles.StatusSet{{Low: 200, High: 299}, {Low: 304, High: 304}}
			b.rampTo(100, b.between(350, 450), 18*time.Second)
			return b.watchKernel(n.server, "server")
		}, NeedRoot, "ip", "nginx"),
	}
}
