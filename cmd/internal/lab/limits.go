package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// MemoryCgroup makes a cgroup that may use some MiB.
func (b *Bench) MemoryCgroup(mib int) (string, error) {
	limit := strconv.Itoa(mib << 20)
	return b.Cgroup("memory",
		map[string]string{"memory.limit_in_bytes": limit},
		map[string]string{"memory.max": limit, "memory.swap.max": "0"})
}

// WatchOOM follows the kills for the memory limit of a cgroup, as harm.
func (b *Bench) WatchOOM(dir string) {
	last := int64(0)
	b.Watch(func() {
		for _, file := range []string{"memory.oom_control", "memory.events"} {
			raw, _ := os.ReadFile(filepath.Join(dir, file))
			for line := range strings.Lines(string(raw)) {
				if text, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
					if n, err := strconv.ParseInt(text, 10, 64); err == nil {
						b.Tally.HarmBy("oom-kills", n-last)
						last = n
					}
				}
			}
		}
	}, 100*time.Millisecond)
}

// CPUCgroup makes a cgroup that may use a share of one processor.
func (b *Bench) CPUCgroup(share float64) (string, error) {
	const period = 100_000 // µs
	quota := strconv.Itoa(int(share * period))
	return b.Cgroup("cpu",
		map[string]string{"cpu.cfs_period_us": strconv.Itoa(period), "cpu.cfs_quota_us": quota},
		map[string]string{"cpu.max": fmt.Sprintf("%s %d", quota, period)})
}

// Delay delays what the client sends by a device that a process reads: the path
// gets longer without a kernel module.
func (b *Bench) Delay(n *Network, by time.Duration) error {
	if _, err := b.Child(n.Router, "delay", Arg("by", by), Arg("device", "lag")); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"link", "set", "lag", "up"},
		{"route", "add", "default", "dev", "lag", "table", "100"},
		{"rule", "add", "iif", "to-client", "to", ServerAddr, "lookup", "100"},
	} {
		if err := b.IP(n.Router, args...); err != nil {
			return err
		}
	}
	return nil
}
