package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rampload/rampload/report"
)

// TestCompletionsOfAFleet has two workers follow what a service accepts and does later, each
// what it sent itself: together they count what the service counts.
func TestCompletionsOfAFleet(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"rampload", "nats-server", "queue"} {
		if err := os.Symlink(self, file(name)); err != nil {
			t.Fatal(err)
		}
	}
	bus, shop := freePort(t), "127.0.0.1:"+freePort(t)
	url, nats := "http://"+shop, "nats://127.0.0.1:"+bus
	startDaemon(t, file("nats-server"), "-a", "127.0.0.1", "-p", bus, "-js", "-sd", file("js"))
	startDaemon(t, file("queue"), "-addr", shop, "-rate", "40", "-room", "5")
	until(t, "the shop", answers(url+"/counts"))
	for _, name := range []string{"w1", "w2"} {
		startDaemon(t, file("rampload"), "worker", "--nats", nats, "--allow-target", url, "--name", name, "--spool", file(name))
	}
	profile := fmt.Sprintf(`name: fleet
targets: [{name: shop, url: '%s', requests: [POST /orders], completion: {poll: {path: location, every: 200ms, at-most: 1000/s}, timeout: 5s}}]
load: [{from: 20/s, to: 80/s, over: 6s}]
abort-if: []
fleet: {workers: 2, nats: '%s', within: 1m}
`, url, nats)
	if err := os.WriteFile(file("fleet.yaml"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(file("rampload"), "--profile", file("fleet.yaml"), "--out", file("out.json")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := os.Open(file("out.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := report.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(url + "/counts")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var want queueCounts
	if err := json.NewDecoder(resp.Body).Decode(&want); err != nil {
		t.Fatal(err)
	}
	if err := sameCounts(r, want); err != nil || want.Lost == 0 {
		t.Errorf("%v; the queue counts %+v\n%s", err, want, out)
	}
}
