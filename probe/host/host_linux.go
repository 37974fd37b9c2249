package host

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/internal/procfs"
)

// system is what Linux tells beyond gopsutil: the file table and the threads.
type system struct {
	fileNr, loadavg, threadsMax, pidMax *procfs.File
}

func (s *system) open(o Options, m *missing) {
	proc := filepath.Join(o.root(), "proc")
	open := func(what, name string) *procfs.File {
		f, err := procfs.Open(filepath.Join(proc, name))
		if err != nil {
			m.add(what, err)
		}
		return f
	}
	s.fileNr = open("file table", "sys/fs/file-nr")
	s.loadavg = open("threads of the host", "loadavg")
	s.threadsMax = open("limit of threads", "sys/kernel/threads-max")
	s.pidMax = open("limit of threads", "sys/kernel/pid_max")
}

func (s *system) close() error {
	return errors.Join(s.fileNr.Close(), s.loadavg.Close(), s.threadsMax.Close(), s.pidMax.Close())
}

func (s *system) emit(put func(name, instance string, v, limit float64), m *missing) error {
	if s.fileNr != nil {
		// "allocated free max": free is always 0 since Linux 2.6.
		b, err := s.fileNr.Read()
		if err != nil {
			return fmt.Errorf("read file table: %w", err)
		}
		used, okUsed := procfs.Uint(procfs.Nth(b, 0))
		limit, okLimit := procfs.Uint(procfs.Nth(b, 2))
		if !okUsed || !okLimit {
			m.add("file table", fmt.Errorf("read file-nr: %q", b))
		} else {
			put(probe.FileTable, "", float64(used), float64(limit))
		}
	}
	if s.loadavg != nil {
		// "0.20 0.18 0.12 1/80 11206": runnable and all scheduling entities.
		b, err := s.loadavg.Read()
		if err != nil {
			return fmt.Errorf("read threads: %w", err)
		}
		_, all, _ := bytes.Cut(procfs.Nth(b, 3), []byte("/"))
		if n, ok := procfs.Uint(all); ok {
			put(probe.HostThreads, "", float64(n), s.threadLimit())
		} else {
			m.add("threads of the host", fmt.Errorf("read loadavg: %q", b))
		}
	}
	return nil
}

// threadLimit is the smaller of kernel.threads-max and kernel.pid_max: each
// thread takes an id.
func (s *system) threadLimit() float64 {
	limit := probe.NoLimit()
	for _, f := range []*procfs.File{s.threadsMax, s.pidMax} {
		if v, err := f.Uint(); err == nil && !(v > limit) {
			limit = v
		}
	}
	return limit
}

// wholeDisks lists the disks that are hardware: partitions, loop devices, RAM
// disks and device mappers would count the same bytes again.
func wholeDisks(root string) []string {
	dir := filepath.Join(root, "sys/block")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var disks []string
	for _, e := range entries {
		if _, err := os.Stat(filepath.Join(dir, e.Name(), "device")); err == nil && len(disks) < maxDevices {
			disks = append(disks, e.Name())
		}
	}
	if len(disks) > 0 {
		return disks
	}
	for _, e := range entries { // virtual disks only
		if !strings.HasPrefix(e.Name(), "loop") && !strings.HasPrefix(e.Name(), "ram") &&
			!strings.HasPrefix(e.Name(), "dm-") && len(disks) < maxDevices {
			disks = append(disks, e.Name())
		}
	}
	return disks
}
