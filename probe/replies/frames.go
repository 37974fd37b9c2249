package replies

import (
	"encoding/binary"
	"time"
)

// Frames of HTTP/2 (RFC 9113 6), and what of them is read. Only their heads are, and SETTINGS
// and GOAWAY: what a HEADERS frame says is packed with what all before it said, which who
// joins a connection later does not have. So an answer of "100 Continue" counts as one.
const (
	frameHead     = 9
	frameHeaders  = 1
	frameReset    = 3
	frameSettings = 4
	frameGoAway   = 7
	frameLast     = 9 // CONTINUATION
	frameLongest  = 1 << 14
	flagAck       = 1
	flagsOfNone   = 0xd2 // that no frame has
	settingLimit  = 3    // SETTINGS_MAX_CONCURRENT_STREAMS
	preface       = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
)

// isFrame reports whether what a packet carries begins as a frame, or a connection, of HTTP/2.
func isFrame(data []byte) bool {
	return len(data) >= frameHead && (string(data[:4]) == preface[:4] ||
		data[0] == 0 && int(data[1])<<8|int(data[2]) <= frameLongest && data[3] <= frameLast && data[4]&flagsOfNone == 0 && data[5]&0x80 == 0)
}

// begins reports whether a connection begins with these data.
func begins(data []byte) bool {
	return len(data) >= len(preface) && string(data[:len(preface)]) == preface
}

// surely is after how many frames a connection that was not seen to begin is believed.
const surely = 6

// multiplexed is what is known of one connection.
type multiplexed struct {
	open     map[uint32]time.Duration // since when, by stream
	last     uint32                   // newest stream
	replied  uint32                   // newest of those that the server sent a head of
	limit    uint32                   // streams at once; 0: not known
	answered uint64                   // in this second
	frames   uint64
	hid      uint64 // packets of which a part was not seen
	beyond   uint64 // streams that there was no room for
	known    bool   // it was seen to begin
	doubted  bool   // packets of this second may be missing
	seen     time.Duration
}

// sure reports whether it is HTTP/2, and enough of it is seen to tell of it.
func (c *multiplexed) sure() bool {
	return (c.known || c.frames >= surely) && c.last > 0 && 10*c.hid <= c.frames
}

// read reads the frames of a packet, of which whole says whether all of it is there.
// fromClient says who sent it; turned, that it was the other end: nobody is answered before he
// asks.
func (c *multiplexed) read(data []byte, whole, fromClient bool, at time.Duration) (turned bool) {
	for len(data) >= frameHead {
		n := int(data[0])<<16 | int(data[1])<<8 | int(data[2])
		kind, flags, id := data[3], data[4], binary.BigEndian.Uint32(data[5:])&(1<<31-1)
		if n > frameLongest || kind > frameLast {
			c.hide(fromClient)
			return turned
		}
		c.frames++
		body := data[frameHead:]
		if n > len(body) { // the rest is in packets that begin with no frame
			if !whole {
				c.hid++
			}
			c.unsee(fromClient)
			return turned
		}
		if kind == frameHeaders && fromClient && !c.known && id > c.last && id <= c.replied {
			turned, fromClient = true, false
			clear(c.open)
			c.last, c.replied, c.answered = c.replied, 0, 0
		}
		c.frame(kind, flags, id, body[:n], fromClient, at)
		data = body[n:]
	}
	if len(data) > 0 || !whole {
		c.hide(fromClient)
	}
	return turned
}

// hide notes that a part of a packet was not seen.
func (c *multiplexed) hide(fromClient bool) {
	c.hid++
	c.unsee(fromClient)
}

// unsee notes that frames may follow which are not seen. Those of the server may be the
// answers to all that is open.
func (c *multiplexed) unsee(fromClient bool) {
	if !fromClient {
		clear(c.open)
	}
}

// doubt notes that packets were lost, maybe of this connection. Who its ends are, and how many
// streams it may carry, is as before.
func (c *multiplexed) doubt() {
	clear(c.open)
	c.answered, c.doubted = 0, true
}

func (c *multiplexed) frame(kind, flags byte, id uint32, body []byte, fromClient bool, at time.Duration) {
	switch {
	case kind == frameHeaders && fromClient && id%2 == 1 && id > c.last:
		c.last = id
		if len(c.open) >= maxStreams {
			c.beyond++
			return
		}
		c.open[id] = at
	case kind == frameHeaders && !fromClient:
		c.replied = max(c.replied, id)
		if _, is := c.open[id]; is {
			c.answered++
			delete(c.open, id)
		}
	case kind == frameReset:
		delete(c.open, id)
	case kind == frameGoAway && !fromClient && len(body) >= 8:
		last := binary.BigEndian.Uint32(body) & (1<<31 - 1)
		for id := range c.open {
			if id > last { // whoever asked asks again, on another connection
				delete(c.open, id)
			}
		}
	case kind == frameSettings && !fromClient && flags&flagAck == 0:
		for ; len(body) >= 6; body = body[6:] {
			if binary.BigEndian.Uint16(body) == settingLimit {
				c.limit = binary.BigEndian.Uint32(body[2:])
			}
		}
	}
}
