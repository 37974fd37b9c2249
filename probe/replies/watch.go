package replies

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/rampload/rampload/probe"
)

// Options say where replies are read.
type Options struct {
	Host  string
	Netns string // path of the network namespace; empty: the own one
	Clock probe.Clock
	// Local reports whether an address is of the watched host.
	Local func(netip.Addr) bool
	// Watched reports whether an address is of any host whose replies are read where they
	// are sent: they are not told once more where they are read.
	Watched func(netip.Addr) bool
	// SentOnly leaves out what the host is answered: it reads that itself.
	SentOnly bool
}

// sourceName names the source in reports.
const sourceName = "replies"

// gather is how long packets gather, so that many cost one wake-up.
const gather = 50 * time.Millisecond

// seen is a reply with its ends.
type seen struct {
	from, to netip.AddrPort
	out      bool // this host sends it
	reply    Reply
	message  message // of a name server, or to one
	at       time.Duration
}

// event is one of this source.
func (o Options) event(kind probe.EventKind, at time.Duration) probe.Event {
	return probe.Event{Kind: kind, At: at, Source: probe.Source{Host: o.Host, Name: sourceName}, Host: o.Host}
}

// gaps is when packets were not read, and how many.
type gaps struct {
	packets     int
	first, last time.Duration
}

func (g *gaps) add(packets int, now time.Duration) {
	if packets <= 0 {
		return
	}
	if g.packets == 0 {
		g.first = now
	}
	g.packets += packets
	g.last = now
}

func (g *gaps) text(of string) string {
	return fmt.Sprintf("%d %s came faster than they are read, between %s and %s of the run", g.packets, of, g.first.Round(time.Second/10), g.last.Round(time.Second/10))
}
