package replies

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/rampload/rampload/probe"
)

// streams follows the requests of HTTP/2 connections in the clear: one connection carries
// many at once, so that its socket does not tell how many wait. A stream is open from the
// request's head on until the answer's head comes, or one of both ends resets it. Frames that
// lie behind what was taken of a packet are not seen: what may have been answered there does
// not count as open, and a connection that loses many is not told. It is for one goroutine.
type streams struct {
	conns   map[pair]*multiplexed
	packets int // of this second
	turn    time.Duration

	// established calls visit with the two ends of every connection that there is; nil: that
	// cannot be read. A connection ends with packets that carry nothing, which are too many to
	// look at.
	established func(visit func(local, remote netip.AddrPort)) error
	looked      time.Duration           // when it was called
	known       map[netip.AddrPort]bool // servers of which it told of a connection
}

// pair is a connection from a client to a server.
type pair struct{ client, server netip.AddrPort }

// multiplexed is what is known of one connection.
type multiplexed struct {
	open     map[uint32]time.Duration // since when, by stream
	last     uint32                   // newest stream
	replied  uint32                   // newest of those that the server sent a head of
	limit    uint32                   // streams at once; 0: not known
	answered uint64                   // in this second
	frames   uint64
	lost     uint64 // packets of which a part was not seen
	known    bool   // it began, or behaves, as HTTP/2
	seen     time.Duration
}

// Frames of HTTP/2 (RFC 9113 6), and what of them is read.
const (
	frameHead     = 9
	frameHeaders  = 1
	frameReset    = 3
	frameSettings = 4
	frameLast     = 9 // CONTINUATION
	frameLongest  = 1 << 14
	flagAck       = 1
	settingLimit  = 3 // SETTINGS_MAX_CONCURRENT_STREAMS
	preface       = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
)

// Bounds of what is followed.
const (
	maxMultiplexed = 256
	maxStreams     = 4096
	forgetAfter    = time.Minute
	lookAfter      = 5 * time.Second // whether a connection that is silent for so long is still there
	surely         = 6               // frames after which a connection that was not seen to begin is believed
)

// isFrame reports whether what a packet carries begins as a frame, or a connection, of HTTP/2.
func isFrame(data []byte) bool {
	const flags = 0xd2 // that no frame has
	return len(data) >= frameHead && (string(data[:4]) == preface[:4] ||
		data[0] == 0 && int(data[1])<<8|int(data[2]) <= frameLongest && data[3] <= frameLast && data[4]&flags == 0 && data[5]&0x80 == 0)
}

// take reads the data of a packet, of which whole says whether all of it is there.
func (f *streams) take(from, to netip.AddrPort, data []byte, whole bool, at time.Duration) {
	f.packets++
	begins := len(data) >= len(preface) && string(data[:len(preface)]) == preface
	c, fromClient := f.conn(from, to, begins)
	if c == nil {
		return
	}
	c.seen = at
	if begins {
		*c = multiplexed{open: map[uint32]time.Duration{}, known: true, seen: at}
		data = data[len(preface):]
	}
	for len(data) >= frameHead {
		n := int(data[0])<<16 | int(data[1])<<8 | int(data[2])
		kind, flags, id := data[3], data[4], binary.BigEndian.Uint32(data[5:])&(1<<31-1)
		if n > frameLongest || kind > frameLast {
			c.lost++
			c.hidden(fromClient)
			return
		}
		c.frames++
		body := data[frameHead:]
		if n > len(body) { // the rest is in packets that begin with no frame
			if !whole {
				c.lost++
			}
			c.hidden(fromClient)
			return
		}
		if kind == frameHeaders && fromClient && !c.known && id > c.last && id <= c.replied {
			// Nobody is answered before he asks: the other end is the client.
			delete(f.conns, pair{from, to})
			f.conns[pair{to, from}] = c
			clear(c.open)
			c.last, c.replied, c.answered, fromClient = c.replied, 0, 0, false
		}
		c.frame(kind, flags, id, body[:n], fromClient, at)
		data = body[n:]
	}
	if len(data) > 0 || !whole {
		c.lost++
		c.hidden(fromClient)
	}
}

// hidden notes that frames may follow which are not seen. Those of the server may be the
// answers to all that is open.
func (c *multiplexed) hidden(fromClient bool) {
	if !fromClient {
		clear(c.open)
	}
}

func (c *multiplexed) frame(kind, flags byte, id uint32, body []byte, fromClient bool, at time.Duration) {
	switch {
	case kind == frameHeaders && fromClient && id%2 == 1 && id > c.last && len(c.open) < maxStreams:
		c.open[id], c.last = at, id
	case kind == frameHeaders && !fromClient:
		c.replied = max(c.replied, id)
		if _, is := c.open[id]; is {
			c.answered++
			delete(c.open, id)
		}
	case kind == frameReset:
		delete(c.open, id)
	case kind == frameSettings && !fromClient && flags&flagAck == 0:
		for ; len(body) >= 6; body = body[6:] {
			if binary.BigEndian.Uint16(body) == settingLimit {
				c.limit = binary.BigEndian.Uint32(body[2:])
			}
		}
	}
}

// conn returns a connection and whether a packet of it is the client's. Of one that was not
// seen to begin the client is taken to be the end with the higher port, as servers mostly
// listen at low ones, until it is seen to be the other.
func (f *streams) conn(from, to netip.AddrPort, begins bool) (c *multiplexed, fromClient bool) {
	if c := f.conns[pair{from, to}]; c != nil {
		return c, true
	}
	if c := f.conns[pair{to, from}]; c != nil && !begins {
		return c, false
	}
	if len(f.conns) >= maxMultiplexed {
		return nil, false
	}
	key := pair{from, to}
	if fromClient = begins || from.Port() > to.Port(); !fromClient {
		key = pair{to, from}
	}
	if f.conns == nil {
		f.conns = map[pair]*multiplexed{}
	}
	c = &multiplexed{open: map[uint32]time.Duration{}}
	f.conns[key] = c
	return c, fromClient
}

// flush tells of a second that is over: of connections to services of this host, and of its
// own to services that nobody watches.
func (f *streams) flush(o Options, now time.Duration, last bool, emit func(probe.Event)) {
	if now-f.turn < time.Second && !last {
		return
	}
	f.turn, f.packets = now, 0
	f.bury(now)
	for key, c := range f.conns {
		if now-c.seen > forgetAfter {
			delete(f.conns, key)
			continue
		}
		mine := o.Local(key.server.Addr()) || !o.SentOnly && o.Local(key.client.Addr()) && !o.Watched(key.server.Addr())
		sure := c.known || c.frames >= surely && c.last > 0
		if mine && sure && c.last > 0 && 10*c.lost <= c.frames {
			c.tell(o, key, now, emit)
		}
		c.answered = 0
	}
}

// bury forgets connections that are silent because they have ended: nobody waits for what was
// open on them. Where no connection to a server was ever told of, its sockets are elsewhere,
// and nobody knows.
func (f *streams) bury(now time.Duration) {
	if f.established == nil || now-f.looked < lookAfter {
		return
	}
	worth := false
	for key, c := range f.conns {
		worth = worth || now-c.seen >= lookAfter || !f.known[key.server]
	}
	if !worth {
		return
	}
	f.looked = now
	if f.known == nil || len(f.known) > maxMultiplexed {
		f.known = map[netip.AddrPort]bool{}
	}
	there := map[pair]bool{}
	err := f.established(func(local, remote netip.AddrPort) {
		for _, key := range [...]pair{{remote, local}, {local, remote}} {
			if f.conns[key] != nil {
				there[key], f.known[key.server] = true, true
			}
		}
	})
	if err != nil {
		return
	}
	for key, c := range f.conns {
		if now-c.seen >= lookAfter && f.known[key.server] && !there[key] {
			delete(f.conns, key)
		}
	}
}

func (c *multiplexed) tell(o Options, key pair, now time.Duration, emit func(probe.Event)) {
	oldest := now
	for _, at := range c.open {
		oldest = min(oldest, at)
	}
	e := probe.Event{
		At: now, Source: probe.Source{Host: o.Host, Name: sourceName}, Host: o.Host, Local: key.server, Remote: key.client,
		Kind: probe.StreamsOpen, Count: uint64(len(c.open)), Value: (now - oldest).Seconds(),
	}
	emit(e)
	e.Kind, e.Count, e.Value = probe.StreamsAnswered, c.answered, float64(c.limit)
	emit(e)
}
