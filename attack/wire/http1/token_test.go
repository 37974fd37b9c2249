package http1

import (
	"bytes"
	"testing"
)

// TestIsValue: every byte is judged by itself, wherever it stands among others.
func TestIsValue(t *testing.T) {
	for c := range 256 {
		want := byteClass[c]&inValue != 0
		for length := 1; length < 20; length++ {
			for at := range length {
				for _, others := range []byte{'a', ' ', '\t', '~', 0x80, 0xff} {
					b := bytes.Repeat([]byte{others}, length)
					if b[at] = byte(c); isValue(b) != want {
						t.Fatalf("%q: not %v", b, want)
					}
				}
			}
		}
	}
}
