package protocol_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/protocol"
	"github.com/rampload/rampload/attack/wire/wiretest"
	"github.com/rampload/rampload/attack/wire/wiretest/record"
	"github.com/rampload/rampload/profiles"
)

func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("RAMPLOAD_NO_SKIP") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// freePort is a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// run starts a server until the end of the test, and returns when its port answers.
func run(t *testing.T, port string, cmd *exec.Cmd) {
	t.Helper()
	log := &strings.Builder{}
	var mu sync.Mutex
	cmd.Stdout = writer(func(p []byte) { mu.Lock(); log.Write(p); mu.Unlock() })
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT) // PostgreSQL ends fast by it
		_ = cmd.Wait()
	})
	for end := time.Now().Add(wiretest.Patience); ; {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			mu.Lock()
			defer mu.Unlock()
			t.Fatalf("%s does not answer: %v\n%s", cmd.Path, err, log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }

// redis starts a Redis.
func redis(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		skip(t, "needs redis-server: %v", err)
	}
	port := freePort(t)
	run(t, port, exec.Command(path, append([]string{"--port", port, "--save", "", "--dir", t.TempDir()}, args...)...))
	return "127.0.0.1:" + port
}

// postgresUser is who PostgreSQL runs as: not as root, which it refuses; nil: whoever runs
// the tests.
func postgresUser(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		skip(t, "needs the user postgres: %v", err)
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// give makes files those of a user.
func give(t *testing.T, to *syscall.Credential, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if to == nil {
			continue
		}
		if err := os.Chown(path, int(to.Uid), int(to.Gid)); err != nil {
			t.Fatal(err)
		}
	}
}

// certificate writes a certificate of 127.0.0.1 and its key for PostgreSQL, and returns
// their files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "rampload-pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, of, of, pair.Public(), pair)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	give(t, postgresUser(t), dir, cert, key)
	return cert, key
}

// PostgreSQL is asked for TLS in the clear, and all that follows goes over it.
func TestPostgresTLS(t *testing.T) {
	cert, key := certificate(t)
	with := postgres(t, "-c", "ssl=on", "-c", "ssl_cert_file="+cert, "-c", "ssl_key_file="+key)
	without := postgres(t)
	for name, tt := range map[string]struct {
		addr, mode string
		tls        profiles.TLS
		fault      attack.Fault
		detail     string
		heard      string
	}{
		"its authority":     {with, "require", profiles.TLS{CAFile: cert}, attack.None, "", `"t"`},
		"not verified":      {with, "verify-full", profiles.TLS{SkipVerify: true}, attack.None, "", `"t"`},
		"unknown authority": {with, "require", profiles.TLS{}, attack.TLS, "certificate unknown-authority", ""},
		"none asked for":    {with, "disable", profiles.TLS{}, attack.None, "", `"f"`},
		"none there":        {without, "require", profiles.TLS{CAFile: cert}, attack.TLS, "malformed wrong-protocol", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := profiles.Request{Command: "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"}
			tr, err := wire.New(wire.Config{
				Profile: profiles.Target{URL: "postgres://app:secret@" + tt.addr + "/postgres?sslmode=" + tt.mode, Requests: []profiles.Request{r}}, Exchange: protocol.New,
				Client: profiles.Client{Connections: 1, Timeout: wiretest.Patience, TLS: tt.tls},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { tr.Close() })
			compiled, err := tr.Compile(r)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if a := do(t, tr, compiled); a.Fault != tt.fault || a.Detail.String() != tt.detail || !strings.HasPrefix(heard(a), tt.heard) {
					t.Errorf("%v %q in %v, heard %q", a.Fault, a.Detail, a.Phase, heard(a))
				}
			}
		})
	}
}

// postgres starts a PostgreSQL with a user app; those called after a way to log in are
// asked in that way.
func postgres(t *testing.T, args ...string) string {
	t.Helper()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(bins) == 0 {
		skip(t, "needs the package postgresql")
	}
	dir, err := os.MkdirTemp("", "rampload-pg") // not t.TempDir, which another user cannot enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	as := &syscall.SysProcAttr{Credential: postgresUser(t)}
	give(t, as.Credential, dir)
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("secret\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	data, bin := filepath.Join(dir, "data"), bins[len(bins)-1]
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-A", "scram-sha-256", "-U", "app", "--pwfile", password, "--no-sync")
	initdb.SysProcAttr, initdb.Dir = as, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	hba := "host all trust 127.0.0.1/32 trust\nhost all password 127.0.0.1/32 password\nhost all md5 127.0.0.1/32 md5\nhost all all 127.0.0.1/32 scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(hba), 0o644); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	cmd := exec.Command(filepath.Join(bin, "postgres"), append([]string{
		"-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off",
	}, args...)...)
	cmd.SysProcAttr, cmd.Dir = as, dir
	run(t, port, cmd)
	return "127.0.0.1:" + port
}

// open makes a client of a target.
func open(t *testing.T, url string, connections int, requests ...profiles.Request) (*wire.Transport, []attack.Request, *record.Recorder) {
	t.Helper()
	rec := record.New()
	tr, err := wire.New(wire.Config{
		Profile: profiles.Target{URL: url, Requests: requests}, Exchange: protocol.New, OnIdle: rec.OnIdle,
		Client: profiles.Client{Connections: connections, Timeout: wiretest.Patience},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	var out []attack.Request
	for _, r := range requests {
		compiled, err := tr.Compile(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, compiled)
	}
	return tr, out, rec
}

// do makes an attempt; one that meets a server that is still starting is made again.
func do(t *testing.T, tr *wire.Transport, r attack.Request) attack.Attempt {
	t.Helper()
	for end := time.Now().Add(wiretest.Patience); ; {
		a := attack.Attempt{Reply: &attack.Reply{Limit: 1000}}
		tr.Do(r, &a)
		if a.Detail.Code != attack.ServerStartingUp || a.Detail.Kind != attack.ServerDetail || time.Now().After(end) {
			return a
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func heard(a attack.Attempt) string {
	var b strings.Builder
	for _, turn := range a.Reply.Turns {
		if !turn.Ours {
			b.Write(turn.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

func TestRedisServer(t *testing.T) {
	addr := redis(t, "--requirepass", "secret")
	tr, reqs, _ := open(t, "redis://:secret@"+addr+"/2", 2,
		profiles.Request{Command: `SET "a key" 'some value'`}, profiles.Request{Command: `GET "a key"`},
		profiles.Request{Command: "HGETALL none"}, profiles.Request{Command: "NOSUCH x"}, profiles.Request{Command: "GET none"})
	for i, want := range []string{"OK", "some value", "", "ERR unknown command", "(nil)"} {
		a := do(t, tr, reqs[i])
		fault := map[bool]attack.Fault{true: attack.Status, false: attack.None}[i == 3]
		if a.Fault != fault || !strings.Contains(heard(a), want) {
			t.Errorf("request %d: %v %q, heard %q; want %q", i, a.Fault, a.Detail, heard(a), want)
		}
	}
	if n := tr.Stats().Dials; n != 1 {
		t.Errorf("%d connections, want the one that an error leaves open", n)
	}
	tr, reqs, _ = open(t, "redis://:wrong@"+addr, 1, profiles.Request{Command: "PING"})
	if a := do(t, tr, reqs[0]); a.Fault != attack.Status || a.Detail.String() != "server authentication" || a.Answer == nil || !strings.Contains(a.Answer.Body, "WRONGPASS") {
		t.Errorf("a wrong password: %v %q %+v", a.Fault, a.Detail, a.Answer)
	}
	tr, reqs, _ = open(t, "redis://"+addr, 1, profiles.Request{Command: "PING"})
	if a := do(t, tr, reqs[0]); a.Fault != attack.Status || a.Detail.String() != "server authentication" {
		t.Errorf("no password: %v %q", a.Fault, a.Detail)
	}
}

// crowd opens connections, each for one request that it keeps, and returns by what the
// attempts ended.
func crowd(t *testing.T, url string, n int, r profiles.Request) (ends map[string]int, idle []attack.Attempt) {
	t.Helper()
	tr, reqs, rec := open(t, url, n, r)
	do(t, tr, reqs[0])
	ends = map[string]int{}
	var leases []*wire.Lease
	for range n {
		l := tr.Lease()
		leases = append(leases, l)
		var a attack.Attempt
		l.Do(reqs[0], &a)
		ends[a.Detail.String()]++
		if a.Detail.IsZero() && a.Fault != attack.None {
			t.Errorf("ended in %v without a word of why", a.Fault)
		}
	}
	for _, l := range leases {
		l.Close()
	}
	tr.Close()
	return ends, rec.Idle()
}

func TestRedisMaxClients(t *testing.T) {
	addr := redis(t, "--maxclients", "20")
	ends, _ := crowd(t, "redis://"+addr, 30, profiles.Request{Command: "PING"})
	if ends[""] != 19 || ends["server too-many-clients"] != 11 { // one is the pool's
		t.Errorf("%v, want 19 answers", ends)
	}
	// The same by a script, whose author knows nothing of it.
	script := []profiles.Turn{{Kind: profiles.TurnSend, By: profiles.ByText, Text: "PING\r\n"}, {Kind: profiles.TurnExpect, By: profiles.ByText, Text: "+PONG\r\n"}}
	ends, _ = crowd(t, "tcp://"+addr, 30, profiles.Request{Script: script})
	if ends[""] != 19 || ends["server too-many-clients"] != 11 {
		t.Errorf("script: %v, want 19 answers", ends)
	}
}

// Connections that are held and never asked anything are told why they were refused.
func TestRedisMaxClientsHeld(t *testing.T) {
	tr, _, rec := open(t, "redis://"+redis(t, "--maxclients", "20"), 1, profiles.Request{Command: "PING"})
	tr.Hold(30)
	for end := time.Now().Add(wiretest.Patience); len(rec.Idle()) < 10 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		continue
	}
	tr.Close()
	for _, a := range rec.Idle() {
		if !a.Held || a.Detail.String() != "server too-many-clients" {
			t.Errorf("told as %v %q, held %v", a.Fault, a.Detail, a.Held)
		}
	}
	if len(rec.Idle()) < 10 {
		t.Errorf("%d reports, want 10", len(rec.Idle()))
	}
}

func TestPostgresServer(t *testing.T) {
	addr := postgres(t)
	tr, reqs, _ := open(t, "postgres://app:secret@"+addr+"/postgres", 1, profiles.Request{
		Command: `SET password_encryption = md5; CREATE ROLE md5 LOGIN PASSWORD 'secret'; CREATE ROLE trust LOGIN; CREATE ROLE password LOGIN PASSWORD 'secret'`,
	})
	if a := do(t, tr, reqs[0]); a.Fault != attack.None {
		t.Fatalf("%v %q %s", a.Fault, a.Detail, heard(a))
	}
	for _, auth := range []string{"trust", "password", "md5", "app"} {
		t.Run(auth, func(t *testing.T) {
			tr, reqs, _ := open(t, "postgres://"+auth+":secret@"+addr+"/postgres", 2,
				profiles.Request{Command: "SELECT 1, NULL, 'a'"}, profiles.Request{Command: "SELECT nothing"},
				profiles.Request{Command: "SELECT repeat('x', 100000)"}, profiles.Request{Command: "SELECT generate_series(1, 20000); SELECT 2"})
			a := do(t, tr, reqs[0])
			if a.Fault != attack.None || !strings.Contains(heard(a), `"1" | NULL | "a"`) {
				t.Fatalf("%v %q, heard %q", a.Fault, a.Detail, heard(a))
			}
			if a = do(t, tr, reqs[1]); a.Fault != attack.Status || a.Detail.String() != "server error" || a.Answer == nil || !strings.HasPrefix(a.Answer.Body, "ERROR 42703: ") {
				t.Errorf("an error: %v %q %+v", a.Fault, a.Detail, a.Answer)
			}
			for _, r := range reqs[2:] {
				if a = do(t, tr, r); a.Fault != attack.None || a.Received < 100_000 {
					t.Errorf("much: %v %q, %d bytes", a.Fault, a.Detail, a.Received)
				}
			}
			if n := tr.Stats().Dials; n != 1 {
				t.Errorf("%d connections", n)
			}
			tr, reqs, _ = open(t, "postgres://"+auth+":wrong@"+addr+"/postgres", 1, profiles.Request{Command: "SELECT 1"})
			if a = do(t, tr, reqs[0]); auth != "trust" && (a.Fault != attack.Status || a.Detail.String() != "server authentication" || a.Answer == nil || !strings.Contains(a.Answer.Body, "28P01")) {
				t.Errorf("a wrong password: %v %q %+v", a.Fault, a.Detail, a.Answer)
			}
		})
	}
}

func TestPostgresMaxConnections(t *testing.T) {
	addr := postgres(t, "-c", "max_connections=12", "-c", "superuser_reserved_connections=0", "-c", "max_wal_senders=0")
	ends, _ := crowd(t, "postgres://app:secret@"+addr+"/postgres", 20, profiles.Request{Command: "SELECT 1"})
	if ends[""] != 11 || ends["server too-many-clients"] != 9 {
		t.Errorf("%v, want 11 answers", ends)
	}
}

// A broker gives up a consumer that does not read what it has subscribed to: the script
// that held on meets the end of its connection.
func TestSlowConsumer(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, MaxPending: 1 << 20, WriteDeadline: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	defer s.Shutdown()
	if !s.ReadyForConnections(wiretest.Patience) {
		t.Fatal("the broker does not start")
	}
	addr := s.Addr().String()
	stop := make(chan struct{})
	var flood sync.WaitGroup
	defer flood.Wait()
	defer close(stop)
	flood.Go(func() {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		defer c.Close()
		w := bufio.NewWriter(c)
		fmt.Fprintf(w, "CONNECT {\"verbose\":false}\r\n")
		body := strings.Repeat("x", 64<<10)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := fmt.Fprintf(w, "PUB news %d\r\n%s\r\n", len(body), body); err != nil {
				return
			}
		}
	})
	turn := func(kind profiles.TurnKind, by profiles.By, text string) profiles.Turn {
		return profiles.Turn{Kind: kind, By: by, Text: text}
	}
	tr, reqs, rec := open(t, "tcp://"+addr, 1, profiles.Request{Script: []profiles.Turn{
		turn(profiles.TurnExpect, profiles.ByLine, "^INFO "),
		turn(profiles.TurnSend, profiles.ByText, "CONNECT {\"verbose\":false}\r\nSUB news 1\r\n"),
		{Kind: profiles.TurnHold, For: 2 * time.Second},
		// Behind what it has not read its end waits, too.
		turn(profiles.TurnExpect, profiles.ByLength, "2000000000"),
	}})
	var a attack.Attempt
	tr.Do(reqs[0], &a)
	tr.Close()
	if ended := []attack.Fault{attack.Status, attack.EOF, attack.Reset}; !slices.Contains(ended, a.Fault) || a.Phase != attack.PhaseBody {
		t.Errorf("%v %q in %v after %v; %v", a.Fault, a.Detail, a.Phase, a.End-a.Start, record.Faults(rec.Idle()))
	}
	if n := s.NumSlowConsumers(); n == 0 {
		t.Error("the broker gave up nobody")
	}
	t.Logf("%v %q in %v after %v", a.Fault, a.Detail, a.Phase, a.End-a.Start)
}
