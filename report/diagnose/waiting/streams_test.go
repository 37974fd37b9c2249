package waiting_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/report"
)

// streams adds what was seen of one HTTP/2 connection from api to db: so many streams open
// from two seconds before failures on, the oldest since then; answered is how many others
// were answered in each second up to a time.
func (w *incident) streams(open uint64, limit float64, answered uint64, until float64) {
	for at := 0.0; at < 20; at++ {
		e := probe.Event{
			At: time.Duration(at * float64(time.Second)), Kind: probe.StreamsOpen, Host: "db", Count: 1, Value: 0.01,
			Remote: netip.MustParseAddrPort("10.0.0.3:40000"), Local: netip.MustParseAddrPort("10.0.0.4:5432"),
		}
		if at >= 6 {
			e.Count, e.Value = open, at-6
		}
		w.log.Events = append(w.log.Events, e)
		e.Kind, e.Count, e.Value = probe.StreamsAnswered, 60, limit
		if at >= 6 {
			e.Count = answered
		}
		if at >= until {
			e.Count = 0
		}
		w.log.Events = append(w.log.Events, e)
	}
}

// TestStreams follows requests that share one connection: those that wait for a stream are
// told from those that have one and wait for whoever should answer.
func TestStreams(t *testing.T) {
	for _, c := range []struct {
		name     string
		open     uint64
		limit    float64
		answered uint64
		until    float64
		where    string
		state    report.Stand
		says     string
	}{
		{"long ones hold all streams, and later ones were answered", 64, 64, 50, 12, "api", report.StandsPool, "share 64 streams of 1 connection (HTTP/2, 64 at most on each) to db:5432, the oldest open for"},
		{"so, and how many may be open was not seen", 64, 0, 50, 12, "api", report.StandsPool, "share 64 streams of 1 connection (HTTP/2) to db:5432"},
		{"all stand at one moment: none is answered any more", 64, 64, 0, 6, "db", report.StandsInside, "64 of 311 open requests wait for db:5432"},
		{"few are open, as all are given up soon, and none is answered any more", 20, 50, 0, 6, "db", report.StandsInside, "20 of 311 open requests wait for db:5432, the oldest for 11 s, and next to none of its streams is answered"},
		{"few are open, and the others are answered: they stand elsewhere", 20, 50, 50, 30, "api", report.StandsInside, "api: 311 open requests"},
		{"there is room for more streams", 180, 250, 50, 12, "db", report.StandsInside, "180 of 311 open requests wait for db:5432"},
	} {
		w := locked()
		w.change("api", probe.RequestsUnread, 0)
		w.change("api", probe.PeerConnections, 1)
		w.change("api", probe.Awaiting, 1)
		w.change("api", probe.AwaitingOldest, 0.008)
		w.change("api", probe.AwaitingMedian, 0.008)
		w.change("db", probe.Owed, 1)
		w.change("db", probe.OwedOldest, 0.008)
		w.streams(c.open, c.limit, c.answered, c.until)
		way := follow(w)
		if way.Culprit == nil || way.Culprit.Hop.Process != map[string]string{"api": "api", "db": "postgres"}[c.where] || way.Culprit.State != c.state || !strings.Contains(way.Text(), c.says) {
			t.Errorf("%s: %s", c.name, way.Text())
		}
	}
}

// TestStreamsOfAShare has one of two connections followed: both have all streams in use, which
// is twice what was seen.
func TestStreamsOfAShare(t *testing.T) {
	w := locked()
	w.change("api", probe.RequestsUnread, 0)
	w.change("api", probe.PeerConnections, 2)
	w.change("api", probe.Awaiting, 2)
	w.change("api", probe.AwaitingOldest, 0.008)
	w.change("api", probe.AwaitingMedian, 0.008)
	w.change("db", probe.Owed, 1)
	w.change("db", probe.OwedOldest, 0.008)
	w.log.Events = append(w.log.Events, probe.Event{Kind: probe.StreamsShare, Host: "db", Value: 0.5})
	w.streams(64, 64, 50, 12)
	way := follow(w)
	if want := "share about 128 streams of 2 connections (HTTP/2, 64 at most on each) to db:5432"; way.Culprit == nil || way.Culprit.State != report.StandsPool || !strings.Contains(way.Text(), want) {
		t.Errorf("%s\nwant: %s", way.Text(), want)
	}
}

// TestStandingStreams has a hop that hangs keep subscriptions: streams that were asked for long
// ago, and whose answer begins when there is something to tell. Nobody waits for those, and how
// many streams there may be was not seen, as the connection is older than the run.
func TestStandingStreams(t *testing.T) {
	w := overOne()
	w.streams(12, 0, 50, 30)
	for i := range w.log.Events {
		if e := &w.log.Events[i]; e.Kind == probe.StreamsOpen {
			e.Count, e.Value = 12, 1+e.At.Seconds()
		}
	}
	way := follow(w)
	if way.Culprit == nil || way.Culprit.Hop.Process != "api" || way.Culprit.State != report.StandsInside {
		t.Errorf("%s", way.Text())
	}
}

// TestStreamsThatAreReadNoMore has more frames come, shortly before requests fail, than are read:
// that nobody saw an answer since does not say that there was none.
func TestStreamsThatAreReadNoMore(t *testing.T) {
	w := overOne()
	w.streams(20, 50, 50, 30)
	w.log.Events = slices.DeleteFunc(w.log.Events, func(e probe.Event) bool { return e.At > 9500*time.Millisecond })
	way := follow(w)
	if way.Culprit == nil || way.Culprit.Hop.Process != "api" || way.Culprit.State != report.StandsInside {
		t.Errorf("%s", way.Text())
	}
}

// overOne is locked over one connection to the database, which shows a young request: whatever
// stands in its streams, its last packet went out a moment ago.
func overOne() *incident {
	w := locked()
	w.change("api", probe.RequestsUnread, 0)
	w.change("api", probe.PeerConnections, 1)
	w.change("api", probe.Awaiting, 1)
	w.change("api", probe.AwaitingOldest, 0.008)
	w.change("api", probe.AwaitingMedian, 0.008)
	w.change("db", probe.Owed, 1)
	w.change("db", probe.OwedOldest, 0.008)
	return w
}
