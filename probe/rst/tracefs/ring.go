package tracefs

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ring is the layout of a page of the kernel's trace ring buffer, as read from
// trace_pipe_raw; it comes from events/header_page
// (Documentation/trace/ring-buffer-design.rst, include/linux/ring_buffer.h).
type ring struct {
	commit     field // bytes used, and the missed flags
	data, size int   // where the entries begin; size of the whole page
	order      binary.ByteOrder
}

// Flags in the commit word: the writer ran over entries before this page, and
// their number follows the entries.
const (
	missedEvents = 1 << 31
	missedStored = 1 << 30
)

// Types of an entry; 1 to 28 are its length in words.
const (
	typeLong    = 0
	typePadding = 29
	typeExtend  = 30
	typeStamp   = 31
)

func parseHeaderPage(text string, order binary.ByteOrder) (ring, error) {
	f, err := parseFormat(text)
	if err != nil {
		return ring{}, err
	}
	stamp, err := f.field("timestamp", 8)
	if err != nil {
		return ring{}, err
	}
	commit, err := f.field("commit", 4, 8)
	if err != nil {
		return ring{}, err
	}
	data, ok := f.fields["data"]
	r := ring{commit: commit, data: data.offset, size: data.offset + data.size, order: order}
	if !ok || stamp.offset != 0 || commit.offset < 8 || r.data < commit.offset+commit.size || data.size < 64 {
		return ring{}, errors.New("parse header page: unknown layout")
	}
	return r, nil
}

// missed is how many entries the kernel threw away before a page.
type missed struct {
	any   bool
	count uint64 // 0: the page does not say
}

var errPage = errors.New("malformed trace page")

// decode visits the entries of a page in order with their time in the trace
// clock's nanoseconds. It stops at the first malformed entry.
func (r ring) decode(page []byte, visit func(at uint64, entry []byte)) (missed, error) {
	var m missed
	if len(page) < r.data {
		return m, fmt.Errorf("%w: %d bytes", errPage, len(page))
	}
	at := r.order.Uint64(page)
	first := at
	word := r.word(page, r.commit)
	used := int(word & (1<<20 - 1))
	if used > len(page)-r.data {
		return m, fmt.Errorf("%w: %d bytes used of %d", errPage, used, len(page)-r.data)
	}
	entries := page[r.data : r.data+used]
	if word&missedEvents != 0 {
		m.any = true
		if count := (field{r.data + used, r.commit.size}); word&missedStored != 0 && count.offset+count.size <= len(page) {
			m.count = r.word(page, count)
		}
	}
	for len(entries) >= 4 {
		typ, delta := r.header(entries)
		at += delta
		var length int // of the entry with its header
		switch {
		case typ == typePadding && delta == 0:
			return m, nil // the rest of the page is unused
		case typ == typePadding, typ == typeLong:
			if len(entries) < 8 {
				return m, fmt.Errorf("%w: entry cut off", errPage)
			}
			n := r.order.Uint32(entries[4:])
			if n < 4 || uint64(n)+4 > uint64(len(entries)) {
				return m, fmt.Errorf("%w: entry of %d bytes", errPage, n)
			}
			length = int(n) + 4
			if typ == typeLong {
				visit(at, entries[8:length])
			}
		case typ == typeExtend, typ == typeStamp:
			if len(entries) < 8 {
				return m, fmt.Errorf("%w: time cut off", errPage)
			}
			high := uint64(r.order.Uint32(entries[4:])) << 27
			if length = 8; typ == typeExtend {
				at += high
			} else {
				// An absolute time; its five highest bits are those of the page.
				at = first&(0x1f<<59) | (high+delta)&(1<<59-1)
			}
		default:
			length = 4 + 4*typ
			if length > len(entries) {
				return m, fmt.Errorf("%w: entry of %d bytes", errPage, length)
			}
			visit(at, entries[4:length])
		}
		entries = entries[min((length+3)&^3, len(entries)):]
	}
	return m, nil
}

// header splits the bit field of 5 and 27 bits, whose order is the machine's.
func (r ring) header(b []byte) (typ int, delta uint64) {
	v := r.order.Uint32(b)
	if r.order == binary.ByteOrder(binary.BigEndian) {
		return int(v >> 27), uint64(v & (1<<27 - 1))
	}
	return int(v & 31), uint64(v >> 5)
}

func (r ring) word(b []byte, f field) uint64 {
	if f.size == 4 {
		return uint64(r.order.Uint32(b[f.offset:]))
	}
	return r.order.Uint64(b[f.offset:])
}

// nativeOrder is the byte order of this machine, in a comparable form.
func nativeOrder() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}
