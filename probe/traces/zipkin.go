package traces

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// zipkin is Zipkin's API (https://zipkin.io/zipkin-api/, v2, /traceMany).
type zipkin struct{ asked }

func (zipkin) Name() string { return "zipkin" }
func (zipkin) Most() int    { return 20 }

func (z zipkin) Traces(ctx context.Context, ids []string) (map[string][]Span, error) {
	if len(ids) == 1 { // old releases have no question for several
		body, _, err := z.get(ctx, "/api/v2/trace/"+ids[0], nil, "")
		if missing(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return decodeZipkin(append(append([]byte{'['}, body...), ']'))
	}
	body, _, err := z.get(ctx, "/api/v2/traceMany", url.Values{"traceIds": {strings.Join(ids, ",")}}, "")
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeZipkin(body)
}

type zipkinPlace struct {
	Service string `json:"serviceName"`
	IPv4    string `json:"ipv4"`
	IPv6    string `json:"ipv6"`
	Port    int    `json:"port"`
}

func (p zipkinPlace) String() string {
	host := cmp.Or(p.IPv4, p.IPv6)
	switch {
	case p.Service != "":
		return p.Service
	case host != "" && p.Port != 0:
		return net.JoinHostPort(host, strconv.Itoa(p.Port))
	}
	return host
}

// decodeZipkin decodes a list of traces, each a list of spans.
func decodeZipkin(body []byte) (map[string][]Span, error) {
	var answer [][]struct {
		Trace    string                     `json:"traceId"`
		ID       string                     `json:"id"`
		Parent   string                     `json:"parentId"`
		Kind     string                     `json:"kind"`
		Name     string                     `json:"name"`
		Start    int64                      `json:"timestamp"`
		Duration int64                      `json:"duration"`
		Local    zipkinPlace                `json:"localEndpoint"`
		Remote   zipkinPlace                `json:"remoteEndpoint"`
		Tags     map[string]json.RawMessage `json:"tags"`
		Shared   bool                       `json:"shared"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("read its answer: %w", err)
	}
	out := map[string][]Span{}
	for _, trace := range answer {
		for _, s := range trace[:min(len(trace), maxSpans)] {
			tags := attributes{}
			for k, v := range s.Tags {
				tags[k] = scalar(v)
			}
			id := wholeID(s.Trace)
			out[id] = append(out[id], tags.span(Span{
				ID: s.ID, Parent: s.Parent, Service: clean(s.Local.Service, maxName), Name: s.Name, Kind: kindOf(s.Kind), shared: s.Shared,
				Start: time.UnixMicro(s.Start), Duration: micros(s.Duration), Failed: tags.failed(), Peer: clean(s.Remote.String(), maxName),
			}))
		}
	}
	return out, nil
}
