// Package broadcast is all that a run tells services beyond it while it goes on: its
// numbers, for Prometheus and OpenTelemetry, and what is wrong, for Alertmanagers and
// webhooks. It joins the ways out of meter and notify to one run.
//
// A nil [Broadcast] tells nobody; all of its methods may be called.
package broadcast

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/rampload/rampload/cmd/internal/meter"
	"github.com/rampload/rampload/cmd/internal/meter/expose"
	"github.com/rampload/rampload/cmd/internal/meter/push"
	"github.com/rampload/rampload/cmd/internal/meter/push/otlpmetrics"
	"github.com/rampload/rampload/cmd/internal/meter/push/remotewrite"
	"github.com/rampload/rampload/cmd/internal/notify"
	"github.com/rampload/rampload/cmd/internal/otlp"
	"github.com/rampload/rampload/cmd/internal/session"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/render"
)

// Config is a run that tells.
type Config struct {
	Export profiles.Export
	Notify []profiles.Notice
	Plan   meter.Plan
	Redact func(string) string // hides the profile's secrets
	Say    func(string)        // tells a person something that may be of use
	Warn   func(string)        // tells a person what went wrong
}

// Broadcast tells of one run.
type Broadcast struct {
	cfg      Config
	meter    *meter.Meter
	page     *expose.Server
	pushers  []*push.Pusher
	notifier *notify.Notifier // nil: nobody is told what is wrong

	mu      sync.Mutex
	aborted *notify.Alert
	closed  bool
}

// Open begins to tell; it returns nil for a run that tells nobody. The error says which
// part of the profile cannot be used.
func Open(cfg Config) (*Broadcast, error) {
	e := cfg.Export
	if e.Listen == "" && !e.RemoteWrite.Given() && !e.OTLP.Given() && len(cfg.Notify) == 0 {
		return nil, nil
	}
	b := &Broadcast{cfg: cfg, meter: meter.New(cfg.Plan)}
	var receivers []push.Receiver
	if e.RemoteWrite.Given() {
		s, err := sender(e.RemoteWrite, otlp.Config{Headers: remotewrite.Headers(), Plain: true})
		if err != nil {
			return nil, fmt.Errorf("metrics.remote-write: %w", err)
		}
		receivers = append(receivers, remotewrite.New(s, where(e.RemoteWrite)+" by remote write", e.Native))
	}
	if e.OTLP.Given() {
		how := otlp.Config{Signal: otlp.Metrics, Protocol: otlp.HTTP}
		if e.GRPC {
			how.Protocol = otlp.GRPC
		}
		s, err := sender(e.OTLP, how)
		if err != nil {
			return nil, fmt.Errorf("metrics.otlp: %w", err)
		}
		receivers = append(receivers, otlpmetrics.New(s, where(e.OTLP)+" by OTLP", cfg.Plan.Rampload))
	}
	var told []notify.To
	for i, n := range cfg.Notify {
		to := notify.To{Kind: notify.Webhook, Where: where(n.To())}
		how := otlp.Config{Plain: true, Signal: otlp.Signal{Path: "/"}}
		r := n.To()
		if n.Alertmanager.Given() {
			to.Kind = notify.Alertmanager
			if joined, err := url.JoinPath(r.URL, "api/v2/alerts"); err == nil {
				r.URL = joined
			}
		}
		s, err := sender(r, how)
		if err != nil {
			return nil, fmt.Errorf("notify[%d]: %w", i, err)
		}
		to.Sender = s
		told = append(told, to)
	}
	if e.Listen != "" {
		var err error
		if b.page, err = expose.Listen(e.Listen, b.meter.Snapshot); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
		b.announce()
	}
	every := e.Every
	if every == 0 {
		every = profiles.DefaultExportEvery
	}
	for _, r := range receivers {
		b.pushers = append(b.pushers, push.Start(r, every, b.meter.Snapshot, b.warn))
	}
	if len(told) > 0 {
		b.notifier = notify.New(told, map[string]string{"run": cfg.Plan.Run, "profile": cfg.Plan.Name, "release": cfg.Plan.Label}, b.warn)
	}
	return b, nil
}

// announce says where Prometheus fetches.
func (b *Broadcast) announce() {
	at := b.page.URL()
	text := "Prometheus fetches the metrics of this run at " + at
	if u, err := url.Parse(at); err == nil {
		if ip := net.ParseIP(u.Hostname()); ip != nil && !ip.IsLoopback() {
			text += ", and so can everybody who reaches this machine"
		}
	}
	b.cfg.Say(text)
}

func (b *Broadcast) warn(text string) {
	if b.cfg.Redact != nil {
		text = b.cfg.Redact(text)
	}
	b.cfg.Warn(text)
}

// where names a receiver for people.
func where(r profiles.Receiver) string {
	if u, err := url.Parse(r.URL); err == nil && u.Host != "" {
		return u.Host
	}
	return "the receiver"
}

// sender is the way to a receiver.
func sender(r profiles.Receiver, how otlp.Config) (*otlp.Sender, error) {
	how.URL, how.Agent = r.URL, "rampload"
	headers := map[string]string{}
	for name, value := range how.Headers {
		headers[name] = value
	}
	switch {
	case r.Bearer != "":
		headers["Authorization"] = "Bearer " + r.Bearer
	case r.Username != "":
		headers["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(r.Username+":"+r.Password))
	}
	for _, h := range r.Headers {
		headers[h.Name] = h.Value
	}
	how.Headers = headers
	var err error
	if how.TLS, err = secure(r.TLS); err != nil {
		return nil, err
	}
	return otlp.New(how)
}

// secure is how a receiver is spoken to over TLS; nil: as the system has it.
func secure(t profiles.TLS) (*tls.Config, error) {
	if t == (profiles.TLS{}) {
		return nil, nil
	}
	config := &tls.Config{ServerName: t.ServerName, InsecureSkipVerify: t.SkipVerify} //nolint:gosec // the profile says so
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the certificates to trust: %w", err)
		}
		if config.RootCAs = x509.NewCertPool(); !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in PEM", t.CAFile)
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read the client's certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// Tap returns a recorder that passes all on to another, and tells of it. sends says that
// this machine sends the load.
func (b *Broadcast) Tap(to session.Recorder, sends bool) session.Recorder {
	if b == nil {
		return to
	}
	return b.meter.Tap(to, sends)
}

// Meter is what others' records are shown to; nil: nothing is.
func (b *Broadcast) Meter() *meter.Meter {
	if b == nil {
		return nil
	}
	return b.meter
}

// Stages takes the stages of a load that was changed by hand.
func (b *Broadcast) Stages(stages []meter.Stage) {
	if b != nil {
		b.meter.Stages(stages)
	}
}

// Judges reports whether the run is to be judged while it goes on, and said what is wrong.
func (b *Broadcast) Judges() bool { return b != nil && b.notifier != nil && len(b.cfg.Plan.Gates) > 0 }

// Judged takes the report of the run so far.
func (b *Broadcast) Judged(r *report.Report) {
	if b == nil {
		return
	}
	b.meter.Gates(r.Gates)
	if b.notifier == nil {
		return
	}
	var now []notify.Alert
	for _, g := range r.Gates {
		if g.Result == report.GateFailed {
			now = append(now, notify.Alert{
				Name: "RamploadGateFailed", Labels: map[string]string{"gate": g.Expr, "severity": "critical"},
				Summary: fmt.Sprintf("gate failed: %s: %s", g.Expr, g.Reason), Description: render.Finding(r), Since: time.Now(),
			})
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	if b.aborted != nil {
		now = append(now, *b.aborted)
	}
	b.notifier.Set(now)
}

// Struck takes the abort condition that ends the run.
func (b *Broadcast) Struck(condition string) {
	if b == nil || b.notifier == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.aborted = &notify.Alert{
		Name: "RamploadAborted", Labels: map[string]string{"condition": condition, "severity": "critical"},
		Summary: "the run is aborted: " + condition, Since: time.Now(),
	}
	b.notifier.Raise(*b.aborted)
}

// Over takes the report of the run, nil if there is none, tells all of it and ends. A
// Prometheus that fetches is waited for, until ctx is done; the receivers have a few
// seconds.
func (b *Broadcast) Over(ctx context.Context, r *report.Report) {
	if b == nil {
		return
	}
	b.mu.Lock()
	twice := b.closed
	b.closed = true
	b.mu.Unlock()
	if twice {
		return
	}
	verdict := "it was not carried out"
	if r != nil {
		b.meter.Over(r)
		verdict = render.Finding(r)
	}
	var wg sync.WaitGroup
	if b.notifier != nil {
		wg.Go(func() { b.notifier.End(verdict) })
	}
	for _, p := range b.pushers {
		wg.Go(p.End)
	}
	if b.page != nil {
		wg.Go(func() {
			if r != nil {
				b.page.Linger(ctx, func(d time.Duration) {
					b.cfg.Say(fmt.Sprintf("waiting up to %s for Prometheus to fetch the verdict; Ctrl-C ends that", d.Round(time.Second)))
				})
			}
			b.page.Close()
		})
	}
	wg.Wait()
}
