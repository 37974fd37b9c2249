package prom

import (
	"math"
	"strings"

	"github.com/rampload/rampload/probe"
)

// node maps node_exporter's metrics (github.com/prometheus/node_exporter).
func (mapped *mapping) node(r *reading) {
	for _, g := range [...]struct{ name, use, limit string }{
		{probe.FileTable, "node_filefd_allocated", "node_filefd_maximum"},
		{probe.Conntrack, "node_nf_conntrack_entries", "node_nf_conntrack_entries_limit"},
		{probe.TimeWait, "node_sockstat_TCP_tw", "node_sysctl_net_ipv4_tcp_max_tw_buckets"},
		{probe.Orphans, "node_sockstat_TCP_orphan", "node_sysctl_net_ipv4_tcp_max_orphans"},
		{probe.HostThreads, "node_processes_threads", "node_processes_max_threads"},
		{probe.Load1, "node_load1", ""},
	} {
		r.put(mapped.metric(g.name, ""), r.one(g.use), r.one(g.limit))
	}
	r.put(mapped.metric(probe.TCPMemory, ""), r.one("node_sockstat_TCP_mem"), mapped.tcpMemoryLimit(r))
	r.put(mapped.metric(probe.Sockets, ""), r.one("node_sockstat_TCP_inuse")+r.one("node_sockstat_TCP_tw"), math.NaN())
	if total := r.one("node_memory_MemTotal_bytes"); total > 0 {
		r.put(mapped.metric(probe.Memory, ""), total-min(r.one("node_memory_MemAvailable_bytes"), total), total)
	}
	if total := r.one("node_memory_SwapTotal_bytes"); total > 0 {
		r.put(mapped.metric(probe.Swap, ""), total-min(r.one("node_memory_SwapFree_bytes"), total), total)
	}
	for name, state := range map[string]string{
		probe.Established: "established", probe.CloseWait: "close_wait", probe.SynRecv: "syn_recv",
	} {
		r.put(mapped.metric(name, ""), r.sum("node_tcp_connection_states", "state", state), math.NaN())
	}
	mapped.nodeCounters(r)
	mapped.nodeDevices(r)
	mapped.nodeCPU(r)
}

// tcpMemoryLimit is the third value of tcp_mem: beyond it sockets get no memory. Its
// label depends on how the sysctl was asked for.
func (mapped *mapping) tcpMemoryLimit(r *reading) float64 {
	if v := r.one("node_sysctl_net_ipv4_tcp_mem_max"); !math.IsNaN(v) {
		return v
	}
	return r.one("node_sysctl_net_ipv4_tcp_mem", "index", "2")
}

func (mapped *mapping) nodeCounters(r *reading) {
	for _, c := range [...]struct{ name, total string }{
		{probe.ListenOverflows, "node_netstat_TcpExt_ListenOverflows"},
		{probe.ListenDrops, "node_netstat_TcpExt_ListenDrops"},
		{probe.ReqQueueFullDrop, "node_netstat_TcpExt_TCPReqQFullDrop"},
		{probe.AbortOnMemory, "node_netstat_TcpExt_TCPAbortOnMemory"},
		{probe.ConntrackInsertFail, "node_nf_conntrack_stat_insert_failed"},
		{probe.ConntrackInvalid, "node_nf_conntrack_stat_invalid"},
		{probe.OOMKills, "node_vmstat_oom_kill"},
		{probe.SoftnetDrops, "node_softnet_dropped_total"},
		{probe.OutRsts, "node_netstat_Tcp_OutRsts"},
		{probe.EstabResets, "node_netstat_Tcp_EstabResets"},
		{probe.AttemptFails, "node_netstat_Tcp_AttemptFails"},
		{probe.RetransSegs, "node_netstat_Tcp_RetransSegs"},
		{probe.EmbryonicRsts, "node_netstat_TcpExt_EmbryonicRsts"},
		{probe.AbortOnData, "node_netstat_TcpExt_TCPAbortOnData"},
		{probe.AbortOnClose, "node_netstat_TcpExt_TCPAbortOnClose"},
		{probe.AbortOnTimeout, "node_netstat_TcpExt_TCPAbortOnTimeout"},
		{probe.AbortOnLinger, "node_netstat_TcpExt_TCPAbortOnLinger"},
		{probe.SynRetrans, "node_netstat_TcpExt_TCPSynRetrans"},
		{probe.TCPTimeouts, "node_netstat_TcpExt_TCPTimeouts"},
		{probe.LostRetransmit, "node_netstat_TcpExt_TCPLostRetransmit"},
		{probe.TCPMemoryPressures, "node_netstat_TcpExt_TCPMemoryPressures"},
	} {
		r.put(mapped.metric(c.name, ""), r.sum(c.total), math.NaN())
	}
	// Early drops make room for a new entry at the cost of an old one: the table was
	// full as well.
	r.put(mapped.metric(probe.ConntrackDrop, ""), r.one("node_nf_conntrack_stat_drop")+r.one("node_nf_conntrack_stat_early_drop"), math.NaN())
	for _, p := range [...]struct{ name, total string }{
		{probe.CPUPressure, "node_pressure_cpu_waiting_seconds_total"},
		{probe.MemoryPressure, "node_pressure_memory_waiting_seconds_total"},
		{probe.IOPressure, "node_pressure_io_waiting_seconds_total"},
	} {
		r.put(mapped.metric(p.name, ""), math.Round(r.one(p.total)*1e6), math.NaN())
	}
}

// maxDevices bounds the interfaces and the disks that have series of their own.
const maxDevices = 16

func (mapped *mapping) nodeDevices(r *reading) {
	for i, s := range r.series("node_network_receive_bytes_total") {
		if i == maxDevices {
			break
		}
		device := label(s, "device")
		of := func(name string) float64 { return r.one(name, "device", device) }
		r.put(mapped.metric(probe.NetReceived, device), value(s), math.NaN())
		r.put(mapped.metric(probe.NetSent, device), of("node_network_transmit_bytes_total"), math.NaN())
		r.put(mapped.metric(probe.NICDrops, device), of("node_network_receive_drop_total")+of("node_network_transmit_drop_total"), math.NaN())
		r.put(mapped.metric(probe.NICErrors, device), of("node_network_receive_errs_total")+of("node_network_transmit_errs_total"), math.NaN())
	}
	for i, s := range r.series("node_disk_read_bytes_total") {
		if i == maxDevices {
			break
		}
		device := label(s, "device")
		r.put(mapped.metric(probe.DiskRead, device), value(s), math.NaN())
		r.put(mapped.metric(probe.DiskWritten, device), r.one("node_disk_written_bytes_total", "device", device), math.NaN())
	}
}

// cpuTimes is the CPU time of each core by mode, in seconds since boot.
type cpuTimes map[string]map[string]float64

// nodeCPU emits shares of the time since the last reading.
func (mapped *mapping) nodeCPU(r *reading) {
	now := cpuTimes{}
	for _, s := range r.series("node_cpu_seconds_total") {
		core := label(s, "cpu")
		if now[core] == nil {
			now[core] = map[string]float64{}
		}
		now[core][label(s, "mode")] = value(s)
	}
	before := mapped.cpu
	mapped.cpu = now
	if len(now) > 0 {
		mapped.shared.setCores(len(now))
	}
	var all, busy, steal, wait, busiest float64
	for core, modes := range now {
		var total, used float64
		for mode, v := range modes {
			if strings.HasPrefix(mode, "guest") { // counted in user and nice already
				continue
			}
			old, known := before[core][mode]
			if !known {
				continue
			}
			d := max(0, v-old) // idle and iowait can step back a little
			total += d
			switch mode {
			case "idle":
			case "iowait":
				wait += d
			case "steal":
				steal += d
				used += d
			default:
				used += d
			}
		}
		if total > 0 {
			all, busy, busiest = all+total, busy+used, max(busiest, used/total)
		}
	}
	if all <= 0 {
		return
	}
	r.put(mapped.metric(probe.CPU, ""), busy/all, 1)
	r.put(mapped.metric(probe.CPUCore, ""), busiest, 1)
	r.put(mapped.metric(probe.Steal, ""), steal/all, 1)
	r.put(mapped.metric(probe.IOWait, ""), wait/all, 1)
}
