package cgroup_test

import (
	"slices"
	"testing"

	"github.com/rampload/rampload/probe/internal/cgroup"
)

func TestNamesOfContainers(t *testing.T) {
	const id, other = "3f2a9c1b04de3f2a9c1b04de3f2a9c1b04de3f2a9c1b04de3f2a9c1b04de0000", "4f2a9c1b04de3f2a9c1b04de3f2a9c1b04de3f2a9c1b04de3f2a9c1b04de0000"
	root := tree(t, map[string]string{
		"var/log/pods/shop_orders-5d9f_11111111-2222-3333-4444-555555555555/orders/0.log":             "",
		"var/log/pods/shop_web-6d4cf56db6-x7k2p_77777777-2222-3333-4444-555555555555/web/0.log":       "",
		"var/log/pods/shop_web-cache-6d4cf56db6-x7k2p_88888888-2222-3333-4444-555555555555/web/0.log": "",
		"var/log/pods/shop_payments-0_99999999-2222-3333-4444-555555555555/payments/0.log":            "",
		"var/log/containers/orders-5d9f_shop_orders-" + id + ".log":                                   "",
		"var/lib/docker/containers/" + other + "/config.v2.json":                                      `{"ID":"` + other + `","Name":"/web"}`,
		"var/lib/containers/storage/overlay-containers/containers.json":                               `[{"id":"abc","names":["db"]}]`,
		"var/lib/docker/containers/broken/config.v2.json":                                             `{`,
	})
	for name, want := range map[string][]string{"orders": {id}, "web": {other}, "db": {"abc"}, "nobody": nil, id[:12]: {id[:12]}} {
		if got := cgroup.ContainerIDs(root, name); !slices.Equal(got, want) {
			t.Errorf("container %s: %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]int{"shop/orders-*": 1, "shop/payments-0": 1, "shop/sts/payments": 1, "shop/deploy/payments": 0, "shop/pod/orders-5d9f": 1, "shop/deploy/web": 1, "other/deploy/web": 0, "shop/*": 4, "*/orders-5d9f": 1, "other/*": 0} {
		if got, err := cgroup.PodUIDs(root, name); len(got) != want || err != nil {
			t.Errorf("pods %s: %q, %v", name, got, err)
		}
	}
	pods, _ := cgroup.PodUIDs(root, "shop/orders-*")
	c, ok := cgroup.ContainerOf("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod11111111_2222_3333_4444_555555555555.slice/cri-containerd-" + id + ".scope")
	if !ok || !c.Is(nil, pods) || !c.Is([]string{id}, nil) || !c.Is([]string{id[:12]}, nil) || c.Is([]string{other}, []string{"9"}) {
		t.Errorf("%+v, %v", c, pods)
	}
}
