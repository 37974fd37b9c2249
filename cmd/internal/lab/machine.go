package lab

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// Machine is what a bench changes in the kernel of this machine: namespaces with their
// parameters, routes and packet filters, control groups, and a disk. All of it is undone
// when the run stops.
type Machine struct{ *ground }

// Answers waits until something listens in a namespace.
func (machine *Machine) Answers(netns string, addr netip.Addr, port uint16) error {
	to := netip.AddrPortFrom(addr, port).String()
	var err error
	for range 100 {
		err = inNetns(netns, func() error {
			// DialTCP stays on this thread, and so in the namespace.
			c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, port)))
			if err == nil {
				c.Close()
			}
			return err
		})
		if err == nil || !Wait(machine.Ctx, 50*time.Millisecond) {
			return err
		}
	}
	return fmt.Errorf("wait for %s: %w", to, err)
}

// MemoryCgroup makes a cgroup that may use some MiB.
func (machine *Machine) MemoryCgroup(mib int) (string, error) {
	limit := strconv.Itoa(mib << 20)
	return machine.Cgroup("memory",
		map[string]string{"memory.limit_in_bytes": limit},
		map[string]string{"memory.max": limit, "memory.swap.max": "0"})
}

// CPUCgroup makes a cgroup that may use a share of one processor.
func (machine *Machine) CPUCgroup(share float64) (string, error) {
	const period = 100_000 // µs
	quota := strconv.Itoa(int(share * period))
	return machine.Cgroup("cpu",
		map[string]string{"cpu.cfs_period_us": strconv.Itoa(period), "cpu.cfs_quota_us": quota},
		map[string]string{"cpu.max": fmt.Sprintf("%s %d", quota, period)})
}
