package bus

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// Role is what somebody may do on the bus.
type Role string

// The roles, each with credentials of its own.
const (
	RoleCoordinator Role = "coordinator"
	RoleWorker      Role = "worker"
	RoleAgent       Role = "agent"
)

// Files of a set of credentials.
const (
	caFile       = "ca.pem"
	serverFolder = "server"
	operatorFile = "operator.jwt"
	accountFile  = "account.jwt"
	systemFile   = "system.jwt"
	certFile     = "server.pem"
	keyFile      = "server-key.pem"
	confFile     = "nats-server.conf"
	accountsConf = "accounts.conf"
)

// ServerFiles are the names, in a set, of what nats-server reads in its folder.
func ServerFiles() []string {
	var out []string
	for _, name := range []string{confFile, accountsConf, certFile, keyFile} {
		out = append(out, filepath.Join(serverFolder, name))
	}
	return out
}

// CredsFile returns the name of the file with the credentials of a role in a set.
func CredsFile(r Role) string { return string(r) + ".creds" }

// SetOf returns the folder of the set that a credentials file is of, empty if the
// file stands alone.
func SetOf(creds string) string {
	dir := filepath.Dir(creds)
	if _, err := os.Stat(filepath.Join(dir, serverFolder, operatorFile)); err != nil {
		return ""
	}
	return dir
}

// SetConfig is what a set of credentials is made for.
type SetConfig struct {
	Dir   string        // is created, and must not be there
	Hosts []string      // names and addresses of the server, for its certificate
	Valid time.Duration // of everything in the set
	Now   time.Time
}

// WriteSet makes credentials for a team: one file for each role, a certificate for the
// server, and the server's configuration. Nobody needs the keys that signed them any
// more: they are not kept, so that nobody can make others.
func WriteSet(cfg SetConfig) (err error) {
	if err := os.Mkdir(cfg.Dir, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s is there already: name another folder, so that no credentials in use are lost", cfg.Dir)
		}
		return fmt.Errorf("make folder for credentials: %w", err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(cfg.Dir)
		}
	}()
	files, err := tokens(cfg)
	if err != nil {
		return fmt.Errorf("make credentials: %w", err)
	}
	if err := certificates(cfg, files); err != nil {
		return fmt.Errorf("make certificates: %w", err)
	}
	files[filepath.Join(serverFolder, confFile)] = []byte(conf)
	if err := os.Mkdir(filepath.Join(cfg.Dir, serverFolder), 0o700); err != nil {
		return fmt.Errorf("make folder for credentials: %w", err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(cfg.Dir, name), data, 0o600); err != nil {
			return fmt.Errorf("write credentials: %w", err)
		}
	}
	return nil
}

// conf is of a server that is started in its own folder.
const conf = `# A NATS server for rampload: nats-server -c nats-server.conf, in this folder.
port: 4222
max_payload: 8MB
jetstream {
  store_dir: "./data"
  sync_interval: always
}
tls {
  cert_file: "./server.pem"
  key_file: "./server-key.pem"
}
include "./accounts.conf"
`

// tokens makes the operator's, the accounts' and the roles' tokens.
func tokens(cfg SetConfig) (map[string][]byte, error) {
	files := map[string][]byte{}
	expires := cfg.Now.Add(cfg.Valid).Unix()
	operator, operatorKey, err := key(nkeys.CreateOperator)
	if err != nil {
		return nil, err
	}
	account, accountKey, err := key(nkeys.CreateAccount)
	if err != nil {
		return nil, err
	}
	_, systemKey, err := key(nkeys.CreateAccount)
	if err != nil {
		return nil, err
	}
	o := jwt.NewOperatorClaims(operatorKey)
	o.Name, o.SystemAccount = "rampload", systemKey
	system := jwt.NewAccountClaims(systemKey)
	system.Name = "SYS"
	team := jwt.NewAccountClaims(accountKey)
	team.Name = "rampload"
	team.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: -1, MemoryStorage: maxMemory, Streams: -1, Consumer: -1}
	claims := []struct {
		file string
		c    interface {
			Encode(nkeys.KeyPair) (string, error)
		}
	}{{operatorFile, o}, {accountFile, team}, {systemFile, system}}
	text := map[string]string{}
	for _, c := range claims {
		token, err := c.c.Encode(operator)
		if err != nil {
			return nil, err
		}
		text[c.file] = token
		files[filepath.Join(serverFolder, c.file)] = []byte(token)
	}
	files[filepath.Join(serverFolder, accountsConf)] = fmt.Appendf(nil,
		"operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: {\n  %s: %s\n  %s: %s\n}\n",
		text[operatorFile], systemKey, accountKey, text[accountFile], systemKey, text[systemFile])
	for _, role := range []Role{RoleCoordinator, RoleWorker, RoleAgent} {
		user, userKey, err := key(nkeys.CreateUser)
		if err != nil {
			return nil, err
		}
		u := jwt.NewUserClaims(userKey)
		u.Name, u.Expires = string(role), expires
		u.Tags.Add("rampload-" + string(role))
		u.Permissions = permissions(role)
		token, err := u.Encode(account)
		if err != nil {
			return nil, err
		}
		seed, err := user.Seed()
		if err != nil {
			return nil, err
		}
		if files[CredsFile(role)], err = jwt.FormatUserConfig(token, seed); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// permissions bounds what a role may say and hear: a worker and an agent answer, and
// hand on their own records. They can ask nobody for anything, and the inbox of each
// role is its own, so that no answer is read by others.
func permissions(role Role) jwt.Permissions {
	var p jwt.Permissions
	if role == RoleCoordinator {
		return p // its account holds nothing but rampload's runs
	}
	p.Sub.Allow.Add("$SRV.>", subjectOf(string(role), ">"), subjectOf("run.*.beat"), inbox(role)+".>")
	p.Pub.Allow.Add(subjectOf("run.*.log.*"))
	p.Resp = &jwt.ResponsePermission{MaxMsgs: 4, Expires: 2 * time.Minute}
	return p
}

func inbox(role Role) string { return "_INBOX.rampload-" + string(role) }

func key(create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string, error) {
	pair, err := create()
	if err != nil {
		return nil, "", err
	}
	public, err := pair.PublicKey()
	return pair, public, err
}

// certificates makes an authority and the certificate of the server.
func certificates(cfg SetConfig, files map[string][]byte) error {
	authority, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: cfg.Now.Add(-time.Hour), NotAfter: cfg.Now.Add(cfg.Valid), BasicConstraintsValid: true,
		}
	}
	ca := template(1, "rampload fleet")
	ca.IsCA, ca.KeyUsage = true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, authority.Public(), authority)
	if err != nil {
		return err
	}
	files[caFile] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := template(2, "rampload NATS server")
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range cfg.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, host)
		}
	}
	if der, err = x509.CreateCertificate(rand.Reader, leaf, ca, own.Public(), authority); err != nil {
		return err
	}
	files[filepath.Join(serverFolder, certFile)] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pkcs8, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		return err
	}
	files[filepath.Join(serverFolder, keyFile)] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	return nil
}

// secure lets a server ask for the credentials of a set, over TLS.
func secure(opts *server.Options, set string) error {
	file := func(name string) string { return filepath.Join(set, serverFolder, name) }
	read := func(name string) string {
		data, err := os.ReadFile(file(name))
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(data))
	}
	operator, err := jwt.DecodeOperatorClaims(read(operatorFile))
	if err != nil {
		return fmt.Errorf("%s is no folder that rampload fleet creds wrote: %w", set, err)
	}
	resolver := new(server.MemAccResolver)
	for _, name := range []string{accountFile, systemFile} {
		token := read(name)
		account, err := jwt.DecodeAccountClaims(token)
		if err != nil {
			return fmt.Errorf("read credentials %s: %w", file(name), err)
		}
		if err := resolver.Store(account.Subject, token); err != nil {
			return fmt.Errorf("read credentials %s: %w", file(name), err)
		}
	}
	cert, err := tls.LoadX509KeyPair(file(certFile), file(keyFile))
	if err != nil {
		return fmt.Errorf("read the server's certificate: %w", err)
	}
	opts.TrustedOperators = []*jwt.OperatorClaims{operator}
	opts.SystemAccount, opts.AccountResolver = operator.SystemAccount, resolver
	opts.TLS, opts.TLSTimeout = true, 5
	opts.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	return nil
}
