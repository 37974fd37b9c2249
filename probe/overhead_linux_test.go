package probe_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v3/net"
	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/host"
	"github.com/rampload/rampload/probe/kernel"
	"github.com/rampload/rampload/profiles"
)

// openSockets opens 20,000 TCP sockets in a network namespace of their own: the
// two ends of 10,000 connections that nobody accepts. It returns the path of the
// namespace.
func openSockets(b *testing.B) string {
	b.Helper()
	const connections, backlog = 10_000, 4_000
	if _, err := host.RaiseNoFile(); err != nil {
		b.Skip(err)
	}
	path := make(chan string)
	done := make(chan struct{})
	b.Cleanup(func() { close(done) })
	go func() {
		runtime.LockOSThread() // never unlocked: the namespace ends with the thread
		err := unix.Unshare(unix.CLONE_NEWNET)
		var fds []int
		defer func() {
			for _, fd := range fds {
				unix.Close(fd)
			}
		}()
		open := func(addr [4]byte, port int, listen bool) int {
			fd, e := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			fds = append(fds, fd)
			sa := &unix.SockaddrInet4{Addr: addr, Port: port}
			switch {
			case e != nil:
				err = e
			case listen:
				if err = unix.Bind(fd, sa); err == nil {
					err = unix.Listen(fd, backlog)
				}
			default:
				err = unix.Connect(fd, sa)
			}
			return fd
		}
		if err == nil {
			var r *unix.Ifreq
			if r, err = unix.NewIfreq("lo"); err == nil {
				r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
				fd, _ := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
				err = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
				unix.Close(fd)
			}
		}
		for left := connections; left > 0 && err == nil; left -= backlog {
			port := 8000 + left/backlog
			open([4]byte{}, port, true)
			for range min(left, backlog) {
				if err == nil {
					open([4]byte{127, 0, 0, 1}, port, false)
				}
			}
		}
		if err != nil {
			path <- ""
		} else {
			path <- fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
		}
		<-done
	}()
	p := <-path
	if p == "" {
		b.Skip("needs root and 10,000 open files")
	}
	return p
}

// BenchmarkProbes measures what all probes together cost beside 20,000 open
// sockets, in percent of one core, at the rates that a session uses.
func BenchmarkProbes(b *testing.B) {
	netns := openSockets(b)
	var samplers []probe.Sampler
	add := func(s probe.Sampler, err error) {
		if err != nil {
			b.Fatal(err)
		}
		samplers = append(samplers, s)
		b.Cleanup(func() { _ = s.Close() })
	}
	self := os.Getpid()
	ns := kernel.Namespace{Path: netns}
	h, err := host.New("", host.Options{})
	add(h, err)
	g, err := host.NewSelf(host.Options{})
	add(g, err)
	p, err := host.NewProcess(profiles.Process{PID: self}, "", host.Options{}) // it holds 10,000 files
	add(p, err)
	s, err := kernel.NewSockets(kernel.Options{Namespace: ns})
	add(s, err)
	c, err := kernel.NewCounters(kernel.Options{})
	add(c, err)
	cg, err := kernel.NewCgroup(kernel.Options{}, "self", p.PIDs)
	add(cg, err)

	sample := func(which ...probe.Sampler) (n int) {
		for _, s := range which {
			if err := s.Sample(b.Context(), func(probe.Sample) { n++ }); err != nil {
				b.Fatal(err)
			}
		}
		return n
	}
	pace := func(b *testing.B, every time.Duration, which ...probe.Sampler) {
		sample(which...) // what is done once
		tick := time.NewTicker(every)
		defer tick.Stop()
		const forAll = 8 * time.Second
		before, began, readings := cpuTime(b), time.Now(), 0
		for time.Since(began) < forAll {
			<-tick.C
			readings += sample(which...)
		}
		took := time.Since(began)
		b.ReportMetric((cpuTime(b)-before).Seconds()/took.Seconds()*100, "core-%")
		b.ReportMetric(float64(readings)/took.Seconds(), "readings/s")
		b.ReportMetric(0, "ns/op")
	}
	for _, hz := range []int{4, 10} {
		every := time.Second / time.Duration(hz)
		b.Run(fmt.Sprintf("all/%dHz", hz), func(b *testing.B) { pace(b, every, samplers...) })
	}
	for _, s := range samplers {
		b.Run(s.Source().Name, func(b *testing.B) {
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				sample(s)
			}
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// BenchmarkOthers measures one look at the same sockets with what else there is.
func BenchmarkOthers(b *testing.B) {
	netns := openSockets(b)
	b.Run("gopsutil", func(b *testing.B) {
		before := cpuTime(b)
		for b.Loop() {
			if err := (kernel.Namespace{Path: netns}).Inside(func(int) error {
				_, err := net.Connections("tcp")
				return err
			}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64((cpuTime(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
	})
	b.Run("ss", func(b *testing.B) {
		var used time.Duration
		for b.Loop() {
			cmd := exec.Command("nsenter", "--net="+netns, "--", "ss", "-Htan")
			if err := cmd.Run(); err != nil {
				b.Skip(err)
			}
			used += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		}
		b.ReportMetric(float64(used.Milliseconds())/float64(b.N), "cpu-ms/op")
	})
}

// cpuTime is the CPU time of this process.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
