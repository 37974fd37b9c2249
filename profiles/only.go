package profiles

import (
	"fmt"
	"slices"

	"github.com/rampload/rampload/profiles/spelling"
)

// Only returns the profile with some of its targets, each with the load that it has in
// the whole: rates and connections are those of the whole times the shares that are
// kept. Hosts that serve left-out targets only, and gates that name left-out targets,
// go with them; the texts of these gates are returned. No names: everything. An unknown
// name is an error.
func (p Profile) Only(names []string) (Profile, []string, error) {
	if len(names) == 0 {
		return p, nil, nil
	}
	if len(p.Journeys) > 0 {
		return p, nil, fmt.Errorf("the profile has journeys, whose steps belong together: leave a journey out of the profile instead")
	}
	p = p.Clone()
	var known []string
	for _, t := range p.Targets {
		known = append(known, t.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return p, nil, fmt.Errorf("no target is called %s%s", spelling.Quote(name), spelling.Suggest(name, known))
		}
	}
	out := func(t Target) bool { return !slices.Contains(names, t.Name) }
	var gone, hosts []string
	share := 0.0
	for _, t := range p.Targets {
		if out(t) {
			gone = append(gone, t.Name)
			hosts = append(hosts, t.Hosts...)
		} else {
			share += t.Share
		}
	}
	if len(gone) == 0 {
		return p, nil, nil
	}
	p.Targets = slices.DeleteFunc(p.Targets, out)
	for i := range p.Targets {
		p.Targets[i].Share /= share
	}
	p.Hosts = slices.DeleteFunc(p.Hosts, func(h Host) bool {
		kept := slices.ContainsFunc(p.Targets, func(t Target) bool { return slices.Contains(t.Hosts, h.Name) })
		return h.Name != LocalHost && !kept && slices.Contains(hosts, h.Name)
	})
	var dropped []string
	leave := func(g Gate) bool {
		if g.Metric == GateHeadroom || !slices.Contains(gone, g.Of) {
			return false
		}
		dropped = append(dropped, g.Text)
		return true
	}
	p.Gate, p.AbortIf = slices.DeleteFunc(p.Gate, leave), slices.DeleteFunc(p.AbortIf, leave)
	for i := range p.Load {
		if s, ok := p.Load[i].(Search); ok && leave(s.Until) {
			s.Until = Gate{}
			p.Load[i] = s
		}
	}
	return Scale(p, share).WithDefaults(), dropped, nil
}
