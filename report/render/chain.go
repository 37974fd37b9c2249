package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rampload/rampload/report"
	"github.com/rampload/rampload/report/format"
	"github.com/rampload/rampload/report/render/layout"
	htmlpage "github.com/rampload/rampload/report/render/page"
)

// chain is the way of a request to the target of the first finding, with where requests
// stood on it and the place of the fault, as far as either is known.
func chain(r *report.Report) []htmlpage.Hop {
	f := firstFinding(r)
	t, ok := target(r, f.Target)
	if !ok {
		if len(r.Targets) != 1 {
			return nil
		}
		t = r.Targets[0]
	}
	hops := append([]htmlpage.Hop{{Name: "this machine", Notes: []string{"sends the load"}}}, stations(t)...)
	if faulty(f) || f.Verdict == "generator-limited" {
		hops = blame(hops, f)
	}
	for i := range hops {
		hops[i].Name = layout.Clean(hops[i].Name)
		for k := range hops[i].Notes {
			hops[i].Notes[k] = layout.Clean(hops[i].Notes[k])
		}
	}
	return hops
}

// stations are the hops behind the client, outermost first.
func stations(t report.Target) []htmlpage.Hop {
	if t.Way == nil || len(t.Way.Hops) == 0 {
		return []htmlpage.Hop{{Name: t.Name, Notes: []string{t.URL}, Depth: 1}}
	}
	var out []htmlpage.Hop
	for i, h := range t.Way.Hops {
		hop := htmlpage.Hop{Name: h.Address, Depth: h.Depth}
		if h.Watched {
			hop.Name = h.Process
			host := cmp.Or(h.Failing, h.Host)
			at := host
			if h.Port > 0 {
				at = fmt.Sprintf("%s:%d", host, h.Port)
			}
			switch known := max(h.Known, h.Instances); {
			case h.Failing != "":
				at += fmt.Sprintf(", one of %d instances", known)
			case known > 1:
				at += fmt.Sprintf(", %d of %d instances", h.Instances, known)
			}
			hop.Notes = []string{at}
		} else {
			hop.Notes = []string{"not watched"}
		}
		if i == 0 && h.Process != t.Name {
			hop.Notes = append(hop.Notes, "target "+t.Name)
		}
		if s := standing(h); s != "" && (h.Failing == "" || h.Failing == h.Host) {
			hop.Notes = append(hop.Notes, s)
		}
		out = append(out, hop)
	}
	return out
}

// standing says where the requests of a hop stood: "311 of 311 open wait for api".
func standing(h report.WayHop) string {
	if h.Now.Open == nil || *h.Now.Open < 0.5 || h.State == "" {
		return ""
	}
	open := format.Number(*h.Now.Open)
	most := func(of func(report.Waiting) *float64) (string, float64) {
		to, n := "", 0.0
		for _, b := range h.Behind {
			if v := of(b); v != nil && *v > n {
				to, n = b.To, *v
			}
		}
		return to, n
	}
	switch h.State {
	case report.StandsBehind, report.StandsPool:
		if to, n := most(func(b report.Waiting) *float64 { return b.Requests }); to != "" {
			return fmt.Sprintf("%s of %s open wait for %s", format.Number(min(n, *h.Now.Open)), open, to)
		}
	case report.StandsNotAccepted:
		if n := h.Now.NotAccepted; n != nil && *n > 0 {
			return fmt.Sprintf("%s of %s open are not accepted", format.Number(*n), open)
		}
	}
	return open + " open: " + stands(h)
}

// blame marks the hop at fault, or the way to it.
func blame(hops []htmlpage.Hop, f report.Finding) []htmlpage.Hop {
	at := f.Host
	if f.Process != "" {
		at = report.Resource{Host: f.Host, Process: f.Process, PID: f.PID}.Owner()
	}
	// is the hop that a host and process are, -1: none.
	is := slices.IndexFunc(hops, func(h htmlpage.Hop) bool {
		return h.Depth > 0 && f.Host != "" && len(h.Notes) > 0 && (h.Notes[0] == f.Host || strings.HasPrefix(h.Notes[0], f.Host+":")) &&
			(f.Process == "" || h.Name == f.Process)
	})
	switch f.Tier {
	case report.TierClient:
		hops[0].Failing = true
	case report.TierPath:
		if f.Host != "" && f.Host != "local" && is < 0 {
			return slices.Insert(hops, 1, htmlpage.Hop{Name: at, Notes: []string{"on the way"}, Failing: true, Depth: 1})
		}
		hops[max(is, 1)].Path = true
	case report.TierProxy, report.TierServer:
		is = max(is, 1)
		hops[is].Failing = true
		if at != "" && !strings.Contains(at, hops[is].Name) {
			hops[is].Notes = append(hops[is].Notes, at)
		}
	case report.TierUpstream:
		if is > 0 {
			hops[is].Failing = true
			break
		}
		if at == "" {
			at = "a service behind it"
		}
		hops = append(hops, htmlpage.Hop{Name: at, Notes: []string{"behind it"}, Failing: true, Depth: hops[len(hops)-1].Depth + 1})
	}
	return hops
}
