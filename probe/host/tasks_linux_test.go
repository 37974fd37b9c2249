package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rampload/rampload/probe"
)

// thread writes one thread of process 7 of a fixture; nil schedstat: none.
func thread(t *testing.T, root string, tid int, state byte, schedstat string) {
	t.Helper()
	dir := filepath.Join(root, "proc/7/task", fmt.Sprint(tid))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	stat := fmt.Sprintf("%d (web) %c 1 7 7 0 -1 0 0 0 0 0 1 1 0 0 20 0 2 0 100 0 50 0\n", tid, state)
	if err := os.WriteFile(filepath.Join(dir, "stat"), []byte(stat), 0o644); err != nil {
		t.Fatal(err)
	}
	if schedstat != "" {
		if err := os.WriteFile(filepath.Join(dir, "schedstat"), []byte(schedstat), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func fixtureMember(t *testing.T, root string) *member {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(root, "proc/7/task"), 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(filepath.Join(root, "proc/7"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return &member{dir: dir}
}

// Threads come and go, and one id may be another thread's later: what was counted
// stays counted, and what passed before the first reading is not.
func TestTasks(t *testing.T) {
	root := t.TempDir()
	m := fixtureMember(t, root)
	steps := []struct {
		name string
		do   func()
		want taskStats
	}{
		{"the first reading is the beginning", func() {
			thread(t, root, 7, 'S', "900 500 10\n")
			thread(t, root, 8, 'R', "900 500 10\n")
		}, taskStats{running: 1}},
		{"both waited, one is on the disk", func() {
			thread(t, root, 7, 'D', "950 600 12\n")
			thread(t, root, 8, 'S', "950 510 11\n")
		}, taskStats{schedStat: schedStat{delay: 110, runs: 3}, running: 0, onDisk: 1}},
		{"a new thread counts from its beginning", func() { thread(t, root, 9, 'R', "5 40 2\n") }, taskStats{schedStat: schedStat{delay: 150, runs: 5}, running: 1, onDisk: 1}},
		{"one that ended stays counted", func() { os.RemoveAll(filepath.Join(root, "proc/7/task/9")) }, taskStats{schedStat: schedStat{delay: 150, runs: 5}, running: 0, onDisk: 1}},
		{"another thread has the id", func() { thread(t, root, 8, 'S', "1 3 1\n") }, taskStats{schedStat: schedStat{delay: 150, runs: 5}, running: 0, onDisk: 1}},
		{"a signal stopped it", func() { thread(t, root, 8, 'T', "1 3 1\n") }, taskStats{schedStat: schedStat{delay: 150, runs: 5}, onDisk: 1, stopped: 1}},
		{"and goes on", func() { thread(t, root, 8, 'S', "1 8 2\n") }, taskStats{schedStat: schedStat{delay: 155, runs: 6}, running: 0, onDisk: 1}},
	}
	for _, step := range steps {
		step.do()
		got, err := m.tasks.read(m)
		if err != nil || got != step.want {
			t.Errorf("%s: %+v, %v, want %+v", step.name, got, err, step.want)
		}
	}
}

// What the kernel does not tell is unsupported and not 0.
func TestTasksUnread(t *testing.T) {
	root := t.TempDir()
	m := fixtureMember(t, root)
	if _, err := m.tasks.read(m); !errors.Is(err, errEnded) {
		t.Errorf("without a thread: %v", err)
	}
	thread(t, root, 7, 'S', "")
	if _, err := m.tasks.read(m); !errors.Is(err, probe.ErrUnsupported) {
		t.Errorf("without schedstat: %v", err)
	}
	for tid := range maxTasks {
		thread(t, root, 100+tid, 'S', "1 1 1\n")
	}
	if _, err := m.tasks.read(m); !errors.Is(err, errManyTasks) {
		t.Errorf("with %d threads: %v", maxTasks+1, err)
	}
}

// BenchmarkTasks is the cost of one reading of this process's threads.
func BenchmarkTasks(b *testing.B) {
	dir, err := os.Open("/proc/self")
	if err != nil {
		b.Fatal(err)
	}
	defer dir.Close()
	m := &member{dir: dir}
	for b.Loop() {
		if _, err := m.tasks.read(m); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(m.tasks.seen)), "threads")
}
