// Package kernel reads the evidence of the Linux kernel that gopsutil lacks:
// sockets and listen queues (sock_diag), the counters that move only when a
// limit was hit (/proc/net), connection tracking, queueing disciplines, cgroups
// and pressure, each in the network namespace where the traffic is.
//
//   - [Sockets] counts sockets: listen queues, half-open connections, ephemeral
//     ports, TIME_WAIT, CLOSE_WAIT.
//   - [Counters] reads the kernel's totals: overflows, drops, aborts, retransmits.
//   - [Cgroup] reads the limits of a container or service, found by its processes
//     or its path.
//   - [ProcessNetwork] does the first two in the network namespace of a process,
//     wherever that goes.
//   - [ReadLimits] reads the settings that a preflight compares a plan with.
//
// It does not watch processes (see probe/host) nor packets (see probe/rst). On
// other systems every constructor returns a [probe.Unsupported].
package kernel

import (
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/netns"
)

// Options say where a sampler reads and whose name its readings carry. The zero
// value reads this machine in rampload's own network namespace.
type Options struct {
	// Host is the name of the watched host in the profile; empty means "local".
	Host string
	// Process labels the readings, where they are those of a process and not of
	// the whole host.
	Process string
	// Clock gives events their time.
	Clock probe.Clock
	// Namespace is the network namespace to read; zero means rampload's own.
	Namespace Namespace
	// Root is the directory that holds the proc and sys trees; empty means "/".
	// With another one nothing of the running kernel is asked.
	Root string
	// Budget is the share of one core that [Sockets] may spend on walking all
	// sockets; 0 means 0.006. It walks at most once per reading, and rarer when
	// many sockets make walking dear.
	Budget float64
}

func (o Options) host() string {
	if o.Host == "" {
		return "local"
	}
	return o.Host
}

func (o Options) root() string {
	if o.Root == "" {
		return "/"
	}
	return o.Root
}

func (o Options) metric(name, instance string) probe.Metric {
	return probe.Metric{Host: o.host(), Process: o.Process, Name: name, Instance: instance}
}

func (o Options) source(name string) probe.Source {
	if o.Process != "" {
		name += " of " + o.Process
	}
	return probe.Source{Host: o.host(), Name: name}
}

// Namespace names a network namespace; see its methods for how to enter it. The
// zero value is rampload's own.
type Namespace = netns.Namespace

// Limits are the settings of the kernel and of rampload that a plan can run
// into, as a preflight shows them. A field is NaN (or nil) if it could not be
// read.
type Limits struct {
	SomaxConn         float64 // net.core.somaxconn: ceiling of every listen backlog
	MaxSynBacklog     float64 // net.ipv4.tcp_max_syn_backlog
	PortLow, PortHigh float64 // net.ipv4.ip_local_port_range, inclusive
	ReservedPorts     float64 // how many ports in that range ip_local_reserved_ports takes out
	Ports             float64 // usable ephemeral ports per source and destination
	TimeWaitReuse     float64 // net.ipv4.tcp_tw_reuse: 0 off, 1 on, 2 loopback only
	FinTimeout        float64 // net.ipv4.tcp_fin_timeout, seconds; TIME_WAIT itself lasts 60 s whatever this says
	MaxTimeWait       float64 // net.ipv4.tcp_max_tw_buckets
	AbortOnOverflow   float64 // net.ipv4.tcp_abort_on_overflow: 1 sends RST when the accept queue is full
	SynCookies        float64 // net.ipv4.tcp_syncookies: 0 off, 1 when the SYN queue is full, 2 always
	ConntrackMax      float64 // net.netfilter.nf_conntrack_max; NaN without connection tracking
	ConntrackCount    float64 // entries now
	FileMax           float64 // fs.file-max
	FilesOpen         float64 // open files of the host now
	NoFileSoft        float64 // rampload's own RLIMIT_NOFILE
	NoFileHard        float64
}
