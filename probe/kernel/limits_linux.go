package kernel

import (
	"fmt"
	"math"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/procfs"
)

// ReadLimits reads the limits as they are now in a network namespace. The error
// matches [probe.ErrUnsupported] if the namespace may not be entered.
func ReadLimits(o Options) (Limits, error) {
	nan := math.NaN()
	l := Limits{
		NoFileSoft: nan, NoFileHard: nan, FilesOpen: nan, PortLow: nan, PortHigh: nan, Ports: nan, ReservedPorts: nan,
	}
	err := o.Namespace.Inside(func(int) error {
		sys := filepath.Join(o.root(), "proc/sys")
		for _, f := range []struct {
			to   *float64
			path string
		}{
			{&l.SomaxConn, "net/core/somaxconn"},
			{&l.MaxSynBacklog, "net/ipv4/tcp_max_syn_backlog"},
			{&l.TimeWaitReuse, "net/ipv4/tcp_tw_reuse"},
			{&l.FinTimeout, "net/ipv4/tcp_fin_timeout"},
			{&l.MaxTimeWait, "net/ipv4/tcp_max_tw_buckets"},
			{&l.AbortOnOverflow, "net/ipv4/tcp_abort_on_overflow"},
			{&l.SynCookies, "net/ipv4/tcp_syncookies"},
			{&l.ConntrackMax, "net/netfilter/nf_conntrack_max"},
			{&l.ConntrackCount, "net/netfilter/nf_conntrack_count"},
			{&l.FileMax, "fs/file-max"},
		} {
			*f.to = readNumber(filepath.Join(sys, f.path))
		}
		ports := parseEphemeral(readText(filepath.Join(sys, "net/ipv4/ip_local_port_range")),
			readText(filepath.Join(sys, "net/ipv4/ip_local_reserved_ports")))
		if !math.IsNaN(ports.count) {
			l.PortLow, l.PortHigh, l.Ports = float64(ports.low), float64(ports.high), ports.count
			l.ReservedPorts = l.PortHigh - l.PortLow + 1 - ports.count
		}
		if v, ok := procfs.Uint(procfs.Nth(readText(filepath.Join(sys, "fs/file-nr")), 0)); ok {
			l.FilesOpen = float64(v)
		}
		return nil
	})
	if err != nil {
		return Limits{}, fmt.Errorf("read limits: %w", err)
	}
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) == nil {
		l.NoFileSoft, l.NoFileHard = float64(r.Cur), float64(r.Max)
	}
	return l, nil
}

// readText returns a file's content; nothing if it cannot be read.
func readText(path string) []byte {
	f, err := procfs.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := f.Read()
	if err != nil {
		return nil
	}
	return b
}

func readNumber(path string) float64 {
	f, err := procfs.Open(path)
	if err != nil {
		return probe.NoLimit()
	}
	defer f.Close()
	v, err := f.Uint()
	if err != nil {
		return probe.NoLimit()
	}
	return v
}
