package kube_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/kube"
	"github.com/rampload/rampload/probe/kube/kubetest"
	"github.com/rampload/rampload/profiles/workload"
)

func parse(t *testing.T, text string) workload.Workload {
	t.Helper()
	w, err := workload.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// cluster is a server with a deployment of two pods on two nodes, and a client that has
// come to it by a kubeconfig with an exec plugin.
func cluster(t *testing.T) (*kubetest.Server, *kube.Client, []*corev1.Pod) {
	t.Helper()
	s := kubetest.New(t)
	t.Setenv("KUBECONFIG", s.Kubeconfig(t))
	s.Put(kubetest.Deployment("shop", "orders", 2))
	long := time.Now().Add(-time.Hour)
	pods := []*corev1.Pod{
		kubetest.Pod("shop", "orders", "6d4cf56db6", "x7k2p", "node-1", long),
		kubetest.Pod("shop", "orders", "6d4cf56db6", "9qz4h", "node-2", long),
	}
	for _, p := range pods {
		s.Put(p)
	}
	s.Put(kubetest.Pod("shop", "web", "55dcb7d7b", "bbbbb", "node-1", long))
	client, err := kube.Open()
	if err != nil {
		t.Fatal(err)
	}
	return s, client, pods
}

func TestFind(t *testing.T) {
	s, client, _ := cluster(t)
	yes := true
	db := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "db-0", UID: "db", Labels: map[string]string{"app": "db", "tier": "store"},
		OwnerReferences: []metav1.OwnerReference{{Kind: "StatefulSet", Name: "db", Controller: &yes}},
	}, Spec: corev1.PodSpec{NodeName: "node-3"}}
	s.Put(db)
	s.Put(&appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db"}, Spec: appsv1.StatefulSetSpec{
		Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "tier", Operator: metav1.LabelSelectorOpIn, Values: []string{"store", "cache"}},
			{Key: "app", Operator: metav1.LabelSelectorOpExists},
		}},
	}})
	for text, want := range map[string]struct {
		nodes []string
		made  string
	}{
		"shop/deploy/orders":               {[]string{"node-1", "node-2"}, "shop/deploy/orders"},
		"shop/sts/db":                      {[]string{"node-3"}, "shop/sts/db"},
		"shop/pod/db-0":                    {[]string{"node-3"}, "shop/sts/db"},
		"shop/app=web":                     {[]string{"node-1"}, "shop/deploy/web"},
		"shop/pod/orders-6d4cf56db6-9qz4h": {[]string{"node-2"}, "shop/deploy/orders"},
	} {
		found, err := client.Find(t.Context(), parse(t, text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if nodes := found.Nodes(); !slices.Equal(nodes, want.nodes) || found.Pods[0].Made.String() != want.made {
			t.Errorf("%s: on %q, made by %s", text, nodes, found.Pods[0].Made)
		}
	}
	for text, want := range map[string]string{
		"shop/deploy/gone":  "there is no deployment gone in namespace shop",
		"shop/app=nobody":   "shop/app=nobody has no pods: kubectl get pods -n shop",
		"other/pod/nothing": "has no pods",
	} {
		if _, err := client.Find(t.Context(), parse(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestManyPods(t *testing.T) {
	s, client, _ := cluster(t)
	const letters = "bcdfghjklmnpqrstvwxz"
	for i := range 1200 {
		suffix := string([]byte{letters[i%20], letters[i/20%20], letters[i/400], 'z', 'z'})
		s.Put(kubetest.Pod("shop", "orders", "6d4cf56db6", suffix, "node-1", time.Now()))
	}
	found, err := client.Find(t.Context(), parse(t, "shop/deploy/orders"))
	if err != nil || len(found.Pods) != 1202 {
		t.Errorf("%d pods, %v", len(found.Pods), err)
	}
}

func TestRefused(t *testing.T) {
	s, client, _ := cluster(t)
	w := parse(t, "shop/deploy/orders")
	found, err := client.Find(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	s.Forbid("watch", "events")
	s.Forbid("get", "statefulsets")
	var forbidden *kube.Forbidden
	if _, err := client.Find(t.Context(), parse(t, "shop/sts/db")); !errors.As(err, &forbidden) || forbidden.Verb != "get" || forbidden.Resource != "statefulsets.apps" {
		t.Errorf("%v", err)
	}
	// Without events what probes say is missing, and the pods are still followed.
	watcher := client.Watcher(found, "orders", nil, probe.NewClock(time.Now()))
	events, stop := follow(t, watcher)
	pod := kubetest.Pod("shop", "orders", "6d4cf56db6", "x7k2p", "node-1", time.Now().Add(-time.Hour))
	kubetest.Restart(pod, 1, "Error", time.Now())
	s.Put(pod)
	events.await(t, probe.PodExited)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if m := watcher.Missing(); len(m) != 1 || m[0].Error() == "" || !strings.Contains(m[0].Reason, "the right to watch events in namespace shop is missing") || strings.Contains(m[0].Reason, "\n") {
		t.Errorf("%v", m)
	}
	// Without pods there is nothing to follow.
	s.Forbid("watch", "pods")
	s.Cut()
	_, stop = follow(t, client.Watcher(found, "orders", nil, probe.NewClock(time.Now())))
	if err := stop(); !errors.Is(err, probe.ErrUnsupported) || !strings.Contains(err.Error(), "the right to watch pods") {
		t.Errorf("%v", err)
	}
	if _, err := client.Find(t.Context(), w); err != nil {
		t.Errorf("find: %v", err)
	}
	t.Setenv("KUBECONFIG", "/nonexistent")
	t.Setenv("HOME", t.TempDir())
	if _, err := kube.Open(); err == nil || !strings.Contains(err.Error(), "KUBECONFIG") {
		t.Errorf("without a cluster: %v", err)
	}
}

// seen are the events of a watcher.
type seen struct {
	mu   sync.Mutex
	all  []probe.Event
	more chan struct{}
}

// await waits for the next event with a state, after those that were awaited before.
func (s *seen) await(t *testing.T, state string) probe.Event {
	t.Helper()
	for {
		s.mu.Lock()
		for i, e := range s.all {
			if e.State == state {
				s.all = slices.Delete(s.all, i, i+1)
				s.mu.Unlock()
				return e
			}
		}
		more := s.more
		s.mu.Unlock()
		select {
		case <-more:
		case <-t.Context().Done():
			t.Fatal("ended")
		case <-time.After(30 * time.Second):
			t.Fatalf("no %s came: %+v", state, s.all)
		}
	}
}

func (s *seen) add(e probe.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, e)
	close(s.more)
	s.more = make(chan struct{})
}

// follow watches until stop, which returns how the watch ended.
func follow(t *testing.T, w *kube.Watcher) (*seen, func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &seen{more: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- w.Watch(ctx, s.add) }()
	var once sync.Once
	var result error
	stop := func() error {
		once.Do(func() {
			select {
			case result = <-done:
			case <-time.After(200 * time.Millisecond): // one that is refused ends by itself
				cancel()
				result = <-done
			}
			cancel()
		})
		return result
	}
	t.Cleanup(func() {
		if !t.Failed() {
			_ = stop()
		}
		cancel()
	})
	return s, stop
}

// TestRollingUpdate follows one from pod to pod, over a server that forgets and watches
// that break off.
func TestRollingUpdate(t *testing.T) {
	s, client, pods := cluster(t)
	found, err := client.Find(t.Context(), parse(t, "shop/deploy/orders"))
	if err != nil {
		t.Fatal(err)
	}
	clock := probe.NewClock(time.Now())
	watcher := client.Watcher(found, "orders", map[string]string{"node-1": "orders@node-1", "node-2": "orders@node-2"}, clock)
	events, stop := follow(t, watcher)

	kubetest.SetReady(pods[0], false, time.Now(), "containers with unready status: [orders]")
	s.Put(pods[0])
	if e := events.await(t, probe.PodNotReady); e.Process != pods[0].Name || e.Value != 1 || e.Reason != "containers with unready status: [orders]" || e.Host != "orders@node-1" || e.Source.Host != "orders" || e.Kind != probe.PodChange {
		t.Errorf("%+v", e)
	}
	s.Forget()
	kubetest.SetReady(pods[0], true, time.Now(), "")
	s.Put(pods[0])
	if e := events.await(t, probe.PodReady); e.Value != 2 {
		t.Errorf("%+v", e)
	}
	s.Cut()
	fresh := kubetest.Pod("shop", "orders", "7c9f8b6d5", "bcdfg", "node-9", time.Now())
	kubetest.SetReady(fresh, false, time.Now(), "")
	s.Put(fresh)
	if e := events.await(t, probe.PodUpdate); !strings.Contains(e.Reason, "7c9f8b6d5 takes the place of 6d4cf56db6") {
		t.Errorf("%+v", e)
	}
	s.Forget() // what happens in between is told when the pods are read anew
	kubetest.SetReady(fresh, true, time.Now(), "")
	s.Put(fresh)
	now := metav1.Now()
	pods[1].DeletionTimestamp = &now
	s.Put(pods[1])
	events.await(t, probe.PodReady)
	if e := events.await(t, probe.PodEnding); e.Process != pods[1].Name {
		t.Errorf("%+v", e)
	}
	kubetest.Restart(pods[0], 137, "OOMKilled", time.Now().Truncate(time.Second))
	s.Put(pods[0])
	if e := events.await(t, probe.PodOOMKilled); e.Comm != "orders" || e.At > clock.Now() || e.At < clock.Now()-10*time.Second {
		t.Errorf("%+v", e)
	}
	s.Put(kubetest.Event(pods[0], "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", 3, time.Now()))
	if e := events.await(t, probe.PodProbeFailed); e.Count != 3 || e.Comm != "orders" {
		t.Errorf("%+v", e)
	}
	s.Put(kubetest.Event(pods[0], "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", 4, time.Now()))
	if e := events.await(t, probe.PodProbeFailed); e.Count != 1 {
		t.Errorf("%+v", e)
	}
	s.Put(kubetest.Event(pods[0], "Killing", "Container orders failed liveness probe, will be restarted", 1, time.Now()))
	events.await(t, probe.PodProbeKilled)
	pods[0].Status.Phase, pods[0].Status.Reason, pods[0].Status.Message = corev1.PodFailed, "Evicted", "The node was low on resource: memory."
	s.Put(pods[0])
	if e := events.await(t, probe.PodEvicted); !strings.Contains(e.Reason, "low on resource: memory") {
		t.Errorf("%+v", e)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if m := watcher.Missing(); len(m) != 1 || !strings.Contains(m[0].Error(), "node-9") {
		t.Errorf("%v", m)
	}
	want := []string{"get deployments", "list events", "list pods", "watch events", "watch pods"}
	if got := s.Asked(); !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
}

// TestServerAway follows pods over a server that does not answer for a while.
func TestServerAway(t *testing.T) {
	s, client, pods := cluster(t)
	found, err := client.Find(t.Context(), parse(t, "shop/deploy/orders"))
	if err != nil {
		t.Fatal(err)
	}
	watcher := client.Watcher(found, "orders", nil, probe.NewClock(time.Now()))
	events, stop := follow(t, watcher)
	kubetest.Restart(pods[0], 0, "Completed", time.Now())
	s.Put(pods[0])
	events.await(t, probe.PodExited)
	s.CloseClientConnections()
	kubetest.Restart(pods[0], 139, "Error", time.Now())
	s.Put(pods[0])
	if e := events.await(t, probe.PodExited); e.Reason != "SIGSEGV, exit status 139" {
		t.Errorf("%+v", e)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
