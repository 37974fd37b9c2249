package wire

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/profiles"
)

// late is a session whose peer ends the connection between the choice of it for an attempt
// and the attempt.
type late struct {
	Multiplexed
	end func()
}

func (l late) Do(attack.Request, *attack.Attempt) Outcome {
	l.end()
	return NotSent
}

// The end of a connection that was chosen for an attempt, and never carried it, is told as
// that of an idle one: the attempt goes on elsewhere and meets none.
func TestEndBeforeTheAttempt(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	var mu sync.Mutex
	var first func() error // has the server end the first connection, by a FIN
	server.Config.ConnState = func(c net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		if state == http.StateNew && first == nil {
			first = c.(*net.TCPConn).CloseWrite
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	tr, rec := client(t, server.URL, func(c *Config) { c.Client.Protocol = profiles.ProtocolH2C })
	req := compile(t, tr, profiles.Request{})
	var one, two attack.Attempt
	tr.Do(req, &one)

	tr.streams.mu.Lock()
	held, _ := tr.streams.conns.Oldest()
	h := held.Of
	h.session = late{h.session, func() {
		mu.Lock()
		defer mu.Unlock()
		if err := first(); err != nil {
			t.Error(err)
		}
		await(t, func() bool {
			tr.streams.mu.Lock()
			defer tr.streams.mu.Unlock()
			return h.ended
		})
	}}
	tr.streams.mu.Unlock()
	tr.Do(req, &two)
	if one.Fault != attack.None || two.Fault != attack.None || one.Conn.ID == two.Conn.ID {
		t.Fatalf("%v on %d, %v on %d", one.Fault, one.Conn.ID, two.Fault, two.Conn.ID)
	}
	await(t, func() bool {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		return len(rec.idle) > 0
	})
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if a := rec.idle[0]; len(rec.idle) != 1 || a.Fault != attack.EOF || a.Phase != attack.PhaseIdle || a.Conn.ID != one.Conn.ID {
		t.Errorf("told of %+v", rec.idle)
	}
}
