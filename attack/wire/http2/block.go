package http2

import (
	"bytes"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// Block is a header block, encoded once and sent on any connection. It uses the
// static table of HPACK (RFC 7541) and never the dynamic one, whose state differs
// from connection to connection: sending it is one copy.
type Block struct{ b []byte }

// Add appends a field. The name is sent in lower case. It returns where the value
// is in the block: a value of the same length may be written over it, in a copy
// that Append made, if the field was added with AddFixed.
func (bl *Block) Add(name, value string) {
	bl.b = appendField(bl.b, name, value)
}

// AddFixed appends a field whose value changes with each request, but not its
// length. It returns the offset of the value in the block.
func (bl *Block) AddFixed(name, value string) int {
	bl.b = append(bl.b, 0) // a literal without indexing, with a new name
	bl.b = appendText(bl.b, strings.ToLower(name))
	bl.b = appendInt(bl.b, 7, 0, uint64(len(value))) // not compressed: it is written over
	at := len(bl.b)
	bl.b = append(bl.b, value...)
	return at
}

// Bytes returns the encoded block. It must not be changed.
func (bl *Block) Bytes() []byte { return bl.b }

// AppendLength appends a content-length field, for a body whose length is known
// only when the request is sent.
func AppendLength(b []byte, length int) []byte {
	var digits [20]byte
	i := len(digits)
	for n := uint64(length); ; n /= 10 {
		i--
		digits[i] = byte('0' + n%10)
		if n < 10 {
			break
		}
	}
	b = appendInt(b, 4, 0, 28) // content-length in the static table
	b = appendInt(b, 7, 0, uint64(len(digits)-i))
	return append(b, digits[i:]...)
}

// AppendField appends a field whose value is known only when the request is sent. The
// name is in lower case.
func AppendField(b []byte, name string, value []byte) []byte {
	b = append(b, 0) // a literal without indexing, with a new name
	b = appendInt(b, 7, 0, uint64(len(name)))
	b = append(b, name...)
	b = appendInt(b, 7, 0, uint64(len(value)))
	return append(b, value...)
}

// appendField encodes a field without the dynamic table.
func appendField(b []byte, name, value string) []byte {
	name = strings.ToLower(name)
	var out bytes.Buffer
	// With a table of no size the encoder only ever refers to the static one. It
	// begins with an update of the table's size, which is not part of the field:
	// a second field shows it without.
	enc := hpack.NewEncoder(&out)
	enc.SetMaxDynamicTableSize(0)
	_ = enc.WriteField(hpack.HeaderField{Name: ":status", Value: "200"}) // a Buffer takes everything
	out.Reset()
	_ = enc.WriteField(hpack.HeaderField{Name: name, Value: value})
	return append(b, out.Bytes()...)
}

// appendText appends a string literal, compressed where that is shorter (RFC 7541
// §5.2).
func appendText(b []byte, s string) []byte {
	if n := hpack.HuffmanEncodeLength(s); n < uint64(len(s)) {
		return hpack.AppendHuffmanString(appendInt(b, 7, 0x80, n), s)
	}
	return append(appendInt(b, 7, 0, uint64(len(s))), s...)
}

// appendInt appends an integer with a prefix of n bits (RFC 7541 §5.1).
func appendInt(b []byte, n uint, flags byte, v uint64) []byte {
	limit := uint64(1)<<n - 1
	if v < limit {
		return append(b, flags|byte(v))
	}
	b = append(b, flags|byte(limit))
	for v -= limit; v >= 128; v >>= 7 {
		b = append(b, 0x80|byte(v))
	}
	return append(b, byte(v))
}
