package probecmd

import (
	"errors"
	"flag"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/rampload/rampload/cmd/internal/golden"
	"github.com/rampload/rampload/probe"
)

var update = flag.Bool("update", false, "rewrite golden files")

func busyView() *probeView {
	v := newProbeView()
	file := probe.Metric{Host: "local", Process: "payments", PID: 4127, Name: probe.OpenFiles}
	queue := probe.Metric{Host: "local", Name: probe.ListenQueue, Instance: "*:8080"}
	ports := probe.Metric{Host: "local", Name: probe.EphemeralPorts, Instance: "10.0.0.2:5432"}
	cpu := probe.Metric{Host: "local", Name: probe.CPU}
	overflows := probe.Metric{Host: "local", Name: probe.ListenOverflows}
	src := probe.Source{Host: "local", Name: "sockets"}
	for i, at := range []time.Duration{0, time.Second} {
		n := float64(i)
		sample := func(m probe.Metric, value, limit float64) probe.Sample {
			return probe.Sample{At: at, Reading: probe.Reading{Metric: m, Value: value, Limit: limit}}
		}
		v.readings(src, []probe.Sample{
			sample(file, 1000+24*n, 1024),
			sample(queue, 110*n, 128),
			sample(ports, 2000+n, 28232),
			sample(cpu, 0.31, 1),
			sample(overflows, 100+57*n, math.NaN()),
		}, nil)
	}
	v.missing(probe.Source{Host: "local", Name: "reset trace"},
		&probe.Unsupported{What: "reset trace", Reason: "tracefs is not readable", Needs: "root"})
	v.event(probe.Event{
		Kind: probe.RSTSent, At: 900 * time.Millisecond, Comm: "payments", PID: 4127, Reason: "TCP_ABORT_ON_CLOSE",
		State: "TCP_ESTABLISHED", Local: netip.MustParseAddrPort("10.0.0.1:8080"), Remote: netip.MustParseAddrPort("10.0.0.9:50112"),
	})
	v.event(probe.Event{Kind: probe.RSTReceived, At: 900 * time.Millisecond})
	return v
}

func TestProbeScreen(t *testing.T) {
	for name, size := range map[string][2]int{"probe-80x24.txt": {80, 24}, "probe-120x40.txt": {120, 40}, "probe-60x10.txt": {60, 10}} {
		t.Run(name, func(t *testing.T) {
			screen := busyView().screen(size[0], size[1], false)
			lines := strings.Split(strings.TrimSuffix(screen, "\n"), "\n")
			if len(lines) > size[1] {
				t.Errorf("%d lines do not fit %d", len(lines), size[1])
			}
			for _, line := range lines {
				if w := runewidth.StringWidth(line); w > size[0] {
					t.Errorf("%d columns: %q", w, line)
				}
			}
			golden.File(t, *update, name, screen)
		})
	}
}

func TestProbeJSON(t *testing.T) {
	j := busyView().json(time.Time{})
	if len(j.Resources) != 4 || len(j.Counters) != 1 || len(j.Events) != 1 || len(j.Sources) != 2 {
		t.Fatalf("%+v", j)
	}
	if rate := j.Counters[0].PerSecond; rate == nil || *rate != 57 {
		t.Errorf("rate %v, want 57", rate)
	}
}

func TestVanishedProcessLeavesTheScreen(t *testing.T) {
	v := busyView()
	v.readings(probe.Source{Host: "local", Name: "process payments"}, nil, errors.New("no process"))
	load := probe.Reading{Metric: probe.Metric{Host: "local", Name: probe.Load1}, Value: 1, Limit: math.NaN()}
	v.readings(probe.Source{Host: "local", Name: "host"}, []probe.Sample{{At: 20 * time.Second, Reading: load}}, nil)
	if screen := v.screen(80, 24, false); strings.Contains(screen, "4127] ") {
		t.Errorf("a process that is gone is still shown:\n%s", screen)
	}
}
