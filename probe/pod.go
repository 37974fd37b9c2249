package probe

// The States of a [PodChange]: what an API server told of a pod. Process is the pod's
// name, Comm the container's where it is about one, and Value how many pods of the
// workload were ready after it. The times are the API server's word: a second is their
// error.
const (
	PodReady       = "ready"          // it takes requests (again)
	PodNotReady    = "not-ready"      // it was taken out of service, and goes on running
	PodOOMKilled   = "oom-killed"     // a container was killed for memory
	PodExited      = "exited"         // a container ended; Reason is "exit status 1"
	PodProbeFailed = "probe-failed"   // a readiness, liveness or startup probe failed
	PodProbeKilled = "probe-killed"   // a container is ended because its liveness probe failed
	PodCrashLoop   = "crash-loop"     // a container is not started again for a while
	PodEvicted     = "evicted"        // it was ended for what its node lacked, or for another pod
	PodEnding      = "ending"         // somebody asked for its end: an update, a smaller scale
	PodUnplaced    = "unplaced"       // no node takes it
	PodUpdate      = "rolling-update" // pods of a new revision take the place of others
)
