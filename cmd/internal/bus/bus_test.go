package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
)

func start(t *testing.T, cfg ServerConfig) *Server {
	t.Helper()
	if cfg.Store == "" {
		cfg.Store = t.TempDir()
	}
	s, err := StartServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func dial(t *testing.T, cfg Config) *Conn {
	t.Helper()
	c, err := Dial(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func set(t *testing.T, valid time.Duration) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "team")
	if err := WriteSet(SetConfig{Dir: dir, Hosts: []string{"127.0.0.1", "localhost"}, Valid: valid, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Beyond loopback nothing listens without credentials.
func TestNoOpenListener(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", "[::]:0", ":0"} {
		_, err := StartServer(ServerConfig{Listen: listen, Store: t.TempDir()})
		if !errors.Is(err, ErrOpen) || !strings.Contains(err.Error(), "rampload fleet creds") {
			t.Errorf("%s: %v", listen, err)
		}
	}
	s := start(t, ServerConfig{Listen: "0.0.0.0:0", Set: set(t, time.Hour)})
	if !strings.HasPrefix(s.URL(), "tls://") {
		t.Errorf("with credentials it listens on %s", s.URL())
	}
	_, err := StartServer(ServerConfig{Listen: strings.TrimPrefix(start(t, ServerConfig{Listen: "127.0.0.1:0"}).URL(), "nats://"), Store: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a taken address: %v", err)
	}
}

// Whoever is not wanted is told why in one line, and what is wanted works.
func TestCredentials(t *testing.T) {
	team, others, old := set(t, time.Hour), set(t, time.Hour), set(t, -time.Second)
	s := start(t, ServerConfig{Listen: "127.0.0.1:0", Set: team})
	url := strings.Replace(s.URL(), "0.0.0.0", "127.0.0.1", 1)
	forged := filepath.Join(t.TempDir(), "worker.creds")
	data, err := os.ReadFile(filepath.Join(team, "worker.creds"))
	if err != nil {
		t.Fatal(err)
	}
	// The team's token with somebody else's key.
	token, _ := jwt.ParseDecoratedJWT(data)
	stranger, _ := os.ReadFile(filepath.Join(others, "worker.creds"))
	own, _ := jwt.ParseDecoratedJWT(stranger)
	if err := os.WriteFile(forged, bytes.Replace(stranger, []byte(own), []byte(token), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		creds, ca string
		role      Role
		says      string
	}{
		"none":    {"", filepath.Join(team, "ca.pem"), RoleWorker, "wants credentials: name worker.creds"},
		"wrong":   {filepath.Join(others, "worker.creds"), filepath.Join(team, "ca.pem"), RoleWorker, "not of its own set"},
		"forged":  {forged, filepath.Join(team, "ca.pem"), RoleWorker, "tampered with"},
		"expired": {filepath.Join(old, "worker.creds"), filepath.Join(team, "ca.pem"), RoleWorker, "expired on"},
		"role":    {filepath.Join(team, "agent.creds"), "", RoleWorker, "are an agent's: use worker.creds"},
		"ca":      {filepath.Join(others, "worker.creds"), "", RoleWorker, "not trusted here"},
		"no file": {filepath.Join(team, "nobody.creds"), "", RoleWorker, "there is no file"},
		"no set":  {filepath.Join(team, "ca.pem"), "", RoleWorker, "holds no credentials"},
	} {
		_, err := Dial(Config{URL: url, Creds: c.creds, CA: c.ca, Role: c.role})
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	if _, err := Dial(Config{URL: "nats://127.0.0.1:1", Role: RoleWorker}); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("nobody there: %v", err)
	}
	for _, role := range []Role{RoleCoordinator, RoleWorker, RoleAgent} {
		dial(t, Config{URL: url, Creds: filepath.Join(team, CredsFile(role)), Role: role})
	}
	dial(t, Config{Own: s, Creds: filepath.Join(team, "coordinator.creds"), Role: RoleCoordinator})
}

// With a worker's credentials nobody gives orders, reads a run or hears others' answers.
func TestPermissions(t *testing.T) {
	team := set(t, time.Hour)
	s := start(t, ServerConfig{Listen: "127.0.0.1:0", Set: team})
	var mu sync.Mutex
	var denied []string
	worker := dial(t, Config{URL: s.URL(), Creds: filepath.Join(team, "worker.creds"), Role: RoleWorker, Notice: func(n Notice) {
		mu.Lock()
		defer mu.Unlock()
		if n.Err != nil {
			denied = append(denied, n.Err.Error())
		}
	}})
	lead := dial(t, Config{Own: s, Creds: filepath.Join(team, "coordinator.creds"), Role: RoleCoordinator})
	heard := make(chan struct{}, 10)
	stop, err := lead.Hear(CallSubject(RoleWorker, "x"), func([]byte) []byte { heard <- struct{}{}; return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	_ = worker.Send(CallSubject(RoleWorker, "x"), nil)
	for _, subject := range []string{"_INBOX.rampload-coordinator.>", "rampload.agent.>", "rampload.run.1.log.*"} {
		if _, err := worker.nats.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := worker.CreateStream(t.Context(), "1"); err == nil {
		t.Error("a worker made a stream")
	}
	_ = worker.nats.Flush()
	if len(heard) != 0 {
		t.Error("a worker gave an order")
	}
	mu.Lock()
	defer mu.Unlock()
	if len(denied) < 4 {
		t.Errorf("only %d things were denied: %q", len(denied), denied)
	}
}

// Pieces are kept in order, survive the server, and are read from the first again.
func TestStream(t *testing.T) {
	store := t.TempDir()
	s, err := StartServer(ServerConfig{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	lead := dial(t, Config{Own: s, Role: RoleCoordinator})
	if _, err := lead.OpenStream(t.Context(), "7"); !errors.Is(err, ErrNoStream) {
		t.Errorf("a stream that is not there: %v", err)
	}
	if err := <-lead.Append("7", 1, 0, []byte("x")); err == nil {
		t.Error("a piece without a stream was kept")
	}
	stream, err := lead.CreateStream(t.Context(), "7")
	if err != nil {
		t.Fatal(err)
	}
	if !stream.Empty(t.Context()) {
		t.Error("a new stream holds something")
	}
	for i := range 50 {
		if err := <-lead.Append("7", i%3, int64(i), fmt.Appendf(nil, "piece %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	lead.Close()
	s.Close()

	again := dial(t, Config{Own: start(t, ServerConfig{Store: store}), Role: RoleCoordinator})
	if stream, err = again.OpenStream(t.Context(), "7"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err = stream.Follow(ctx, func(p Piece) {
		if p.Offset != int64(n) || p.Part != n%3 || string(p.Data) != fmt.Sprintf("piece %d", n) || p.Last != (n == 49) {
			t.Errorf("piece %d is %+v", n, p)
		}
		if n++; p.Last {
			cancel()
		}
	})
	if err != nil || n != 50 {
		t.Errorf("%d pieces, %v", n, err)
	}
	if err := stream.Delete(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestFind(t *testing.T) {
	s := start(t, ServerConfig{Listen: "127.0.0.1:0"})
	lead := dial(t, Config{Own: s, Role: RoleCoordinator})
	for _, name := range []string{"b.example", "a"} {
		c := dial(t, Config{URL: s.URL(), Role: RoleWorker})
		_, stop, err := c.Offer(Service{Role: RoleWorker, Name: name, Version: "devel", Metadata: map[string]string{"cpus": "4"}}, func(d []byte) []byte {
			return append([]byte(name+" heard "), d...)
		})
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
	}
	found, err := lead.Find(t.Context(), RoleWorker, 20*time.Second, func(f []Found) bool { return len(f) == 2 })
	if err != nil || len(found) != 2 || found[0].Name != "a" || found[1].Metadata["cpus"] != "4" {
		t.Fatalf("%+v, %v", found, err)
	}
	answer, err := lead.Call(t.Context(), CallSubject(RoleWorker, found[1].ID), []byte("hello"))
	if err != nil || string(answer) != "b.example heard hello" {
		t.Errorf("%q, %v", answer, err)
	}
	if _, err := lead.Call(t.Context(), CallSubject(RoleWorker, "none"), nil); !errors.Is(err, ErrNobody) {
		t.Errorf("nobody there: %v", err)
	}
}

// A server with little room keeps less of each run, and one without says so in a line.
func TestServerWithLittleRoom(t *testing.T) {
	for _, c := range []struct {
		room int64
		want string
	}{{300 << 20, ""}, {10 << 20, "has no room for what a run records"}} {
		own, err := server.NewServer(&server.Options{
			Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
			JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: c.room, JetStreamMaxMemory: 1 << 20,
		})
		if err != nil {
			t.Fatal(err)
		}
		own.Start()
		t.Cleanup(func() { own.Shutdown(); own.WaitForShutdown() })
		if !own.ReadyForConnections(10 * time.Second) {
			t.Fatal("the server does not start")
		}
		conn := dial(t, Config{URL: own.ClientURL(), Role: RoleCoordinator, Name: "c"})
		_, err = conn.CreateStream(t.Context(), "0123456789abcdef")
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%d MiB: %v", c.room>>20, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%d MiB: %v, want %q", c.room>>20, err, c.want)
		}
	}
}
