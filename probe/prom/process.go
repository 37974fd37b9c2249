package prom

import (
	"math"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/rampload/rampload/probe"
)

// usage is the CPU time that a process had used at a time.
type usage struct {
	at   time.Duration
	used float64 // seconds
}

// share emits the CPU that was used since the last reading as a share of what may be
// used, in cores. Without a limit that is known nothing is emitted.
func (mapped *mapping) share(r *reading, at time.Duration, metric probe.Metric, used, cores float64) {
	before, known := mapped.used[metric]
	if known && before.at == at {
		return // the page repeats a value of the exporter's cache
	}
	mapped.used[metric] = usage{at, used}
	if !known || !(cores > 0) || used < before.used || at <= before.at {
		return
	}
	r.putAt(at, metric, min(1, (used-before.used)/(at-before.at).Seconds()/cores), 1)
}

// restart notices that a process began later than it did at the last reading.
func (mapped *mapping) restart(r *reading, metric probe.Metric, started float64) {
	if !(started > 0) {
		return
	}
	before, known := mapped.started[metric]
	mapped.started[metric] = started
	if !known || started <= before+0.5 { // it is computed anew each time, and jitters
		return
	}
	at := r.clock.At(time.Unix(0, int64(started*1e9)))
	r.events = append(r.events, probe.Event{Kind: probe.ProcessStart, At: min(at, r.at), Process: metric.Process})
}

func (mapped *mapping) process(name, process string) probe.Metric {
	return probe.Metric{Host: mapped.host, Process: process, Name: name}
}

// processes maps process_exporter's groups (github.com/ncabatoff/process-exporter).
func (mapped *mapping) processes(r *reading) {
	for _, s := range r.series("namedprocess_namegroup_num_procs") {
		group := label(s, "groupname")
		of := func(name string, labels ...string) float64 {
			return r.sum("namedprocess_namegroup_"+name, append(labels, "groupname", group)...)
		}
		if value(s) == 0 { // nobody is there: a process that ended reads 0, and is not idle
			continue
		}
		// The page has the descriptors of all, and how full the fullest process is. So
		// stated, use and limit have that process's share.
		open, worst := of("open_filedesc"), of("worst_fd_ratio")
		limit := math.NaN()
		if worst > 0 {
			limit = math.Round(open / worst)
		}
		r.put(mapped.process(probe.OpenFiles, group), open, limit)
		r.put(mapped.process(probe.Threads, group), of("num_threads"), math.NaN())
		r.put(mapped.process(probe.RSS, group), of("memory_bytes", "memtype", "resident"), math.NaN())
		mapped.share(r, r.at, mapped.process(probe.ProcessCPU, group), of("cpu_seconds_total"), mapped.shared.getCores())
		mapped.restart(r, mapped.process("", group), of("oldest_start_time_seconds"))
	}
}

// inProcess maps what Prometheus' client libraries and Micrometer show of the process
// that serves the page. It has no name but the host's.
func (mapped *mapping) inProcess(r *reading) {
	first := func(names ...string) float64 {
		for _, n := range names {
			if v := r.one(n); !math.IsNaN(v) {
				return v
			}
		}
		return math.NaN()
	}
	r.put(mapped.process(probe.OpenFiles, mapped.host), first("process_open_fds", "process_files_open_files"), first("process_max_fds", "process_files_max_files"))
	r.put(mapped.process(probe.RSS, mapped.host), first("process_resident_memory_bytes"), math.NaN())
	r.put(mapped.process(probe.Threads, mapped.host), first("jvm_threads_live_threads", "jvm_threads_current", "go_threads"), math.NaN())
	if cores := first("system_cpu_count", "go_sched_gomaxprocs_threads"); cores > 0 {
		mapped.share(r, r.at, mapped.process(probe.ProcessCPU, mapped.host), first("process_cpu_seconds_total"), cores)
	}
	mapped.restart(r, mapped.process("", mapped.host), first("process_start_time_seconds"))
}

// containers maps cAdvisor's metrics (github.com/google/cadvisor), as the kubelet
// serves them. Its values have their own times: it reads containers every few seconds.
func (mapped *mapping) containers(r *reading) {
	seen := map[string]bool{}
	for _, s := range r.series("container_memory_working_set_bytes") {
		name := containerName(s)
		if name == "" || seen[name] {
			continue
		}
		seen[name] = true
		same := identity(s)
		of := func(metric string, labels ...string) float64 { return r.sum(metric, append(labels, same...)...) }
		at := r.when(s)
		put := func(metric string, v, limit float64) { r.putAt(at, mapped.process(metric, name), v, limit) }

		put(probe.CgroupMemory, value(s), of("container_spec_memory_limit_bytes"))
		put(probe.OpenFiles, of("container_file_descriptors"), of("container_ulimits_soft", "ulimit", "max_open_files"))
		put(probe.CgroupPIDs, of("container_threads"), of("container_threads_max"))
		put(probe.CPUThrottled, of("container_cpu_cfs_throttled_periods_total"), math.NaN())
		put(probe.OOMKills, of("container_oom_events_total"), math.NaN())
		cpuAt := at
		for _, c := range r.series("container_cpu_usage_seconds_total") {
			if labelled(c, same) {
				cpuAt = r.when(c)
			}
		}
		mapped.share(r, cpuAt, mapped.process(probe.CgroupCPU, name), of("container_cpu_usage_seconds_total"),
			of("container_spec_cpu_quota")/of("container_spec_cpu_period"))
		mapped.restart(r, mapped.process("", name), of("container_start_time_seconds"))
	}
}

// containerName is what people call a container: its name in the pod and the pod's,
// or the name that Docker gave it. The cgroups above containers have none.
func containerName(s *dto.Metric) string {
	container, pod := label(s, "container"), label(s, "pod")
	switch {
	case container == "POD":
		return ""
	case container != "" && pod != "":
		return pod + "/" + container
	case container == "" && pod == "":
		return label(s, "name")
	}
	return container
}

// identity is the labels by which other metrics of the same container are found.
func identity(s *dto.Metric) []string {
	var out []string
	for _, name := range [...]string{"id", "name", "container", "pod", "namespace"} {
		if v := label(s, name); v != "" {
			out = append(out, name, v)
		}
	}
	return out
}
