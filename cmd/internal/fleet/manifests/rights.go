package manifests

import (
	"maps"
	"slices"

	"github.com/rampload/rampload/profiles/workload"
)

// space is a namespace whose pods a run follows.
type space struct {
	Name   string
	Owners []owners
}

// owners are the workloads of a kind that are read by their names.
type owners struct {
	Resource string
	Names    []string
}

// spaces are the rights that a run needs to follow some workloads, by namespace.
func spaces(all []workload.Workload) (out []space) {
	named := map[string]map[workload.Kind][]string{}
	for _, w := range all {
		if named[w.Namespace] == nil {
			named[w.Namespace] = map[workload.Kind][]string{}
		}
		if names := named[w.Namespace][w.Kind]; w.Name != "" && !slices.Contains(names, w.Name) {
			named[w.Namespace][w.Kind] = append(names, w.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		s := space{Name: name}
		for _, o := range []struct {
			kind     workload.Kind
			resource string
		}{{workload.Deployment, "deployments"}, {workload.StatefulSet, "statefulsets"}, {workload.DaemonSet, "daemonsets"}} {
			if names := named[name][o.kind]; len(names) > 0 {
				s.Owners = append(s.Owners, owners{o.resource, names})
			}
		}
		out = append(out, s)
	}
	return out
}
