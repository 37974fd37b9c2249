package yaml

import (
	"net/url"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

type exportFields struct {
	Listen      *scalar.Text     `yaml:"listen" about:"Address at which Prometheus fetches the numbers of the run, such as :9464 for this machine alone. Without it: none."`
	Every       *scalar.Duration `yaml:"every" about:"How often they are sent to the others. Without it: 5s."`
	RemoteWrite *writeSyntax     `yaml:"remote-write" about:"A store that speaks Prometheus' remote write, by its URL."`
	OTLP        *otlpSyntax      `yaml:"otlp" about:"A collector of OpenTelemetry, by its URL."`
}

type receiverFields struct {
	URL      *scalar.Text    `yaml:"url,required" about:"Its URL." example:"write url: http://127.0.0.1:9093"`
	Username *scalar.Text    `yaml:"username" about:"User to log in as."`
	Password *scalar.Text    `yaml:"password" about:"Password of the user; from the environment as ${NAME}."`
	Bearer   *scalar.Text    `yaml:"bearer" about:"Token to log in with instead; from the environment as ${NAME}."`
	Headers  *scalar.Headers `yaml:"headers" about:"Headers of each message."`
	TLS      *tlsSyntax      `yaml:"tls" about:"How it is spoken to, when https."`
}

type writeFields struct {
	URL        *scalar.Text    `yaml:"url,required" about:"Its URL." example:"write url: http://prometheus:9090/api/v1/write"`
	Username   *scalar.Text    `yaml:"username" about:"User to log in as."`
	Password   *scalar.Text    `yaml:"password" about:"Password of the user; from the environment as ${NAME}."`
	Bearer     *scalar.Text    `yaml:"bearer" about:"Token to log in with instead; from the environment as ${NAME}."`
	Headers    *scalar.Headers `yaml:"headers" about:"Headers of each message."`
	TLS        *tlsSyntax      `yaml:"tls" about:"How it is spoken to, when https."`
	Histograms *histograms     `yaml:"histograms" about:"classic: series of buckets, which every store takes. native: for a Prometheus that was started with native histograms. Without it: classic."`
}

type otlpFields struct {
	URL      *scalar.Text    `yaml:"url,required" about:"Its URL." example:"write url: http://collector:4318"`
	Username *scalar.Text    `yaml:"username" about:"User to log in as."`
	Password *scalar.Text    `yaml:"password" about:"Password of the user; from the environment as ${NAME}."`
	Bearer   *scalar.Text    `yaml:"bearer" about:"Token to log in with instead; from the environment as ${NAME}."`
	Headers  *scalar.Headers `yaml:"headers" about:"Headers of each message."`
	TLS      *tlsSyntax      `yaml:"tls" about:"How it is spoken to, when https."`
	Protocol *carrier        `yaml:"protocol" about:"How it is spoken to: http or grpc. Without it: grpc to port 4317, else http."`
}

type noticeSyntax struct {
	Alertmanager *receiverSyntax `yaml:"alertmanager" about:"An Alertmanager, by its URL."`
	Webhook      *receiverSyntax `yaml:"webhook" about:"Any service that takes a message as JSON, by its URL. It has the form of Alertmanager's own webhooks, and a text."`
}

// Private keeps keys that others have too out of advice.
func (receiverFields) Private() {}

// Private is as that of receiverFields.
func (writeFields) Private() {}

// Private is as that of receiverFields.
func (otlpFields) Private() {}

// exportSyntax is the address to listen on, or the fields.
type exportSyntax struct{ exportFields }

// writeSyntax, otlpSyntax and receiverSyntax are a URL, or the fields.
type (
	writeSyntax    struct{ writeFields }
	otlpSyntax     struct{ otlpFields }
	receiverSyntax struct{ receiverFields }
)

func (s *exportSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	if n.Kind != tree.Scalar {
		d.Fields(bind.ValueOf(&s.exportFields), n, key)
		return
	}
	s.Listen = new(scalar.Text)
	d.Scalar(s.Listen, n, key)
}

func (s *exportSyntax) Node() *tree.Node {
	if (exportFields{Listen: s.Listen}) == s.exportFields && s.Listen != nil {
		return bind.TextNode(string(*s.Listen), false)
	}
	return bind.NodeOf(bind.ValueOf(&s.exportFields))
}

func (s *writeSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	urlOrFields(d, n, key, &s.URL, bind.ValueOf(&s.writeFields))
}

func (s *otlpSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	urlOrFields(d, n, key, &s.URL, bind.ValueOf(&s.otlpFields))
}

func (s *receiverSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	urlOrFields(d, n, key, &s.URL, bind.ValueOf(&s.receiverFields))
}

func (s *writeSyntax) Node() *tree.Node {
	if (writeFields{URL: s.URL}) == s.writeFields {
		return bind.TextNode(string(deref(s.URL)), false)
	}
	return bind.NodeOf(bind.ValueOf(&s.writeFields))
}

func (s *otlpSyntax) Node() *tree.Node {
	if (otlpFields{URL: s.URL}) == s.otlpFields {
		return bind.TextNode(string(deref(s.URL)), false)
	}
	return bind.NodeOf(bind.ValueOf(&s.otlpFields))
}

func (s *receiverSyntax) Node() *tree.Node {
	if (receiverFields{URL: s.URL}) == s.receiverFields {
		return bind.TextNode(string(deref(s.URL)), false)
	}
	return bind.NodeOf(bind.ValueOf(&s.receiverFields))
}

func (f *receiverFields) receiver() profiles.Receiver {
	return profiles.Receiver{
		URL: string(deref(f.URL)), Username: string(deref(f.Username)), Password: string(deref(f.Password)),
		Bearer: string(deref(f.Bearer)), Headers: deref(f.Headers), TLS: f.TLS.tls(),
	}
}

func receiverOf(r profiles.Receiver) receiverFields {
	return receiverFields{
		URL: given(scalar.Text(r.URL)), Username: given(scalar.Text(r.Username)), Password: given(scalar.Text(r.Password)),
		Bearer: given(scalar.Text(r.Bearer)), Headers: headersOf(r.Headers), TLS: tlsOf(r.TLS),
	}
}

func (s *exportSyntax) export() profiles.Export {
	if s == nil {
		return profiles.Export{}
	}
	out := profiles.Export{Listen: string(deref(s.Listen)), Every: time.Duration(deref(s.Every))}
	if w := s.RemoteWrite; w != nil {
		f := receiverFields{w.URL, w.Username, w.Password, w.Bearer, w.Headers, w.TLS}
		out.RemoteWrite, out.Native = f.receiver(), bool(deref(w.Histograms))
	}
	if o := s.OTLP; o != nil {
		f := receiverFields{o.URL, o.Username, o.Password, o.Bearer, o.Headers, o.TLS}
		out.OTLP, out.GRPC = f.receiver(), bool(deref(o.Protocol))
		if u, err := url.Parse(out.OTLP.URL); o.Protocol == nil && err == nil && u.Port() == "4317" {
			out.GRPC = true
		}
	}
	return out
}

func exportOf(e profiles.Export) *exportSyntax {
	s := &exportSyntax{exportFields{Listen: given(scalar.Text(e.Listen)), Every: given(scalar.Duration(e.Every))}}
	if e.RemoteWrite.Given() {
		f := receiverOf(e.RemoteWrite)
		s.RemoteWrite = &writeSyntax{writeFields{f.URL, f.Username, f.Password, f.Bearer, f.Headers, f.TLS, given(histograms(e.Native))}}
	}
	if e.OTLP.Given() {
		f := receiverOf(e.OTLP)
		s.OTLP = &otlpSyntax{otlpFields{f.URL, f.Username, f.Password, f.Bearer, f.Headers, f.TLS, new(carrier(e.GRPC))}}
	}
	if s.exportFields == (exportFields{}) {
		return nil
	}
	return s
}

func noticesOf(list []profiles.Notice) []noticeSyntax {
	var out []noticeSyntax
	for _, n := range list {
		var s noticeSyntax
		if n.Alertmanager.Given() {
			s.Alertmanager = &receiverSyntax{receiverOf(n.Alertmanager)}
		}
		if n.Webhook.Given() {
			s.Webhook = &receiverSyntax{receiverOf(n.Webhook)}
		}
		out = append(out, s)
	}
	return out
}

func (s noticeSyntax) notice() profiles.Notice {
	var n profiles.Notice
	if s.Alertmanager != nil {
		n.Alertmanager = s.Alertmanager.receiver()
	}
	if s.Webhook != nil {
		n.Webhook = s.Webhook.receiver()
	}
	return n
}

type (
	histograms bool // native
	carrier    bool // gRPC
)

func (v *histograms) Parse(text string, _ bool) error {
	*v = text == "native"
	return oneOf(text, "histograms", histogramWords())
}

func (v *histograms) Format() (string, bool) {
	if *v {
		return "native", true
	}
	return "classic", true
}

func (v *carrier) Parse(text string, _ bool) error {
	*v = text == "grpc"
	return oneOf(text, "protocol", carrierWords())
}

func (v *carrier) Format() (string, bool) {
	if *v {
		return "grpc", true
	}
	return "http", true
}

func histogramWords() []string { return []string{"classic", "native"} }

func carrierWords() []string { return []string{"http", "grpc"} }
