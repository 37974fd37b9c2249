// Package workload names what runs in Kubernetes, as people write it: shop/deploy/orders
// is the deployment orders in the namespace shop. It knows how pods are named after their
// workload, so that a node's agent finds them without asking the cluster.
package workload

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Kind is what makes pods.
type Kind string

// The kinds, as they are written.
const (
	Deployment  Kind = "deploy"
	StatefulSet Kind = "sts"
	DaemonSet   Kind = "ds"
	Pod         Kind = "pod"
	Labels      Kind = "labels" // pods that carry labels
)

// longer are other spellings of the kinds, as kubectl takes them.
var longer = map[string]Kind{
	"deployment": Deployment, "deployments": Deployment, "statefulset": StatefulSet, "statefulsets": StatefulSet,
	"daemonset": DaemonSet, "daemonsets": DaemonSet, "pods": Pod, "po": Pod,
}

// Workload is what runs in a namespace: one with a name, or pods with labels.
type Workload struct {
	Namespace string
	Kind      Kind
	Name      string // empty for Labels
	Selector  string // Labels: app=orders,tier!=cache
}

var (
	namespace = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	name      = regexp.MustCompile(`^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$`)
	label     = regexp.MustCompile(`^([a-z0-9]([-.a-z0-9]*[a-z0-9])?/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?!?={1,2}([A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?$`)
)

// Parse reads NAMESPACE/KIND/NAME or NAMESPACE/LABEL=VALUE[,LABEL=VALUE]. The error says
// what to write.
func Parse(text string) (Workload, error) {
	wrong := fmt.Errorf("%q names nothing in Kubernetes: write NAMESPACE/deploy/NAME (or sts, ds, pod), or NAMESPACE/LABEL=VALUE, such as shop/deploy/orders or shop/app=orders", text)
	space, rest, cut := strings.Cut(text, "/")
	if !cut || !namespace.MatchString(space) {
		return Workload{}, wrong
	}
	if strings.Contains(rest, "=") {
		for _, l := range strings.Split(rest, ",") {
			if !label.MatchString(l) {
				return Workload{}, wrong
			}
		}
		return Workload{Namespace: space, Kind: Labels, Selector: rest}, nil
	}
	kind, own, _ := strings.Cut(rest, "/")
	k := Kind(kind)
	if l, other := longer[kind]; other {
		k = l
	}
	if !slices.Contains([]Kind{Deployment, StatefulSet, DaemonSet, Pod}, k) || !name.MatchString(own) {
		return Workload{}, wrong
	}
	return Workload{Namespace: space, Kind: k, Name: own}, nil
}

// String returns the workload as [Parse] reads it.
func (w Workload) String() string {
	if w.Kind == Labels {
		return w.Namespace + "/" + w.Selector
	}
	return w.Namespace + "/" + string(w.Kind) + "/" + w.Name
}

// random is what Kubernetes makes names of: letters and digits that spell no word
// (k8s.io/apimachinery/pkg/util/rand).
const random = "[bcdfghjklmnpqrstvwxz2456789]"

// Pods returns a test of whether a name is that of a pod of the workload; nil for labels,
// which a name does not tell.
//
// A deployment's pods are called NAME-HASH-RANDOM after their replica set, a daemon set's
// NAME-RANDOM, a stateful set's NAME-NUMBER. A long name of the owner is cut to 58
// characters before the random part (apiserver/pkg/storage/names).
func (w Workload) Pods() func(pod string) bool {
	own := regexp.QuoteMeta(w.Name)
	var pattern string
	switch w.Kind {
	case Pod:
		return func(pod string) bool { return pod == w.Name }
	case Deployment:
		pattern = own + "-" + random + "{1,10}-?" + random + "{5}"
	case DaemonSet:
		pattern = own[:min(len(own), longest)] + "-?" + random + "{5}"
		if len(own) <= longest {
			pattern = own + "-" + random + "{5}"
		}
	case StatefulSet:
		pattern = own + "-[0-9]+"
	default:
		return nil
	}
	return regexp.MustCompile("^" + pattern + "$").MatchString
}

// longest is how much of an owner's name is in that of a pod with a random part.
const longest = 58
