package logs

import (
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/logs/parse"
	"github.com/rampload/rampload/profiles"
)

// follow runs what happens to the files while they are followed, and returns what was
// handed on.
func follow(t *testing.T, entry profiles.Log, during func()) (events []probe.Event, log *Log, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log = New(entry, "web", "", probe.NewClock(time.Now()))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- log.Watch(ctx, func(e probe.Event) { events = append(events, e) }) }()
		time.Sleep(time.Second)
		during()
		time.Sleep(2 * time.Second)
		cancel()
		err = <-done
	})
	return events, log, err
}

func add(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func texts(events []probe.Event) (out []string) {
	for _, e := range events {
		out = append(out, fmt.Sprintf("%d %s: %s", e.Count, e.Process, e.Reason))
	}
	return out
}

func TestFollowsRotation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "shop.log")
	add(t, path, "ERROR: from before\n")
	events, _, err := follow(t, profiles.Log{File: filepath.Join(dir, "*.log")}, func() {
		add(t, path, "ERROR: one\nfine\nERR")
		time.Sleep(time.Second)
		add(t, path, "OR: two\n")
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		add(t, path+".1", "ERROR: written to the old name\n")
		add(t, path, "ERROR: three\n")
		time.Sleep(2 * time.Second)
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		add(t, path, "ERROR: four\n")
		add(t, filepath.Join(dir, "other.log"), "ERROR: of another\n")
	})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(texts(events), "\n")
	for _, want := range []string{"1 shop: ERROR: one", "two", "written to the old name", "three", "four", "1 other: ERROR: of another"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(got, "from before") || strings.Contains(got, "fine") || len(events) != 6 {
		t.Errorf("got\n%s", got)
	}
}

// Lines that say the same are counted, and every line is either handed on or counted.
func TestCountsWhatSaysTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	add(t, path, "")
	const lines = 5000
	events, log, _ := follow(t, profiles.Log{File: path, Service: "orders"}, func() {
		var b strings.Builder
		for i := range lines {
			fmt.Fprintf(&b, `{"level":"error","message":"timeout of %d ms","transactionId":"00112233445566aa-%016x"}`+"\n", i, i)
		}
		add(t, path, b.String())
	})
	total, whole := uint64(0), 0
	for _, e := range events {
		total += e.Count
		if e.Line.ID != "" {
			whole++
		}
	}
	if total != lines || whole != maxWithID || len(events) > maxWithID+5 {
		t.Errorf("%d lines in %d events, %d with an id", total, len(events), whole)
	}
	if m := log.Missing(); m != nil {
		t.Errorf("missing %v", m)
	}
}

func TestJoinsStackTraces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	add(t, path, "")
	events, _, _ := follow(t, profiles.Log{File: path}, func() {
		add(t, path, `Traceback (most recent call last):
  File "app.py", line 3, in pay
    db.execute()
psycopg2.OperationalError: FATAL: sorry, too many clients already
Traceback (most recent call last):
  File "app.py", line 7, in pay
    total / 0
ZeroDivisionError: division by zero
[2026-11-29 10:00:00,000] ERROR in app: Exception on /quote/5 [GET]
Traceback (most recent call last):
  File "client.py", line 9, in connect
    for res in getaddrinfo(host):
               ^^^^^^^^^^^^^^^^^
socket.gaierror: [Errno -2] Name or service not known

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "app.py", line 12, in quote
    urlopen(url)
urllib.error.URLError: <urlopen error [Errno -2] Name or service not known>
2026-11-29 10:00:00.000 [http-1] ERROR c.s.Pay - failed
java.lang.IllegalStateException: no
	at c.s.Pay.pay(Pay.java:3)
Caused by: java.net.ConnectException: Connection refused
	at java.base/x
panic: runtime error: index out of range [3] with length 3

goroutine 7 [running]:
main.pay(0x0)
	/src/pay.go:3 +0x1d
`)
	})
	got := texts(events)
	want := []string{
		"psycopg2.OperationalError: FATAL: sorry, too many clients already\n", // two that have nothing to do with each other
		"ZeroDivisionError: division by zero\n",
		"failed",
		"Exception on /quote/5 [GET]: socket.gaierror: [Errno -2] Name or service not known: urllib.error.URLError: <urlopen error [Errno -2] Name or service not known>",
		"Caused by: java.net.ConnectException: Connection refused",
		"panic: runtime error: index out of range [3] with length 3",
	}
	for _, w := range want {
		if !strings.Contains(strings.Join(got, "\n"), w) {
			t.Errorf("%q is missing in %q", w, got)
		}
	}
	for _, g := range got {
		if strings.HasPrefix(g, "Traceback") || strings.HasPrefix(g, "During") || strings.HasPrefix(g, "socket") {
			t.Errorf("%q stands alone", g)
		}
	}
}

// Hostile files cost bounded memory and are told of.
func TestHostileFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.log")
	add(t, path, "")
	events, log, err := follow(t, profiles.Log{File: filepath.Join(dir, "*")}, func() {
		add(t, path, "ERROR: "+strings.Repeat("x", 3<<20)+"\n\x1b]0;owned\x07ERROR: \x1b[2J\x00\xff done\n")
		for i := range 500 {
			add(t, path, fmt.Sprintf("ERROR: %s failed\n", strings.Repeat(string(rune('a'+i%26)), 1+i/26)))
		}
		if os.Geteuid() != 0 {
			add(t, filepath.Join(dir, "secret.log"), "ERROR: no\n")
			os.Chmod(filepath.Join(dir, "secret.log"), 0)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if len(e.Reason) > parse.MaxText || strings.ContainsAny(e.Reason, "\x1b\x00\x07") {
			t.Errorf("%q", e.Reason)
		}
	}
	if m := log.Missing(); len(m) == 0 || !strings.Contains(m[0].Error(), "more than it hands on") {
		t.Errorf("missing %v", m)
	}
	if len(events) > 2*maxPerTurn {
		t.Errorf("%d events", len(events))
	}
}

func TestNothingThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.log")
	_, _, err := follow(t, profiles.Log{File: path}, func() {})
	if err == nil || !strings.Contains(err.Error(), "no file is called "+path) {
		t.Errorf("got %v", err)
	}
	events, _, err := follow(t, profiles.Log{File: path}, func() { add(t, path, "ERROR: late\n") })
	if err != nil || len(events) != 1 {
		t.Errorf("got %v, %v", texts(events), err)
	}
}

func TestPackedFiles(t *testing.T) {
	dir := t.TempDir()
	events, _, err := follow(t, profiles.Log{File: filepath.Join(dir, "*")}, func() {
		f, err := os.Create(filepath.Join(dir, "batch-7.log.gz"))
		if err != nil {
			t.Fatal(err)
		}
		z := gzip.NewWriter(f)
		fmt.Fprint(z, "ERROR: packed\n")
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		f.Close()
	})
	if err != nil || len(events) != 1 || events[0].Reason != "ERROR: packed" {
		t.Errorf("got %v, %v", texts(events), err)
	}
}

// A line's own time counts where it is near that of reading; a clock or zone that is off
// does not.
func TestTimesOfLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	add(t, path, "")
	events, log, _ := follow(t, profiles.Log{File: path}, func() {
		now := time.Now()
		for _, at := range []time.Time{now.Add(-300 * time.Millisecond), now.Add(-time.Hour), now.Add(3 * time.Hour)} {
			add(t, path, fmt.Sprintf(`{"level":"error","message":"m%c","time":%q}`+"\n", 'a'+at.Hour(), at.Format(time.RFC3339Nano)))
		}
	})
	if len(events) != 3 {
		t.Fatalf("got %v", texts(events))
	}
	if d := events[0].At - 700*time.Millisecond; d < -50*time.Millisecond || d > 50*time.Millisecond {
		t.Errorf("the first is of %s", events[0].At)
	}
	for _, e := range events[1:] {
		if e.At < time.Second || e.At > 3*time.Second {
			t.Errorf("%s is of %s", e.Reason, e.At)
		}
	}
	if len(log.Missing()) == 0 {
		t.Error("nothing says that the clock is off")
	}
}
