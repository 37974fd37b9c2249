package logs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/probe/logs/parse"
)

// victoria is VictoriaLogs: it answers a query with one JSON object a line
// (VictoriaLogs, "Querying", /select/logsql/query). Of more lines than it is asked for it
// gives the latest.
type victoria struct{ asked }

// noMessage begins what VictoriaLogs has as the message of lines whose shipper did not say
// which field is theirs.
const noMessage = "missing _msg field"

func (v *victoria) lines(ctx context.Context, from, to time.Time) ([]stored, error) {
	body, err := v.get(ctx, "/select/logsql/query", url.Values{
		"query": {v.query}, "start": {from.UTC().Format(time.RFC3339Nano)}, "end": {to.UTC().Format(time.RFC3339Nano)}, "limit": {strconv.Itoa(mostLines)},
	})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var out []stored
	s := bufio.NewScanner(body)
	s.Buffer(nil, 1<<20)
	other, records := "", 0
	for s.Scan() && len(out) < mostLines {
		x, ok := victoriaLine(s.Text())
		switch {
		case !ok:
			other = s.Text()
			continue
		case !x.at.Before(from) && x.at.Before(to):
			out = append(out, x)
		}
		records++
	}
	if records == 0 && strings.TrimSpace(other) != "" {
		return nil, fmt.Errorf("ask %s: its answer is not that of VictoriaLogs: %q", v.base.Host, parse.Clean(other, 40))
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		return out, errTooMuch
	}
	return out, s.Err()
}

// victoriaLine reads a line of an answer; ok is false where it is none of a log.
func victoriaLine(text string) (x stored, ok bool) {
	s := parse.Scanner{S: text}
	x.fields = make([]parse.Field, 0, 12)
	ok = s.Object("", func(name, value string) {
		switch name {
		case "_time":
			x.at, _ = parse.TimeOf(value)
		case "_msg":
			if !strings.HasPrefix(value, noMessage) {
				x.text = value
			}
		case "_stream", "_stream_id": // fields again
		default:
			x.fields = append(x.fields, parse.Field{Name: name, Value: value})
		}
	})
	return x, ok && !x.at.IsZero()
}
