package services

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// orders is a service that needs another one: it books each order with the
// payment service behind it and answers 502 when that fails, 504 when it takes
// too long. Its own connections to callers stay whole.
func orders(fs *flag.FlagSet) func(context.Context, *host) error {
	upstream := fs.String("upstream", "", "base URL of the payment service")
	timeout := fs.Duration("timeout", 3*time.Second, "time for the payment service's answer")
	pool := fs.Int("pool", 256, "idle connections kept to the payment service; -1: a new one for each request")
	return func(ctx context.Context, h *host) error {
		if *upstream == "" {
			return errors.New("the flag -upstream is missing")
		}
		ln, err := h.listen()
		if err != nil {
			return err
		}
		transport := &http.Transport{MaxIdleConns: *pool, MaxIdleConnsPerHost: *pool, IdleConnTimeout: 90 * time.Second}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport, Timeout: *timeout}
		server := &http.Server{BaseContext: func(net.Listener) context.Context { return ctx }}
		server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.tally.Count("requests")
			body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
			if err != nil {
				return
			}
			w.WriteHeader(bookPayment(r.Context(), h.tally, client, *upstream, body))
		})
		stop := context.AfterFunc(ctx, func() { server.Close() })
		defer stop()
		h.ready(ln.Addr())
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}
}

// bookPayment returns the status for the caller.
func bookPayment(ctx context.Context, t *lab.Tally, client *http.Client, upstream string, body []byte) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, upstream+"/payments", bytes.NewReader(body))
	if err != nil {
		return http.StatusInternalServerError
	}
	req.GetBody = nil // or net/http would send it again on a dead connection
	resp, err := client.Do(req)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	var slow net.Error
	switch {
	case err == nil && resp.StatusCode < 300:
		return http.StatusOK
	case err == nil:
		t.Harm("upstream-status")
		return http.StatusBadGateway
	case ctx.Err() != nil: // the caller gave up
		return http.StatusServiceUnavailable
	case errors.As(err, &slow) && slow.Timeout():
		t.Harm("upstream-timeouts")
		return http.StatusGatewayTimeout
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		t.Harm("upstream-resets")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		t.Harm("upstream-no-port")
	case errors.Is(err, syscall.ECONNREFUSED):
		t.Harm("upstream-refused")
	default:
		t.Harm("upstream-eofs")
	}
	return http.StatusBadGateway
}
