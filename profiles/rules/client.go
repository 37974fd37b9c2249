package rules

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

// clientRules checks how this machine sends.
type clientRules struct{ *validator }

func (v clientRules) client() {
	c := v.profile.Client
	switch {
	case c.Connections < 0:
		v.add("client.connections", "%d connections cannot be: write 1 or more, or 0 for a new connection for every request", c.Connections)
	case c.Connections > maxConns:
		v.add("client.connections", "%d connections are more than one machine holds: write %d or fewer", c.Connections, int(maxConns))
	}
	switch {
	case c.StreamsPerConn < 0:
		v.add("client.streams-per-connection", "%d streams cannot be: write 1 or more, or 0 for as many as the target allows", c.StreamsPerConn)
	case c.StreamsPerConn > maxConns:
		v.add("client.streams-per-connection", "%d streams are more than HTTP/2 servers allow: write %d or fewer, or 0 for as many as the target allows", c.StreamsPerConn, int(maxConns))
	}
	switch {
	case c.MaxInFlight <= 0:
		v.add("client.max-in-flight", "with max-in-flight %d nothing can be sent: write 1 or more", c.MaxInFlight)
	case c.MaxInFlight > maxRate:
		v.add("client.max-in-flight", "max-in-flight %d is more than memory holds: write 10000000 or fewer", c.MaxInFlight)
	}
	switch {
	case c.Timeout <= 0:
		v.add("client.timeout", "no attempt can end within %s: write a timeout above 0s, such as 5s", spelling.FormatDuration(c.Timeout))
	case c.Timeout > time.Hour:
		v.add("client.timeout", "a timeout of %s is longer than 1h: write a shorter one", spelling.FormatDuration(c.Timeout))
	}
	if c.IdleTimeout < 0 {
		v.add("client.idle-timeout", "%s is negative: write 0s to keep idle connections for ever", spelling.FormatDuration(c.IdleTimeout))
	}
	v.rate("client.per-connection", c.PerConnection)
	engines := []string{string(profiles.EngineVegeta), string(profiles.EngineDirect)}
	if !slices.Contains(engines, string(c.Engine)) {
		v.add("client.engine", "unknown engine %s%s", spelling.Quote(string(c.Engine)), spelling.Suggest(string(c.Engine), engines))
	}
	protocols := []string{string(profiles.ProtocolAuto), string(profiles.ProtocolHTTP1), string(profiles.ProtocolHTTP2), string(profiles.ProtocolH2C)}
	if !slices.Contains(protocols, string(c.Protocol)) {
		v.add("client.protocol", "unknown protocol %s%s", spelling.Quote(string(c.Protocol)), spelling.Suggest(string(c.Protocol), protocols))
	}
	for i, a := range c.LocalAddrs {
		if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
			v.add(at("client.local-addresses", i), "%s is no address to send from: write one of this machine, such as 10.0.0.5", a)
		}
	}
	v.retries(c.Retries)
	v.tls(c.TLS)
	v.protocol(c)
}

// maxRetryAfter bounds how long a request waits because an answer said so.
const maxRetryAfter = time.Hour

func (v clientRules) retries(r profiles.Retries) {
	const path = "client.retries"
	switch {
	case r.Max < 0:
		v.add(path+".max", "%d retries cannot be: write 0 or more", r.Max)
	case r.Max > maxRetries:
		v.add(path+".max", "%d retries are more than %d: write fewer", r.Max, maxRetries)
	}
	switch {
	case r.Base < 0:
		v.add(path+".base", "%s is negative: write 0s or more", spelling.FormatDuration(r.Base))
	case r.Cap < 0:
		v.add(path+".cap", "%s is negative: write 0s for no cap", spelling.FormatDuration(r.Cap))
	case r.Cap > 0 && r.Cap < r.Base:
		v.add(path+".cap", "a cap of %s is below the base of %s: write a longer cap, or a shorter base", spelling.FormatDuration(r.Cap), spelling.FormatDuration(r.Base))
	}
	switch {
	case r.RetryAfter < 0:
		v.add(path+".retry-after", "%s is negative: write the longest Retry-After to wait for, such as 30s", spelling.FormatDuration(r.RetryAfter))
	case r.RetryAfter > maxRetryAfter:
		v.add(path+".retry-after", "%s is longer than 1h, and a request waits for it: write a shorter time, such as 30s", spelling.FormatDuration(r.RetryAfter))
	case r.RetryAfter > 0 && !slices.Contains(r.Faults, "status"):
		v.add(path+".retry-after", "answers say Retry-After with a status, and no status is retried: add on: [status, reset, refused, eof, broken-pipe]")
	}
	for i, fault := range r.Faults {
		if !slices.Contains(profiles.RetryFaults(), fault) {
			v.add(at(path+".on", i), "no retry can follow %s%s", spelling.Quote(fault), spelling.Suggest(fault, profiles.RetryFaults()))
		}
	}
}

func (v clientRules) tls(t profiles.TLS) {
	switch {
	case t.CertFile != "" && t.KeyFile == "":
		v.add("client.tls.cert", "the certificate has no key: write key: client.key beside it")
	case t.CertFile == "" && t.KeyFile != "":
		v.add("client.tls.key", "the key has no certificate: write cert: client.crt beside it")
	}
	if t.SkipVerify && t.CAFile != "" {
		v.add("client.tls.skip-verify", "with skip-verify the ca is never used: leave out one of them")
	}
}

// protocol checks the client's protocol against the schemes of the targets.
func (v clientRules) protocol(c profiles.Client) {
	for i, t := range v.profile.Targets {
		if t.Speaks() != profiles.SpeaksHTTP {
			continue // client.protocol is the version of HTTP
		}
		path := at("targets", i, "url")
		switch scheme := schemeOf(t); {
		case c.Protocol == profiles.ProtocolH2C && scheme == "https":
			v.add(path, "h2c is HTTP/2 without TLS, and the url is https: write protocol: http2")
		case c.Protocol == profiles.ProtocolHTTP2 && scheme != "https" && scheme != "":
			v.add(path, "http2 needs TLS, and the url is %s: write protocol: h2c, or an https url", scheme)
		}
	}
}

func schemeOf(t profiles.Target) string {
	u, err := url.Parse(t.URL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Scheme)
}
