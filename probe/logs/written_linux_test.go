package logs

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampload/rampload/probe"
)

// TestFollowsWhatIsWritten follows the files that this very process prints into: text that
// is added to, and nothing else.
func TestFollowsWhatIsWritten(t *testing.T) {
	dir := t.TempDir()
	open := func(name string, flags int) *os.File {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_WRONLY|flags, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	write := func(f *os.File, text string) {
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	text, data, store := open("shop.err", os.O_APPEND), open("orders.dat", 0), open("appendonly.aof", os.O_APPEND)
	write(text, "ERROR: from before\n")
	var said []string
	synctest.Test(t, func(t *testing.T) {
		w := NewWritten("on port 80", "web", "", func() string { return "shop" }, func() []int32 { return []int32{int32(os.Getpid())} }, nil, probe.NewClock(time.Now()))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- w.Watch(ctx, func(e probe.Event) {
				if filepath.Dir(e.Line.File) == dir || e.Line.File == filepath.Join(dir, "late.log")+" (deleted)" {
					said = append(said, e.Process+": "+e.Reason)
				}
			})
		}()
		time.Sleep(time.Second / 2)
		write(text, "ERROR: one\nfine\n")
		write(data, "ERROR: of its data\n")
		write(store, "ERROR: of its store\n")
		late := open("late.log", os.O_APPEND)
		write(late, "ERROR: two\n")
		time.Sleep(2 * time.Second)
		write(late, "ERROR: three\n")
		late.Close()
		time.Sleep(2 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	slices.Sort(said)
	if want := []string{"shop: ERROR: one", "shop: ERROR: three", "shop: ERROR: two"}; !slices.Equal(said, want) {
		t.Errorf("%q, want %q", said, want)
	}
}
