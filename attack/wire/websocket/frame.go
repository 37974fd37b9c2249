package websocket

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
)

// Opcodes of frames (RFC 6455 §5.2).
const (
	opContinuation byte = 0x0
	opText         byte = 0x1
	opBinary       byte = 0x2
	opClose        byte = 0x8
	opPing         byte = 0x9
	opPong         byte = 0xa
)

// Limits of what a peer may send, as memory and time must stay bounded.
const (
	mostMessage   = 256 << 20 // bytes of a message, in all its frames
	mostFragments = 1 << 16   // frames of a message
	mostControl   = 125       // bytes of a control frame (RFC 6455 §5.5)
	mostKept      = 64 << 10  // bytes of a message that are kept to be compared and shown
)

// message is one that came.
type message struct {
	data []byte // its beginning
	size int64
}

// heard takes what a decoder finds. The slices are the decoder's.
type heard interface {
	message(data []byte, size int64)
	control(op byte, payload []byte) error
}

// decoder reads the frames of a server, in whatever pieces they come.
type decoder struct {
	head  [10]byte
	have  int // bytes of the head
	left  int64
	op    byte
	final bool
	body  bool // inside a payload

	begun     bool // a message is
	data      []byte
	size      int64
	fragments int

	ctl  [mostControl]byte
	ctlN int
}

// feed takes all of b. The error is what the protocol does not allow.
func (d *decoder) feed(b []byte, to heard) error {
	for len(b) > 0 {
		if !d.body {
			d.head[d.have] = b[0]
			d.have++
			b = b[1:]
			whole, err := d.header()
			if err != nil {
				return err
			}
			if !whole {
				continue
			}
			d.have, d.body = 0, true
		}
		n := int(min(int64(len(b)), d.left))
		d.take(b[:n])
		b = b[n:]
		if d.left -= int64(n); d.left > 0 {
			return nil
		}
		d.body = false
		if err := d.end(to); err != nil {
			return err
		}
	}
	return nil
}

// header looks at the head of a frame, as far as it has come.
func (d *decoder) header() (whole bool, err error) {
	bad := wire.Malformed(attack.MalformedFrame)
	op := d.head[0] & 0xf
	control := op >= opClose
	switch {
	case d.have == 1:
		switch {
		case d.head[0]&0x70 != 0, op > opBinary && op < opClose, op > opPong: // reserved
			return false, bad
		case control && d.head[0]&0x80 == 0: // in fragments
			return false, bad
		case op == opContinuation && !d.begun, (op == opText || op == opBinary) && d.begun:
			return false, bad
		}
		return false, nil
	case d.have == 2 && d.head[1]&0x80 != 0: // masked by a server
		return false, bad
	case d.have == 2 && control && d.head[1] > mostControl:
		return false, wire.Malformed(attack.MalformedFrameSize)
	}
	length := int64(d.head[1])
	switch {
	case length == 126 && d.have < 4, length == 127 && d.have < 10:
		return false, nil
	case length == 126:
		if length = int64(binary.BigEndian.Uint16(d.head[2:])); length < 126 { // not the shortest form
			return false, wire.Malformed(attack.MalformedFrameSize)
		}
	case length == 127:
		long := binary.BigEndian.Uint64(d.head[2:])
		if long < 1<<16 || long > 1<<63-1 {
			return false, wire.Malformed(attack.MalformedFrameSize)
		}
		length = int64(long)
	}
	d.op, d.final, d.left, d.ctlN = op, d.head[0]&0x80 != 0, length, 0
	if control {
		return true, nil
	}
	if !d.begun {
		d.begun, d.size, d.fragments, d.data = true, 0, 0, d.data[:0]
	}
	if d.fragments++; d.fragments > mostFragments {
		return false, wire.Malformed(attack.Flooded)
	}
	if d.size += length; d.size > mostMessage || d.size < 0 {
		return false, wire.Malformed(attack.OversizedMessage)
	}
	return true, nil
}

// take takes a piece of a payload.
func (d *decoder) take(b []byte) {
	if d.op >= opClose {
		d.ctlN += copy(d.ctl[d.ctlN:], b)
	} else if room := mostKept - len(d.data); room > 0 {
		d.data = append(d.data, b[:min(len(b), room)]...)
	}
}

// end tells of a frame that is whole.
func (d *decoder) end(to heard) error {
	switch {
	case d.op >= opClose:
		return to.control(d.op, d.ctl[:d.ctlN])
	case d.final:
		d.begun = false
		to.message(d.data, d.size)
		if cap(d.data) > 4<<10 { // thousands of idle connections keep none
			d.data = nil
		}
	}
	return nil
}

// appendFrame appends a frame of a client: whole and masked (RFC 6455 §5.3).
func appendFrame(b []byte, op byte, payload []byte) []byte {
	b = append(b, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	key := rand.Uint32() //nolint:gosec // a mask hides nothing from the peer
	b = binary.BigEndian.AppendUint32(b, key)
	at := len(b)
	b = append(b, payload...)
	mask(b[at:], key)
	return b
}

// mask masks or unmasks a payload.
func mask(b []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.BigEndian.PutUint64(b, binary.BigEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key >> (24 - 8*(i%4)))
	}
}

// closeDetail returns what a close frame says; the error is that of one that may not be
// sent (RFC 6455 §7.4).
func closeDetail(payload []byte) (attack.Detail, error) {
	const noCode = 1005
	if len(payload) == 0 {
		return attack.CloseCode(noCode), nil
	}
	if len(payload) == 1 {
		return attack.Detail{}, wire.Malformed(attack.MalformedFrame)
	}
	code := binary.BigEndian.Uint16(payload)
	if code < 1000 || code >= 5000 || code == 1004 || code == noCode || code == 1006 || code == 1015 {
		return attack.Detail{}, wire.Malformed(attack.MalformedFrame)
	}
	return attack.CloseCode(code), nil
}
