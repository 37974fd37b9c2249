// Package prom watches hosts by their metrics pages in Prometheus' text format: what
// node_exporter, process_exporter, cAdvisor, HAProxy, Envoy, nginx, the JVM and Go
// programs show of themselves, and any pool that is named by its metrics. It reads
// the page of the exporter itself, not a Prometheus server: that one's steps of 15 s
// cannot tell the order of events within seconds.
//
// What a page does not show is missing, with the flag that turns it on. A page knows
// nothing of sockets and their owners, nor who sent a RST.
package prom

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

// DefaultEvery is how often a page is read where nothing else is said.
const DefaultEvery = time.Second

// maxPage bounds what is read of a page: node_exporter's has 100 KB, cAdvisor's of a
// large machine a few MB.
const maxPage = 32 << 20

// Host is a host that is watched by its pages.
type Host struct {
	name  string
	pages []profiles.Metrics
	pools []profiles.Pool
	clock probe.Clock
}

// NewHost returns the host of a profile's entry. The clock gives readings their time:
// the middle of the request, unless the page says when it read a value.
func NewHost(entry profiles.Host, clock probe.Clock) *Host {
	return &Host{name: entry.Name, pages: entry.Prometheus, pools: entry.Pools, clock: clock}
}

// Name returns the host's name in the profile.
func (h *Host) Name() string { return h.name }

// Every returns how often the pages are read, the least often read one: by so much
// may a reading lag behind what it tells of.
func (h *Host) Every() time.Duration {
	every := time.Duration(0)
	for _, p := range h.pages {
		every = max(every, cmp.Or(p.Every, DefaultEvery))
	}
	return every
}

// Open opens a sampler of each page. Processes cannot be selected: a page shows those
// that its exporter was told to.
func (h *Host) Open(_ context.Context, _ probe.Selection) (out probe.Sources) {
	shared := &shared{pages: len(h.pages), pools: make([]bool, len(h.pools))}
	for _, p := range h.pages {
		s, err := h.openPage(p, shared)
		if err != nil {
			out.Add(probe.Source{Host: h.name, Name: sourceName(p.URL)}, nil, err)
			continue
		}
		out.Samplers = append(out.Samplers, s)
	}
	return out
}

func sourceName(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "metrics"
	}
	return "metrics of " + u.Host + strings.TrimSuffix(u.Path, "/metrics")
}

// Page samples one page.
type Page struct {
	source probe.Source
	clock  probe.Clock
	every  time.Duration
	client *http.Client
	pools  []profiles.Pool
	shared *shared
	ask    *http.Request
	parser expfmt.TextParser

	page    mapping
	closed  bool
	missing []*probe.Unsupported
	events  []probe.Event
}

var (
	_ probe.Sampler       = (*Page)(nil)
	_ probe.PacedSource   = (*Page)(nil)
	_ probe.PartialSource = (*Page)(nil)
	_ probe.EventSource   = (*Page)(nil)
)

func (h *Host) openPage(m profiles.Metrics, shared *shared) (*Page, error) {
	p := &Page{
		source: probe.Source{Host: h.name, Name: sourceName(m.URL)}, clock: h.clock,
		every: cmp.Or(m.Every, DefaultEvery), pools: h.pools, shared: shared,
		parser: expfmt.NewTextParser(model.UTF8Validation),
	}
	config, err := tlsConfig(m.TLS)
	if err != nil {
		return nil, &probe.Unsupported{What: p.source.Name, Reason: err.Error()}
	}
	p.client = &http.Client{
		Transport: &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 1, DialContext: (&net.Dialer{Timeout: p.timeout()}).DialContext},
		// Credentials are for the page that the profile names.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if p.ask, err = http.NewRequest(http.MethodGet, m.URL, nil); err != nil {
		return nil, &probe.Unsupported{What: p.source.Name, Reason: err.Error()}
	}
	p.ask.Header.Set("Accept", "text/plain;version=0.0.4;q=1,*/*;q=0.1")
	p.ask.Header.Set("User-Agent", "rampload")
	switch {
	case m.Bearer != "":
		p.ask.Header.Set("Authorization", "Bearer "+m.Bearer)
	case m.Username != "":
		p.ask.SetBasicAuth(m.Username, m.Password)
	}
	p.page = newMapping(h.name, shared)
	return p, nil
}

// timeout is how long a page may take: longer than its interval, because a busy host
// answers late when it matters most.
func (p *Page) timeout() time.Duration { return max(5*time.Second, 3*p.every) }

func tlsConfig(t profiles.TLS) (*tls.Config, error) {
	config := &tls.Config{ServerName: t.ServerName, InsecureSkipVerify: t.SkipVerify} //nolint:gosec // the profile says so, and the report shows it
	if t.Resume {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", t.CAFile)
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// Source names the page in reports.
func (p *Page) Source() probe.Source { return p.source }

// Every returns how often the page is to be read.
func (p *Page) Every() time.Duration { return p.every }

// Close closes the connection. It may be called again.
func (p *Page) Close() error {
	p.closed = true
	p.client.CloseIdleConnections()
	return nil
}

// Missing says what the page does not show, and how its exporter would.
func (p *Page) Missing() []*probe.Unsupported { return p.missing }

// DrainEvents hands over the starts of processes that the page told of.
func (p *Page) DrainEvents(emit func(probe.Event)) {
	for _, e := range p.events {
		emit(e)
	}
	p.events = nil
}

// Sample reads the page.
func (p *Page) Sample(ctx context.Context, emit func(probe.Sample)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.closed {
		return os.ErrClosed
	}
	families, at, err := p.fetch(ctx)
	if err != nil {
		return err
	}
	read := reading{at: at, clock: p.clock, families: families, emit: emit}
	p.page.read(&read)
	p.shared.read(&read, p.page.host, p.pools)
	for _, e := range read.events {
		e.Source, e.Host = p.source, p.source.Host
		p.events = append(p.events, e)
	}
	p.missing = append(p.page.missing(families), p.shared.missing(p.pools)...)
	return nil
}

// fetch reads the page and says when, on the run's clock, it was made.
func (p *Page) fetch(ctx context.Context) (map[string]*dto.MetricFamily, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout())
	defer cancel()
	asked := p.clock.Now()
	var answered time.Duration
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest:         func(httptrace.WroteRequestInfo) { asked = p.clock.Now() },
		GotFirstResponseByte: func() { answered = p.clock.Now() },
	})
	resp, err := p.client.Do(p.ask.WithContext(ctx))
	if err != nil {
		return nil, 0, p.failed(err)
	}
	defer resp.Body.Close()
	if err := p.refused(resp); err != nil {
		return nil, 0, err
	}
	families, err := p.parser.TextToMetricFamilies(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/html" {
			return nil, 0, &probe.Unsupported{What: p.source.Name, Reason: "the page is HTML", Needs: "the URL of the metrics themselves, which often ends in /metrics"}
		}
		return nil, 0, fmt.Errorf("read %s: %w", p.source.Name, err)
	}
	if len(families) == 0 {
		return nil, 0, &probe.Unsupported{What: p.source.Name, Reason: "the page holds no metrics", Needs: "the URL of the metrics themselves, which often ends in /metrics"}
	}
	return families, asked + (answered-asked)/2, nil
}

// failed puts an error of the transport into words. Trust that is missing does not
// come by waiting; an exporter that is down may.
func (p *Page) failed(err error) error {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		err = urlErr.Err // which would repeat the URL, with its password
	}
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return &probe.Unsupported{What: p.source.Name, Reason: err.Error(), Needs: "tls: {ca: FILE} with the authority's certificate"}
	case errors.As(err, &name), errors.As(err, &invalid):
		return &probe.Unsupported{What: p.source.Name, Reason: err.Error(), Needs: "tls: {server-name: NAME} or a certificate that is right"}
	}
	return fmt.Errorf("read %s: %w", p.source.Name, err)
}

// refused judges the status of an answer.
func (p *Page) refused(resp *http.Response) error {
	status := resp.StatusCode
	switch {
	case status == http.StatusOK:
		return nil
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		needs := "other credentials"
		if p.ask.Header.Get("Authorization") == "" {
			needs = "username and password, or bearer"
		}
		return &probe.Unsupported{What: p.source.Name, Reason: "the exporter answers " + resp.Status, Needs: needs}
	case status == http.StatusNotFound:
		return &probe.Unsupported{What: p.source.Name, Reason: "the exporter answers " + resp.Status, Needs: "the URL of the metrics themselves, which often ends in /metrics"}
	case status >= 300 && status < 400:
		return &probe.Unsupported{What: p.source.Name, Reason: "the exporter sends on to " + resp.Header.Get("Location"), Needs: "that URL"}
	}
	return fmt.Errorf("read %s: %s", p.source.Name, resp.Status)
}
