package profiles

import "time"

// Export is where the numbers of a run go while it goes on. The zero value is nowhere.
type Export struct {
	Listen string // host:port at which Prometheus fetches them; empty: nowhere
	// Every is how often they are sent to the receivers; 0: see [DefaultExportEvery].
	Every       time.Duration
	RemoteWrite Receiver // a store that speaks Prometheus' remote write
	Native      bool     // with native histograms
	OTLP        Receiver // a collector of OpenTelemetry
	GRPC        bool     // by gRPC; else by HTTP
}

// DefaultExportEvery is how often numbers are sent.
const DefaultExportEvery = 5 * time.Second

// Receiver is a service beyond the run that is told of it. The zero value is none.
type Receiver struct {
	URL                string
	Username, Password string
	Bearer             string // token
	Headers            []Header
	TLS                TLS
}

// Given reports whether there is a receiver.
func (r Receiver) Given() bool { return r.URL != "" }

// Notice is who is told while the run goes on that a gate or an abort condition is met:
// exactly one of both.
type Notice struct {
	Alertmanager Receiver
	Webhook      Receiver
}

// To is the one that is given.
func (n Notice) To() Receiver {
	if n.Webhook.Given() {
		return n.Webhook
	}
	return n.Alertmanager
}

// Receivers are all that the profile has room for, given or not: those of metrics, and then
// those of notices.
func (p *Profile) Receivers() []*Receiver {
	out := []*Receiver{&p.Export.RemoteWrite, &p.Export.OTLP}
	for i := range p.Notify {
		out = append(out, &p.Notify[i].Alertmanager, &p.Notify[i].Webhook)
	}
	return out
}
