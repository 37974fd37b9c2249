package prom

import (
	dto "github.com/prometheus/client_model/go"

	"github.com/rampload/rampload/probe"
)

// mapping turns the metrics of one page into readings of one host. It keeps what
// differences need.
type mapping struct {
	host    string
	cpu     cpuTimes
	used    map[probe.Metric]usage   // CPU time of processes and containers
	started map[probe.Metric]float64 // start of processes, Unix seconds
	shared  *shared
}

func newMapping(host string, shared *shared) mapping {
	return mapping{host: host, shared: shared, used: map[probe.Metric]usage{}, started: map[probe.Metric]float64{}}
}

func (mapped *mapping) metric(name, instance string) probe.Metric {
	return probe.Metric{Host: mapped.host, Name: name, Instance: instance}
}

// read emits what a page tells.
func (mapped *mapping) read(r *reading) {
	mapped.node(r)
	mapped.processes(r)
	mapped.containers(r)
	mapped.haproxy(r)
	mapped.envoy(r)
	mapped.nginx(r)
	mapped.jvm(r)
	mapped.stores(r)
	if !r.has("node_cpu_seconds_total") && !r.has("namedprocess_namegroup_num_procs") {
		mapped.inProcess(r) // else it is the exporter's own
	}
	mapped.golang(r)
	mapped.requests(r)
}

// missing says what the exporter of a page has turned off.
func (mapped *mapping) missing(families map[string]*dto.MetricFamily) []*probe.Unsupported {
	var out []*probe.Unsupported
	for _, e := range expectations() {
		if families[e.exporter] != nil && families[e.metric] == nil {
			out = append(out, &probe.Unsupported{What: e.what, Reason: "the page has no " + e.metric, Needs: e.needs})
		}
	}
	return out
}

// expectation is a metric that an exporter shows when it is told to.
type expectation struct {
	exporter    string // a metric that it always shows
	metric      string
	what, needs string
}

func expectations() []expectation {
	const node = "node_cpu_seconds_total"
	return []expectation{
		{node, "node_processes_threads", "threads of the host", "node_exporter started with --collector.processes"},
		{node, "node_tcp_connection_states", "states of connections", "node_exporter started with --collector.tcpstat"},
		{node, "node_sysctl_net_ipv4_tcp_max_tw_buckets", "limit of time-wait", "node_exporter started with --collector.sysctl --collector.sysctl.include=net.ipv4.tcp_max_tw_buckets"},
		{node, "node_sysctl_net_ipv4_tcp_max_orphans", "limit of orphans", "node_exporter started with --collector.sysctl --collector.sysctl.include=net.ipv4.tcp_max_orphans"},
		{node, "node_sysctl_net_ipv4_tcp_mem", "limit of tcp-memory", "node_exporter started with --collector.sysctl --collector.sysctl.include=net.ipv4.tcp_mem:min,pressure,max"},
		{node, "node_netstat_TcpExt_TCPReqQFullDrop", "drops of the SYN queue and aborts", "node_exporter started with --collector.netstat.fields=^(Tcp_.*|TcpExt_(Listen.*|TCPReqQFull.*|TCPAbort.*|TCPTimeouts|TCPSynRetrans))$"},
		{node, "node_nf_conntrack_entries", "conntrack", "the module nf_conntrack, and node_exporter with the collector conntrack"},
		{node, "node_filefd_allocated", "file-table", "node_exporter with the collector filefd"},
		{node, "node_pressure_cpu_waiting_seconds_total", "pressure", "a kernel with PSI, and node_exporter with the collector pressure"},
		{"namedprocess_namegroup_num_procs", "namedprocess_namegroup_worst_fd_ratio", "limit of open-files", "a newer process_exporter"},
	}
}
