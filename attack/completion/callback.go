package completion

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// Bounds of what callers may ask of a receiver.
const (
	mostCallers  = 4096
	mostCallBody = 64 << 10
	callTimeout  = 10 * time.Second
)

// Receiver takes callbacks at an address of this machine.
type Receiver struct {
	URL string // base by which the target reaches it

	server *http.Server
	served chan struct{}
}

// Receive listens for callbacks, and hands each to heard with what follows the base of
// its URL. Heard reports whether anybody waits for it. Target is the URL of who is to
// call, by which the own address is found.
func Receive(c profiles.Callback, target string, heard func(key string, reply *attack.Reply) bool) (*Receiver, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for callbacks: %w", err)
	}
	r := &Receiver{URL: strings.TrimSuffix(c.URL, "/"), served: make(chan struct{})}
	if r.URL == "" {
		r.URL = "http://" + ownAddress(l.Addr(), target)
	}
	base, err := url.Parse(r.URL)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the URL of callbacks: %w", err), l.Close())
	}
	r.server = &http.Server{
		Handler:     http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { take(w, q, base.Path, heard) }),
		ReadTimeout: callTimeout, WriteTimeout: callTimeout, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	go func() {
		defer close(r.served)
		_ = r.server.Serve(&limited{Listener: l, room: make(chan struct{}, mostCallers)}) // ends with Close
	}()
	return r, nil
}

// Close ends it; calls that are under way are cut off.
func (r *Receiver) Close() {
	_ = r.server.Close() // closes the listener and the connections, which frees a waiting Accept
	<-r.served
}

func take(w http.ResponseWriter, q *http.Request, prefix string, heard func(string, *attack.Reply) bool) {
	path, ok := strings.CutPrefix(q.URL.Path, prefix)
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, mostCallBody))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	reply := &attack.Reply{Body: body, Length: int64(len(body))}
	for name, values := range q.Header {
		for _, v := range values {
			reply.Header(name, v)
		}
	}
	if !ok || !heard(strings.Trim(path, "/"), reply) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// ownAddress returns host and port by which the target reaches a listener: where it
// listens on every address, that from which packets to the target go out.
func ownAddress(l net.Addr, target string) string {
	host, port, err := net.SplitHostPort(l.String())
	if err != nil {
		return l.String()
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
		return l.String()
	}
	host = "127.0.0.1"
	if u, err := url.Parse(target); err == nil && u.Hostname() != "" {
		// UDP: nothing is sent.
		if c, err := new(net.Dialer).DialContext(context.Background(), "udp", net.JoinHostPort(u.Hostname(), "9")); err == nil {
			host, _, _ = net.SplitHostPort(c.LocalAddr().String())
			_ = c.Close()
		}
	}
	return net.JoinHostPort(host, port)
}

// limited is a listener with so many connections at once at most; others wait.
type limited struct {
	net.Listener
	room chan struct{}
}

// Accept waits for room, and for a connection.
func (l *limited) Accept() (net.Conn, error) {
	l.room <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.room
		return nil, err
	}
	return &limitedConn{Conn: c, room: l.room}, nil
}

type limitedConn struct {
	net.Conn
	room chan struct{}
	once sync.Once
}

// Close gives the room back, once.
func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.room })
	return err
}
