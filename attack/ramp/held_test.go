package ramp

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/profiles"
)

// doorman serves so many connections and turns all others away as they come; it
// counts those. It is a server that has no room, or a rule in front of it.
type doorman struct {
	ln     net.Listener
	room   int64
	reset  bool // with a RST, else with a FIN
	in     atomic.Int64
	turned atomic.Uint64 // that were open when they were
	served atomic.Uint64
	open   sync.WaitGroup
}

func newDoorman(t *testing.T, room int64, reset bool) *doorman {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &doorman{ln: ln, room: room, reset: reset}
	d.open.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if d.in.Add(1) > d.room {
				d.open.Go(func() { d.turnAway(c.(*net.TCPConn)) })
				continue
			}
			d.open.Go(func() { d.serve(c) })
		}
	})
	return d
}

// turnAway ends a connection, and counts it if the client had not ended it before.
func (d *doorman) turnAway(c *net.TCPConn) {
	defer c.Close()
	if d.reset {
		if fault.Reset(c) {
			d.turned.Add(1)
		}
		return
	}
	c.CloseWrite()
	if fault.PeerOpen(c) {
		d.turned.Add(1)
	}
	io.Copy(io.Discard, c) // what was sent meanwhile, or the close would be a RST
}

func (d *doorman) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		d.served.Add(1)
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
	}
}

// Every held connection that the server turns away fails one request, and none
// twice: that of the try to hold it, or one that was sent over it.
func TestTurnedAwayHeldConnectionsFail(t *testing.T) {
	for engine := range engines {
		for _, reset := range []bool{false, true} {
			t.Run(engine+map[bool]string{false: "/fin", true: "/rst"}[reset], func(t *testing.T) {
				t.Parallel()
				d := newDoorman(t, 10, reset)
				p := testProfile(profiles.Connections{From: 5, To: 40, For: 1500 * time.Millisecond})
				p.Targets[0].URL = "http://" + d.ln.Addr().String()
				p.Client.PerConnection = 5
				rec := runReal(t, engine, Config{Profile: p})
				d.ln.Close()
				d.open.Wait()

				s, err := newSchedule(p)
				if err != nil {
					t.Fatal(err)
				}
				c, turned := rec.sum(t, 0), d.turned.Load()
				if c.scheduled != s.Total() || c.sent != s.Total() || c.requests != c.sent {
					t.Errorf("%d scheduled, %d sent, %d ended: want the %d of the schedule", c.scheduled, c.sent, c.requests, s.Total())
				}
				failed := c.requests - c.ok
				if c.held+failed != turned || c.ok != d.served.Load() {
					t.Errorf("%d held and %d sent failed, %d succeeded; the server turned %d away and answered %d",
						c.held, failed, c.ok, turned, d.served.Load())
				}
				if c.held < 5 {
					t.Errorf("%d held connections failed of %d turned away", c.held, turned)
				}
				if want := map[bool]uint64{false: 0, true: c.held + failed}[reset]; c.resets != want {
					t.Errorf("%d wire resets, want %d", c.resets, want)
				}
				kept := uint64(0)
				for _, f := range rec.failures {
					if f.Held && f.Last && f.Phase <= attack.PhaseTLS {
						kept++
					}
				}
				if kept != c.held {
					t.Errorf("%d failures kept of %d held connections", kept, c.held)
				}
			})
		}
	}
}

// Nobody listens: every refused try counts once.
func TestRefusedHeldConnectionsFail(t *testing.T) {
	for engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			url := "http://" + ln.Addr().String()
			ln.Close()
			p := testProfile(profiles.Connections{From: 4, To: 4, For: 600 * time.Millisecond})
			p.Targets[0].URL = url
			p.Client.PerConnection = 0 // tries to hold are all there is
			rec := runReal(t, engine, Config{Profile: p})
			c := rec.sum(t, 0)
			var dials, refused uint64
			for _, w := range rec.windows {
				dials += w.Dials
				for _, cell := range w.Cells {
					if cell.Held && cell.Fault == attack.Refused && cell.Attempts == cell.Requests {
						refused += cell.Requests
					}
				}
			}
			if c.sent != 0 || c.scheduled != 0 || refused == 0 || refused != dials || refused != c.held {
				t.Errorf("%d sent, %d scheduled; %d refused of %d dials, %d held", c.sent, c.scheduled, refused, dials, c.held)
			}
		})
	}
}
