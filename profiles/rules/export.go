package rules

import (
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/redaction"
	"github.com/rampload/rampload/profiles/spelling"
)

const (
	// leastExport and mostExport bound how often numbers are sent.
	leastExport = time.Second
	mostExport  = 5 * time.Minute
	// mostNotices bounds who is told.
	mostNotices = 10
)

// exportRules checks what a run tells others while it goes on.
type exportRules struct{ *validator }

// export checks where the numbers of the run go.
func (v exportRules) export(e profiles.Export) {
	if e.Listen != "" {
		host, port, err := net.SplitHostPort(e.Listen)
		n, portErr := strconv.Atoi(port)
		if err != nil || portErr != nil || n < 0 || n > 65535 || host != "" && host != "localhost" && net.ParseIP(host) == nil {
			v.add("metrics.listen", "%s is no address to listen on: write :9464 for this machine alone, or 0.0.0.0:9464", spelling.Quote(e.Listen))
		}
	}
	if e.Every != 0 && (e.Every < leastExport || e.Every > mostExport) {
		v.add("metrics.every", "%s is out of range: write a duration from 1s to 5m", spelling.FormatDuration(e.Every))
	}
	if e.RemoteWrite.Given() {
		v.receiver("metrics.remote-write", e.RemoteWrite, "http://prometheus:9090/api/v1/write")
		if u, err := url.Parse(e.RemoteWrite.URL); err == nil && (u.Path == "" || u.Path == "/") {
			v.add("metrics.remote-write", "%s has no path: write that of the store's remote write, such as /api/v1/write", spelling.Quote(redaction.URLs(e.RemoteWrite.URL)))
		}
	}
	if e.OTLP.Given() {
		v.receiver("metrics.otlp", e.OTLP, "http://collector:4318")
	}
}

// notify checks who is told of gates that are broken.
func (v exportRules) notify(list []profiles.Notice) {
	if len(list) > mostNotices {
		v.add("notify", "%d receivers are more than %d: write fewer, and let one of them tell the others", len(list), mostNotices)
	}
	for i, n := range list {
		path := at("notify", i)
		switch {
		case n.Alertmanager.Given() == n.Webhook.Given():
			v.add(path, "write exactly one of alertmanager and webhook, with its URL")
		case n.Alertmanager.Given():
			v.receiver(path+".alertmanager", n.Alertmanager, "http://alertmanager:9093")
		default:
			v.receiver(path+".webhook", n.Webhook, "https://hooks.example/rampload")
		}
	}
}

// receiver checks how a service is reached that is told of the run.
func (v exportRules) receiver(path string, r profiles.Receiver, example string) {
	if u, err := url.Parse(r.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		v.add(path, "%s is not a URL that can be sent to: write one such as %s", spelling.Quote(redaction.URLs(r.URL)), example)
	}
	switch {
	case r.Bearer != "" && r.Username != "":
		v.add(path, "bearer and username are two ways to log in: leave out one of them")
	case r.Password != "" && r.Username == "":
		v.add(path, "the password has no user: write username beside it")
	case (r.TLS.CertFile == "") != (r.TLS.KeyFile == ""):
		v.add(path, "a certificate and its key belong together: write both cert and key")
	}
	for _, h := range r.Headers {
		requestRules(v).header(path+".headers", h)
	}
}
