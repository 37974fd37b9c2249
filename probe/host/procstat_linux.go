package host

import (
	"bytes"

	"github.com/rampload/rampload/probe/internal/procfs"
)

// userHZ is the unit of times in /proc: 100 a second on every architecture that
// Linux shows to programs (sysconf(_SC_CLK_TCK)).
const userHZ = 100

// procStat is what /proc/PID/stat tells (proc_pid_stat(5)).
type procStat struct {
	comm     string
	state    byte
	ppid     int32
	cpu      float64 // seconds
	threads  float64
	start    uint64 // ticks after boot
	rssPages float64
	disk     float64 // ticks of waiting for block devices; 0 unless the kernel keeps account
	exitCode int     // as wait(2) gives it; 0 unless we may trace the process
}

// Fields of /proc/PID/stat after the command name, from 0.
const (
	statState    = 0
	statPPID     = 1
	statUtime    = 11
	statStime    = 12
	statThreads  = 17
	statStart    = 19
	statRSS      = 21
	statDisk     = 39
	statExitCode = 49
)

// parseStat reads a stat line: "1 (name) S 0 ...". The name can hold anything,
// brackets too.
func parseStat(b []byte) (s procStat, ok bool) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < open {
		return s, false
	}
	s.comm = string(b[open+1 : end])
	rest := b[end+1:]
	for i := 0; i <= statExitCode; i++ {
		var f []byte
		if f, rest = procfs.Field(rest); len(f) == 0 {
			return s, i > statRSS
		}
		v, isNumber := procfs.Uint(f)
		switch i {
		case statState:
			s.state = f[0]
			continue
		case statPPID:
			s.ppid = int32(v)
		case statUtime, statStime:
			s.cpu += float64(v) / userHZ
		case statThreads:
			s.threads = float64(v)
		case statStart:
			s.start = v
		case statDisk:
			s.disk = float64(v)
		case statRSS:
			s.rssPages = float64(v)
		case statExitCode:
			s.exitCode = int(v)
			continue
		default:
			continue
		}
		if !isNumber {
			return s, false
		}
	}
	return s, true
}
