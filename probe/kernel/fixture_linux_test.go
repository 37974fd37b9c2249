package kernel

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/probetest"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares two samples of a sampler with a golden file: one reading a
// line.
func golden(t *testing.T, name string, s probe.Sampler) {
	t.Helper()
	var b strings.Builder
	for range 2 {
		if err := s.Sample(t.Context(), func(r probe.Sample) {
			probetest.CheckReading(t, s.Source(), r.Reading)
			fmt.Fprintf(&b, "%s %q %d %s %q %v %v\n", r.Metric.Host, r.Metric.Process, r.Metric.PID, r.Metric.Name, r.Metric.Instance, r.Value, r.Limit)
		}); err != nil {
			t.Errorf("sample: %v", err)
		}
	}
	for _, u := range s.(probe.PartialSource).Missing() {
		fmt.Fprintf(&b, "missing: %v\n", u)
	}
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("%s changed (-want +got):\n%s", path, d)
	}
}

func TestCountersFromFiles(t *testing.T) {
	c, err := NewCounters(Options{Host: "orders-1", Root: "testdata/host"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	golden(t, "counters", c)
}

func TestSocketsFromFiles(t *testing.T) {
	s, err := NewSockets(Options{Host: "orders-1", Root: "testdata/host"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	golden(t, "sockets", s)
}

func TestCgroupFromFiles(t *testing.T) {
	for name, c := range map[string]struct {
		root string
		pids []int32
	}{
		"cgroup-v2":           {"testdata/v2", []int32{100}},
		"cgroup-v2-unlimited": {"testdata/v2", []int32{200}},
		"cgroup-v1":           {"testdata/v1", []int32{100}},
	} {
		s, err := NewCgroup(Options{Host: "orders-1", Root: c.root}, "payments", func() []int32 { return c.pids })
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestReadLimitsFromFiles(t *testing.T) {
	l, err := ReadLimits(Options{Root: "testdata/host"})
	if err != nil {
		t.Fatal(err)
	}
	l.NoFileSoft, l.NoFileHard = 0, 0 // our own
	want := Limits{
		SomaxConn: 4096, MaxSynBacklog: 2048, PortLow: 32768, PortHigh: 60999, ReservedPorts: 11, Ports: 28221,
		TimeWaitReuse: 2, FinTimeout: 60, MaxTimeWait: 131072, AbortOnOverflow: 1, SynCookies: 0,
		ConntrackMax: 262144, ConntrackCount: 261120, FileMax: 100000, FilesOpen: 1952,
	}
	if d := cmp.Diff(want, l); d != "" {
		t.Errorf("limits (-want +got):\n%s", d)
	}
}

// What cannot be read is absent and explained.
func TestMissingFiles(t *testing.T) {
	root := t.TempDir()
	for _, open := range []func() (probe.Sampler, error){
		func() (probe.Sampler, error) { return NewCounters(Options{Root: root}) },
		func() (probe.Sampler, error) { return NewSockets(Options{Root: root}) },
		func() (probe.Sampler, error) {
			return NewCgroup(Options{Root: root}, "x", func() []int32 { return []int32{1} })
		},
		func() (probe.Sampler, error) {
			return NewProcessNetwork(Options{Root: root}, "x", func() []int32 { return []int32{1} })
		},
	} {
		if _, err := open(); err == nil {
			t.Error("opened without /proc")
		} else {
			probetest.CheckUnsupported(t, err)
			if !strings.Contains(err.Error(), "needs") {
				t.Errorf("%v does not say what is needed", err)
			}
		}
	}

	// Only net/snmp is there.
	net := filepath.Join(root, "proc/net")
	if err := os.MkdirAll(net, 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("testdata/host/proc/net/snmp")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(net, "snmp"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := NewCounters(Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	said := probetest.Absent(t, c, probe.ListenOverflows, probe.Conntrack, probe.ConntrackDrop, probe.OOMKills,
		probe.CPUPressure, probe.SoftnetDrops, probe.QdiscDrops)
	for _, what := range []string{"net/netstat", "nf_conntrack", "OOM kills", "pressure", "softnet"} {
		if !strings.Contains(said, what) {
			t.Errorf("does not say that %s is missing: %s", what, said)
		}
	}
	some := 0
	_ = c.Sample(t.Context(), func(probe.Sample) { some++ })
	if some != 4 {
		t.Errorf("%d readings of net/snmp, want 4", some)
	}
}

func TestTotalsRefuseTornFiles(t *testing.T) {
	for _, text := range []string{"Tcp: A B\nUdp: 1 2\n", "Tcp: A B\n", "\n\n"} {
		path := filepath.Join(t.TempDir(), "snmp")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f := &totals{name: "snmp", file: mustOpen(t, path), wanted: snmpTotals()}
		if err := f.emit(func(name, _ string, v, _ float64) { t.Errorf("%q gives %s = %v", text, name, v) }); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}
