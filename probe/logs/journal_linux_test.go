package logs

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

// insideEnv says that the test runs in a mount namespace of its own.
const insideEnv = "RAMPLOAD_TEST_JOURNAL"

// TestJournald follows a real journald: what services print, what they hand over with
// fields of their own, lines that are no text, long ones, and those of a service beside a
// loud one. It runs in a mount namespace, so that the machine's own journal is not touched.
func TestJournald(t *testing.T) {
	const journald = "/lib/systemd/systemd-journald"
	skip := t.Skipf
	if os.Getenv("RAMPLOAD_NO_SKIP") == "1" {
		skip = t.Fatalf
	}
	for _, name := range []string{"unshare", "journalctl", "systemd-cat", journald} {
		if _, err := exec.LookPath(name); err != nil {
			skip("needs %s", name)
		}
	}
	if os.Getuid() != 0 {
		skip("needs root")
	}
	if os.Getenv(insideEnv) != "" {
		followJournald(t, journald)
		return
	}
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", os.Args[0], "-test.run=^TestJournald$", "-test.v")
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestJournald")) {
		t.Errorf("%v\n%s", err, out)
	}
}

func followJournald(t *testing.T, journald string) {
	for _, dir := range []string{"/run", "/var/log"} {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	id := filepath.Join(dir, "machine-id")
	if err := os.WriteFile(id, []byte(strings.Repeat("0123456789abcdef", 2)+"\n"), 0o444); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(id, "/etc/machine-id", "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("/run/systemd/journal", 0o755); err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command(journald)
	var said bytes.Buffer
	daemon.Stderr = &said
	daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		_ = daemon.Wait()
	}()
	const socket = "/run/systemd/journal/socket"
	wait(t, "journald", func() bool {
		c, err := net.Dial("unixgram", socket)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	var mu sync.Mutex
	got := map[string][]string{} // by what is followed
	watch := func(journal string) {
		log := New(profiles.Log{Journal: journal}, "web", "", probe.NewClock(time.Now()))
		if err := log.Check(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- log.Watch(ctx, func(e probe.Event) {
				mu.Lock()
				defer mu.Unlock()
				got[journal] = append(got[journal], fmt.Sprintf("%s %s: %s %s", e.Process, e.Line.Level, e.Reason, e.Line.ID))
			})
		}()
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("%s: %v", journal, err)
			}
		})
	}
	watch("all")
	says := func(journal, part string) bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.ContainsFunc(got[journal], func(s string) bool { return strings.Contains(s, part) })
	}
	print := func(name, text string) {
		cmd := exec.Command("systemd-cat", "-t", name, "printf", "%s\n", text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	const tx = "0123456789abcdef-0000000000000007"
	wait(t, "the first line", func() bool { print("payments", "ERROR: first"); return says("all", "ERROR: first") })
	var loud strings.Builder // as a kernel's lines of a kill
	for i := range 2 * maxPatterns {
		fmt.Fprintln(&loud, "WARN: "+strings.Repeat("x", i))
	}
	print("loud", loud.String())
	print("payments", `{"level":"error","msg":"pool exhausted","transactionId":"`+tx+`"}`)
	print("payments", "\x1b[31mERROR\x1b[0m in red: connection refused")
	print("payments", "ERROR "+strings.Repeat("long ", 2000)+"end")
	print("payments", "INFO: all is well")
	c, err := net.Dial("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "MESSAGE=upstream gone\nPRIORITY=2\nSYSLOG_IDENTIFIER=orders\nREQUEST_ID=%s\n", tx)
	c.Close()
	t.Cleanup(func() {
		if out, _ := exec.Command("journalctl", "--no-pager", "--output=short-precise", "--lines=30").CombinedOutput(); t.Failed() {
			t.Logf("told: %q\njournald: %s\nit has:\n%s", got, said.String(), out)
		}
	})
	for _, want := range []string{
		"payments error: pool exhausted " + tx, "payments error: ERROR in red: connection refused", "payments error: ERROR long long", "orders fatal: upstream gone " + tx,
	} {
		wait(t, want, func() bool { return says("all", want) })
	}
	if says("all", "all is well") {
		t.Error("it tells of a line that tells nothing")
	}
}

func wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
