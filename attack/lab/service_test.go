package lab_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rampload/rampload/attack/lab"
)

// seen is what a plain client saw.
type seen struct {
	sent, ok, reset, eof, refused, timeout, status, other atomic.Int64
}

func (s *seen) String() string {
	return fmt.Sprintf("sent %d, ok %d, reset %d, eof %d, refused %d, timeout %d, status %d, other %d",
		s.sent.Load(), s.ok.Load(), s.reset.Load(), s.eof.Load(), s.refused.Load(), s.timeout.Load(), s.status.Load(), s.other.Load())
}

// load sends POSTs with a body that no transport replays, rising linearly from
// one rate to another, and returns what came of them.
func load(t *testing.T, url string, from, to float64, length time.Duration) *seen {
	t.Helper()
	tr := &http.Transport{MaxIdleConnsPerHost: 1000}
	client := &http.Client{Transport: tr, Timeout: 2 * time.Second}
	defer tr.CloseIdleConnections()
	s := &seen{}
	var wg sync.WaitGroup
	begin := time.Now()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for sent := 0.0; ; <-ticker.C {
		at := time.Since(begin)
		if at > length {
			break
		}
		x := at.Seconds()
		due := from*x + (to-from)*x*x/(2*length.Seconds())
		for ; sent < due; sent++ {
			wg.Go(func() { s.request(client, url) })
		}
	}
	wg.Wait()
	return s
}

func (s *seen) request(client *http.Client, url string) {
	s.sent.Add(1)
	req, err := http.NewRequest("POST", url+"/payments", io.NopCloser(strings.NewReader(strings.Repeat("p", 2000))))
	if err != nil {
		s.other.Add(1)
		return
	}
	req.ContentLength = 2000
	resp, err := client.Do(req)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	var ne net.Error
	switch {
	case err == nil && resp.StatusCode < 300:
		s.ok.Add(1)
	case err == nil:
		s.status.Add(1)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		s.reset.Add(1)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(err.Error(), "server closed idle"):
		s.eof.Add(1)
	case errors.Is(err, syscall.ECONNREFUSED):
		s.refused.Add(1)
	case errors.As(err, &ne) && ne.Timeout():
		s.timeout.Add(1)
	default:
		s.other.Add(1)
	}
}

func child(t *testing.T, name string, args ...string) *lab.Child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &lab.Child{Exe: exe, Name: name, Args: args, Stderr: os.Stderr}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Stop() })
	return c
}

func TestPaymentsRunOutOfFiles(t *testing.T) {
	p := lab.Payments{NoFile: 64, Hold: 60 * time.Millisecond, Growth: 0.2, Ledgers: 1}
	c := child(t, "payments", p.Args()...)
	below := load(t, c.URL(), 0.6*p.OnsetLoad(), 0.6*p.OnsetLoad(), time.Second)
	beyond := load(t, c.URL(), 1.5*p.OnsetLoad(), 1.5*p.OnsetLoad(), time.Second)
	truth, err := c.Stop()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("onset %.0f/s; below: %v; beyond: %v; truth: resets %d, first %v, %v", p.OnsetLoad(), below, beyond, truth.Resets, truth.First, truth.Counts)
	if below.ok.Load() != below.sent.Load() {
		t.Errorf("below the onset load: %v", below)
	}
	if beyond.reset.Load() == 0 || truth.Resets == 0 || truth.Counts["open-emfile"]+truth.Counts["accept-emfile"] == 0 {
		t.Errorf("beyond the onset load: %v; truth %+v", beyond, truth.Counts)
	}
	if got, want := beyond.reset.Load(), int64(truth.Resets); got != want {
		t.Errorf("client saw %d resets, the service sent %d", got, want)
	}
}
