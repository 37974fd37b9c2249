package catalog_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/services"
)

func child(t *testing.T, name string, args ...string) *lab.Child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &lab.Child{Exe: exe, Name: name, Args: args, Stderr: os.Stderr}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Stop() })
	return c
}

// TestPaymentsRunOutOfFiles holds the onset load against the limit, and the
// client's resets against the service's own count, one by one. A payment is long
// beside the pauses of a busy machine, which make payments come together. A pause
// of half its time still takes all descriptors, so that the load below the onset
// has three tries.
func TestPaymentsRunOutOfFiles(t *testing.T) {
	p := services.Payments{NoFile: 64, Hold: 600 * time.Millisecond, Growth: 0.2, Ledgers: 1}
	c := child(t, "payments", p.Args()...)
	var below seen
	earlier := int64(0)
	for range 3 {
		earlier += below.Wire
		if below = load(steady(c.URL(), 0.6*p.OnsetLoad(), 2*time.Second)); below.failed() == 0 {
			break
		}
	}
	beyond := load(steady(c.URL(), 1.5*p.OnsetLoad(), 2*time.Second))
	truth, err := c.Stop()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("onset %.0f/s; below: %+v; beyond: %+v; truth: resets %d, first %v, %v", p.OnsetLoad(), below, beyond, truth.Resets, truth.First, truth.Counts)
	if below.failed() != 0 {
		t.Errorf("below the onset load: %+v", below)
	}
	if truth.Resets == 0 || truth.Counts["open-emfile"]+truth.Counts["accept-emfile"] == 0 {
		t.Errorf("beyond the onset load: %+v; truth %+v", beyond, truth.Counts)
	}
	if saw := earlier + below.Wire + beyond.Wire; saw != int64(truth.Resets) || beyond.Reset != beyond.Wire {
		t.Errorf("client saw %d resets, the last on %d requests; the service sent %d", saw, beyond.Reset, truth.Resets)
	}
}

func TestChildEndsBadly(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*lab.Child{
		"unknown service": {Exe: exe, Name: "nonsense"},
		"unknown flag":    {Exe: exe, Name: "api", Args: []string{"-nonsense"}},
		"no program":      {Exe: exe + "-missing", Name: "api"},
		"address in use":  {Exe: exe, Name: "api", Args: []string{"-addr=" + child(t, "api").Addr().String()}},
		"no namespace":    {Exe: exe, Name: "api", Netns: "rl-missing"},
		"ends well":       {Exe: exe, Name: "api", Prefix: []string{"-test.list=^$"}},
	} {
		err := c.Start(t.Context())
		if err == nil {
			c.Stop()
			t.Errorf("%s: started", name)
		} else if strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := child(t, "api")
	c.Kill()
	if _, err := c.Stop(); err == nil {
		t.Error("killed child: no error")
	}
}
