package gather

import (
	"github.com/rampload/rampload/report/diagnose/says"
	"github.com/rampload/rampload/report/diagnose/spoken"
)

// together makes one of what the instances of a service say alike, by the ids of requests,
// of the same peer: each served a part of what failed, and said so of its part. It stands
// in the place of the first.
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
			whole.Of += j.Of // each kept only its own
		}
		whole.Share, whole.First = min(1, whole.Share+j.Share), min(whole.First, j.First)
		whole.Hosts, out[p.at] = len(p.hosts), &whole
	}
	return out
}
