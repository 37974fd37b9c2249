package watch_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/cmd/internal/watch"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/kube/kubetest"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml"
)

const head = `name: peak
targets:
  - {name: orders, url: "http://orders.shop:8080", hosts: [orders]}
load:
  - {at: 10/s, for: 10s}
`

func load(t *testing.T, text string) profiles.Profile {
	t.Helper()
	p, err := yaml.Decode("peak.yaml", []byte(text), yaml.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func cluster(t *testing.T) *kubetest.Server {
	s := kubetest.New(t)
	t.Setenv("KUBECONFIG", s.Kubeconfig(t))
	s.Put(kubetest.Deployment("shop", "orders", 3))
	for suffix, node := range map[string]string{"x7k2p": "node-1", "9qz4h": "node-2", "bbbbb": "node-2"} {
		s.Put(kubetest.Pod("shop", "orders", "6d4cf56db6", suffix, node, time.Now()))
	}
	s.Put(kubetest.Deployment("shop", "web", 1))
	s.Put(kubetest.Pod("shop", "web", "55dcb7d7b", "ccccc", "node-1", time.Now()))
	return s
}

func names(hosts []profiles.Host) (out []string) {
	for _, h := range hosts {
		text := h.Name
		if h.Agent.Name != "" {
			text += " by " + h.Agent.Name
		}
		for _, p := range h.Processes {
			text += " " + p.Pod
		}
		out = append(out, text)
	}
	return out
}

// TestFindPods puts the agents of nodes in the place of a profile's hosts.
func TestFindPods(t *testing.T) {
	cluster(t)
	p := load(t, head+`fleet: {nats: "tls://nats.internal:4222"}
hosts:
  - {name: orders, kubernetes: shop/deploy/orders}
  - {name: web, kubernetes: shop/app=web}
  - {name: own, kubernetes: shop/deploy/web, agent: {command: [kubectl, exec, -i, web, --, rampload, agent, --stdio]}}
  - {name: gone, kubernetes: shop/deploy/gone}
`)
	places, pods := watch.FindPods(t.Context(), p)
	want := []string{"orders", "orders@node-1 by node-1 shop/deploy/orders", "orders@node-2 by node-2 shop/deploy/orders", "web by node-1 shop/deploy/web", "own", "gone"}
	if got := names(places.Hosts); !slices.Equal(got, want) {
		t.Errorf("hosts %q, want %q", got, want)
	}
	if got := places.Targets[0].Hosts; !slices.Equal(got, []string{"orders@node-1", "orders@node-2"}) {
		t.Errorf("the target is served by %q", got)
	}
	if !slices.Equal(p.Targets[0].Hosts, []string{"orders"}) {
		t.Errorf("the profile was changed: %q", p.Targets[0].Hosts)
	}
	if text := strings.Join(pods.Describe(), "\n"); !strings.Contains(text, "shop/deploy/orders: 3 of 3 pods are ready, on node-1, node-2") || !strings.Contains(text, "there is no deployment gone") {
		t.Errorf("%s", text)
	}
}

// TestWithoutAgents says how a debug container watches a pod, with a host that the
// profile takes.
func TestWithoutAgents(t *testing.T) {
	s := cluster(t)
	p := load(t, head+"hosts:\n  - {name: orders, kubernetes: shop/deploy/orders}\n")
	places, pods := watch.FindPods(t.Context(), p)
	if got := names(places.Hosts); !slices.Equal(got, []string{"orders"}) {
		t.Errorf("%q", got)
	}
	others := watch.ConnectAgents(t.Context(), places, pods, "0011223344556677", time.Second, false)
	warnings := strings.Join(others.Warnings(), "\n")
	host := regexp.MustCompile(`\{name: .*\}\}`).FindString(warnings)
	if !strings.HasPrefix(warnings, "no agent watches the pods of orders") || host == "" {
		t.Fatalf("%s", warnings)
	}
	again := load(t, strings.Replace(head, "[orders]", "[]", 1)+"hosts:\n  - "+host+"\n")
	if c := again.Hosts[0].Agent.Command; !slices.Contains(c, "--target=orders") || c[0] != "kubectl" || c[1] != "debug" {
		t.Errorf("%q", c)
	}
	w := watch.OpenHosts(t.Context(), places.Hosts, places.Targets, nil, probe.NewClock(time.Now()), false, others)
	defer w.Close()
	i := slices.IndexFunc(w.Watchers, func(x probe.Watcher) bool { return x.Source() == probe.Source{Host: "orders", Name: "pod events"} })
	if i < 0 || !slices.Equal(w.TargetHosts[0], []string{"orders"}) {
		t.Errorf("nobody follows the pods: %v", w.TargetHosts)
	}
	s.Forbid("list", "pods")
	places, pods = watch.FindPods(t.Context(), p)
	others = watch.ConnectAgents(t.Context(), places, pods, "0011223344556677", time.Second, false)
	if text := strings.Join(others.Warnings(), "\n"); !strings.Contains(text, "the right to list pods in namespace shop is missing") || strings.Contains(text, "\n") {
		t.Errorf("%s", text)
	}
}
