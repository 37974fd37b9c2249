package bind

import (
	"strconv"
	"strings"
)

// Cite shows a piece of the user's text in a message: plain when it is one short
// word.
func Cite(text string) string {
	if text == "" || len(text) > longestCited || strings.ContainsAny(text, " \t\r\n\"") || Quote(text) != `"`+text+`"` {
		return Quote(text)
	}
	return text
}

const longestCited = 60

func Quote(text string) string {
	if r := []rune(text); len(r) > longestCited {
		text = string(r[:longestCited]) + "..."
	}
	return strconv.Quote(text)
}
