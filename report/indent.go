package report

import (
	"bytes"
	"encoding/json"
)

// indent lays out JSON for people and for line-wise comparison: an indent of one
// space, and lists of numbers on one line each. A report of a day has thousands of
// numbers in a list; a line for each would be most of the file.
func indent(src []byte) ([]byte, error) {
	var laid bytes.Buffer
	if err := json.Indent(&laid, src, "", " "); err != nil {
		return nil, err
	}
	in := laid.Bytes()
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); {
		switch c := in[i]; c {
		case '"':
			end := i + 1
			for in[end] != '"' {
				if in[end] == '\\' {
					end++
				}
				end++
			}
			out = append(out, in[i:end+1]...)
			i = end + 1
		case '[':
			end := numbers(in[i:])
			if end == 0 {
				out = append(out, c)
				i++
				continue
			}
			for _, b := range in[i : i+end] {
				if b != ' ' && b != '\n' {
					out = append(out, b)
				}
			}
			i += end
		default:
			out = append(out, c)
			i++
		}
	}
	return out, nil
}

// numbers returns the length of the list that b begins with, 0 if it holds anything
// but numbers and nulls, or nothing.
func numbers(b []byte) int {
	for i, c := range b[1:] {
		switch c {
		case ']':
			return i + 2
		case '"', '[', '{', 't', 'f':
			return 0
		}
	}
	return 0
}
