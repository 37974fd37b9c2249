package section

import (
	"net/url"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

type ExportFields struct {
	Listen      *scalar.Text     `yaml:"listen" about:"Address at which Prometheus fetches the numbers of the run, such as :9464 for this machine alone. Without it: none."`
	Every       *scalar.Duration `yaml:"every" about:"How often they are sent to the others. Without it: 5s."`
	RemoteWrite *WriteSyntax     `yaml:"remote-write" about:"A store that speaks Prometheus' remote write, by its URL."`
	OTLP        *OTLPSyntax      `yaml:"otlp" about:"A collector of OpenTelemetry, by its URL."`
}

type ReceiverFields struct {
	URL      *scalar.Text    `yaml:"url,required" about:"Its URL." example:"write url: http://127.0.0.1:9093"`
	Username *scalar.Text    `yaml:"username" about:"User to log in as."`
	Password *scalar.Text    `yaml:"password" about:"Password of the user; from the environment as ${NAME}."`
	Bearer   *scalar.Text    `yaml:"bearer" about:"Token to log in with instead; from the environment as ${NAME}."`
	Headers  *scalar.Headers `yaml:"headers" about:"Headers of each message."`
	TLS      *TLSSyntax      `yaml:"tls" about:"How it is spoken to, when https."`
}

type WriteFields struct {
	URL        *scalar.Text    `yaml:"url,required" about:"Its URL." example:"write url: http://prometheus:9090/api/v1/write"`
	Username   *scalar.Text    `yaml:"username" about:"User to log in as."`
	Password   *scalar.Text    `yaml:"password" about:"Password of the user; from the environment as ${NAME}."`
	Bearer     *scalar.Text    `yaml:"bearer" about:"Token to log in with instead; from the environment as ${NAME}."`
	Headers    *scalar.Headers `yaml:"headers" about:"Headers of each message."`
	TLS        *TLSSyntax      `yaml:"tls" about:"How it is spoken to, when https."`
	Histograms *histograms     `yaml:"histograms" about:"classic: series of buckets, which every store takes. native: for a Prometheus that was started with native histograms. Without it: classic."`
}

type OTLPFields struct {
	URL      *scalar.Text    `yaml:"url,required" about:"Its URL." example:"write url: http://collector:4318"`
	Username *scalar.Text    `yaml:"username" about:"User to log in as."`
	Password *scalar.Text    `yaml:"password" about:"Password of the user; from the environment as ${NAME}."`
	Bearer   *scalar.Text    `yaml:"bearer" about:"Token to log in with instead; from the environment as ${NAME}."`
	Headers  *scalar.Headers `yaml:"headers" about:"Headers of each message."`
	TLS      *TLSSyntax      `yaml:"tls" about:"How it is spoken to, when https."`
	Protocol *carrier        `yaml:"protocol" about:"How it is spoken to: http or grpc. Without it: grpc to port 4317, else http."`
}

type NoticeSyntax struct {
	Alertmanager *ReceiverSyntax `yaml:"alertmanager" about:"An Alertmanager, by its URL."`
	Webhook      *ReceiverSyntax `yaml:"webhook" about:"Any service that takes a message as JSON, by its URL. It has the form of Alertmanager's own webhooks, and a text."`
}

// Private keeps keys that others have too out of advice.
func (ReceiverFields) Private() {}

// Private is as that of ReceiverFields.
func (WriteFields) Private() {}

// Private is as that of ReceiverFields.
func (OTLPFields) Private() {}

// ExportSyntax is the address to listen on, or the fields.
type ExportSyntax struct{ ExportFields }

// WriteSyntax, OTLPSyntax and ReceiverSyntax are a URL, or the fields.
type (
	WriteSyntax    struct{ WriteFields }
	OTLPSyntax     struct{ OTLPFields }
	ReceiverSyntax struct{ ReceiverFields }
)

func (s *ExportSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	if n.Kind != tree.Scalar {
		d.Fields(bind.ValueOf(&s.ExportFields), n, key)
		return
	}
	s.Listen = new(scalar.Text)
	d.Scalar(s.Listen, n, key)
}

func (s *ExportSyntax) Node() *tree.Node {
	if (ExportFields{Listen: s.Listen}) == s.ExportFields && s.Listen != nil {
		return bind.TextNode(string(*s.Listen), false)
	}
	return bind.NodeOf(bind.ValueOf(&s.ExportFields))
}

func (s *WriteSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	urlOrFields(d, n, key, &s.URL, bind.ValueOf(&s.WriteFields))
}

func (s *OTLPSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	urlOrFields(d, n, key, &s.URL, bind.ValueOf(&s.OTLPFields))
}

func (s *ReceiverSyntax) Decode(d *bind.Decoder, n *tree.Node, key string) {
	urlOrFields(d, n, key, &s.URL, bind.ValueOf(&s.ReceiverFields))
}

func (s *WriteSyntax) Node() *tree.Node {
	if (WriteFields{URL: s.URL}) == s.WriteFields {
		return bind.TextNode(string(bind.Deref(s.URL)), false)
	}
	return bind.NodeOf(bind.ValueOf(&s.WriteFields))
}

func (s *OTLPSyntax) Node() *tree.Node {
	if (OTLPFields{URL: s.URL}) == s.OTLPFields {
		return bind.TextNode(string(bind.Deref(s.URL)), false)
	}
	return bind.NodeOf(bind.ValueOf(&s.OTLPFields))
}

func (s *ReceiverSyntax) Node() *tree.Node {
	if (ReceiverFields{URL: s.URL}) == s.ReceiverFields {
		return bind.TextNode(string(bind.Deref(s.URL)), false)
	}
	return bind.NodeOf(bind.ValueOf(&s.ReceiverFields))
}

func (f *ReceiverFields) receiver() profiles.Receiver {
	return profiles.Receiver{
		URL: string(bind.Deref(f.URL)), Username: string(bind.Deref(f.Username)), Password: string(bind.Deref(f.Password)),
		Bearer: string(bind.Deref(f.Bearer)), Headers: bind.Deref(f.Headers), TLS: f.TLS.TLS(),
	}
}

func receiverOf(r profiles.Receiver) ReceiverFields {
	return ReceiverFields{
		URL: bind.Given(scalar.Text(r.URL)), Username: bind.Given(scalar.Text(r.Username)), Password: bind.Given(scalar.Text(r.Password)),
		Bearer: bind.Given(scalar.Text(r.Bearer)), Headers: headersOf(r.Headers), TLS: TLSOf(r.TLS),
	}
}

func (s *ExportSyntax) Export() profiles.Export {
	if s == nil {
		return profiles.Export{}
	}
	out := profiles.Export{Listen: string(bind.Deref(s.Listen)), Every: time.Duration(bind.Deref(s.Every))}
	if w := s.RemoteWrite; w != nil {
		f := ReceiverFields{w.URL, w.Username, w.Password, w.Bearer, w.Headers, w.TLS}
		out.RemoteWrite, out.Native = f.receiver(), bool(bind.Deref(w.Histograms))
	}
	if o := s.OTLP; o != nil {
		f := ReceiverFields{o.URL, o.Username, o.Password, o.Bearer, o.Headers, o.TLS}
		out.OTLP, out.GRPC = f.receiver(), bool(bind.Deref(o.Protocol))
		if u, err := url.Parse(out.OTLP.URL); o.Protocol == nil && err == nil && u.Port() == "4317" {
			out.GRPC = true
		}
	}
	return out
}

// ExportOf is the inverse of [ExportSyntax.Export].
func ExportOf(e profiles.Export) *ExportSyntax {
	s := &ExportSyntax{ExportFields{Listen: bind.Given(scalar.Text(e.Listen)), Every: bind.Given(scalar.Duration(e.Every))}}
	if e.RemoteWrite.Given() {
		f := receiverOf(e.RemoteWrite)
		s.RemoteWrite = &WriteSyntax{WriteFields{f.URL, f.Username, f.Password, f.Bearer, f.Headers, f.TLS, bind.Given(histograms(e.Native))}}
	}
	if e.OTLP.Given() {
		f := receiverOf(e.OTLP)
		s.OTLP = &OTLPSyntax{OTLPFields{f.URL, f.Username, f.Password, f.Bearer, f.Headers, f.TLS, new(carrier(e.GRPC))}}
	}
	if s.ExportFields == (ExportFields{}) {
		return nil
	}
	return s
}

// NoticesOf is the inverse of [NoticeSyntax.Notice], of a list.
func NoticesOf(list []profiles.Notice) []NoticeSyntax {
	var out []NoticeSyntax
	for _, n := range list {
		var s NoticeSyntax
		if n.Alertmanager.Given() {
			s.Alertmanager = &ReceiverSyntax{receiverOf(n.Alertmanager)}
		}
		if n.Webhook.Given() {
			s.Webhook = &ReceiverSyntax{receiverOf(n.Webhook)}
		}
		out = append(out, s)
	}
	return out
}

func (s NoticeSyntax) Notice() profiles.Notice {
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
	return oneOf(text, "histograms", HistogramWords())
}

func (v *histograms) Format() (string, bool) {
	if *v {
		return "native", true
	}
	return "classic", true
}

func (v *carrier) Parse(text string, _ bool) error {
	*v = text == "grpc"
	return oneOf(text, "protocol", CarrierWords())
}

func (v *carrier) Format() (string, bool) {
	if *v {
		return "grpc", true
	}
	return "http", true
}

// HistogramWords are the forms of histograms.
func HistogramWords() []string { return []string{"classic", "native"} }

// CarrierWords are what carries OTLP.
func CarrierWords() []string { return []string{"http", "grpc"} }
