package traces

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rampload/rampload/probe/internal/ask"
	"github.com/rampload/rampload/profiles"
)

// Store answers questions for traces.
type Store interface {
	// Name says what it is: "jaeger".
	Name() string
	// Most is how many traces it is asked for at once.
	Most() int
	// Traces returns the spans of those of the traces that it has, by the ids that were
	// asked for. An error means that nothing is known.
	Traces(ctx context.Context, ids []string) (map[string][]Span, error)
}

// Bounds of asking.
const (
	askFor    = 5 * time.Second // one question
	maxAnswer = 16 << 20        // bytes
)

// Open returns the store of a profile. Where the profile does not say what it is, it is
// asked.
func Open(ctx context.Context, from profiles.SpanStore) (Store, error) {
	u, err := url.Parse(from.URL)
	if err != nil {
		return nil, errors.New("it is no URL")
	}
	a := asked{base: u, headers: from.Headers, client: &http.Client{
		Timeout: askFor, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	switch from.Speaks() {
	case profiles.SpansFromJaeger:
		return jaeger{a}, nil
	case profiles.SpansFromZipkin:
		return zipkin{a}, nil
	case profiles.SpansFromTempo:
		return tempo{a}, nil
	}
	var last error
	for _, try := range []struct {
		path  string
		store Store
	}{{"/api/v2/services", zipkin{a}}, {"/api/services", jaeger{a}}, {"/api/echo", tempo{a}}} {
		body, _, err := a.get(ctx, try.path, nil, "")
		if err == nil && (try.path == "/api/echo" && strings.Contains(string(body), "echo") || try.path != "/api/echo" && json.Valid(body)) {
			return try.store, nil
		}
		if err != nil {
			last = err
		}
		if errors.Is(err, errAway) {
			break
		}
	}
	if errors.Is(last, errAway) {
		return nil, last
	}
	return nil, errors.New("it answers neither as Jaeger, nor as Zipkin, nor as Tempo: write traces.from.api")
}

// asked is a store that is asked over HTTP.
type asked struct {
	client  *http.Client
	base    *url.URL
	headers []profiles.Header
}

var (
	// errAway says that no answer came.
	errAway = errors.New("no answer")
	// errNone says that a trace is not there.
	errNone = errors.New("not there")
)

// get asks a path below the store's URL and returns the body and its type.
func (a asked) get(ctx context.Context, path string, values url.Values, accept string) ([]byte, string, error) {
	header := http.Header{}
	if accept != "" {
		header.Set("Accept", accept)
	}
	for _, h := range a.headers {
		header.Add(h.Name, h.Value)
	}
	resp, err := ask.Get(ctx, a.client, a.base, path, values, header)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", errAway, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return nil, "", errNone
	case resp.StatusCode != http.StatusOK:
		return nil, "", fmt.Errorf("it answers %d: %s", resp.StatusCode, clean(string(body), 120))
	case err != nil:
		return nil, "", fmt.Errorf("%w: %w", errAway, err)
	case len(body) > maxAnswer:
		return nil, "", fmt.Errorf("its answer is longer than %d MB", maxAnswer>>20)
	}
	return body, resp.Header.Get("Content-Type"), nil
}

// missing reports whether an error says that traces are not there.
func missing(err error) bool { return errors.Is(err, errNone) }
