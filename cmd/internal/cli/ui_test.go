//go:build unix

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/report"
)

// seen is what a terminal was sent. Its reader looks at it as it grows.
type seen struct {
	mu   sync.Mutex
	all  bytes.Buffer
	more chan struct{}
}

func (s *seen) follow(r io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		s.mu.Lock()
		s.all.Write(buf[:n])
		close(s.more)
		s.more = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// await waits until the terminal has been sent what matches, behind what was found
// before.
func (s *seen) await(t *testing.T, ctx context.Context, pattern string) {
	t.Helper()
	want := regexp.MustCompile(pattern)
	for {
		s.mu.Lock()
		found := want.FindIndex(s.all.Bytes())
		if found != nil {
			s.all.Next(found[1])
		}
		more := s.more
		s.mu.Unlock()
		if found != nil {
			return
		}
		select {
		case <-more:
		case <-ctx.Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			t.Fatalf("nothing that matches %q; the terminal was sent %q", pattern, s.all.String())
		}
	}
}

// A person holds the load, scales it, goes on and skips, on a real terminal: the load
// does so, and the report says it.
func TestFullScreen(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }))
	defer server.Close()
	dir := t.TempDir()
	profile := filepath.Join(dir, "p.yaml")
	if err := os.WriteFile(profile, []byte(`name: hands
targets: [{name: web, url: "`+server.URL+`", requests: [GET /]}]
load:
  - {from: 20/s, to: 220/s, over: 10m}
  - {at: 30/s, for: 3s}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	terminal, tty, err := pty.Open()
	if err != nil {
		t.Skip(err)
	}
	defer terminal.Close()
	if err := pty.Setsize(terminal, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	screen := &seen{more: make(chan struct{})}
	go screen.follow(terminal) // ends with the terminal
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	out := filepath.Join(dir, "r.json")
	var stdout bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- Main(ctx, console.Env{
			Args:  []string{"run", "--profile", profile, "--out", out, "--ui", "--no-trace"},
			Stdin: tty, Stdout: &stdout, Stderr: tty,
			LookupEnv: func(name string) (string, bool) { return "xterm-256color", name == "TERM" },
		})
	}()
	press := func(key string) {
		t.Helper()
		if _, err := io.WriteString(terminal, key); err != nil {
			t.Fatal(err)
		}
	}
	screen.await(t, ctx, "rampload")
	screen.await(t, ctx, `stage 1 of 2`)
	screen.await(t, ctx, `p50`) // it is under way
	press("h")
	screen.await(t, ctx, `HELD`)
	press("+")
	screen.await(t, ctx, `x1\.1`)
	press("s")
	screen.await(t, ctx, `skipped to`)
	select {
	case got := <-code:
		if got != 0 {
			t.Errorf("exit %d\n%s", got, stdout.String())
		}
	case <-ctx.Done():
		t.Fatal("the run goes on: what was to be skipped was not")
	}
	tty.Close()
	if !strings.Contains(strings.Join(strings.Fields(stdout.String()), " "), "the load was changed by hand") || !strings.Contains(stdout.String(), "by hand") {
		t.Errorf("the verdict hides the hand:\n%s", stdout.String())
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var r report.Report
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, h := range r.Hands {
		did = append(did, h.Action)
	}
	if strings.Join(did, " ") != "hold scale skip" {
		t.Errorf("recorded %v", r.Hands)
	}
	if n := len(r.Profile.Stages); n < 2 || r.Profile.Stages[n-1].ToRPS != 33 || r.Profile.DurationS > 60 {
		t.Errorf("stages %+v", r.Profile.Stages)
	}
}

// Ctrl-C on the full screen ends the run as it does elsewhere, and gives the terminal
// back.
func TestFullScreenStops(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }))
	defer server.Close()
	dir := t.TempDir()
	profile := filepath.Join(dir, "p.yaml")
	if err := os.WriteFile(profile, []byte(`name: hands
targets: [{name: web, url: "`+server.URL+`", requests: [GET /]}]
load: [{at: 20/s, for: 10m}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	terminal, tty, err := pty.Open()
	if err != nil {
		t.Skip(err)
	}
	defer terminal.Close()
	screen := &seen{more: make(chan struct{})}
	go screen.follow(terminal) // ends with the terminal
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var stdout bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- Main(ctx, console.Env{
			Args:  []string{"run", "--profile", profile, "--out", filepath.Join(dir, "r.json"), "--ui", "--no-trace"},
			Stdin: tty, Stdout: &stdout, Stderr: tty,
			LookupEnv: func(name string) (string, bool) { return "xterm-256color", name == "TERM" },
		})
	}()
	screen.await(t, ctx, `\x1b\[\?1049h`) // the other screen
	screen.await(t, ctx, `p50`)
	if _, err := io.WriteString(terminal, "\x03"); err != nil {
		t.Fatal(err)
	}
	screen.await(t, ctx, `\x1b\[\?1049l`)
	select {
	case got := <-code:
		if got != report.ExitInterrupted {
			t.Errorf("exit %d", got)
		}
	case <-ctx.Done():
		t.Fatal("the run does not end")
	}
	tty.Close()
	if !strings.HasPrefix(stdout.String(), "INTERRUPTED") || !strings.Contains(stdout.String(), "stopped at") {
		t.Errorf("%s", stdout.String())
	}
}

// Without a terminal there is no full screen, and nothing is sent.
func TestFullScreenNeedsATerminal(t *testing.T) {
	var stderr bytes.Buffer
	code := Main(t.Context(), console.Env{
		Args:  []string{"run", "--profile", "builtin:demo", "--ui"},
		Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &stderr,
		LookupEnv: func(string) (string, bool) { return "", false },
	})
	if code != report.ExitUsage || !strings.Contains(stderr.String(), "--ui needs a terminal") {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
}
