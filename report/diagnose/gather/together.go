package gather

import (
	"github.com/rampload/rampload/report/diagnose/says"
	"github.com/rampload/rampload/report/diagnose/spoken"
)

// together merges lines of the instances of a service that say the same about the same peer and are
// joined by ids. Each instance served a part of the failed requests, and tells of its part. The merged
// line takes the place of the first.
func together(joined []spoken.Joined) (out []*spoken.Joined) {
	type key struct {
		service string
		said    says.Statement
		class   spoken.Class
	}
	type place struct {
		at    int
		hosts map[string]bool
	}
	of := map[key]*place{}
	for i := range joined {
		j := &joined[i]
		if j.By != "id" || j.Edge != nil || j.Replied() || j.Meaning == says.None {
			out = append(out, j)
			continue
		}
		k := key{j.Service, j.Statement, j.Class}
		p := of[k]
		if p == nil || p.hosts[j.Host] {
			if p == nil {
				of[k] = &place{len(out), map[string]bool{j.Host: true}}
			}
			out = append(out, j)
			continue
		}
		p.hosts[j.Host] = true
		whole := *out[p.at]
		if whole.Times += j.Times; whole.Times <= max(whole.Of, j.Of) {
			whole.Of = max(whole.Of, j.Of)
		} else {
			whole.Of += j.Of // each log has the ids of its own part only
		}
		whole.Share, whole.First = min(1, whole.Share+j.Share), min(whole.First, j.First)
		whole.Hosts, out[p.at] = len(p.hosts), &whole
	}
	return out
}
