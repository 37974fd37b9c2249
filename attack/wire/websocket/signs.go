package websocket

import (
	"bytes"
	"strconv"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/profiles"
)

// signs are what a connection is watched for beside its requests: that the server speaks
// first, and that it answers pings. Each sign that comes, or does not in time, is counted.
type signs struct {
	s      *session
	every  time.Duration // of silence before a ping; 0: none is sent
	within time.Duration // in which it has to be answered
	due    time.Duration // when the connection was to be opened
	opened time.Duration
	until  time.Duration // by then the first message has to come

	mu     sync.Mutex
	waits  bool          // for the first message
	heard  time.Duration // when anything came last
	sent   time.Duration // when the ping that is under way was sent
	asking bool          // a ping is under way
	asked  uint64        // pings that were sent
	clock  *time.Timer
	over   bool
}

// ours begins the payloads of these pings; those of scripts are numbers.
const ours = "k"

// newSigns watches a connection; client is how long an attempt of it may take, 0 for any
// time.
func newSigns(s *session, ws profiles.WebSocket, client time.Duration) *signs {
	g := &signs{s: s, every: ws.KeepAlive, within: client, waits: ws.FirstMessage > 0}
	g.due, g.opened = s.Begun()
	g.until = g.opened + ws.FirstMessage
	if g.within <= 0 {
		g.within = max(ws.KeepAlive, time.Second)
	}
	return g
}

// begin begins to look, once the handshake is over.
func (g *signs) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heard = g.s.Now()
	g.clock = time.AfterFunc(g.next(g.heard), g.look)
}

// next returns how long it is to the next look. The lock is held.
func (g *signs) next(now time.Duration) time.Duration {
	at := wire.Never
	if g.waits {
		at = g.until
	}
	switch {
	case g.asking:
		at = min(at, g.sent+g.within)
	case g.every > 0:
		at = min(at, g.heard+g.every)
	}
	if at == wire.Never {
		return time.Hour // end stops it
	}
	return max(at-now, 0)
}

// look finds what has not come in time, and pings where nothing has come for long.
func (g *signs) look() {
	g.mu.Lock()
	if g.over {
		g.mu.Unlock()
		return
	}
	now := g.s.Now()
	late := g.waits && now >= g.until
	lost := g.asking && now >= g.sent+g.within
	deaf := lost && g.heard < g.sent
	sent := g.sent
	g.waits, g.asking = g.waits && !late, g.asking && !lost
	ask := !deaf && g.every > 0 && !g.asking && now >= g.heard+g.every
	var payload []byte
	if ask {
		g.asked++
		g.asking, g.sent = true, now
		payload = strconv.AppendUint([]byte(ours), g.asked, 10)
	}
	g.clock.Reset(g.next(now)) // before the ping, whose write the peer may hold up
	g.mu.Unlock()
	if late {
		g.first(now, attack.Timeout, attack.Detail{})
	}
	if lost {
		g.ping(sent, now, attack.Timeout)
	}
	switch {
	case deaf:
		g.s.mu.Lock()
		g.s.deaf = true
		g.s.mu.Unlock()
		g.s.Interrupt(0)
	case ask:
		g.s.mu.Lock()
		if !g.s.shut && !g.s.goneBye { // nothing is said behind a close frame
			g.s.asks = appendFrame(g.s.asks, opPing, payload)
		}
		g.s.mu.Unlock()
		g.s.flush()
	}
}

// came notes that something has come.
func (g *signs) came() {
	now := g.s.Now()
	g.mu.Lock()
	g.heard = now
	g.mu.Unlock()
}

// greeted notes that the first message has come.
func (g *signs) greeted() {
	g.mu.Lock()
	waited := g.waits
	g.waits = false
	g.mu.Unlock()
	if waited {
		g.first(g.s.Now(), attack.None, attack.Detail{})
	}
}

// pong takes the answer to a ping, and reports whether it is to one of ours.
func (g *signs) pong(payload []byte) bool {
	number, mine := bytes.CutPrefix(payload, []byte(ours))
	if !mine {
		return false
	}
	now := g.s.Now()
	g.mu.Lock()
	answered := g.asking && string(number) == strconv.FormatUint(g.asked, 10)
	sent := g.sent
	if answered {
		g.asking = false
		g.clock.Reset(g.next(now))
	}
	g.mu.Unlock()
	if answered {
		g.ping(sent, now, attack.None)
	}
	return true
}

// end ends the watch with the connection. A server that ends it before its first message
// has failed to say that; of a ping under way nothing is known.
func (g *signs) end(shut bool, err error) {
	g.mu.Lock()
	waited := g.waits
	g.waits, g.asking, g.over = false, false, true
	if g.clock != nil {
		g.clock.Stop()
	}
	g.mu.Unlock()
	if !waited || shut || err == nil {
		return
	}
	if fault, detail := g.s.FaultOf(err); fault != attack.Canceled {
		g.first(g.s.Now(), fault, detail)
	}
}

// first counts a first message, or that there was none.
func (g *signs) first(now time.Duration, fault attack.Fault, detail attack.Detail) {
	g.count(profiles.RoleFirst, attack.Attempt{Due: g.due, Start: g.opened, End: now, Fault: fault, Detail: detail})
}

// ping counts a ping.
func (g *signs) ping(sent, now time.Duration, fault attack.Fault) {
	g.count(profiles.RolePing, attack.Attempt{Due: sent, Start: sent, End: now, Fault: fault})
}

func (g *signs) count(role profiles.Role, a attack.Attempt) {
	a.Phase = attack.PhaseAwait
	if a.Fault == attack.None {
		a.Phase = attack.PhaseDone
	}
	g.s.Aside(role, a)
}
