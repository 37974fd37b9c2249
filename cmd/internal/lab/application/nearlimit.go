package application

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/nginx"
	"github.com/rampload/rampload/profiles"
)

// nearLimitScenarios are controls: a resource that is nearly used up, a queue
// that holds all who wait, and responses that have no body.
func nearLimitScenarios() []lab.Scenario {
	scenario := func(name, about string, fill func(*lab.Bench) error, needs ...lab.Need) lab.Scenario {
		return lab.Needing()("controls", "healthy", name, about, fill, needs...)
	}
	return []lab.Scenario{
		scenario("healthy-descriptors-near", "a service's descriptors climb to nine tenths of their limit and stay there", func(b *lab.Bench) error {
			limit := b.Whole(600, 900)
			const connections = 40
			c, err := b.Child("", "api", lab.Arg("nofile", limit), lab.Arg("hoard", 3), lab.Arg("hoard-max", limit*9/10-20), lab.Arg("work", "6ms"))
			if err != nil {
				return err
			}
			b.Simple(c, "orders", lab.Post("/orders", 500))
			b.Run.Profile.Client.Connections = connections
			b.RampTo(80, b.Between(250, 350), 18*time.Second)
			return nil
		}),
		scenario("healthy-accept-queue", "bursts of new connections wait in a long accept queue, and all of them are served", func(b *lab.Bench) error {
			n, c, err := b.NetworkService("api", lab.Arg("backlog", 512), lab.Arg("accept-gap", b.Millis(2, 3)))
			if err != nil {
				return err
			}
			b.Remote(c, "orders", lab.Post("/orders", 400), n)
			b.Run.Profile.Client.Connections = 0
			b.Run.Profile.Client.Timeout = 5 * time.Second
			b.Bursts(b.Whole(60, 120), 1200*time.Millisecond, 200*time.Millisecond, 20*time.Second)
			return b.WatchKernel(n.Server, "server")
		}, lab.NeedRoot, "ip"),
		scenario("healthy-not-modified", "callers ask nginx for headers only, or for what they have already: 304 is the right answer", func(b *lab.Bench) error {
			n, err := nginx.StartOrigin(b, nginx.Site{Server: "if_modified_since before;", Location: "root files;"}, 0)
			if err != nil {
				return err
			}
			dir := filepath.Join(b.Env.Dir, "files")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("make folder: %w", err)
			}
			if err := os.WriteFile(filepath.Join(dir, "orders"), []byte(strings.Repeat("x", b.Whole(5000, 50_000))), 0o600); err != nil {
				return fmt.Errorf("write file: %w", err)
			}
			// A date that the file's own is before, for years to come.
			known := profiles.Header{Name: "If-Modified-Since", Value: "Fri, 01 Jan 2100 00:00:00 GMT"}
			t := &b.Run.Profile.Targets[0]
			t.Requests = []profiles.Request{
				{Method: "HEAD", Path: "/orders", Weight: 0.4},
				{Method: "GET", Path: "/orders", Weight: 0.4, Headers: []profiles.Header{known}},
				{Method: "GET", Path: "/orders", Weight: 0.2},
			}
			t.Expect = profiles.StatusSet{{Low: 200, High: 299}, {Low: 304, High: 304}}
			b.RampTo(100, b.Between(350, 450), 18*time.Second)
			return b.WatchKernel(n.Server, "server")
		}, lab.NeedRoot, "ip", "nginx"),
	}
}
