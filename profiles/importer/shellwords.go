package importer

import (
	"fmt"
	"strconv"
	"strings"
)

// shellWords splits a command line as a POSIX shell does, with $'...' as browsers
// write it. Variables and substitutions are left as they stand.
func shellWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	started := false
	end := func() {
		if started {
			words = append(words, word.String())
		}
		word.Reset()
		started = false
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case ' ', '\t':
			end()
		case '\n', '\r', ';':
			end()
			if len(words) > 0 && strings.TrimSpace(text[i+1:]) != "" && c == ';' {
				return nil, fmt.Errorf("there is more than one command: import one curl command at a time")
			}
		case '\\':
			if i++; i < len(text) && text[i] != '\n' && text[i] != '\r' {
				word.WriteByte(text[i])
				started = true
			} else if i+1 < len(text) && text[i] == '\r' && text[i+1] == '\n' {
				i++
			}
		case '\'', '"':
			n, err := quotedWord(text[i:], &word)
			if err != nil {
				return nil, err
			}
			i += n
			started = true
		case '$':
			if i+1 < len(text) && text[i+1] == '\'' {
				n, err := ansiWord(text[i+1:], &word)
				if err != nil {
					return nil, err
				}
				i += 1 + n
				started = true
				continue
			}
			word.WriteByte(c)
			started = true
		default:
			word.WriteByte(c)
			started = true
		}
	}
	end()
	return words, nil
}

// quotedWord reads a word in quotes and returns the place of the closing one.
func quotedWord(text string, word *strings.Builder) (int, error) {
	mark := text[0]
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == mark:
			return i, nil
		case c == '\\' && mark == '"' && i+1 < len(text):
			i++
			if n := text[i]; n != '"' && n != '\\' && n != '$' && n != '`' && n != '\n' {
				word.WriteByte('\\')
			}
			if text[i] != '\n' {
				word.WriteByte(text[i])
			}
		default:
			word.WriteByte(c)
		}
	}
	return 0, fmt.Errorf("a quotation mark %c has no end", mark)
}

// ansiWord reads '...' behind a $, with the escapes of bash.
func ansiWord(text string, word *strings.Builder) (int, error) {
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'':
			return i, nil
		case c == '\\' && i+1 < len(text):
			if i++; text[i] == '\'' {
				word.WriteByte('\'')
				continue
			}
			r, _, tail, err := strconv.UnquoteChar(text[i-1:], 0)
			if err != nil {
				word.WriteByte(text[i])
				continue
			}
			word.WriteRune(r)
			i = len(text) - len(tail) - 1
		default:
			word.WriteByte(c)
		}
	}
	return 0, fmt.Errorf("a quotation mark $' has no end")
}

// isCmd reports whether a command was copied for the cmd of Windows: its first quotation
// mark has a caret before it, or lines go on behind carets.
func isCmd(text string) bool {
	mark := strings.IndexAny(text, `'"`)
	if mark > 0 && text[mark] == '"' && text[mark-1] == '^' {
		return true
	}
	head := text
	if mark >= 0 && text[mark] == '\'' {
		head = text[:mark] // cmd knows no such quotation
	}
	for line := range strings.Lines(head) {
		if cut := strings.TrimRight(line, "\r\n"); cut != line && (strings.HasSuffix(cut, " ^") || strings.HasSuffix(cut, "\"^")) {
			return true
		}
	}
	return false
}

// fromCmd returns a command of cmd as a POSIX shell would have it. Outside quotation
// marks a caret takes its meaning from the character behind it, and at the end of a line
// the line goes on; inside them it stands for itself, and two marks are one of the text.
func fromCmd(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	var out strings.Builder
	quoted := false // as cmd sees it: a mark behind a caret is none
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '^' && !quoted && i+1 < len(text):
			if i++; text[i] != '\n' {
				out.WriteByte(text[i])
				continue
			}
			if i++; i < len(text) {
				out.WriteByte(text[i]) // itself, a line's end too
			}
		case c == '"' && quoted && strings.HasPrefix(text[i:], `""`):
			out.WriteString(`\"`)
			i++
		case c == '\\' && quoted && strings.HasPrefix(text[i:], `\"`):
			out.WriteString(`\"`)
			i++
		case c == '"':
			quoted = !quoted
			out.WriteByte(c)
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}
