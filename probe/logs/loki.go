package logs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/probe/logs/parse"
)

// loki is Loki: it answers a query with streams of pairs of a time and a line
// (Loki, "HTTP API", /loki/api/v1/query_range).
type loki struct{ asked }

func (o *loki) lines(ctx context.Context, from, to time.Time) ([]stored, error) {
	path := "/loki/api/v1/query_range"
	if strings.Contains(o.base.Path, "/loki/") {
		path = ""
	}
	body, err := o.get(ctx, path, url.Values{
		"query": {o.query}, "start": {strconv.FormatInt(from.UnixNano(), 10)}, "end": {strconv.FormatInt(to.UnixNano(), 10)},
		"limit": {strconv.Itoa(mostLines)}, "direction": {"forward"},
	})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var answer struct {
		Data struct {
			Result []struct {
				Stream map[string]string   `json:"stream"`
				Values [][]json.RawMessage `json:"values"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("read the store's answer: %w", err) // of one that is too long nothing, JSON ends at its end
	}
	var out []stored
	for _, r := range answer.Data.Result {
		fields := sorted(r.Stream)
		for _, v := range r.Values {
			var stamp, text string
			if len(v) < 2 || json.Unmarshal(v[0], &stamp) != nil || json.Unmarshal(v[1], &text) != nil {
				continue
			}
			n, err := strconv.ParseInt(stamp, 10, 64)
			if err != nil || len(out) >= mostLines {
				continue
			}
			out = append(out, stored{at: time.Unix(0, n), text: text, fields: fields})
		}
	}
	return out, nil
}

// sorted returns labels in the order of their names: as a map gives them, the same line
// would be read another way each time.
func sorted(labels map[string]string) []parse.Field {
	out := make([]parse.Field, 0, len(labels))
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, parse.Field{Name: name, Value: labels[name]})
	}
	return out
}
