package grpc_test

import (
	"net"
	"net/http"
	"testing"
	"time"

	xgrpc "google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/grpc/grpctest"
)

// peer serves HTTP/2 without TLS, whatever it answers, and returns its address.
func peer(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: answer, Protocols: new(http.Protocols)}
	s.Protocols.SetUnencryptedHTTP2(true)
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// TestHostilePeers: answers that are none fail, each with its own detail, and those that do
// not end are given up.
func TestHostilePeers(t *testing.T) {
	begin := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
	}
	forEver := func(w http.ResponseWriter, r *http.Request, p []byte) {
		for r.Context().Err() == nil {
			if _, err := w.Write(p); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	}
	message := []byte{0, 0, 0, 0, 2, 8, 7}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		fault  attack.Fault
		detail string
	}{
		"messages for ever": {func(w http.ResponseWriter, r *http.Request) { begin(w); forEver(w, r, message) }, attack.Timeout, ""},
		"empty for ever":    {func(w http.ResponseWriter, r *http.Request) { begin(w); forEver(w, r, make([]byte, 5000)) }, attack.Timeout, ""},
		"compressed":        {func(w http.ResponseWriter, r *http.Request) { begin(w); forEver(w, r, []byte{1, 0, 0, 0, 1, 1}) }, attack.Protocol, "malformed encoding"},
		"oversized":         {func(w http.ResponseWriter, r *http.Request) { begin(w); forEver(w, r, []byte{0, 255, 0, 0, 0, 1}) }, attack.Protocol, "malformed oversized-message"},
		"no gRPC":           {func(w http.ResponseWriter, r *http.Request) { forEver(w, r, make([]byte, 5000)) }, attack.Timeout, ""},
		"a web page":        {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, attack.Protocol, "malformed wrong-protocol"},
		"a proxy's error":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, attack.Status, ""},
		"no status":         {func(w http.ResponseWriter, _ *http.Request) { begin(w); _, _ = w.Write(message) }, attack.Protocol, "malformed trailers"},
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			begin(w)
			_, _ = w.Write(message[:6])
			w.Header().Set("Grpc-Status", "0")
		}, attack.Protocol, "malformed message"},
		"aborted": {func(w http.ResponseWriter, _ *http.Request) {
			begin(w)
			_, _ = w.Write(message)
			panic(http.ErrAbortHandler)
		}, attack.HTTP2Reset, "http2 internal-error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := peer(t, c.answer)
			tr := serve(t, func(cfg *wire.Config) {
				cfg.Profile.URL = "grpc://" + addr
				if c.fault == attack.Timeout {
					cfg.Client.Timeout = 300 * time.Millisecond
				}
			}, echo)
			for range 2 { // the connection goes on
				a := do(t, tr, request("shop.Orders/Watch", "{}"))
				if a.Fault != c.fault || a.Detail.String() != c.detail {
					t.Errorf("ended in %v %q in %v, want %v %q", a.Fault, a.Detail, a.Phase, c.fault, c.detail)
				}
			}
		})
	}
}

// TestAge: calls that a server cuts off at the greatest age of a connection say so.
func TestAge(t *testing.T) {
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	tr := serve(t, nil, func(s grpctest.Stream) error {
		select {
		case <-hang:
		case <-s.Context().Done():
		}
		return nil
	}, xgrpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: 50 * time.Millisecond, MaxConnectionAgeGrace: 50 * time.Millisecond}))
	a := do(t, tr, request("shop.Orders/Get", "{}"))
	if (a.Fault != attack.HTTP2GoAway && a.Fault != attack.Reset) || a.Detail.String() != "http2 max-age" {
		t.Errorf("ended in %v %q in %v", a.Fault, a.Detail, a.Phase)
	}
}
