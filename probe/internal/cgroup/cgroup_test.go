package cgroup_test

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/probe/internal/cgroup"
)

const id = "3f2a9c1b04de5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f80910213243"

func TestContainerOf(t *testing.T) {
	const uid = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
	under := strings.ReplaceAll(uid, "-", "_")
	for path, want := range map[string]string{
		"/system.slice/docker-" + id + ".scope": "docker 3f2a9c1b04de",
		"/docker/" + id:                         "docker 3f2a9c1b04de",
		"/docker/" + id + "/init.scope":         "docker 3f2a9c1b04de",
		"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope/container":               "podman 3f2a9c1b04de",
		"/machine.slice/libpod-" + id + ".scope":                                                                   "podman 3f2a9c1b04de",
		"/libpod_parent/" + id:                                                                                     "podman 3f2a9c1b04de",
		"/kubepods.slice/kubepods-pod" + under + ".slice/cri-containerd-" + id + ".scope":                          "pod " + uid + " containerd 3f2a9c1b04de",
		"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + under + ".slice/crio-" + id + ".scope": "pod " + uid + " cri-o 3f2a9c1b04de",
		"/kubepods/besteffort/pod" + uid + "/" + id:                                                                "pod " + uid + " kubernetes 3f2a9c1b04de",
		"/system.slice/containerd.service/kubepods-burstable-pod" + under + ".slice:cri-containerd:" + id:          "pod " + uid + " containerd 3f2a9c1b04de",
		"/kubelet.slice/kubelet-kubepods.slice/docker-" + id + ".scope":                                            "docker 3f2a9c1b04de",
		"/lxc.payload.web/system.slice/nginx.service":                                                              "lxc web",
		"/lxc/web":                        "lxc web",
		"/system.slice/nginx.service":     "",
		"/":                               "",
		"":                                "",
		"/docker":                         "",
		"/docker/short":                   "",
		"/user.slice/docker-nothex.scope": "",
	} {
		c, ok := cgroup.ContainerOf(path)
		if ok != (want != "") || ok && c.String() != want {
			t.Errorf("%s: %q, %v; want %q", path, c, ok, want)
		}
	}
}

// tree writes files below a new root.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const mountV2 = "31 22 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"

func mounts(t *testing.T, root string) cgroup.Mounts {
	t.Helper()
	m, err := cgroup.ReadMounts(root)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMountsThatAreNot(t *testing.T) {
	for _, text := range []string{"", "22 1 0:20 / / rw - ext4 /dev/vda1 rw\n", "nonsense\n - \n"} {
		root := tree(t, map[string]string{"proc/self/mountinfo": text})
		if _, err := cgroup.ReadMounts(root); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := cgroup.ReadMounts(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no /proc: %v", err)
	}
}

// The level nearest its limit counts, wherever it is.
func TestNearestLimitCounts(t *testing.T) {
	for _, c := range []struct {
		name                string
		own, parent         string // memory.max
		ownUsed, parentUsed string
		limit, used         float64
	}{
		{"own", "1000", "max", "900", "5000", 1000, 900},
		{"parent", "max", "4000", "900", "3900", 4000, 3900},
		{"parent is nearer", "1000", "4000", "100", "3900", 4000, 3900},
		{"own is nearer", "1000", "4000", "999", "1100", 1000, 999},
		{"none", "max", "max", "7", "9", math.Inf(1), 7},
	} {
		root := tree(t, map[string]string{
			"proc/self/mountinfo":            mountV2,
			"sys/fs/cgroup/a/memory.max":     c.parent + "\n",
			"sys/fs/cgroup/a/memory.current": c.parentUsed + "\n",
			"sys/fs/cgroup/a/b/memory.max":   c.own + "\n", "sys/fs/cgroup/a/b/memory.current": c.ownUsed + "\n",
		})
		g := mounts(t, root).Open(cgroup.ParsePaths([]byte("0::/a/b\n")))
		m, err := g.Memory()
		if err != nil || m.Limit != c.limit || m.Used != c.used || !math.IsNaN(m.OOMKills) {
			t.Errorf("%s: %+v, %v; want %v of %v", c.name, m, err, c.used, c.limit)
		}
		want := math.Inf(1)
		for _, s := range []string{c.own, c.parent} {
			switch s {
			case "1000":
				want = min(want, 1000)
			case "4000":
				want = min(want, 4000)
			}
		}
		if got := g.MemoryLimit(); got != want {
			t.Errorf("%s: limit %v, want %v", c.name, got, want)
		}
		if _, err := g.PIDs(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: pids without the controller: %v", c.name, err)
		}
		if err := errors.Join(g.Close(), g.Close()); err != nil {
			t.Error(err)
		}
	}
}

// What counts events must not jump when another level comes nearest its limit.
// Whoever goes beyond memory.high is held back: its own level counts it, and the one above
// only what is the limit of that one, not what its other children do.
func TestHeldBack(t *testing.T) {
	files := map[string]string{
		"proc/self/mountinfo":                mountV2,
		"sys/fs/cgroup/pod/memory.max":       "4000\n",
		"sys/fs/cgroup/pod/a/memory.max":     "1000\n",
		"sys/fs/cgroup/pod/memory.current":   "500\n",
		"sys/fs/cgroup/pod/a/memory.current": "500\n",
		"sys/fs/cgroup/pod/a/memory.events":  "low 0\nhigh 7\nmax 0\noom 0\noom_kill 0\n",
		"sys/fs/cgroup/pod/memory.events":    "low 0\nhigh 100\nmax 0\noom 0\noom_kill 0\n",
	}
	for _, c := range []struct {
		above string
		want  float64
	}{{"", 7}, {"low 0\nhigh 3\nmax 0\n", 10}} {
		if c.above != "" {
			files["sys/fs/cgroup/pod/memory.events.local"] = c.above
		}
		g := mounts(t, tree(t, files)).Open(cgroup.ParsePaths([]byte("0::/pod/a\n")))
		if m, err := g.Memory(); err != nil || m.Held != c.want {
			t.Errorf("with %q above: %+v, %v; want held back %v times", c.above, m, err, c.want)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestCountersStayWithTheProcess(t *testing.T) {
	const v1 = "31 22 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n32 22 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
	v2 := func(files map[string]string) map[string]string {
		files["proc/self/mountinfo"] = mountV2
		files["sys/fs/cgroup/pod/memory.max"], files["sys/fs/cgroup/pod/a/memory.max"] = "4000\n", "1000\n"
		files["sys/fs/cgroup/pod/pids.max"], files["sys/fs/cgroup/pod/a/pids.max"] = "40\n", "10\n"
		return files
	}
	for name, c := range map[string]struct {
		files          map[string]string
		group          string
		current, tasks [2]string // files with what is used: of the pod, of the container
		kills, hits    float64
	}{
		"without pids.events.local": { // a refused fork counts where the process is, whatever level refused
			v2(map[string]string{
				"sys/fs/cgroup/pod/memory.events": "oom 9\noom_kill 7\n", "sys/fs/cgroup/pod/a/memory.events": "oom 0\noom_kill 2\n",
				"sys/fs/cgroup/pod/pids.events": "max 50\n", "sys/fs/cgroup/pod/a/pids.events": "max 3\n",
			}),
			"0::/pod/a\n",
			[2]string{"sys/fs/cgroup/pod/memory.current", "sys/fs/cgroup/pod/a/memory.current"},
			[2]string{"sys/fs/cgroup/pod/pids.current", "sys/fs/cgroup/pod/a/pids.current"},
			2, 3,
		},
		"with pids.events.local": { // it counts where the limit is, and on the way up
			v2(map[string]string{
				"sys/fs/cgroup/pod/memory.events": "oom_kill 7\n", "sys/fs/cgroup/pod/a/memory.events": "oom_kill 2\n",
				"sys/fs/cgroup/pod/pids.events": "max 50\n", "sys/fs/cgroup/pod/a/pids.events": "max 3\n",
				"sys/fs/cgroup/pod/pids.events.local": "max 4\n", "sys/fs/cgroup/pod/a/pids.events.local": "max 3\n",
			}),
			"0::/pod/a\n",
			[2]string{"sys/fs/cgroup/pod/memory.current", "sys/fs/cgroup/pod/a/memory.current"},
			[2]string{"sys/fs/cgroup/pod/pids.current", "sys/fs/cgroup/pod/a/pids.current"},
			2, 7,
		},
		"version 1": {
			map[string]string{
				"proc/self/mountinfo":                              v1,
				"sys/fs/cgroup/memory/pod/memory.limit_in_bytes":   "4000\n",
				"sys/fs/cgroup/memory/pod/memory.oom_control":      "oom_kill_disable 0\noom_kill 7\n",
				"sys/fs/cgroup/memory/pod/a/memory.limit_in_bytes": "1000\n",
				"sys/fs/cgroup/memory/pod/a/memory.oom_control":    "oom_kill_disable 0\noom_kill 2\n",
				"sys/fs/cgroup/pids/pod/pids.max":                  "40\n",
				"sys/fs/cgroup/pids/pod/pids.events":               "max 50\n",
				"sys/fs/cgroup/pids/pod/a/pids.max":                "10\n",
				"sys/fs/cgroup/pids/pod/a/pids.events":             "max 3\n",
			},
			"4:memory:/pod/a\n3:pids:/pod/a\n",
			[2]string{"sys/fs/cgroup/memory/pod/memory.usage_in_bytes", "sys/fs/cgroup/memory/pod/a/memory.usage_in_bytes"},
			[2]string{"sys/fs/cgroup/pids/pod/pids.current", "sys/fs/cgroup/pids/pod/a/pids.current"},
			2, 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for i, level := range []string{"pod", "container"} {
				used := [2][2]string{{"3900", "100"}, {"1100", "999"}}[i] // which of them is nearest its limit
				tasks := [2][2]string{{"39", "1"}, {"11", "10"}}[i]
				c.files[c.current[0]], c.files[c.current[1]] = used[0]+"\n", used[1]+"\n"
				c.files[c.tasks[0]], c.files[c.tasks[1]] = tasks[0]+"\n", tasks[1]+"\n"
				g := mounts(t, tree(t, c.files)).Open(cgroup.ParsePaths([]byte(c.group)))
				m, err := g.Memory()
				if err != nil || m.Limit != [2]float64{4000, 1000}[i] || m.OOMKills != c.kills {
					t.Errorf("%s nearest its limit: %+v, %v; want %v kills", level, m, err, c.kills)
				}
				p, err := g.PIDs()
				if err != nil || p.Limit != [2]float64{40, 10}[i] || p.Hits != c.hits {
					t.Errorf("%s nearest its limit: %+v, %v; want %v refused forks", level, p, err, c.hits)
				}
				if err := g.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestRootCgroupHasNoLimits(t *testing.T) {
	root := tree(t, map[string]string{"proc/self/mountinfo": mountV2, "sys/fs/cgroup/cpu.stat": "usage_usec 1\n"})
	g := mounts(t, root).Open(cgroup.ParsePaths([]byte("0::/\n")))
	defer g.Close()
	_, memErr := g.Memory()
	_, cpuErr := g.CPU()
	_, pidsErr := g.PIDs()
	for _, err := range []error{memErr, cpuErr, pidsErr} {
		if !errors.Is(err, cgroup.ErrRoot) {
			t.Errorf("%v, want ErrRoot", err)
		}
	}
}

// A container mounts only its own cgroup, and may see paths outside of it, which
// must not be taken for its own.
func TestMountOfAContainer(t *testing.T) {
	root := tree(t, map[string]string{
		"proc/self/mountinfo":                "31 22 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
		"sys/fs/cgroup/memory.max":           "500\n",
		"sys/fs/cgroup/memory.current":       "400\n",
		"sys/fs/cgroup/inner/memory.max":     "max\n",
		"sys/fs/cgroup/inner/memory.current": "4\n",
	})
	m := mounts(t, root)
	for path, want := range map[string]float64{
		"/docker/abc": 400, "/docker/abc/inner": 400,
		"/docker/abcd": -1, "/docker/other": -1, "/../other": -1,
	} {
		g := m.Open(cgroup.ParsePaths([]byte("0::" + path + "\n")))
		got, err := g.Memory()
		if err != nil {
			got.Used = -1
		}
		if got.Used != want {
			t.Errorf("%s: %+v, %v; want %v", path, got, err, want)
		}
		_ = g.Close()
	}
}

func TestProcessesAndUnits(t *testing.T) {
	root := tree(t, map[string]string{
		"proc/self/mountinfo":                                       mountV2,
		"sys/fs/cgroup/cgroup.procs":                                "1\n2\n",
		"sys/fs/cgroup/system.slice/nginx.service/cgroup.procs":     "100\n101\n",
		"sys/fs/cgroup/system.slice/nginx.service/sub/cgroup.procs": "102\n",
	})
	m := mounts(t, root)
	p, err := m.Unit("nginx")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Label("memory"); got != "nginx.service" {
		t.Errorf("label %q", got)
	}
	pids, err := m.Processes(p)
	slices.Sort(pids)
	if err != nil || !slices.Equal(pids, []int32{100, 101, 102}) {
		t.Errorf("%v, %v", pids, err)
	}
	if pids, err := m.Processes(cgroup.At("system.slice/nginx.service/sub")); err != nil || !slices.Equal(pids, []int32{102}) {
		t.Errorf("%v, %v", pids, err)
	}
	if _, err := m.Processes(cgroup.At("/none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no cgroup: %v", err)
	}
	if _, err := m.Unit("apache"); err == nil {
		t.Error("found a unit that is not")
	}
}

func TestQuota(t *testing.T) {
	root := tree(t, map[string]string{
		"proc/self/mountinfo":          mountV2,
		"sys/fs/cgroup/a/cpu.max":      "300000 100000\n",
		"sys/fs/cgroup/a/cpu.stat":     "usage_usec 9\nnr_throttled 3\n",
		"sys/fs/cgroup/a/b/cpu.max":    "max 100000\n",
		"sys/fs/cgroup/a/b/cpu.stat":   "usage_usec 8\nnr_throttled 2\n",
		"sys/fs/cgroup/a/b/c/cpu.max":  "50000 100000\n",
		"sys/fs/cgroup/a/b/c/cpu.stat": "usage_usec 7000000\nnr_throttled 1\n",
	})
	m := mounts(t, root)
	for path, want := range map[string]cgroup.CPU{
		"/a/b/c": {Seconds: 7, Quota: 0.5, Throttled: 1},
		"/a/b":   {Seconds: 9e-6, Quota: 3, Throttled: 3},
	} {
		g := m.Open(cgroup.At(path))
		got, err := g.CPU()
		if err != nil || got != want || g.Quota() != want.Quota {
			t.Errorf("%s: %+v, %v, quota %v; want %+v", path, got, err, g.Quota(), want)
		}
		_ = g.Close()
	}
}

// FuzzParse holds the readers of /proc to: never panic.
func FuzzParse(f *testing.F) {
	f.Add([]byte("0::/a/b\n4:memory:/docker/" + id + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := cgroup.ParsePaths(b)
		p.Key()
		p.Label("memory")
		cgroup.ContainerOf(string(b))
	})
}
