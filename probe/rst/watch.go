package rst

import (
	"slices"
	"time"

	"github.com/rampload/rampload/probe"
)

// TraceOptions says what a [Trace] reports. Clock is required.
type TraceOptions struct {
	// Clock is the run's time base; events are converted to it.
	Clock probe.Clock
	// Host names this machine in the Source; empty: "local".
	Host string
	// Hosts are the hosts that events are attributed to. Events between
	// addresses of none of them are dropped; an event whose remote end alone is
	// known is reported with an empty Host. Empty: everything is of Host.
	Hosts []Host
	// Ports keeps only events with one of these ports at either end; empty keeps
	// all. Resets that no socket sent (NO_SOCKET) from a known host are always
	// kept, because a NAT may have changed their port.
	Ports []uint16
	// OnlyHosts leaves out, in the kernel, what happens in network namespaces of no
	// host. A container whose namespace is not a host's is not seen then. Reading
	// tracepoints cannot leave them out.
	OnlyHosts bool
	// Interval between two readings of the kernel's buffers; 0: 100 ms. Events
	// are reported one interval and a little late, with their true time.
	Interval time.Duration
	// BufferKB is the size of the kernel's buffer per CPU; 0: 2048, which holds
	// about 8,000 resets with their arrival and closing per CPU and interval, or
	// less on many CPUs so that all take at most 64 MB.
	BufferKB int
	// MaxPerSecond bounds the resets that are reported one by one; 0: 1,500.
	// Those beyond are counted together: see [probe.Event].Count. In a storm, with four
	// times as many and more, an eighth of it is, and all others are counted. Of those that no
	// socket sent, with ports that nobody watches, others than these are left out: Missing
	// says how many.
	MaxPerSecond int
	// WithoutStates leaves the sock:inet_sock_set_state tracepoint off. Then
	// RSTReceived events carry no State, and a refused SYN looks like a reset.
	WithoutStates bool
	// Tracefs reads the kernel's tracepoints where programs could be loaded, too.
	Tracefs bool
	// Root is the tracefs directory, and implies Tracefs; empty: found, or mounted
	// for this process alone.
	Root string
}

// served returns the ports that are known to be of services: those asked for, and those
// of the hosts.
func (o TraceOptions) served() []uint16 {
	ports := slices.Clone(o.Ports)
	for _, h := range o.Hosts {
		ports = append(ports, h.Ports...)
	}
	return ports
}

// CaptureOptions says what a [Capture] reports. Clock is required.
type CaptureOptions struct {
	// Clock is the run's time base; events are converted to it.
	Clock probe.Clock
	// Host is the name of the host whose namespace is captured; empty: "local".
	Host string
	// Netns is the path of its network namespace; empty: that of this process.
	Netns string
	// Ports keeps only packets with one of these ports at either end; empty, or
	// more than 64, keeps all. On loopback, where both ends are the Host's, they
	// tell the server's end: Local is the other one.
	Ports []uint16
	// Packets is how many RST packets are kept for WritePcapng, the first half of
	// the run and the latest; 0: 8192.
	Packets int
	// Flows bounds the memory of SYN-ACKs to compare TTLs with; 0: 32768.
	Flows int
	// MaxPerSecond bounds the packets that are reported one by one, and kept; 0:
	// 1,500. Those beyond are counted together: see [probe.Event].Count. In a storm,
	// with four times as many and more, an eighth of it is, and all others are counted.
	MaxPerSecond int
	// Sockets takes packets from packet sockets where programs could be loaded, too.
	Sockets bool
}

// Compile-time proof that both are watchers on every system.
var (
	_ probe.Watcher       = (*Trace)(nil)
	_ probe.Watcher       = (*Capture)(nil)
	_ probe.PartialSource = (*Trace)(nil)
	_ probe.PartialSource = (*Capture)(nil)
)

// defaultPerSecond of MaxPerSecond bounds what single events cost: a trace and a
// capture that take so many cost 2 % of a processor. What is beyond is counted.
const defaultPerSecond = 1500

func orLocal(host string) string {
	if host == "" {
		return "local"
	}
	return host
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Names of the sources in reports.
const (
	traceName   = "reset trace"
	captureName = "reset capture"
)
