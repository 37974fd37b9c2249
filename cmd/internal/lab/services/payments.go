package services

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// Payments describes the payment service: how long a payment takes and how many
// descriptors it needs meanwhile. It is the service "payments" of [Run];
// POST books a payment, any other method asks for one and needs no ledger.
//
// A payment opens Ledgers descriptors before it reads the request's body and
// holds them for Hold, which grows by Growth towards the load at which they run
// out. When opening fails the service closes the connection with the body
// unread, so that the kernel resets it. When accept fails it waits a little and
// tries again, as net/http does.
type Payments struct {
	NoFile  uint64        // soft limit of open files
	Hold    time.Duration // of the descriptors of one payment when idle
	Growth  float64       // Hold grows to Hold·(1+Growth) when descriptors run out
	Ledgers int           // descriptors of one payment besides its connection
}

// ownFiles is what the process has open without any connection: standard
// streams, listener, epoll and its eventfd.
const ownFiles = 6

// capacity returns the number of payments that can be in flight at once, each
// with its connection and its ledgers.
func (p Payments) capacity() float64 {
	return (float64(p.NoFile) - ownFiles) / float64(1+p.Ledgers)
}

// OnsetLoad returns the number of payments per second at which descriptors run
// out, by Little's law, when each payment in flight has one connection and no
// further connections are open. Idle pooled connections make it earlier, at
// worst by their share of the limit.
func (p Payments) OnsetLoad() float64 {
	return p.capacity() / (p.Hold.Seconds() * (1 + p.Growth))
}

// Args returns the flags of the service for [Child].
func (p Payments) Args() []string {
	return []string{
		fmt.Sprintf("-nofile=%d", p.NoFile), fmt.Sprintf("-hold=%v", p.Hold),
		fmt.Sprintf("-growth=%g", p.Growth), fmt.Sprintf("-ledgers=%d", p.Ledgers),
		// The growth is towards the load at which these would run out.
		fmt.Sprintf("-capacity=%g", p.capacity()),
	}
}

// payments is the service.
func payments(fs *flag.FlagSet) func(context.Context, *host) error {
	hold := fs.Duration("hold", 50*time.Millisecond, "time that a payment holds its descriptors")
	growth := fs.Float64("growth", 0, "growth of hold at capacity")
	ledgers := fs.Int("ledgers", 1, "descriptors of a payment besides its connection")
	cpu := fs.Duration("cpu", 0, "processor time of a payment")
	capacity := fs.Float64("capacity", 1000, "payments in flight at which hold has grown in full")
	return func(ctx context.Context, h *host) error {
		dir, err := os.MkdirTemp("", "rampload-ledger-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		ledger := filepath.Join(dir, "ledger")
		if err := os.WriteFile(ledger, nil, 0o600); err != nil {
			return err
		}
		ln, err := h.listen()
		if err != nil {
			return err
		}
		h.ready(ln.Addr())
		s := &paymentService{host: h, ctx: ctx, ledger: ledger, ledgers: *ledgers, hold: *hold, cpu: *cpu, growth: *growth, capacity: *capacity}
		a := &acceptor{ln: ln, tally: h.tally, serve: s.serve}
		return a.run(ctx)
	}
}

type paymentService struct {
	*host
	ctx      context.Context
	ledger   string
	ledgers  int
	hold     time.Duration
	cpu      time.Duration
	growth   float64
	capacity float64
	inFlight atomic.Int64
}

func (s *paymentService) serve(c *net.TCPConn) {
	s.tally.Count("connections")
	// A small buffer: the body stays in the socket until it is asked for.
	in := bufio.NewReaderSize(c, 256)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		s.tally.Count("requests")
		if req.Method == http.MethodPost {
			n := s.inFlight.Add(1)
			ok := s.pay(c, req, n)
			s.inFlight.Add(-1)
			if !ok {
				return
			}
			continue
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		if !answer(c, req, http.StatusOK, `{"payment":"settled"}`) {
			return
		}
		s.tally.Count("responses")
	}
}

// pay books one payment and reports whether the connection goes on.
func (s *paymentService) pay(c *net.TCPConn, req *http.Request, inFlight int64) bool {
	var open []*os.File
	defer func() {
		for _, f := range open {
			f.Close()
		}
	}()
	for range s.ledgers {
		f, err := os.OpenFile(s.ledger, os.O_RDWR|os.O_APPEND, 0)
		if err != nil {
			if outOfFiles(err) {
				s.tally.Harm("open-emfile")
			}
			s.drop(c)
			return false
		}
		open = append(open, f)
	}
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return false
	}
	burnThread(s.cpu)
	grown := 1 + s.growth*min(float64(inFlight)/s.capacity, 1)
	if !lab.Wait(s.ctx, time.Duration(float64(s.hold)*grown)) {
		return false
	}
	if !answer(c, req, http.StatusCreated, `{"payment":"booked"}`) {
		return false
	}
	s.tally.Count("responses")
	return !req.Close
}

// answer writes a small response and reports whether that worked.
func answer(c io.Writer, req *http.Request, status int, body string) bool {
	connection := ""
	if req.Close {
		connection = "Connection: close\r\n"
	}
	text := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n", status, http.StatusText(status), len(body), connection)
	if req.Method != http.MethodHead {
		text += body
	}
	_, err := io.WriteString(c, text)
	return err == nil
}
