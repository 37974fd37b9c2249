package spool

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/report/runlog"
)

// recorded writes a record of windows to w, and returns how many records it has.
func recorded(t *testing.T, w interface{ Write([]byte) (int, error) }, windows int) int {
	t.Helper()
	log, err := runlog.NewWriter(w, runlog.Header{RunID: "0123456789abcdef", Targets: []runlog.Target{{Name: "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range int32(windows) {
		log.Window(attack.Window{Index: i, Scheduled: uint64(i)})
	}
	if err := log.Close(runlog.Trailer{}); err != nil {
		t.Fatal(err)
	}
	return windows + 2
}

// Whatever the server refuses, answers late or hears twice, the record arrives whole,
// from a file and from memory.
func TestDeliverOverABadLine(t *testing.T) {
	for name, path := range map[string]string{"memory": "", "file": filepath.Join(t.TempDir(), "sub", "0123456789abcdef-1.runlog")} {
		t.Run(name, func(t *testing.T) {
			s, err := New(path, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(1, 2))
			var mu sync.Mutex
			var there Pieces
			got := 0
			take := func(offset int64, data []byte) {
				records, err := there.Add(offset, data)
				if err != nil {
					t.Error(err)
				}
				got += len(records)
			}
			var held []func()
			done := make(chan error, 1)
			go func() {
				done <- s.Deliver(t.Context(), func(offset int64, data []byte) <-chan error {
					mu.Lock()
					defer mu.Unlock()
					answer := make(chan error, 1)
					switch random.IntN(6) {
					case 0: // refused
						answer <- errors.New("away")
					case 1: // heard, and the answer is lost
						take(offset, data)
						answer <- errors.New("timeout")
					case 2: // overtaken by the next ones
						held = append(held, func() { take(offset, data) })
						answer <- nil
					default:
						take(offset, data)
						answer <- nil
					}
					if len(held) > 2 {
						for _, f := range held {
							f()
						}
						held = nil
					}
					return answer
				})
			}()
			want := recorded(t, s, 60)
			s.Close()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			for _, f := range held {
				f()
			}
			if got != want {
				t.Errorf("%d of %d records arrived", got, want)
			}
			s.Remove()
			if _, err := os.Stat(path); path != "" && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the file is still there: %v", err)
			}
		})
	}
}

// What a process could not hand on is handed on by the next one, in other pieces.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	path := Path(dir, "0123456789abcdef", 7)
	s, err := New(path, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	want := recorded(t, s, 500)
	ctx, cancel := context.WithCancel(t.Context())
	var there Pieces
	got := 0
	if err := s.Deliver(ctx, func(offset int64, data []byte) <-chan error { // the beginning arrives, then the process dies
		records, _ := there.Add(offset, data[:len(data)/3])
		got += len(records)
		cancel()
		return make(chan error)
	}); err == nil {
		t.Fatal("delivered without an answer")
	}
	if left := Left(dir, time.Now()); len(left) != 1 || left[0] != path {
		t.Fatalf("left behind: %q", left)
	}
	run, part, ok := Of(path)
	if run != "0123456789abcdef" || part != 7 || !ok {
		t.Errorf("%s is of run %s, part %d, %v", path, run, part, ok)
	}
	again, err := Reopen(path)
	if err != nil {
		t.Fatal(err)
	}
	err = again.Deliver(t.Context(), func(offset int64, data []byte) <-chan error {
		records, err := there.Add(offset, data)
		if err != nil {
			t.Error(err)
		}
		got += len(records)
		answer := make(chan error, 1)
		answer <- nil
		return answer
	})
	if err != nil || got != want {
		t.Errorf("%d of %d records, %v", got, want, err)
	}
	if left := Left(dir, time.Now().Add(30*24*time.Hour)); len(left) != 0 {
		t.Errorf("an old record is kept: %q", left)
	}
}

// A server that takes nothing neither holds anybody up nor fills the machine.
func TestSpoolIsBounded(t *testing.T) {
	s, err := New("", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 64<<10)
	refused := 0
	for range 64 {
		if _, err := s.Write(piece); err != nil {
			refused++
		}
	}
	if !s.Full() || refused < 30 {
		t.Errorf("full: %v, %d refused", s.Full(), refused)
	}
}

// Damage ends a part, and what came before stays.
func TestDamagedPiece(t *testing.T) {
	var b bytes.Buffer
	recorded(t, &b, 10)
	data := b.Bytes()
	data[len(data)-100] ^= 0xff
	var p Pieces
	records, err := p.Add(0, data)
	if err == nil || len(records) == 0 {
		t.Errorf("%d records, %v", len(records), err)
	}
	if records, err := p.Add(int64(len(data)), data); len(records) != 0 || err != nil {
		t.Errorf("after damage: %d records, %v", len(records), err)
	}
}

func FuzzPieces(f *testing.F) {
	f.Add([]byte("rampload-runlog 1\nH\x00"), 3, 10)
	f.Fuzz(func(t *testing.T, data []byte, a, b int) {
		a, b = min(max(a, 0), len(data)), min(max(b, 0), len(data))
		var whole, cut Pieces
		want, _ := whole.Add(0, data)
		var got []runlog.Record
		for _, r := range [][2]int{{min(a, b), max(a, b)}, {max(a, b), len(data)}, {0, min(a, b)}} {
			records, _ := cut.Add(int64(r[0]), data[r[0]:r[1]])
			got = append(got, records...)
		}
		if len(got) != len(want) {
			t.Fatalf("%d records in one piece, %d in three", len(want), len(got))
		}
	})
}
