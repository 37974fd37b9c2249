package mark_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/cmd/internal/mark"
)

// listen starts a run that takes marks, and returns those that it took.
func listen(t *testing.T, ctx context.Context, folder, id, name string) <-chan string {
	t.Helper()
	took := make(chan string, 10)
	err := mark.Listen(ctx, folder, mark.Run{ID: id, Name: name}, func(text string) time.Duration {
		took <- text
		return 1500 * time.Millisecond
	})
	if err != nil {
		t.Fatal(err)
	}
	return took
}

func TestPlace(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	ctx, end := context.WithCancel(t.Context())
	defer end()
	if _, err := mark.Place(ctx, folder, "deploy", ""); !errors.Is(err, mark.ErrNone) {
		t.Errorf("without a run: %v", err)
	}
	peak, soak := listen(t, ctx, folder, "aaaa", "peak"), listen(t, ctx, folder, "bbbb", "soak")
	placed, err := mark.Place(ctx, folder, "deploy\x1b[31m v2\n", "")
	if err != nil || len(placed) != 2 || placed[0].Name != "peak" || placed[0].AtS != 1.5 {
		t.Fatalf("%+v, %v", placed, err)
	}
	for _, took := range []<-chan string{peak, soak} {
		if got := <-took; got != "deploy [31m v2" {
			t.Errorf("took %q", got)
		}
	}
	if placed, err = mark.Place(ctx, folder, "flags on", "bb"); err != nil || len(placed) != 1 || placed[0].Name != "soak" {
		t.Errorf("%+v, %v", placed, err)
	}
	if _, err = mark.Place(ctx, folder, "x", "other"); !errors.Is(err, mark.ErrNone) || !strings.Contains(err.Error(), "peak, soak") {
		t.Errorf("a run that is not there: %v", err)
	}
	if _, err = mark.Place(ctx, folder, " \n", ""); err == nil || !strings.Contains(err.Error(), "needs a text") {
		t.Errorf("an empty mark: %v", err)
	}
	// A run that was killed leaves a socket that nobody answers.
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(folder, "cccc.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	if placed, err = mark.Place(ctx, folder, "later", ""); err != nil || len(placed) != 2 {
		t.Errorf("beside a dead run: %+v, %v", placed, err)
	}
	if _, err := os.Stat(filepath.Join(folder, "cccc.sock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket of a dead run stays: %v", err)
	}
}

// What others can write into is no place for a socket.
func TestForeignFolder(t *testing.T) {
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	err := mark.Listen(t.Context(), folder, mark.Run{ID: "a"}, func(string) time.Duration { return 0 })
	if err == nil || !strings.Contains(err.Error(), "this user alone") {
		t.Errorf("listens in a folder of everybody: %v", err)
	}
}

func TestLongTextIsCut(t *testing.T) {
	text, err := mark.Clean(strings.Repeat("ä", 200))
	if err != nil || len(text) > mark.MaxText || !strings.HasSuffix(text, "ä") {
		t.Errorf("%q, %v", text, err)
	}
}
