package probecmd

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/rampload/rampload/cmd/internal/watch"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/report/diagnose/hops"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/runlog"
)

// Ways says which way the requests of each target would take, as far as listeners and
// connections that are there without any load tell.
func Ways(ctx context.Context, w *watch.Watched, targets []profiles.Target, addrs [][]netip.Addr) []string {
	log := &runlog.Log{Header: runlog.Header{Hosts: w.Hosts}}
	number := map[probe.Metric]int{}
	for _, s := range w.Samplers {
		if !strings.HasPrefix(s.Source().Name, "requests") {
			continue
		}
		_ = s.Sample(ctx, func(x probe.Sample) {
			i, known := number[x.Metric]
			if !known {
				i = len(log.Series)
				number[x.Metric] = i
				log.Series = append(log.Series, runlog.Series{Metric: x.Metric})
			}
			log.Series[i].At = append(log.Series[i].At, x.At)
			log.Series[i].Value = append(log.Series[i].Value, x.Value)
		})
	}
	graph := hops.Read(log)
	if graph == nil {
		return nil
	}
	var out []string
	for i, t := range targets {
		var dialled []netip.AddrPort
		for _, a := range addrs[i] {
			for _, port := range watch.ListenPorts(t) {
				dialled = append(dialled, netip.AddrPortFrom(a.Unmap(), uint16(port)))
			}
		}
		if first := graph.Chain(watch.LocalHost, dialled, t.Hosts); first != nil {
			out = append(out, fmt.Sprintf("%-16s %s", t.Name, first.Line("")))
		} else if len(dialled) > 0 {
			out = append(out, fmt.Sprintf("%-16s client -> %s (nobody watches who answers there)", t.Name, dialled[0]))
		}
	}
	return out
}

// requests draws the table of where requests stand now: what services have not accepted,
// read and answered, and below each process what it has out to whom.
func (v *probeView) requests(width int, head func(string, ...any), add func(string, ...any)) {
	value := func(m probe.Metric, name string) float64 {
		m.Name = name
		if row := v.rows[m]; row != nil {
			return row.value
		}
		return 0
	}
	services := v.sorted(func(d probe.Definition, r *probeRow) bool { return d.Name == probe.Inbound && r.value > 0 }, func(a, b *probeRow) int { return 0 })
	peers := v.sorted(func(d probe.Definition, r *probeRow) bool { return d.Name == probe.PeerConnections && r.value > 0 }, func(a, b *probeRow) int { return 0 })
	if len(services)+len(peers) == 0 {
		return
	}
	const most = 12
	name := max(width-46, 16)
	line := func(emit func(string, ...any), what string, cells ...string) {
		emit("%s %8s %7s %8s %7s %8s", runewidth.FillRight(runewidth.Truncate(what, name, "…"), name), cells[0], cells[1], cells[2], cells[3], cells[4])
	}
	add("")
	line(head, "REQUESTS", "CONNS", "OPEN", "QUEUED", "UNREAD", "OLDEST")
	for _, m := range services[:min(len(services), most)] {
		line(add, strings.TrimSpace(m.Process+" on "+m.Instance),
			count(value(m, probe.Inbound)), count(value(m, probe.Owed)+value(m, probe.NotAccepted)), count(value(m, probe.NotAccepted)),
			count(value(m, probe.RequestsUnread)), format.Seconds(value(m, probe.OwedOldest)))
	}
	for _, m := range peers[:min(len(peers), most)] {
		line(add, strings.TrimSpace(m.Process+" -> "+m.Instance),
			count(value(m, probe.PeerConnections)), count(value(m, probe.Awaiting)+value(m, probe.Connecting)), count(value(m, probe.Connecting)),
			count(value(m, probe.AnswersUnread)), format.Seconds(value(m, probe.AwaitingOldest)))
	}
	if n := len(services) + len(peers) - min(len(services), most) - min(len(peers), most); n > 0 {
		add("and %d more", n)
	}
}

func count(v float64) string { return format.Number(v) }
