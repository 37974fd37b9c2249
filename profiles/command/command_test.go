package command

import (
	"slices"
	"testing"
)

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                nil,
		"  PING \t\r\n":                   {"PING"},
		`SET "a key" 'b"c'`:               {"SET", "a key", `b"c`},
		`"a\n\r\t\0\"\\" x''y`:            {"a\n\r\t\x00\"\\", "xy"},
		`'a\n' ""`:                        {`a\n`, ""},
		"GET ${users.first name}x ${open": {"GET", "${users.first name}x", "${open"},
	} {
		if got, err := Words(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`GET "a`, `GET 'a"`} {
		if got, err := Words(text); err == nil {
			t.Errorf("%q: %q", text, got)
		}
	}
}
