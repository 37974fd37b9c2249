package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/classify"
	"github.com/rampload/rampload/attack/wire/route"
	"github.com/rampload/rampload/attack/wire/socket"
	"github.com/rampload/rampload/attack/wire/tunnel"
)

// errNoPoller is the cause when Go's poller could not take a descriptor.
var errNoPoller = fmt.Errorf("poll socket: %w", syscall.ENOBUFS)

// UserAgent is how rampload calls itself.
const UserAgent = "rampload"

// dialer opens connections.
type dialer struct {
	t        *Transport
	resolver *route.Resolver
	remotes  route.Numbers
	locals   socket.Locals
	tls      *tls.Config // nil: plain
	must     bool        // the handshake must agree on a protocol
	serial   bool        // no session is multiplexed
	talks    bool        // a session begins with a wait for the peer
	proxyTLS *tls.Config // nil: the proxy is not spoken to over TLS
}

func newDialer(t *Transport) (*dialer, error) {
	d := &dialer{t: t, resolver: route.NewResolver(t.ctx, t.route, t.cfg.Resolve, t.clock, t.leave)}
	d.remotes.Told = t.cfg.OnAddress
	for _, a := range t.cfg.Client.LocalAddrs {
		if err := d.locals.Add(a); err != nil {
			return nil, err
		}
	}
	offer := t.ex.Offer()
	d.serial, d.talks = offer.Sessions == Serial, offer.Talks
	d.must = offer.Agree
	var err error
	if d.tls, d.proxyTLS, err = t.route.Secure(t.cfg.Client, t.cfg.Profile.ServerName, offer.Protocols); err != nil {
		return nil, err
	}
	return d, nil
}

// noMatter is told that a dial waits where nobody cares.
func noMatter() {}

// dial opens a connection for an attempt; nil when a says why not. The
// connection is busy, and HTTP/2 if that is what was agreed on. waits is called before
// it waits for anybody, perhaps several times.
func (d *dialer) dial(a *attack.Attempt, deadline time.Duration, waits func()) *Conn {
	t := d.t
	t.dials.Add(1)
	t.open.Add(1)
	c := d.open(a, deadline, waits)
	if c != nil && (d.tls != nil || d.proxyTLS != nil || t.route.Connect != "" || d.talks) {
		waits()
	}
	if c == nil {
		t.open.Add(-1)
		return nil
	}
	if !d.tunnel(c, a) || !d.handshake(c, a) {
		t.open.Add(-1)
		c.state.Store(stateLinger)
		if (a.Fault == attack.EOF || a.Fault == attack.Status) && !a.WireReset {
			t.watch(c)
			t.bg.linger(c, lingerReset)
		} else {
			t.bury(c)
		}
		return nil
	}
	return c
}

// open connects a socket.
func (d *dialer) open(a *attack.Attempt, deadline time.Duration, waits func()) *Conn {
	t := d.t
	var addr netip.AddrPort
	if t.route.Socket == "" {
		a.Phase = attack.PhaseDNS
		ip, err := d.resolver.Pick(deadline, waits)
		if err != nil {
			a.Fault, a.Detail = classify.Fault(err), classify.Detail(err)
			return nil
		}
		addr = netip.AddrPortFrom(ip, t.route.Port)
	}
	a.Phase = attack.PhaseDial
	for {
		c, err := d.connect(a, addr, deadline, waits)
		if err == nil {
			if t.route.Socket == "" {
				d.resolver.Answered(addr.Addr())
			}
			return c
		}
		f := classify.Fault(err)
		if f == attack.Refused || f == attack.Unreachable {
			if other, ok := d.resolver.Instead(addr.Addr()); ok && t.route.Socket == "" {
				d.alsoTried(a, f)
				addr = netip.AddrPortFrom(other, t.route.Port)
				continue
			}
		}
		a.Fault = f
		if t.aborted.Load() && (f == attack.Timeout || f == attack.Canceled) {
			a.Fault = attack.Canceled
		}
		// A socket that never was a connection has nothing to tell later.
		a.WireReset = f == attack.Reset
		return nil
	}
}

// alsoTried reports an address that did not answer, where another one is tried for the
// same attempt: it is an attempt on the wire of its own, and no end of a request.
func (d *dialer) alsoTried(a *attack.Attempt, f attack.Fault) {
	tried := *a
	tried.Fault, tried.End, tried.Last, tried.Held = f, d.t.clock(), false, false
	d.t.bg.report(tried)
}

// connect opens a socket and waits until it is connected.
func (d *dialer) connect(a *attack.Attempt, addr netip.AddrPort, deadline time.Duration, waits func()) (*Conn, error) {
	t := d.t
	index := d.remotes.Index(addr)
	a.Conn = attack.Conn{Remote: addr, RemoteIndex: index}
	var by *socket.Poller
	if !a.Held && t.pool.closeMode() {
		by = t.poller
	}
	c := &Conn{t: t, remoteIndex: index, until: a.Start, idleSince: notYet}
	if a.Held {
		c.until = a.Due
	}
	c.Init(&t.owner, addr)
	s := c.Socket()
	err := s.Open(addr, t.route.Socket, d.locals.Next(addr.Addr()), by)
	if err != nil {
		return nil, err
	}
	c.opened = t.clock()
	if !t.enter(c) {
		s.Close()
		return nil, context.Canceled
	}
	err = c.Arm(deadline)
	if !s.Connected() {
		waits()
	}
	for err == nil {
		if err = s.Finish(); err == nil || !c.Again(err) {
			break
		}
		err = nil
	}
	if err != nil {
		if addr.IsValid() && t.aborted.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
			err = s.LastLook(err)
		}
		a.Info = s.Info()
		a.Conn.Local = s.LocalAddr()
		t.forget(c)
		s.Close()
		if errors.Is(err, os.ErrNoDeadline) {
			err = errNoPoller
		}
		return nil, err
	}
	c.Connected()
	return c, nil
}

// tunnel has a proxy connect to the target.
func (d *dialer) tunnel(c *Conn, a *attack.Attempt) bool {
	tg := d.t.route
	if d.proxyTLS != nil && !d.secure(c, a, d.proxyTLS) {
		return false
	}
	if tg.Connect == "" {
		return true
	}
	answer, err := tunnel.Connect(c, tg.Connect, tg.ProxyAuth, UserAgent)
	switch {
	case err != nil:
		if last := c.LastWord(); last != nil {
			err = last
		} else if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			err = Malformed(attack.ProxyRefused)
		}
		c.Fail(a, attack.PhaseDial, err)
	case !answer.Stands():
		c.Fail(a, attack.PhaseDial, Malformed(attack.ProxyRefused))
		if answer.Status/100 != 2 {
			a.Fault, a.Status = attack.Status, uint16(answer.Status)
		}
	default:
		return true
	}
	return false
}

// handshake secures the connection and begins to speak the target's protocol.
func (d *dialer) handshake(c *Conn, a *attack.Attempt) bool {
	t := d.t
	agreed := ""
	if d.tls != nil {
		if !d.upgrade(c, a) || !d.secure(c, a, d.tls) {
			return false
		}
		agreed = c.TLS().ConnectionState().NegotiatedProtocol
	}
	if !d.agreed(agreed) {
		c.Fail(a, attack.PhaseTLS, ErrAgreed)
		return false
	}
	var h *muxed
	if !d.serial {
		h = &muxed{c: c, s: &t.streams}
		c.mux.Store(h) // its reader may be done before Start is
	}
	session, err := t.ex.Start(c, agreed)
	multi, ok := session.(Multiplexed)
	ok = ok && h != nil
	if h != nil && (err != nil || !ok) {
		c.mux.Store(nil)
	}
	switch {
	case err != nil:
		c.notStarted(a, err)
		return false
	case !ok:
		c.serial = session
		t.agreed.Store(true)
		return true
	}
	h.session = multi
	h.ready.Store(true)
	if t.aborted.Load() {
		multi.Shut() // Close may have looked before
	}
	if err := c.Arm(never); err != nil { // attempts have their own deadline
		c.Fail(a, attack.PhaseDial, err)
		multi.Shut()
		return false
	}
	t.multi.Store(true)
	t.agreed.Store(true)
	return true
}

// agreed reports whether what the TLS handshake chose will do.
func (d *dialer) agreed(protocol string) bool {
	return d.tls == nil || !d.must || slices.Contains(d.tls.NextProtos, protocol)
}

// upgrade agrees with the peer on TLS where its protocol does so in the clear.
func (d *dialer) upgrade(c *Conn, a *attack.Attempt) bool {
	if u, ok := d.t.ex.(Upgrader); ok {
		if err := u.BeforeTLS(c); err != nil {
			c.FailStream(a, attack.PhaseTLS, err)
			return false
		}
	}
	return true
}

// notStarted ends an attempt whose connection the exchanger could not begin to speak on.
func (conn *Conn) notStarted(a *attack.Attempt, err error) {
	phase, err := classify.Start(a, err)
	conn.FailStream(a, phase, err)
}

// secure makes a TLS handshake over the connection, or inside the one that it
// has with a proxy.
func (d *dialer) secure(c *Conn, a *attack.Attempt, cfg *tls.Config) bool {
	next := tls.Client(c.Under(), cfg)
	if err := next.Handshake(); err != nil {
		if c.TLS() == nil {
			c.Secured(next) // an error is judged as one of TLS
		}
		c.Fail(a, attack.PhaseTLS, err)
		if a.Fault == attack.Protocol {
			a.Fault = attack.TLS
		}
		return false
	}
	c.Secured(next)
	return true
}
