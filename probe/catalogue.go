package probe

// Definition describes a metric of the catalogue.
type Definition struct {
	Name       string
	Kind       Kind
	Unit       string // of the value and the limit
	PerProcess bool
	Cumulative bool   // a total that only grows; rates are differences
	About      string // one line for people
}

// Catalogue names. Probes emit these names, gates and diagnosis read them.
const (
	// Limits of a process.
	OpenFiles        = "open-files"
	Threads          = "threads"
	RSS              = "rss"
	ProcessCPU       = "process-cpu"
	FileSystem       = "file-system"
	FileSystemInodes = "file-system-inodes"

	// Limits of a host or network namespace.
	FileTable      = "file-table"
	EphemeralPorts = "ephemeral-ports"
	TimeWait       = "time-wait"
	Conntrack      = "conntrack"
	Memory         = "memory"
	Swap           = "swap"
	HostThreads    = "host-threads"
	UserThreads    = "user-threads"
	Orphans        = "orphans"
	TCPMemory      = "tcp-memory"
	ListenQueue    = "listen-queue"
	SynQueue       = "syn-queue"
	CgroupMemory   = "cgroup-memory"
	CgroupPIDs     = "cgroup-pids"

	// Limits of a service's own, as its metrics tell them.
	Pool             = "pool"
	ProxyConnections = "proxy-connections"

	// Shares of a capacity.
	CPU       = "cpu"
	CPUCore   = "cpu-core"
	Steal     = "cpu-steal"
	IOWait    = "cpu-iowait"
	CgroupCPU = "cgroup-cpu"

	// Levels.
	OpenFilesHard = "open-files-hard-limit"
	Load1         = "load1"
	Established   = "established"
	CloseWait     = "close-wait"
	SynRecv       = "syn-recv"
	Sockets       = "sockets"
	NetReceived   = "net-received"
	NetSent       = "net-sent"
	DiskRead      = "disk-read"
	DiskWritten   = "disk-written"
	GoroutineLag  = "scheduler-latency"
	GCPause       = "gc-pause"
	PoolWaiting   = "pool-waiting"
	ProxyQueue    = "proxy-queue"

	// Where the threads of a process stand. A process whose Runs do not grow while
	// requests are open stands still; one whose RunDelay grows is ready and has no
	// processor; one that neither runs nor waits for a disk is asleep: it waits for
	// others, or for itself. All four are read together, less often than the other
	// metrics where a process has many threads: a gap between samples is not a loss.
	RunDelay       = "run-delay"
	Runs           = "runs"
	ThreadsRunning = "threads-running"
	ThreadsOnDisk  = "threads-on-disk"
	ThreadsHeld    = "threads-held" // Instance is what holds them: HeldFileLock, HeldOutput
	ThreadsStopped = "threads-stopped"
	DiskDelay      = "disk-delay"
	GaveUp         = "switches-voluntary"
	Preempted      = "switches-involuntary"

	// Where requests stand, read off the sockets of a network namespace. Those of a
	// service have its listener as instance ("*:8080"), those of a process and somebody
	// it asks the address of that peer ("10.0.0.3:5432"). Process is the name of who
	// holds the sockets, all processes of a name together, and Nobody where it is not
	// known.
	Inbound         = "inbound"
	NotAccepted     = "not-accepted"
	RequestsUnread  = "requests-unread"
	Incomplete      = "requests-incomplete"
	Owed            = "owed"
	OwedOldest      = "owed-oldest"
	OwedMedian      = "owed-median"
	AnswersResent   = "answers-resent"
	Callers         = "callers" // instance "*:8080 10.0.0.2": listener and caller
	Serving         = "serving" // by process
	PeerConnections = "peer-connections"
	Connecting      = "connecting"
	Awaiting        = "awaiting"
	AwaitingOldest  = "awaiting-oldest"
	AwaitingMedian  = "awaiting-median"
	RoundTrip       = "round-trip"
	Unacknowledged  = "unacknowledged"
	AnswersUnread   = "answers-unread"
	Asked           = "requests-asked"
	AnswersReceived = "answers-received"
	Translated      = "translated" // instance "10.0.0.100:80 10.0.1.2:8080": asked for, and given
	Sessions        = "sessions"   // instance: what a process says of itself, "waiting"

	// How many requests came in, whoever sent them. Arrived is what the kernel tells of a
	// listener: see probe/waiting. Served and Refused are what a service itself counts on
	// its metrics page; their instance is the metric.
	Arrived = "requests-arrived"
	Served  = "requests-served"
	Refused = "requests-refused"

	// Exhaustion counters.
	ListenOverflows     = "listen-overflows"
	ListenDrops         = "listen-drops"
	ReqQueueFullDrop    = "syn-queue-drops"
	AbortOnMemory       = "abort-on-memory"
	ConntrackInsertFail = "conntrack-insert-failed"
	ConntrackDrop       = "conntrack-drop"
	OOMKills            = "oom-kills"
	MemoryHeld          = "memory-held-back"
	CPUThrottled        = "cpu-throttled"
	CPUPressure         = "cpu-pressure"
	MemoryPressure      = "memory-pressure"
	IOPressure          = "io-pressure"
	PIDsMaxHits         = "pids-max-hits"
	SoftnetDrops        = "softnet-drops"
	QdiscDrops          = "qdisc-drops"
	NICDrops            = "nic-drops"
	NICErrors           = "nic-errors"
	TCPMemoryPressures  = "tcp-memory-pressures"

	PoolTimeouts   = "pool-timeouts"
	ProxyOverflows = "proxy-overflows"
	StoreEvictions = "store-evictions"

	// Symptoms.
	ProxyErrors      = "proxy-errors"
	ProxyRetries     = "proxy-retries"
	ProxyAborts      = "proxy-aborts"
	OutRsts          = "out-rsts"
	EstabResets      = "estab-resets"
	AttemptFails     = "attempt-fails"
	EmbryonicRsts    = "embryonic-rsts"
	AbortOnData      = "abort-on-data"
	AbortOnClose     = "abort-on-close"
	AbortOnTimeout   = "abort-on-timeout"
	AbortOnLinger    = "abort-on-linger"
	RetransSegs      = "retransmits"
	SynRetrans       = "syn-retransmits"
	TCPTimeouts      = "tcp-timeouts"
	LostRetransmit   = "lost-retransmits"
	ConntrackInvalid = "conntrack-invalid"
)

// What holds threads, as the instance of [ThreadsHeld].
const (
	HeldFileLock = "file-lock" // another process has a file locked
	HeldOutput   = "output"    // a pipe or local socket is full: whoever reads it does not
)

// Nobody is the process of a reading about sockets whose process is not known.
const Nobody = "?"

// Tells reports whether a resource of which a share is in use may have to do with a load.
// Room on disk was filled long before any load: it matters once it is nearly gone.
func Tells(name string, share float64) bool {
	return share >= nearlyGone || name != FileSystem && name != FileSystemInodes
}

// nearlyGone is the use of room on disk from which on programs begin to fail.
const nearlyGone = 0.9

// Catalogue returns the definitions of all metrics, limits first.
func Catalogue() []Definition {
	return []Definition{
		{OpenFiles, HardLimit, "files", true, false, "open file descriptors of the process, against its soft RLIMIT_NOFILE"},
		{Threads, HardLimit, "threads", true, false, "threads of the process, against RLIMIT_NPROC or pids.max"},
		{RSS, HardLimit, "bytes", true, false, "resident memory of the process, against its cgroup's limit or the host's memory"},
		{ProcessCPU, Utilisation, "share", true, false, "CPU of the process, of the cores or the quota that it may use"},

		{FileSystem, HardLimit, "bytes", true, false, "a file system that the process is likely to write to (by its working directory, open files, command line and the paths in its environment), once it is half full, against what others than root may use"},
		{FileSystemInodes, HardLimit, "files", true, false, "files of such a file system, against its inodes"},

		{FileTable, HardLimit, "files", false, false, "open files of the host, against fs.file-max"},
		{EphemeralPorts, HardLimit, "ports", false, false, "local ports in use towards the busiest destination, against ip_local_port_range"},
		{TimeWait, HardLimit, "sockets", false, false, "sockets in TIME_WAIT, against tcp_max_tw_buckets"},
		{Conntrack, HardLimit, "entries", false, false, "tracked connections, against nf_conntrack_max"},
		{Memory, Utilisation, "bytes", false, false, "memory in use that cannot be reclaimed, against the host's memory"},
		{Swap, Utilisation, "bytes", false, false, "swap in use"},
		{HostThreads, HardLimit, "threads", false, false, "threads of the host, against threads-max and pid_max"},
		{UserThreads, HardLimit, "threads", true, false, "threads of all watched processes of a user, against RLIMIT_NPROC"},
		{Orphans, HardLimit, "sockets", false, false, "sockets without an owner, against tcp_max_orphans; machine-wide"},
		{TCPMemory, HardLimit, "pages", false, false, "memory of TCP sockets, against tcp_mem"},
		{ListenQueue, HardLimit, "connections", false, false, "connections waiting for accept(), against the backlog; of Unix sockets too"},
		{SynQueue, HardLimit, "connections", false, false, "half-open connections of a listener, against its backlog"},
		{CgroupMemory, HardLimit, "bytes", true, false, "memory of the cgroup less reclaimable cache, against its limit"},
		{CgroupPIDs, HardLimit, "threads", true, false, "tasks of the cgroup, against pids.max"},

		{Pool, HardLimit, "uses", false, false, "pool of a service, such as of connections to its database, against its size; from its metrics"},
		{ProxyConnections, HardLimit, "connections", false, false, "connections of a proxy or of one of its frontends, against its limit; from its metrics"},

		{CPU, Utilisation, "share", false, false, "CPU of the host, all cores"},
		{CPUCore, Utilisation, "share", false, false, "the busiest core"},
		{Steal, Utilisation, "share", false, false, "CPU taken by the hypervisor"},
		{IOWait, Utilisation, "share", false, false, "CPU idle while waiting for disks"},
		{CgroupCPU, Utilisation, "share", true, false, "CPU of the cgroup, of its quota"},

		{OpenFilesHard, Gauge, "files", true, false, "hard RLIMIT_NOFILE of the process: how far its soft limit can be raised without privileges"},
		{Load1, Gauge, "tasks", false, false, "load average over one minute"},
		{Established, Gauge, "sockets", false, false, "established TCP connections"},
		{CloseWait, Gauge, "sockets", false, false, "connections that the peer closed and the process did not"},
		{SynRecv, Gauge, "sockets", false, false, "half-open connections"},
		{Sockets, Gauge, "sockets", false, false, "TCP sockets of the namespace"},
		{NetReceived, Gauge, "bytes/s", false, true, "bytes received"},
		{NetSent, Gauge, "bytes/s", false, true, "bytes sent"},
		{DiskRead, Gauge, "bytes/s", false, true, "bytes read from disks"},
		{DiskWritten, Gauge, "bytes/s", false, true, "bytes written to disks"},
		{GoroutineLag, Gauge, "seconds", true, false, "p99 wait of a runnable goroutine of the generator, since the last reading"},
		{GCPause, Gauge, "seconds", true, false, "longest garbage collection pause of the generator, since the last reading"},

		{RunDelay, Gauge, "µs", true, true, "time in which threads of the process were ready to run and had no processor, summed over threads"},
		{Runs, Gauge, "runs", true, true, "times that a thread of the process was given a processor"},
		{ThreadsRunning, Gauge, "threads", true, false, "threads of the process that run or are ready to"},
		{ThreadsOnDisk, Gauge, "threads", true, false, "threads of the process in uninterruptible sleep: nearly always on a disk"},
		{ThreadsHeld, Standing, "threads", true, false, "threads of the process that sleep in the kernel for a lock on a file, or to write into a pipe or socket of this machine that nobody empties"},
		{ThreadsStopped, Standing, "threads", true, false, "threads of the process that a signal or a debugger has stopped"},
		{DiskDelay, Standing, "µs", true, true, "time in which threads of the process waited for disks and swap, summed over threads; needs kernel.task_delayacct"},
		{GaveUp, Standing, "switches", true, true, "times that a thread of the process gave the processor up, to wait for something"},
		{Preempted, Standing, "switches", true, true, "times that the processor was taken from a thread of the process"},

		{Inbound, Standing, "connections", true, false, "connections to a service"},
		{NotAccepted, Standing, "connections", true, false, "connections to a service that it has not accepted"},
		{RequestsUnread, Standing, "requests", true, false, "requests that came in and that the service has not read"},
		{Incomplete, Standing, "requests", true, false, "requests that have come in only in part: a thread of the service waits for the rest, or it comes in pieces over some time"},
		{Owed, Standing, "requests", true, false, "requests that came in and were not answered"},
		{OwedOldest, Standing, "seconds", true, false, "age of the oldest request that was not answered"},
		{OwedMedian, Standing, "seconds", true, false, "median age of the requests that were not answered"},
		{AnswersResent, Standing, "answers", true, false, "answers that the kernels of those who asked have not acknowledged and that were sent again"},
		{Callers, Standing, "connections", true, false, "connections to a service from one address"},
		{Serving, Standing, "requests", true, false, "requests that one process of a service has accepted and not answered"},
		{PeerConnections, Standing, "connections", true, false, "connections that a process has to a peer"},
		{Connecting, Standing, "connections", true, false, "connections to a peer that have not come up"},
		{Awaiting, Standing, "requests", true, false, "requests of a process to a peer that have no answer yet"},
		{AwaitingOldest, Standing, "seconds", true, false, "age of the oldest request to a peer without an answer"},
		{AwaitingMedian, Standing, "seconds", true, false, "median age of the requests to a peer without an answer"},
		{RoundTrip, Standing, "seconds", true, false, "round trip of the packets to a peer, as the kernel smooths it: the median of the connections that sent something of late"},
		{Unacknowledged, Standing, "requests", true, false, "requests to a peer that its kernel has not acknowledged and that were sent again"},
		{AnswersUnread, Standing, "answers", true, false, "answers of a peer that the process has not read"},
		{Asked, Standing, "requests", true, true, "requests that a process sent to a peer on connections that last, estimated by their segments of data"},
		{AnswersReceived, Standing, "answers", true, true, "answers of a peer that a process got on connections that had been seen before, estimated by whose segments of data came in turn"},
		{Translated, Standing, "connections", false, false, "tracked connections whose destination was changed on the way"},
		{Arrived, Standing, "requests", true, true, "requests that came in to a service, estimated by the segments and bytes of data on its connections"},
		{Served, Standing, "requests", false, true, "requests that a service counts as answered, in its metrics"},
		{Refused, Standing, "requests", false, true, "requests that a service counts as answered with a 5xx, in its metrics"},
		{Sessions, Standing, "processes", true, false, "processes of a service that say of themselves that they wait for a lock, or are idle in a transaction"},

		{PoolWaiting, Gauge, "requests", false, false, "requests that wait for a pool"},
		{ProxyQueue, Gauge, "requests", false, false, "requests that wait in a proxy for a server"},

		{ListenOverflows, Counter, "events", false, true, "accept queue was full (ListenOverflows)"},
		{ListenDrops, Counter, "events", false, true, "connection attempts dropped by listeners (ListenDrops)"},
		{ReqQueueFullDrop, Counter, "events", false, true, "SYN queue was full (TCPReqQFullDrop)"},
		{AbortOnMemory, Counter, "events", false, true, "connections aborted for lack of socket memory (TCPAbortOnMemory)"},
		{ConntrackInsertFail, Counter, "events", false, true, "connection tracking could not insert: table or ports exhausted"},
		{ConntrackDrop, Counter, "events", false, true, "packets dropped because the connection table was full"},
		{OOMKills, Counter, "events", false, true, "processes killed for memory"},
		{MemoryHeld, Counter, "events", true, true, "processes were held back and made to give up memory, beyond memory.high of their cgroup"},
		{CPUThrottled, Counter, "events", true, true, "periods in which the cgroup's CPU quota was used up (nr_throttled)"},
		{CPUPressure, Counter, "µs", false, true, "time in which tasks waited for CPU (PSI some total)"},
		{MemoryPressure, Counter, "µs", false, true, "time in which tasks waited for memory (PSI some total)"},
		{IOPressure, Counter, "µs", false, true, "time in which tasks waited for disks (PSI some total)"},
		{PIDsMaxHits, Counter, "events", true, true, "fork failed because of pids.max"},
		{SoftnetDrops, Counter, "packets", false, true, "packets dropped because the CPU's backlog was full; machine-wide"},
		{QdiscDrops, Counter, "packets", false, true, "packets dropped by the queueing discipline"},
		{NICDrops, Counter, "packets", false, true, "packets dropped by network interfaces"},
		{NICErrors, Counter, "packets", false, true, "packet errors of network interfaces"},
		{TCPMemoryPressures, Counter, "events", false, true, "TCP entered memory pressure"},

		{PoolTimeouts, Counter, "events", false, true, "requests that waited for a pool in vain"},
		{ProxyOverflows, Counter, "events", false, true, "requests or connections that a proxy refused because a limit of its own was reached"},
		{StoreEvictions, Counter, "entries", false, true, "entries that a store threw out to make room for others"},

		{ProxyErrors, Symptom, "events", false, true, "connections to a server, or responses, that failed at a proxy"},
		{ProxyRetries, Symptom, "events", false, true, "requests that a proxy sent again"},
		{ProxyAborts, Symptom, "events", false, true, "transfers that ended early at a proxy"},
		{OutRsts, Symptom, "packets", false, true, "RSTs sent by the host (OutRsts)"},
		{EstabResets, Symptom, "events", false, true, "established connections aborted, by either side (EstabResets)"},
		{AttemptFails, Symptom, "events", false, true, "connections that failed to establish (AttemptFails)"},
		{EmbryonicRsts, Symptom, "events", false, true, "resets of half-open connections (EmbryonicRsts)"},
		{AbortOnData, Symptom, "events", false, true, "connections aborted with SO_LINGER 0, or data after close (TCPAbortOnData)"},
		{AbortOnClose, Symptom, "events", false, true, "connections closed with unread data (TCPAbortOnClose)"},
		{AbortOnTimeout, Symptom, "events", false, true, "connections aborted after unanswered retransmissions (TCPAbortOnTimeout)"},
		{AbortOnLinger, Symptom, "events", false, true, "connections aborted while lingering (TCPAbortOnLinger)"},
		{RetransSegs, Symptom, "packets", false, true, "segments retransmitted (RetransSegs)"},
		{SynRetrans, Symptom, "packets", false, true, "SYNs retransmitted (TCPSynRetrans)"},
		{TCPTimeouts, Symptom, "events", false, true, "retransmission timeouts (TCPTimeouts)"},
		{LostRetransmit, Symptom, "packets", false, true, "retransmissions that were lost too (TCPLostRetransmit)"},
		{ConntrackInvalid, Symptom, "packets", false, true, "packets that belong to no tracked connection"},
	}
}

// Lookup returns the definition of a catalogue name.
func Lookup(name string) (Definition, bool) {
	for _, d := range Catalogue() {
		if d.Name == name {
			return d, true
		}
	}
	return Definition{}, false
}
