package message

import (
	"strings"

	"github.com/rampload/rampload/profiles"
)

// Fields is a list of header fields.
type Fields []profiles.Header

// Find returns the place of a name, given in lower case, or -1.
func (hs Fields) Find(name string) int {
	for i, h := range hs {
		if strings.ToLower(h.Name) == name {
			return i
		}
	}
	return -1
}

func (hs *Fields) drop(name string) {
	out := (*hs)[:0]
	for _, h := range *hs {
		if !strings.EqualFold(h.Name, name) {
			out = append(out, h)
		}
	}
	*hs = out
}
