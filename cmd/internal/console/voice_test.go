package console

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// stalled is a reader that takes nothing until it is let go.
type stalled struct {
	free chan struct{}
	buf  bytes.Buffer
	err  error
}

func (s *stalled) Write(p []byte) (int, error) {
	<-s.free
	if s.err != nil {
		return 0, s.err
	}
	return s.buf.Write(p)
}

func TestVoiceWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stalled{free: make(chan struct{})}
		v := NewVoice(out)
		line := bytes.Repeat([]byte("x"), 1024)
		for range 3 * voiceRoom / len(line) {
			_, _ = v.Write(line)
		}
		began := time.Now()
		v.Settle() // gives up on it
		if took := time.Since(began); took > 2*voicePatience {
			t.Errorf("settle took %s", took)
		}
		cut, err := v.Lost()
		if err != nil || cut == 0 {
			t.Errorf("cut %d, %v", cut, err)
		}
		close(out.free)
		v.Settle()
		if got := out.buf.Len()/len(line) + cut; got != 3*voiceRoom/len(line) || out.buf.Len()%len(line) != 0 {
			t.Errorf("%d bytes written, %d lines cut", out.buf.Len(), cut)
		}
	})
}

func TestVoiceRemembersThatItsReaderWentAway(t *testing.T) {
	gone := errors.New("gone")
	out := &stalled{free: make(chan struct{}), err: gone}
	close(out.free)
	v := NewVoice(out)
	_, _ = v.Write([]byte("a"))
	v.Settle()
	_, _ = v.Write([]byte("b"))
	if cut, err := v.Lost(); cut != 1 || !errors.Is(err, gone) {
		t.Errorf("cut %d, %v", cut, err)
	}
}
