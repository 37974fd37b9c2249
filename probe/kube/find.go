package kube

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/rampload/rampload/profiles/workload"
)

// Pod is a pod that was found.
type Pod struct {
	Name       string
	Node       string // empty: not placed yet
	IPs        []string
	Containers []string
	Ready      bool
	// Made is what it belongs to, as an agent on its node finds it: a deployment, a
	// stateful or daemon set, or the pod itself.
	Made workload.Workload
}

// Found is a workload with its pods.
type Found struct {
	Workload workload.Workload
	Pods     []Pod // in the order of names

	query url.Values // that selects them
	raw   []pod      // as they were
}

// Nodes returns the nodes on which pods run, in order.
func (f *Found) Nodes() []string {
	nodes := map[string]bool{}
	for _, p := range f.Pods {
		if p.Node != "" {
			nodes[p.Node] = true
		}
	}
	return slices.Sorted(maps.Keys(nodes))
}

// On returns the pods of a node.
func (f *Found) On(node string) []Pod {
	return slices.DeleteFunc(slices.Clone(f.Pods), func(p Pod) bool { return p.Node != node })
}

// Find returns a workload's pods. The error says in one line what stands in the way.
func (c *Client) Find(ctx context.Context, w workload.Workload) (*Found, error) {
	query, err := c.selecting(ctx, w)
	if err != nil {
		return nil, err
	}
	pods, _, err := list[pod](ctx, c, request{resource: "pods", namespace: w.Namespace, query: query})
	if err != nil {
		return nil, err
	}
	f := &Found{Workload: w, query: query, raw: pods}
	for i := range pods {
		if p := &pods[i]; p.Meta.DeletionTimestamp == nil && p.Status.Phase != "Failed" && p.Status.Phase != "Succeeded" {
			f.Pods = append(f.Pods, podOf(p, w.Namespace))
		}
	}
	slices.SortFunc(f.Pods, func(x, y Pod) int { return cmp.Compare(x.Name, y.Name) })
	if len(f.Pods) == 0 {
		return nil, fmt.Errorf("%s has no pods: kubectl get pods -n %s shows what is there", w, w.Namespace)
	}
	return f, nil
}

// selecting returns the query that selects a workload's pods.
func (c *Client) selecting(ctx context.Context, w workload.Workload) (url.Values, error) {
	resource := map[workload.Kind]string{workload.Deployment: "deployments", workload.StatefulSet: "statefulsets", workload.DaemonSet: "daemonsets"}[w.Kind]
	switch {
	case w.Kind == workload.Labels:
		return url.Values{"labelSelector": {w.Selector}}, nil
	case resource == "":
		return url.Values{"fieldSelector": {"metadata.name=" + w.Name}}, nil
	}
	var o owned
	if err := c.get(ctx, request{verb: "get", group: "apps", resource: resource, namespace: w.Namespace, name: w.Name}, &o); err != nil {
		return nil, err
	}
	labels := o.Spec.Selector.String()
	if labels == "" {
		return nil, fmt.Errorf("%s selects no pods", w)
	}
	return url.Values{"labelSelector": {labels}}, nil
}

// String returns the selector as a query has it.
func (s selector) String() string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		parts = append(parts, key+"="+s.MatchLabels[key])
	}
	for _, e := range s.MatchExpressions {
		switch values := "(" + strings.Join(e.Values, ",") + ")"; e.Operator {
		case "In":
			parts = append(parts, e.Key+" in "+values)
		case "NotIn":
			parts = append(parts, e.Key+" notin "+values)
		case "Exists":
			parts = append(parts, e.Key)
		case "DoesNotExist":
			parts = append(parts, "!"+e.Key)
		}
	}
	return strings.Join(parts, ",")
}

func podOf(p *pod, namespace string) Pod {
	out := Pod{Name: p.Meta.Name, Node: p.Spec.NodeName, Ready: p.ready(), Made: workload.Workload{Namespace: namespace, Kind: workload.Pod, Name: p.Meta.Name}}
	for _, ip := range p.Status.PodIPs {
		out.IPs = append(out.IPs, ip.IP)
	}
	for _, c := range p.Spec.Containers {
		out.Containers = append(out.Containers, c.Name)
	}
	for _, o := range p.Meta.OwnerReferences {
		if o.Controller == nil || !*o.Controller {
			continue
		}
		made := workload.Workload{Namespace: namespace, Name: o.Name}
		switch o.Kind {
		case "ReplicaSet":
			made.Kind = workload.Deployment
			made.Name = strings.TrimSuffix(o.Name, "-"+p.Meta.Labels["pod-template-hash"])
			if made.Name == o.Name {
				continue // a replica set by itself
			}
		case "StatefulSet":
			made.Kind = workload.StatefulSet
		case "DaemonSet":
			made.Kind = workload.DaemonSet
		default:
			continue
		}
		// What a name does not follow is watched by its own.
		if made.Pods()(out.Name) {
			out.Made = made
		}
	}
	return out
}
