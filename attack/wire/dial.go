package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// errNoPoller is the cause when Go's poller could not take a descriptor.
var errNoPoller = fmt.Errorf("poll socket: %w", syscall.ENOBUFS)

// dialer opens connections.
type dialer struct {
	t        *Transport
	resolver *resolver
	remotes  remotes
	locals   [2][]netip.Addr // by family
	turn     atomic.Uint64   // of locals
	tls      *tls.Config     // nil: plain
	proxyTLS *tls.Config     // nil: the proxy is not spoken to over TLS
}

func newDialer(t *Transport) (*dialer, error) {
	d := &dialer{t: t, resolver: newResolver(t)}
	d.remotes.told = t.cfg.OnAddress
	for _, a := range t.cfg.Client.LocalAddrs {
		if err := checkLocal(a); err != nil {
			return nil, fmt.Errorf("use local address %s: %w: it must be an address of this machine", a, err)
		}
		d.locals[family(a)] = append(d.locals[family(a)], a)
	}
	if t.base.tls {
		c, err := clientTLS(t.cfg.Client, t.base.server)
		if err != nil {
			return nil, err
		}
		if own := t.cfg.Profile.ServerName; own != "" {
			c.ServerName = own
		}
		c.NextProtos = t.ex.Protocols()
		d.tls = c
	}
	if p := t.base.proxy; p != nil && p.Scheme == "https" {
		c, err := clientTLS(t.cfg.Client, p.Hostname())
		if err != nil {
			return nil, err
		}
		c.ServerName, c.NextProtos = p.Hostname(), []string{"http/1.1"}
		c.Certificates = nil // the client's certificate is for the target
		d.proxyTLS = c
	}
	return d, nil
}

// clientTLS makes the TLS configuration of a target.
func clientTLS(c profiles.Client, server string) (*tls.Config, error) {
	out := &tls.Config{ServerName: server, InsecureSkipVerify: c.TLS.SkipVerify}
	if c.TLS.ServerName != "" {
		out.ServerName = c.TLS.ServerName
	}
	if c.TLS.CAFile != "" {
		pem, err := os.ReadFile(c.TLS.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read CA file: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read CA file %s: no certificate in PEM format found", c.TLS.CAFile)
		}
	}
	if c.TLS.CertFile != "" || c.TLS.KeyFile != "" {
		cert, err := tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("load client certificate: %w", err)
		}
		out.Certificates = []tls.Certificate{cert}
	}
	return out, nil
}

// dial opens a connection for an attempt; nil when a says why not. The
// connection is busy, and HTTP/2 if that is what was agreed on.
func (d *dialer) dial(a *attack.Attempt, deadline time.Duration) *Conn {
	t := d.t
	t.dials.Add(1)
	t.open.Add(1)
	c := d.open(a, deadline)
	if c == nil {
		t.open.Add(-1)
		return nil
	}
	if !d.tunnel(c, a) || !d.handshake(c, a) {
		t.open.Add(-1)
		c.state.Store(stateLinger)
		if a.Fault == attack.EOF && !a.WireReset {
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
func (d *dialer) open(a *attack.Attempt, deadline time.Duration) *Conn {
	t := d.t
	var addr netip.AddrPort
	if t.base.socket == "" {
		a.Phase = attack.PhaseDNS
		ip, err := d.resolver.pick(deadline)
		if err != nil {
			a.Fault, a.Detail = Classify(err), DetailOf(err)
			return nil
		}
		addr = netip.AddrPortFrom(ip, t.base.port)
	}
	a.Phase = attack.PhaseDial
	for {
		c, err := d.connect(a, addr, deadline)
		if err == nil {
			if t.base.socket == "" {
				d.resolver.answered(addr.Addr())
			}
			return c
		}
		f := Classify(err)
		if f == attack.Refused || f == attack.Unreachable {
			if other, ok := d.resolver.instead(addr.Addr()); ok && t.base.socket == "" {
				addr = netip.AddrPortFrom(other, t.base.port)
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

// connect opens a socket and waits until it is connected.
func (d *dialer) connect(a *attack.Attempt, addr netip.AddrPort, deadline time.Duration) (*Conn, error) {
	t := d.t
	index := d.remotes.index(addr)
	a.Conn = attack.Conn{Remote: addr, RemoteIndex: index}
	s, err := openSocket(addr, t.base.socket, d.local(addr.Addr()))
	if err != nil {
		return nil, err
	}
	c := &Conn{t: t, sock: s, remote: addr, remoteIndex: index, opened: t.clock(), idleSince: notYet}
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		s.Close()
		return nil, context.Canceled
	}
	t.lastID++
	c.id = t.lastID
	t.conns[c.id] = c
	t.mu.Unlock()
	c.deadline.Store(int64(deadline))
	err = c.arm()
	for err == nil {
		if err = s.finish(); err == nil || !c.again(err) {
			break
		}
		err = nil
	}
	if err != nil {
		a.Info = s.info()
		a.Conn.Local = s.localAddr()
		t.forget(c)
		s.Close()
		if errors.Is(err, os.ErrNoDeadline) {
			err = errNoPoller
		}
		return nil, err
	}
	c.local = s.localAddr()
	return c, nil
}

// local returns the next local address for a remote one, the zero Addr to leave
// the choice to the kernel.
func (d *dialer) local(remote netip.Addr) netip.Addr {
	if !remote.IsValid() {
		return netip.Addr{}
	}
	all := d.locals[family(remote)]
	if len(all) == 0 {
		return netip.Addr{}
	}
	return all[(d.turn.Add(1)-1)%uint64(len(all))]
}

// tunnel has a proxy connect to the target.
func (d *dialer) tunnel(c *Conn, a *attack.Attempt) bool {
	tg := d.t.base
	if d.proxyTLS != nil && !d.secure(c, a, d.proxyTLS) {
		return false
	}
	if tg.connect == "" {
		return true
	}
	req := "CONNECT " + tg.connect + " HTTP/1.1\r\nHost: " + tg.connect + "\r\nUser-Agent: " + userAgent + "\r\n"
	if tg.proxyAuth != "" {
		req += "Proxy-Authorization: " + tg.proxyAuth + "\r\n"
	}
	if _, err := c.Write([]byte(req + "\r\n")); err != nil {
		c.Fail(a, attack.PhaseDial, err)
		return false
	}
	// The response has no body when the tunnel stands, and the connection ends
	// when it does not: nothing is lost in the reader, for the target's server
	// does not speak first.
	br := bufio.NewReaderSize(io.LimitReader(c, maxHeadSize), readBufferSize)
	resp, err := http.ReadResponse(br, &http.Request{Method: "CONNECT"})
	switch {
	case err != nil:
		if p := c.sockErr.Load(); p != nil {
			err = *p
		} else if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			err = malformed(attack.ProxyRefused)
		}
		c.Fail(a, attack.PhaseDial, err)
	case resp.StatusCode/100 != 2:
		c.Fail(a, attack.PhaseDial, malformed(attack.ProxyRefused))
		a.Fault, a.Status = attack.Status, uint16(resp.StatusCode)
	case br.Buffered() > 0:
		c.Fail(a, attack.PhaseDial, malformed(attack.ProxyRefused))
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
		if !d.secure(c, a, d.tls) {
			return false
		}
		agreed = c.tls.ConnectionState().NegotiatedProtocol
	}
	h := &muxed{c: c, s: &t.streams}
	c.mux = h // its reader may be done before Start is
	session, err := t.ex.Start(c, agreed)
	multi, ok := session.(Multiplexed)
	if err != nil || !ok {
		c.mux = nil
	}
	switch {
	case errors.Is(err, ErrAgreed):
		c.Fail(a, attack.PhaseTLS, err)
		return false
	case err != nil:
		c.Fail(a, attack.PhaseWrite, err)
		return false
	case !ok:
		c.serial = session
		t.agreed.Store(true)
		return true
	}
	h.session = multi
	c.deadline.Store(int64(never)) // attempts have their own; the connection has none
	if err := c.arm(); err != nil {
		c.Fail(a, attack.PhaseDial, err)
		multi.Shut()
		return false
	}
	t.multi.Store(true)
	t.agreed.Store(true)
	return true
}

// secure makes a TLS handshake over the connection, or inside the one that it
// has with a proxy.
func (d *dialer) secure(c *Conn, a *attack.Attempt, cfg *tls.Config) bool {
	over := tlsOver(c)
	next := tls.Client(over, cfg)
	if err := next.Handshake(); err != nil {
		if c.tls == nil {
			c.tls = next // an error is judged as one of TLS
		}
		c.Fail(a, attack.PhaseTLS, err)
		if a.Fault == attack.Protocol {
			a.Fault = attack.TLS
		}
		return false
	}
	c.tls = next
	return true
}

// remotes numbers the remote addresses.
type remotes struct {
	told func(uint16, netip.AddrPort)
	mu   sync.RWMutex
	seen map[netip.AddrPort]uint16
}

func (r *remotes) find(a netip.AddrPort) uint16 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.seen[a]
}

// index numbers an address. A target with more than 65,535 counts the rest as
// its last.
func (r *remotes) index(a netip.AddrPort) uint16 {
	if i := r.find(a); i != 0 {
		return i
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.seen[a]; i != 0 {
		return i
	}
	if r.seen == nil {
		r.seen = make(map[netip.AddrPort]uint16)
	}
	if len(r.seen) == 1<<16-1 {
		return 1<<16 - 1
	}
	i := uint16(len(r.seen) + 1)
	r.seen[a] = i
	if r.told != nil {
		r.told(i, a)
	}
	return i
}
