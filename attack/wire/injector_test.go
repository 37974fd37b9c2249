package wire

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/fault"
	"github.com/rampload/rampload/profiles"
)

// injector starts one and returns the configuration of a client for it.
func injector(t *testing.T, opts fault.InjectorOptions) (*fault.Injector, Config) {
	t.Helper()
	in, err := fault.NewInjector(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	cfg := Config{
		Profile: profiles.Target{URL: in.URL()},
		Client:  profiles.Client{Connections: 4, Timeout: patience, Protocol: profiles.ProtocolAuto},
	}
	if opts.HTTP2 && !opts.TLS {
		cfg.Client.Protocol = profiles.ProtocolH2C
	}
	if cert := in.Certificate(); cert != nil {
		cfg.Client.TLS.CAFile = filepath.Join(t.TempDir(), "ca.pem")
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
		if err := os.WriteFile(cfg.Client.TLS.CAFile, block, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return in, cfg
}

// open makes a transport and a request for it.
func open(t *testing.T, cfg Config, r profiles.Request) (*Transport, attack.Request) {
	t.Helper()
	cfg.Exchange = Speak
	tr, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	compiled, err := tr.Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	return tr, compiled
}

// rest lets real time pass, which the injector's socket needs.
func rest(d time.Duration) { <-time.After(d) }
