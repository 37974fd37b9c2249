// Package bus is rampload's use of NATS: a server in this process or one that is
// there, connections with their credentials, calls to others by subject, and streams
// that keep what a run recorded. What is said over it is the fleet's business. No
// other package imports NATS.
package bus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// subjectOf returns a subject of rampload's.
func subjectOf(tokens ...string) string { return "rampload." + strings.Join(tokens, ".") }

// Config is how a server is reached.
type Config struct {
	URL    string  // one or several, with commas between them
	Own    *Server // instead of URL: the server in this process
	Creds  string  // file; empty: none
	CA     string  // file with the certificates to trust; empty: beside Creds, else the system's
	Role   Role
	Name   string // of the connection, for the server's operator
	Notice func(Notice)
}

// Notice is a change of a connection that somebody may want to know.
type Notice struct {
	Up  bool
	Err error // why it went down, in words for people; may be nil
}

// Conn is a connection to a server. It connects again by itself for as long as it is
// open. It may be used by several goroutines.
type Conn struct {
	nats    *nats.Conn
	append  jetstream.JetStream // for Append
	role    Role
	where   string
	closing atomic.Bool
}

const (
	dialTimeout = 5 * time.Second
	// waitLeast and waitMost bound the pause before another try to connect: a thousand
	// machines must not come back at once.
	waitLeast, waitMost = 100 * time.Millisecond, 3 * time.Second
)

// Dial connects. The error says in one line what stands in the way; it matches
// ErrRefused if that does not change by waiting.
func Dial(cfg Config) (*Conn, error) {
	c := &Conn{role: cfg.Role, where: place(cfg.URL)}
	if err := checkCreds(cfg); err != nil {
		return nil, err
	}
	opts := []nats.Option{
		nats.Name("rampload " + string(cfg.Role) + " " + cfg.Name), nats.Timeout(dialTimeout), nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1), // what cannot be sent now is the caller's to send again
		nats.CustomReconnectDelay(func(attempt int) time.Duration {
			return min(waitMost, waitLeast<<min(attempt, 5)) + time.Duration(time.Now().UnixNano()%int64(waitLeast))
		}),
		nats.PingInterval(20 * time.Second), nats.MaxPingsOutstanding(2),
		nats.IgnoreAuthErrorAbort(), nats.CustomInboxPrefix(inbox(cfg.Role)), nats.RetryOnFailedConnect(false),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { c.tell(cfg, Notice{Up: true, Err: err}) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { c.tell(cfg, Notice{Err: c.explain(cfg, err)}) }),
		nats.ReconnectHandler(func(*nats.Conn) { c.tell(cfg, Notice{Up: true}) }),
	}
	url := cfg.URL
	if cfg.Own != nil {
		opts = append(opts, nats.InProcessServer(cfg.Own.nats))
		url, c.where = "nats://rampload", "the own NATS server"
	}
	if cfg.Creds != "" {
		opts = append(opts, nats.UserCredentials(cfg.Creds))
	}
	if ca := trusted(cfg); ca != "" && cfg.Own == nil {
		opts = append(opts, nats.RootCAs(ca))
	}
	var err error
	if c.nats, err = nats.Connect(url, opts...); err != nil {
		return nil, c.explain(cfg, err)
	}
	if c.append, err = jetstream.New(c.nats, jetstream.WithPublishAsyncTimeout(appendIn)); err != nil {
		c.nats.Close()
		return nil, fmt.Errorf("%s: %w", c.where, err)
	}
	return c, nil
}

func (conn *Conn) tell(cfg Config, n Notice) {
	if cfg.Notice != nil && !conn.closing.Load() {
		cfg.Notice(n)
	}
}

// trusted returns the file with the certificates to trust.
func trusted(cfg Config) string {
	if cfg.CA != "" || cfg.Creds == "" {
		return cfg.CA
	}
	beside := filepath.Join(filepath.Dir(cfg.Creds), caFile)
	if _, err := os.Stat(beside); err != nil {
		return ""
	}
	return beside
}

// place is where a server is, for people.
func place(url string) string {
	var out []string
	for one := range strings.SplitSeq(url, ",") {
		if i := strings.LastIndex(one, "@"); i >= 0 {
			one = one[i+1:]
		}
		_, rest, found := strings.Cut(one, "://")
		if !found {
			rest = one
		}
		out = append(out, strings.TrimSpace(rest))
	}
	return "NATS at " + strings.Join(out, ", ")
}

// Where says which server this is, for people.
func (conn *Conn) Where() string { return conn.where }

// Up reports whether the connection stands now.
func (conn *Conn) Up() bool { return conn.nats.IsConnected() }

// MaxPayload is the most bytes that one message carries.
func (conn *Conn) MaxPayload() int { return int(conn.nats.MaxPayload()) }

// Close ends the connection.
func (conn *Conn) Close() {
	conn.closing.Store(true)
	_ = conn.nats.FlushTimeout(time.Second)
	conn.nats.Close()
}

// ErrRefused says that the server does not want this connection.
var ErrRefused = errors.New("refused")

// refused is an error in words that matches ErrRefused.
type refused string

func (r refused) Error() string        { return string(r) }
func (r refused) Is(target error) bool { return target == ErrRefused }

// checkCreds looks at the own credentials before a server does: it can say more.
func checkCreds(cfg Config) error {
	if cfg.Creds == "" {
		return nil
	}
	claims, err := readCreds(cfg.Creds)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return refused(fmt.Sprintf("there is no file %s with credentials: rampload fleet creds makes them", cfg.Creds))
	case err != nil:
		return refused(fmt.Sprintf("%s holds no credentials: name a file that rampload fleet creds wrote, such as %s", cfg.Creds, CredsFile(cfg.Role)))
	case claims.Expires != 0 && time.Now().Unix() >= claims.Expires:
		return refused(fmt.Sprintf("the credentials in %s expired on %s: make new ones with rampload fleet creds",
			cfg.Creds, time.Unix(claims.Expires, 0).UTC().Format("2006-01-02 15:04 MST")))
	}
	for _, other := range []Role{RoleCoordinator, RoleWorker, RoleAgent} {
		if other != cfg.Role && claims.Tags.Contains("rampload-"+string(other)) {
			return refused(fmt.Sprintf("the credentials in %s are %s's: use %s of the same folder", cfg.Creds, article(other), CredsFile(cfg.Role)))
		}
	}
	return nil
}

func article(r Role) string {
	if r == RoleAgent {
		return "an agent"
	}
	return "a " + string(r)
}

func readCreds(path string) (*jwt.UserClaims, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	token, err := jwt.ParseDecoratedJWT(data)
	if err != nil {
		return nil, err
	}
	return jwt.DecodeUserClaims(token)
}

// explain puts an error of connecting into one line.
func (conn *Conn) explain(cfg Config, err error) error {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		verify  *tls.CertificateVerificationError
		network *net.OpError
	)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrAuthExpired):
		return refused(fmt.Sprintf("%s: the credentials in %s have expired: make new ones with rampload fleet creds", conn.where, cfg.Creds))
	case (errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthRevoked) || strings.Contains(strings.ToLower(err.Error()), "authorization violation")) && cfg.Creds == "":
		return refused(fmt.Sprintf("%s wants credentials: name %s of the folder that rampload fleet creds wrote", conn.where, CredsFile(cfg.Role)))
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthRevoked), strings.Contains(strings.ToLower(err.Error()), "authorization violation"):
		return refused(fmt.Sprintf("%s refuses the credentials in %s: they are not of its own set, or were tampered with", conn.where, cfg.Creds))
	case errors.As(err, &unknown), errors.As(err, &invalid) && !errors.As(err, &name):
		return refused(fmt.Sprintf("%s has a certificate that is not trusted here (%s): name the ca.pem of its set with --ca or fleet.ca", conn.where, short(err)))
	case errors.As(err, &name), errors.As(err, &verify):
		return refused(fmt.Sprintf("%s: %s: make the set with rampload fleet creds --host and this name", conn.where, short(err)))
	case errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted):
		return refused(fmt.Sprintf("%s: one end wants TLS and the other does not: write tls:// for a server with credentials, nats:// for one without", conn.where))
	case errors.Is(err, nats.ErrNoServers), errors.As(err, &network), errors.Is(err, nats.ErrTimeout):
		return fmt.Errorf("%s does not answer: %w", conn.where, err)
	}
	return fmt.Errorf("%s: %w", conn.where, err)
}

// short leaves out what wraps an error of a certificate.
func short(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, "x509: "); i >= 0 {
		text = text[i+len("x509: "):]
	}
	return text
}

// Call asks for an answer and waits for it. The error says that nobody answers.
func (conn *Conn) Call(ctx context.Context, subject string, data []byte) ([]byte, error) {
	if len(data) > conn.MaxPayload() {
		return nil, fmt.Errorf("%s carries at most %d KB in a message and this one has %d KB: raise max_payload there", conn.where, conn.MaxPayload()>>10, len(data)>>10)
	}
	m, err := conn.nats.RequestWithContext(ctx, subject, data)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return nil, ErrNobody
	case err != nil:
		return nil, fmt.Errorf("ask over %s: %w", conn.where, err)
	}
	return m.Data, nil
}

// ErrNobody says that nobody listens to a subject.
var ErrNobody = errors.New("nobody answers")

// Send sends without an answer; what cannot be sent now is lost.
func (conn *Conn) Send(subject string, data []byte) error { return conn.nats.Publish(subject, data) }

// Ask sends a question to all who hear a subject; each answer goes to the function
// that Answers was given.
func (conn *Conn) Ask(subject, reply string, data []byte) error {
	return conn.nats.PublishRequest(subject, reply, data)
}

// Inbox returns a subject for answers that only this connection hears.
func (conn *Conn) Inbox() string { return conn.nats.NewInbox() }

// Hear calls a function for each message of a subject, one after the other, until the
// returned function is called. An answer that is not nil is sent back.
func (conn *Conn) Hear(subject string, f func(data []byte) []byte) (stop func(), err error) {
	sub, err := conn.nats.Subscribe(subject, func(m *nats.Msg) {
		if answer := f(m.Data); answer != nil && m.Reply != "" {
			_ = m.Respond(answer) // who asked asks again
		}
	})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", conn.where, err)
	}
	if err := conn.nats.FlushTimeout(dialTimeout); err != nil { // known to the server from here on
		_ = sub.Unsubscribe()
		return nil, fmt.Errorf("listen on %s: %w", conn.where, err)
	}
	return func() { _ = sub.Unsubscribe() }, nil
}
