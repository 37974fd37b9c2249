// Package command reads commands as people type them, such as those of Redis. It runs none.
package command

import (
	"errors"
	"strings"
)

// Words splits a command as a shell would, without its expansions: words end at blanks
// outside of quotes, and outside of ${...}. Double quotes know \n, \r, \t, \0, \" and \\.
func Words(command string) ([]string, error) {
	var out []string
	var b strings.Builder
	word, quote := false, byte(0)
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case strings.HasPrefix(command[i:], "${"):
			end := strings.IndexByte(command[i:], '}')
			if end < 0 {
				end = len(command) - i - 1
			}
			b.WriteString(command[i : i+end+1])
			i += end
			word = true
		case quote == '"' && c == '\\' && i+1 < len(command):
			i++
			b.WriteByte(unescaped(command[i]))
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			b.WriteByte(c)
		case c == '"' || c == '\'':
			quote, word = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if word {
				out = append(out, b.String())
				b.Reset()
				word = false
			}
		default:
			b.WriteByte(c)
			word = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is open at the end: close it")
	}
	if word {
		out = append(out, b.String())
	}
	return out, nil
}

func unescaped(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case '0':
		return 0
	}
	return c
}
