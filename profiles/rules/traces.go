package rules

import (
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

// longestSpansWithin bounds how long the end of a run may be held up by a store of traces.
const longestSpansWithin = 10 * time.Minute

func (v exportRules) traces(path string, t profiles.Traces) {
	if t.Sample < 0 || t.Sample > 1 || math.IsNaN(t.Sample) {
		v.add(path+".sample", "%s is no share: write 0%% to 100%%", spelling.FormatPercent(t.Sample))
	}
	v.spanURL(path+".to", t.To.URL, "http://collector:4318", t.To.Headers)
	v.spanURL(path+".from", t.From.URL, "http://jaeger:16686", t.From.Headers)
	if p := t.To.Protocol; p != "" && !slices.Contains(profiles.SpanProtocols, p) {
		v.add(path+".to.protocol", "unknown protocol %s%s", spelling.Quote(p), spelling.Suggest(p, profiles.SpanProtocols))
	}
	if a := t.From.API; a != "" && !slices.Contains(profiles.SpanAPIs, a) {
		v.add(path+".from.api", "unknown api %s%s", spelling.Quote(a), spelling.Suggest(a, profiles.SpanAPIs))
	}
	if t.From.Within < 0 || t.From.Within > longestSpansWithin {
		v.add(path+".from.within", "%s is not from 0s to %s: write such as 15s", spelling.FormatDuration(t.From.Within), spelling.FormatDuration(longestSpansWithin))
	}
	if t.From.Given() && !t.Sampled {
		v.add(path, "traces of failed requests are asked for, and no service is asked to record any: write sample: 1%%, or sample: 0%% where services record by themselves")
	}
}

func (v exportRules) spanURL(path, raw, example string, headers []profiles.Header) {
	if raw == "" {
		return
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Fragment != "":
		v.add(path+".url", "%s is no URL that spans go to or come from: write such as %s", spelling.Quote(raw), example)
	case strings.HasSuffix(path, ".from") && (u.RawQuery != "" || strings.Contains(u.Path, "/api/")):
		v.add(path+".url", "%s has the path of a question: write the URL without it, as in %s", spelling.Quote(raw), example)
	}
	for _, h := range headers {
		v.spanHeader(path+".headers", h)
	}
}

// spanHeader checks a header that goes to a collector or a store.
func (v exportRules) spanHeader(path string, h profiles.Header) {
	switch strings.ToLower(h.Name) {
	case "content-type", "content-length", "content-encoding", "transfer-encoding", "host", "te", "accept":
		v.add(path, "%s follows from the protocol: leave it out", h.Name)
		return
	}
	requestRules(v).header(path, h)
}
