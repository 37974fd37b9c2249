// Package topic reads subjects of NATS that tell what became of transactions.
package topic

import (
	"fmt"
	"net/url"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/journey"
	"github.com/rampload/rampload/profiles"
)

// Bounds of what a server may make us keep.
const (
	mostMessages = 100_000
	mostBytes    = 64 << 20
	within       = 5 * time.Second
)

// header is where a message has its transaction id unless the profile says otherwise.
const header = "X-Transaction-Id"

// Subscribe reads a subject until stop is called: it is a ramp.Subscriber. Messages that
// were missed, for want of the connection or because they came faster than they were
// read, make the reader blind for a time.
func Subscribe(t profiles.Topic, heard func(key string, reply *attack.Reply) bool, blind func(bool)) (stop func(), err error) {
	place := t.ID
	if place.What == "" {
		place = profiles.Extract{From: profiles.FromHeader, What: header}
	}
	id, err := journey.CompileExtract(place)
	if err != nil {
		return nil, fmt.Errorf("compile where a message has its id: %w", err)
	}
	options := []nats.Option{
		nats.Name("rampload"), nats.Timeout(within), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond),
		nats.DisconnectErrHandler(func(*nats.Conn, error) { blind(true) }),
		nats.ReconnectHandler(func(*nats.Conn) { blind(false) }),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) { // some were dropped
			blind(true)
			blind(false)
		}),
	}
	if t.Creds != "" {
		options = append(options, nats.UserCredentials(t.Creds))
	}
	if t.CA != "" {
		options = append(options, nats.RootCAs(t.CA))
	}
	conn, err := nats.Connect(t.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", where(t.URL), err)
	}
	sub, err := conn.Subscribe(t.Subject, func(m *nats.Msg) {
		reply := &attack.Reply{Body: m.Data, Length: int64(len(m.Data))}
		for name, values := range m.Header {
			for _, v := range values {
				reply.Header(name, v)
			}
		}
		if key, ok := id.Take(reply); ok {
			heard(key, reply)
		}
	})
	if err == nil {
		err = sub.SetPendingLimits(mostMessages, mostBytes)
	}
	if err == nil {
		err = conn.FlushTimeout(within) // the server has the subscription before anything is sent
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("read %s of %s: %w", t.Subject, where(t.URL), err)
	}
	return conn.Close, nil
}

// where returns a URL without what may be a secret.
func where(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "the server"
	}
	return u.Scheme + "://" + u.Host
}
