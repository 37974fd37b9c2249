package logs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rampload/rampload/attack/benchtable"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

// BenchmarkFollow is what following 20,000 lines costs, one in a hundred of which tells of
// a fault: its metric core is the share of a core that as many a second take.
func BenchmarkFollow(b *testing.B) {
	path := filepath.Join(b.TempDir(), "orders.log")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var second bytes.Buffer
	for i := range 20_000 {
		switch {
		case i%100 == 0:
			fmt.Fprintf(&second, `{"level":"error","message":"connection reset by peer","service":"orders","transactionId":"0123456789abcdef-%016x"}`+"\n", i)
		case i%2 == 0:
			fmt.Fprintf(&second, `{"timestamp":"2026-11-29T10:00:00.123Z","level":"info","message":"order placed","service":"orders","transactionId":"0123456789abcdef-%016x","took_ms":12}`+"\n", i)
		default:
			fmt.Fprintf(&second, `10.0.1.1 - - [29/Nov/2026:10:00:00 +0000] "GET /orders/%d HTTP/1.1" 200 157 "-" "Mozilla/5.0 (X11; Linux x86_64)"`+"\n", i)
		}
	}
	ctx, cancel := context.WithCancel(b.Context())
	read, done := make(chan bool, 1), make(chan error, 1)
	log := New(profiles.Log{File: path}, "local", "", probe.NewClock(time.Now()))
	go func() {
		done <- log.Watch(ctx, func(e probe.Event) {
			if strings.Contains(e.Reason, "the second is over") {
				select {
				case read <- true:
				default:
				}
			}
		})
	}()
	write := func(p []byte) {
		if _, err := f.Write(append(p, "ERROR the second is over\n"...)); err != nil {
			b.Fatal(err)
		}
	}
	for begun := false; !begun; { // what was written before it looks is not read
		write(nil)
		select {
		case <-read:
			begun = true
		case <-time.After(lookEvery):
		}
	}
	before, n := processorTime(b), 0
	for b.Loop() {
		n++
		write(second.Bytes())
		<-read
	}
	core := (processorTime(b) - before).Seconds() / float64(n)
	b.ReportMetric(core, "core")
	mark := "met"
	if core > 0.5 {
		mark = "NOT MET"
	}
	benchtable.Row(b, "cores that following 20,000 lines of logs a second takes", "<= 0.50", fmt.Sprintf("%.2f", core), mark)
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
