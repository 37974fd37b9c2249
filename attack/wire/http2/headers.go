package http2

import (
	"golang.org/x/net/http2/hpack"
)

// head is the header block being decoded. It belongs to the reader.
type head struct {
	stream  uint32
	end     bool // END_STREAM
	open    bool // CONTINUATIONs follow
	empty   int  // CONTINUATIONs without content
	encoded int  // bytes
	size    int  // as SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113 §6.5.2)
	fields  []hpack.HeaderField
	bad     Malformed

	regular   bool // a field that is no pseudo-header was seen
	pseudo    bool // :status was seen
	status    int
	length    int64
	hasLength bool
}

func (h *head) begin(stream uint32, end bool) {
	*h = head{stream: stream, end: end, open: true, fields: h.fields[:0]}
}

// field takes a decoded field. What is malformed is noted: the block must be
// decoded to its end in any case, or the table would be wrong for the next one.
func (h *head) field(f hpack.HeaderField) {
	if h.size += len(f.Name) + len(f.Value) + 32; h.size > maxHeaderBytes {
		h.spoil(HeaderSize)
		return
	}
	if len(f.Name) > 0 && f.Name[0] == ':' {
		h.pseudoField(f)
		return
	}
	h.regular = true
	if len(f.Name) == 0 {
		h.spoil(HeaderField)
		return
	}
	for i := range len(f.Name) {
		if !nameByte[f.Name[i]] {
			h.spoil(HeaderField)
			return
		}
	}
	for i := range len(f.Value) {
		if b := f.Value[i]; b == 0 || b == '\r' || b == '\n' {
			h.spoil(HeaderField)
			return
		}
	}
	if f.Name == "content-length" {
		h.lengthField(f.Value)
	}
	h.fields = append(h.fields, f)
}

func (h *head) pseudoField(f hpack.HeaderField) {
	if f.Name != ":status" || h.regular || h.pseudo {
		h.spoil(PseudoHeader)
		return
	}
	h.pseudo = true
	if len(f.Value) != 3 {
		h.spoil(StatusField)
		return
	}
	n := 0
	for i := range 3 {
		d := f.Value[i]
		if d < '0' || d > '9' {
			h.spoil(StatusField)
			return
		}
		n = 10*n + int(d-'0')
	}
	if n < 100 || n == 101 { // RFC 9113 §8.6
		h.spoil(StatusField)
	}
	h.status = n
}

func (h *head) lengthField(v string) {
	var n int64
	for i := range len(v) {
		d := v[i]
		if d < '0' || d > '9' || n > (1<<62)/10 {
			h.spoil(ContentLength)
			return
		}
		n = 10*n + int64(d-'0')
	}
	if len(v) == 0 || h.hasLength && n != h.length {
		h.spoil(ContentLength)
		return
	}
	h.length, h.hasLength = n, true
}

// spoil notes what is malformed, the first of it.
func (h *head) spoil(what Malformed) {
	if h.bad == 0 {
		h.bad = what
	}
}

// nameByte are the characters of a token in lower case (RFC 9113 §8.2.1).
var nameByte = func() (ok [256]bool) {
	for c := range ok {
		ok[c] = c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		ok[c] = true
	}
	return ok
}()
