package bus

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// maxPayload is the most that one message carries: a profile with many targets.
	maxPayload = 8 << 20
	// maxMemory and maxStore bound what the own server takes of this machine: streams
	// are on disk, and a run log grows by some megabytes a minute and machine.
	maxMemory = 64 << 20
	maxStore  = 16 << 30
	// readyIn is how long the own server may take to come up.
	readyIn = 20 * time.Second
)

// ServerConfig is what the own server needs.
type ServerConfig struct {
	// Listen is host:port; empty: only this process reaches it.
	Listen string
	// Store is the folder for its streams. It must outlive the process: what a run
	// recorded is read from it again.
	Store string
	// Set is the folder that [WriteSet] wrote; empty: no credentials and no TLS, which
	// is accepted on loopback only.
	Set string
}

// Server is a NATS server in this process. It logs nothing and leaves signals alone.
type Server struct {
	nats *server.Server
	set  string
}

// ErrOpen says that a listener beyond loopback was asked for without credentials.
var ErrOpen = errors.New("anybody could send load with it")

// StartServer starts the own server. The error says what to do about it.
func StartServer(cfg ServerConfig) (*Server, error) {
	opts := &server.Options{
		ServerName: "rampload", NoSigs: true, NoLog: true, DontListen: true,
		JetStream: true, StoreDir: cfg.Store, JetStreamMaxMemory: maxMemory, JetStreamMaxStore: maxStore,
		SyncAlways: true, // JetStream acknowledges before it syncs otherwise
		MaxPayload: maxPayload, MaxPending: 256 << 20, WriteDeadline: 5 * time.Second,
	}
	if cfg.Listen != "" {
		host, port, err := splitListen(cfg.Listen)
		if err != nil {
			return nil, err
		}
		if cfg.Set == "" && !loopback(host) {
			return nil, fmt.Errorf("listen on %s without credentials: %w: make them with rampload fleet creds, and name them with fleet.creds", cfg.Listen, ErrOpen)
		}
		if port != 0 && taken(cfg.Listen) { // the server would only try again and again
			return nil, fmt.Errorf("start NATS server: %s is in use: name another address with fleet.listen, or the server there with fleet.nats", cfg.Listen)
		}
		opts.Host, opts.Port, opts.DontListen = host, port, false
		if port == 0 {
			opts.Port = server.RANDOM_PORT
		}
	}
	if cfg.Set != "" {
		if err := secure(opts, cfg.Set); err != nil {
			return nil, err
		}
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("start NATS server: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(readyIn) {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("start NATS server on %q: it did not come up in %s", cfg.Listen, readyIn)
	}
	if !s.JetStreamEnabled() {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("start NATS server: its streams cannot be kept in %s", cfg.Store)
	}
	return &Server{nats: s, set: cfg.Set}, nil
}

func splitListen(listen string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(listen)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("%q is no address to listen on: write one such as 0.0.0.0:4222", listen)
	}
	return host, port, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// taken reports whether something listens there already.
func taken(listen string) bool {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return true
	}
	l.Close()
	return false
}

// URL is how others reach the server; empty if it does not listen.
func (s *Server) URL() string {
	addr, ok := s.nats.Addr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	scheme := "nats://"
	if s.set != "" {
		scheme = "tls://"
	}
	return scheme + addr.String()
}

// Received is how many messages came from all who are connected. The error is that of a
// server that has ended.
func (s *Server) Received() (int64, error) {
	v, err := s.nats.Varz(nil)
	if err != nil {
		return 0, fmt.Errorf("ask NATS server: %w", err)
	}
	return v.InMsgs, nil
}

// Close ends the server, when everything is on disk.
func (s *Server) Close() {
	s.nats.Shutdown()
	s.nats.WaitForShutdown()
}
