package message

import (
	"strings"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

func TestMismatch(t *testing.T) {
	line := profiles.Turn{Kind: profiles.TurnExpect, By: profiles.ByLine, Text: "^250"}
	for _, c := range []struct {
		of   profiles.Turn
		got  string
		end  attack.Fault
		want string
	}{
		{line, "550 no\x1b[31m\r\n", attack.None, `turn 2, expect line ^250: got "550 no\x1b[31m\r\n"`},
		{line, "25", attack.Timeout, `turn 2, expect line ^250: got "25" before the time was up`},
		{line, "", attack.EOF, "turn 2, expect line ^250: got nothing before the connection was closed"},
		{line, "\x00\xff", attack.None, "turn 2, expect line ^250: got 2 bytes, 00ff"},
		{line, strings.Repeat("ä", 100), attack.None, `turn 2, expect line ^250: got "` + strings.Repeat("ä", 60) + `" ...`},
		{profiles.Turn{Kind: profiles.TurnExpect, By: profiles.ByText, Text: "a\n"}, "b", attack.None, `turn 2, expect "a\n": got "b"`},
	} {
		then := ""
		if c.end != attack.None {
			then = Ended(c.end, attack.Detail{})
		}
		if got := Mismatch(1, c.of, []byte(c.got), then); got != c.want {
			t.Errorf("%s\nwant\n%s", got, c.want)
		}
	}
}
