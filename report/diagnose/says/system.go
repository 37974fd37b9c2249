package says

// systemWords are what kernels and service managers write into their logs.
var systemWords = []wording{
	{Memory, Writer, []string{
		"invoked oom-killer", "oom_reaper", "oom_kill_process", "killed by the oom killer", "result 'oom-kill'", "result 'oom'", "killed as a result of limit of", "memory.max reached", "page allocation failure", "systemd-oomd killed",
	}},
	{Workers, Writer, []string{"fork rejected by pids controller", "fork: resource temporarily unavailable", "fork … resource temporarily unavailable", "clone … resource temporarily unavailable", "thread … resource temporarily unavailable"}},
	{FileAccess, Writer, []string{
		"remounting filesystem read-only", "remounting file system read-only", "re-mounted. opts: ro", "forced readonly", "i/o error, dev ", "buffer i/o error", "ext4-fs error", "ext4-fs warning … error", "xfs … corruption", "metadata i/o error", "metadata corruption detected", "log i/o error",
		"critical medium error", "unrecovered read error", "aborted journal", "filesystem has been shut down", "shutting down filesystem", "btrfs critical", "btrfs: error", "nvme … i/o … timeout", "task abort on", "device offlined", "rejecting i/o to offline device", "nfs: server … not responding", "lost async page write",
	}},
	{Disk, Writer, []string{"filesystem is full", "file system is full", "no free space", "disk space exhausted", "insufficient free space", "out of disk space", "insufficient disk space"}},
	{Backlog, Writer, []string{"possible syn flooding on port", "connect: resource temporarily unavailable", "sending cookies"}},
	{Tracking, Writer, []string{"nf_conntrack_full", "table full, dropping", "nf_conntrack: falling back to vmalloc … failed", "nf_nat … table full"}},
	{Killed, Writer, []string{"result 'watchdog'", "watchdog timeout (limit", "liveness probe failed", "failed liveness probe, will be restarted"}},
	{Crashed, Writer, []string{
		"result 'core-dump'", "result 'signal'", "result 'exit-code'", "start-limit-hit", "start request repeated too quickly", "code=dumped", "code=killed, status=11", "code=killed, status=6", "trap invalid opcode", "traps: … general protection", "back-off restarting failed container", "crashloopbackoff", "dumped core",
		"exited: … not expected", "too many start retries too quickly", "entered fatal state",
	}},
}

// systemNames are what container runtimes and their managers call it.
var systemNames = []naming{
	{Memory, Writer, "OOMKilled OOMKilling"},
	{Crashed, Writer, "CrashLoopBackOff"},
	{Disk, Writer, "DiskPressure FreeDiskSpaceFailed"},
}
