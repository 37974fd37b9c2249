package cgroup_test

import (
	"errors"
	"math"
	"testing"

	"github.com/rampload/rampload/probe/internal/cgroup"
)

// What a process is held to must come from its own cgroup, or be unknown with the
// reason: never from the host, nor from the cgroup that rampload is in. The
// layouts are those of docker and Kubernetes, seen from the host, from a container
// with a private cgroup namespace and from one that shares the host's.
func TestWhatIsSeenOfACgroup(t *testing.T) {
	const (
		v2          = "31 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
		v2Container = "31 22 0:26 /system.slice/docker-abc.scope /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n"
		v2HostMount = v2 + "40 22 0:26 /../../.. /host/sys/fs/cgroup ro - cgroup2 cgroup2 rw\n"
		v1          = "31 22 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n32 22 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n33 22 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
		v1Container = "31 22 0:26 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n32 22 0:27 /docker/abc /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n33 22 0:28 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct\n"
		hybrid      = v1 + "34 22 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	)
	inf := math.Inf(1)
	hidden := math.NaN()
	for name, c := range map[string]struct {
		mounts               string
		files                map[string]string
		process              string
		memory, tasks, cores float64 // NaN: hidden
	}{
		"host, version 2": {
			v2, limits2("pay", "100", "10", "50000 100000"), "0::/pay\n", 100, 10, 0.5,
		},
		"host, version 2, without limits": {
			v2, limits2("pay", "max", "max", "max 100000"), "0::/pay\n", inf, inf, inf,
		},
		"host, version 1": {
			v1, limits1("pay", "100", "10", "50000"), "4:memory:/pay\n3:pids:/pay\n2:cpu,cpuacct:/pay\n", 100, 10, 0.5,
		},
		"host, hybrid: what version 1 holds counts": {
			hybrid, limits1("pay", "100", "10", "50000"), "4:memory:/pay\n3:pids:/pay\n2:cpu,cpuacct:/pay\n0::/pay.scope\n", 100, 10, 0.5,
		},
		"container in a container": {
			v2Container, limits2("inner", "100", "10", "50000 100000"), "0::/system.slice/docker-abc.scope/inner\n", 100, 10, 0.5,
		},
		"private namespace, own": {
			v2, limits2("", "100", "10", "50000 100000"), "0::/\n", 100, 10, 0.5,
		},
		"private namespace, a sidecar": {
			v2, limits2("", "7", "7", "max 100000"), "0::/../cri-containerd-0123456789abcdef.scope\n", hidden, hidden, hidden,
		},
		"private namespace and hostPID, a process of the host": {
			v2, limits2("", "7", "7", "max 100000"), "0::/../../../system.slice/nginx.service\n", hidden, hidden, hidden,
		},
		"private namespace and hostPID, the host's tree mounted beside": {
			v2HostMount, limits2At("host/sys/fs/cgroup/system.slice/nginx.service", "100", "10", "50000 100000"), "0::/../../../system.slice/nginx.service\n", 100, 10, 0.5,
		},
		"host's namespace, only the own cgroup mounted": {
			v2Container, limits2("", "7", "7", "max 100000"), "0::/system.slice/docker-abcd.scope\n", hidden, hidden, hidden,
		},
		"version 1, a sidecar": {
			v1Container, limits1("", "7", "7", "-1"), "4:memory:/docker/other\n3:pids:/docker/other\n2:cpu,cpuacct:/docker/other\n", hidden, hidden, hidden,
		},
		"version 1, private namespace, a sidecar": {
			v1, limits1("", "7", "7", "-1"), "4:memory:/../other\n3:pids:/../other\n2:cpu,cpuacct:/../other\n", hidden, hidden, hidden,
		},
		"hybrid, memory of version 1 outside, the rest not": {
			hybrid, limits1("pay", "7", "10", "50000"), "4:memory:/../other\n3:pids:/pay\n2:cpu,cpuacct:/pay\n0::/pay\n", hidden, 10, 0.5,
		},
		"version 1 of which nothing is mounted": {
			v2, limits2("", "7", "7", "max 100000"), "4:memory:/pay\n3:pids:/pay\n2:cpu,cpuacct:/pay\n0::/\n", hidden, hidden, hidden,
		},
		"controller not enabled for the cgroup": {
			v2, map[string]string{"sys/fs/cgroup/pay/cgroup.procs": "1\n"}, "0::/pay\n", inf, inf, inf,
		},
		"root of the host": {
			v2, map[string]string{"sys/fs/cgroup/cgroup.procs": "1\n"}, "0::/\n", inf, inf, inf,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.files["proc/self/mountinfo"] = c.mounts
			g := mounts(t, tree(t, c.files)).Open(cgroup.ParsePaths([]byte(c.process)))
			defer g.Close()
			_, memoryErr := g.Memory()
			_, tasksErr := g.PIDs()
			_, cpuErr := g.CPU()
			for _, r := range []struct {
				controller string
				got, want  float64
				err        error
			}{
				{"memory", g.MemoryLimit(), c.memory, memoryErr},
				{"pids", g.PIDsLimit(), c.tasks, tasksErr},
				{"cpu", g.Quota(), c.cores, cpuErr},
			} {
				unknown := math.IsNaN(r.want)
				if r.got != r.want && !(unknown && math.IsNaN(r.got)) {
					t.Errorf("limit of %s: %v, want %v", r.controller, r.got, r.want)
				}
				if errors.Is(r.err, cgroup.ErrOutside) != unknown || errors.Is(g.Hidden(r.controller), cgroup.ErrOutside) != unknown {
					t.Errorf("%s: hidden %v, reading %v; want hidden: %v", r.controller, g.Hidden(r.controller), r.err, unknown)
				}
			}
		})
	}
}

// Without any hierarchy mounted a process in a cgroup has limits that nobody sees.
func TestNothingMounted(t *testing.T) {
	var none cgroup.Mounts
	for process, unknown := range map[string]bool{
		"0::/pay\n": true, "4:memory:/pay\n3:pids:/pay\n2:cpu:/pay\n": true, "0::/\n": false, "": false,
	} {
		g := none.Open(cgroup.ParsePaths([]byte(process)))
		for _, limit := range []float64{g.MemoryLimit(), g.PIDsLimit(), g.Quota()} {
			if math.IsNaN(limit) != unknown {
				t.Errorf("%q: %v", process, limit)
			}
		}
	}
}

func limits2(dir, memory, tasks, cpu string) map[string]string {
	return limits2At("sys/fs/cgroup/"+dir, memory, tasks, cpu)
}

func limits2At(dir, memory, tasks, cpu string) map[string]string {
	return map[string]string{
		dir + "/memory.max": memory + "\n", dir + "/memory.current": "5\n",
		dir + "/pids.max": tasks + "\n", dir + "/pids.current": "5\n",
		dir + "/cpu.max": cpu + "\n", dir + "/cpu.stat": "usage_usec 1\nnr_throttled 0\n",
	}
}

func limits1(dir, memory, tasks, quota string) map[string]string {
	at := func(controller string) string { return "sys/fs/cgroup/" + controller + "/" + dir }
	return map[string]string{
		at("memory") + "/memory.limit_in_bytes": memory + "\n", at("memory") + "/memory.usage_in_bytes": "5\n",
		at("pids") + "/pids.max": tasks + "\n", at("pids") + "/pids.current": "5\n",
		at("cpu") + "/cpu.cfs_quota_us": quota + "\n", at("cpu") + "/cpu.cfs_period_us": "100000\n",
		at("cpu") + "/cpu.stat": "nr_throttled 0\n", at("cpu") + "/cpuacct.usage": "1\n",
	}
}

// A limit that is there and cannot be read is unknown, not absent.
func TestUnreadLimits(t *testing.T) {
	root := tree(t, map[string]string{
		"proc/self/mountinfo":            "31 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
		"sys/fs/cgroup/memory.current":   "5\n",
		"sys/fs/cgroup/a/memory.current": "5\n", "sys/fs/cgroup/a/memory.max/x": "", // reading a directory fails
		"sys/fs/cgroup/a/pids.current": "5\n", "sys/fs/cgroup/a/pids.max/x": "",
		"sys/fs/cgroup/a/cpu.max/x": "", "sys/fs/cgroup/a/cpu.stat": "usage_usec 1\n",
	})
	g := mounts(t, root).Open(cgroup.ParsePaths([]byte("0::/a\n")))
	defer g.Close()
	for name, limit := range map[string]float64{"memory": g.MemoryLimit(), "tasks": g.PIDsLimit(), "cores": g.Quota()} {
		if !math.IsNaN(limit) {
			t.Errorf("%s: %v, want unknown", name, limit)
		}
	}
	if m, err := g.Memory(); err == nil {
		t.Errorf("%+v without a limit that was read", m)
	}
	if c, err := g.CPU(); err == nil {
		t.Errorf("%+v without a quota that was read", c)
	}
}
