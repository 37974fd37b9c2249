package rst

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rampload/rampload/probe"
)

// BenchmarkObserver measures what watching costs a request that makes a connection
// of its own, on loopback, client and server together: rounds with each observer
// and without one take turns, and the ratio of their medians is reported.
func BenchmarkObserver(b *testing.B) {
	needRoot(b)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		buf := make([]byte, 1)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(buf)
			_, _ = c.Write(buf)
			_ = c.Close()
		}
	}()
	to := l.Addr().(*net.TCPAddr).AddrPort()
	ports := []uint16{to.Port()}
	clock := probe.NewClock(time.Now())
	hosts := []Host{{Name: "local", Ports: ports, Addrs: []netip.Addr{to.Addr()}}}
	trace := func(byTracefs bool) func() readyWatcher {
		return func() readyWatcher {
			return NewTrace(TraceOptions{Clock: clock, Ports: ports, Hosts: hosts, Tracefs: byTracefs})
		}
	}
	capture := func() readyWatcher { return NewCapture(CaptureOptions{Clock: clock, Ports: ports}) }
	observers := []struct {
		name string
		open []func() readyWatcher
	}{
		{"none", nil},
		{"programs", []func() readyWatcher{trace(false)}},
		{"tracefs", []func() readyWatcher{trace(true)}},
		{"capture", []func() readyWatcher{capture}},
		{"all", []func() readyWatcher{trace(false), capture}},
	}
	cpu, rate := map[string][]float64{}, map[string][]float64{}
	for b.Loop() {
		for range 5 {
			for _, o := range observers {
				spent, perSecond := observed(b, to, o.open)
				cpu[o.name], rate[o.name] = append(cpu[o.name], spent), append(rate[o.name], perSecond)
			}
		}
	}
	median := func(v []float64) float64 {
		slices.Sort(v)
		return v[len(v)/2]
	}
	b.ReportMetric(median(cpu["none"])*1e6, "µs-cpu/request")
	for _, o := range observers[1:] {
		b.ReportMetric(100*(median(cpu[o.name])/median(cpu["none"])-1), "%cpu-"+o.name)
		b.ReportMetric(100*(median(rate[o.name])/median(rate["none"])-1), "%rate-"+o.name)
	}
}

// observed makes requests for a while and returns the CPU seconds of one, of all
// of this process, and the requests per second.
func observed(b *testing.B, to netip.AddrPort, open []func() readyWatcher) (cpu, rate float64) {
	ctx, cancel := context.WithCancel(b.Context())
	var wait sync.WaitGroup
	for _, o := range open {
		w := o()
		wait.Go(func() { _ = w.Watch(ctx, func(probe.Event) {}) })
		select {
		case <-w.Ready():
		case <-time.After(5 * time.Second):
			b.Fatalf("%s: %+v", w.Source().Name, w.Status())
		}
	}
	runtime.GC() // opening leaves the kernel's types behind
	<-time.After(100 * time.Millisecond)
	buf := []byte("x")
	before, start, n := processCPU(), time.Now(), 0
	for time.Since(start) < 500*time.Millisecond {
		c, err := net.Dial("tcp", to.String())
		if err != nil {
			b.Fatal(err)
		}
		_, _ = c.Write(buf)
		_, _ = c.Read(buf)
		_ = c.Close()
		n++
	}
	cpu, rate = (processCPU()-before)/float64(n), float64(n)/time.Since(start).Seconds()
	cancel()
	wait.Wait()
	return cpu, rate
}

func processCPU() float64 {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
