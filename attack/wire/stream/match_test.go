package stream

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/rampload/rampload/attack"
)

// FuzzMatch: in whatever pieces an answer comes, it is judged alike; a match takes no more
// than there is, and the verdict on more bytes does not contradict one on fewer.
func FuzzMatch(f *testing.F) {
	f.Add([]byte("+PONG\r\n"), uint8(3))
	f.Add([]byte("VALUE a 0 1\r\nx\r\nEND\r\n"), uint8(1))
	f.Add([]byte("\r\n"), uint8(0))
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		part := b[:min(int(cut), len(b))]
		for _, m := range []matcher{
			exactly("+PONG\r\n"), length(4), line{regexp.MustCompile(`^[A-Z]+`)}, until{regexp.MustCompile(`END\r\n`)}, anything{},
		} {
			used, v := m.match(b)
			if used > len(b) || used < 0 || v != match && used != 0 {
				t.Fatalf("%T takes %d of %d bytes", m, used, len(b))
			}
			early, before := m.match(part)
			if _, takesAll := m.(anything); before != more && (v != before || early != used && !takesAll) {
				t.Fatalf("%T: %d, %d of %q, and %d, %d of its first %d bytes", m, v, used, b, before, early, len(part))
			}
		}
	})
}

func TestSaid(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "",
		"+PONG\r\n":                              "",
		"-ERR max number of clients reached\r\n": "server too-many-clients",
		"-ERR 'maximum connections exceeded'\r\n":        "server too-many-clients",
		"421 4.7.0 Too many concurrent SMTP connections": "server too-many-clients",
		"-ERR 'Slow Consumer'\r\n":                       "server slow-consumer",
		"-NOAUTH Authentication required.\r\n":           "server authentication",
		"ERROR Too many open connections\r\n":            "server too-many-clients",
	} {
		if got := Said([]byte(text)); got.String() != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := Said(append(bytes.Repeat([]byte("x"), 1000), "too many clients"...)); got != (attack.Detail{}) {
		t.Errorf("words far behind: %q", got)
	}
}
