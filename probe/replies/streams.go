package replies

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/rampload/rampload/probe"
)

// streams follows the requests of HTTP/2 connections in the clear: one connection carries
// many at once, so that its socket does not tell how many wait. A stream is open from the
// request's head on until the answer's head comes, or one of both ends gives it up. Frames that
// lie behind what was taken of a packet are not seen: what may have been answered there does
// not count as open, and a connection that loses many is not told. Where there is more than can
// be read, a share of the connections is followed, each of them whole. It is for one goroutine.
type streams struct {
	share share
	conns map[pair]*multiplexed
	turn  time.Duration
	full  bool   // there was no room for a connection
	many  uint64 // streams that there was no room for

	// established calls visit with the two ends of every connection that there is; nil: that
	// cannot be read. A connection ends with packets that carry nothing, which are too many to
	// look at.
	established func(visit func(local, remote netip.AddrPort)) error
	looked      time.Duration           // when it was called
	known       map[netip.AddrPort]bool // servers of which it told of a connection
}

// pair is a connection from a client to a server.
type pair struct{ client, server netip.AddrPort }

// Bounds of what is followed.
const (
	maxMultiplexed = 256
	maxStreams     = 4096
	forgetAfter    = time.Minute
	lookAfter      = 5 * time.Second // whether a connection that is silent for so long is still there
)

// take reads the data of a packet, of which whole says whether all of it is there.
func (f *streams) take(from, to netip.AddrPort, data []byte, whole bool, at time.Duration) {
	begins := begins(data)
	c, fromClient := f.conn(from, to, begins, at)
	if c == nil {
		return
	}
	c.seen = at
	if begins {
		f.many += c.beyond
		*c = multiplexed{open: map[uint32]time.Duration{}, known: true, seen: at}
		data = data[len(preface):]
	}
	if c.read(data, whole, fromClient, at) {
		delete(f.conns, pair{from, to})
		f.conns[pair{to, from}] = c
	}
}

// conn returns a connection and whether a packet of it is the client's. Of one that was not
// seen to begin the client is taken to be the end with the higher port, as servers mostly
// listen at low ones, until it is seen to be the other.
func (f *streams) conn(from, to netip.AddrPort, begins bool, at time.Duration) (c *multiplexed, fromClient bool) {
	if c := f.conns[pair{from, to}]; c != nil {
		return c, true
	}
	if c := f.conns[pair{to, from}]; c != nil && !begins {
		return c, false
	}
	if len(f.conns) >= maxMultiplexed && !f.makeRoom(at) {
		f.full = true
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

// makeRoom forgets what only began once as HTTP/2 does.
func (f *streams) makeRoom(now time.Duration) bool {
	for key, c := range f.conns {
		if !c.known && c.frames < surely && now-c.seen >= time.Second {
			delete(f.conns, key)
		}
	}
	return len(f.conns) < maxMultiplexed
}

// read ends a reading of packets, of which lost were not read. It reports whether fewer
// connections are to be followed from now on.
func (f *streams) read(packets, lost int, now time.Duration) (lowered bool) {
	if lost > 0 {
		for _, c := range f.conns {
			c.doubt()
		}
	}
	lowered = f.share.read(packets+lost, lost > 0, f.full, now)
	f.full = false
	if lowered {
		for key := range f.conns {
			if !chosen(key.client, key.server, f.share.level) {
				delete(f.conns, key)
			}
		}
	}
	return lowered
}

// flush tells of a second that is over: of connections to services of this host, and of its
// own to services that nobody watches. It reports whether more connections are to be followed
// from now on.
func (f *streams) flush(o Options, now time.Duration, last bool, emit func(probe.Event)) (raised bool) {
	if now-f.turn < time.Second && !last {
		return false
	}
	f.turn = now
	f.bury(now)
	for key, c := range f.conns {
		f.many, c.beyond = f.many+c.beyond, 0
		if now-c.seen > forgetAfter {
			delete(f.conns, key)
			continue
		}
		mine := o.Local(key.server.Addr()) || !o.SentOnly && o.Local(key.client.Addr()) && !o.Watched(key.server.Addr())
		if mine && c.sure() && !c.doubted {
			c.tell(o, key, now, emit)
		}
		c.answered, c.doubted = 0, false
	}
	return f.share.second(len(f.conns), now)
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
	e := o.event(probe.StreamsOpen, now)
	e.Local, e.Remote = key.server, key.client
	e.Count, e.Value = uint64(len(c.open)), (now - oldest).Seconds()
	emit(e)
	e.Kind, e.Count, e.Value = probe.StreamsAnswered, c.answered, float64(c.limit)
	emit(e)
}

// missing says what was not followed.
func (f *streams) missing() (out []*probe.Unsupported) {
	if text := f.share.missing(); text != "" {
		out = append(out, &probe.Unsupported{What: "streams", Reason: text})
	}
	if f.many > 0 {
		out = append(out, &probe.Unsupported{What: "streams", Reason: fmt.Sprintf("%d were not followed: more than %d were open on one connection", f.many, maxStreams)})
	}
	return out
}
