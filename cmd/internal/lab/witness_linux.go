package lab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// WatchFilter follows the named counter "harm" of the table ip lab: packets that
// a filter rejected or dropped.
func (witness *Witness) WatchFilter(netns, what string) {
	var last int64
	witness.Watch(func() {
		out, err := output(exec.Command("nft", "list", "counter", "ip", "lab", "harm"), netns)
		if err != nil {
			return
		}
		fields := strings.Fields(out)
		for i, f := range fields {
			if f == "packets" && i+1 < len(fields) {
				if n, err := strconv.ParseInt(fields[i+1], 10, 64); err == nil {
					witness.Tally.HarmBy(what, n-last)
					last = n
				}
			}
		}
	}, 200*time.Millisecond)
}

// WatchKernel follows the TCP counters of a namespace ("" is this one) from now
// on. All that moved become part of the truth as "ROLE.NAME"; the named ones are
// harm and logged with their times.
func (witness *Witness) WatchKernel(netns, role string, harm ...string) error {
	var files []*os.File
	err := inNetns(netns, func() error {
		// thread-self, and not self: the process is elsewhere. The open file stays in
		// the namespace.
		for _, name := range []string{"netstat", "snmp"} {
			f, err := os.Open("/proc/thread-self/net/" + name)
			if err != nil {
				return fmt.Errorf("open kernel counters: %w", err)
			}
			files = append(files, f)
		}
		return nil
	})
	witness.Undo(func() error {
		for _, f := range files {
			f.Close()
		}
		return nil
	})
	if err != nil {
		return err
	}
	first, err := readCounters(files)
	if err != nil {
		return err
	}
	last := first
	witness.Watch(func() {
		now, err := readCounters(files)
		if err != nil {
			return
		}
		for _, name := range harm {
			witness.Tally.HarmBy(role+"."+name, now[name]-last[name])
		}
		last = now
	}, 100*time.Millisecond)
	witness.Final = append(witness.Final, func() {
		isHarm := make(map[string]bool)
		for _, name := range harm {
			isHarm[name] = true
		}
		for name, v := range last {
			if d := v - first[name]; d > 0 && !isHarm[name] {
				witness.Tally.Set(role+"."+name, uint64(d))
			}
		}
	})
	return nil
}

// WatchConntrack follows counters of a namespace's connection tracking, summed
// over processors, as harm.
func (witness *Witness) WatchConntrack(netns string, names ...string) {
	last := make(map[string]int64)
	witness.Watch(func() {
		out, err := output(exec.Command("conntrack", "-S"), netns)
		if err != nil {
			return
		}
		now := make(map[string]int64)
		for _, f := range strings.Fields(out) {
			if name, value, ok := strings.Cut(f, "="); ok {
				if v, err := strconv.ParseInt(value, 10, 64); err == nil {
					now[name] += v
				}
			}
		}
		for _, name := range names {
			witness.Tally.HarmBy("conntrack."+name, now[name]-last[name])
		}
		last = now
	}, 200*time.Millisecond)
}

// AfterTraffic calls f some time after the first connections have reached a
// namespace: how long a run prepares before it loads is its own affair.
// Its error is that of Running.Stop.
func (witness *Witness) AfterTraffic(netns string, delay time.Duration, f func() error) error {
	return witness.OnTraffic(netns, func(ctx context.Context) error {
		if !Wait(ctx, delay) {
			return nil
		}
		return f()
	})
}

// OnTraffic calls f when the first connections have reached a namespace. Its
// context ends with the scenario; its error is that of Running.Stop.
func (witness *Witness) OnTraffic(netns string, f func(context.Context) error) error {
	var file *os.File
	err := inNetns(netns, func() (err error) {
		file, err = os.Open("/proc/thread-self/net/snmp")
		return err
	})
	if err != nil {
		return fmt.Errorf("open kernel counters: %w", err)
	}
	witness.Later(func(ctx context.Context) error {
		defer file.Close()
		for {
			if !Wait(ctx, 50*time.Millisecond) {
				return nil
			}
			// Segments of some dozen requests: not those of a preflight.
			if c, err := readCounters([]*os.File{file}); err == nil && c["InSegs"] > 300 {
				return f(ctx)
			}
		}
	})
	return nil
}

// readCounters reads the Tcp and TcpExt counters of /proc/net/netstat and snmp:
// pairs of lines with names and values.
func readCounters(files []*os.File) (map[string]int64, error) {
	counters := make(map[string]int64)
	for _, f := range files {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("read kernel counters: %w", err)
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			names := strings.Fields(lines.Text())
			if !lines.Scan() {
				break
			}
			values := strings.Fields(lines.Text())
			if len(names) == 0 || len(names) != len(values) || names[0] != "Tcp:" && names[0] != "TcpExt:" {
				continue
			}
			for i := 1; i < len(names); i++ {
				if v, err := strconv.ParseInt(values[i], 10, 64); err == nil {
					counters[names[i]] = v
				}
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("read kernel counters: %w", err)
		}
	}
	return counters, nil
}
