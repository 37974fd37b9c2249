package cgroup

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/rampload/rampload/profiles/workload"
)

// PodUIDs returns the ids of the pods of this node with a name, NAMESPACE/NAME, in which
// * stands for a part: shop/orders-*; or of those that a workload makes, as
// shop/deploy/orders. A kubelet keeps a folder of logs for each pod, by whose name they
// are known; that needs no API server.
func PodUIDs(root, name string) ([]string, error) {
	is := func(space, pod string) bool {
		ok, _ := path.Match(name, space+"/"+pod)
		return ok
	}
	if w, err := workload.Parse(name); err == nil && w.Kind != workload.Labels {
		pods := w.Pods()
		is = func(space, pod string) bool { return space == w.Namespace && pods(pod) }
	}
	dir := filepath.Join(root, "var/log/pods")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for pods: %w", err)
	}
	var out []string
	for _, e := range entries {
		parts := strings.Split(e.Name(), "_") // namespace, name and uid have none
		if len(parts) != 3 {
			continue
		}
		if is(parts[0], parts[1]) {
			out = append(out, parts[2])
		}
	}
	return out, nil
}

// ContainerIDs returns the ids of this machine's containers with a name: of a kubelet's,
// docker's and podman's own records. A name that is an id, or the beginning of one with
// twelve digits, stands for itself.
func ContainerIDs(root, name string) []string {
	var out []string
	if len(name) >= 12 && strings.Trim(name, "0123456789abcdef") == "" {
		out = append(out, name)
	}
	// kubelet: POD_NAMESPACE_CONTAINER-ID.log
	logs, _ := filepath.Glob(filepath.Join(root, "var/log/containers/*.log"))
	for _, log := range logs {
		parts := strings.Split(strings.TrimSuffix(filepath.Base(log), ".log"), "_")
		if own, id, found := cutLast(parts[len(parts)-1], "-"); found && own == name {
			out = append(out, id)
		}
	}
	configs, _ := filepath.Glob(filepath.Join(root, "var/lib/docker/containers/*/config.v2.json"))
	for _, config := range configs {
		var c struct{ ID, Name string }
		if data, err := os.ReadFile(config); err == nil && json.Unmarshal(data, &c) == nil && strings.TrimPrefix(c.Name, "/") == name {
			out = append(out, c.ID)
		}
	}
	var containers []struct {
		ID    string   `json:"id"`
		Names []string `json:"names"`
	}
	if data, err := os.ReadFile(filepath.Join(root, "var/lib/containers/storage/overlay-containers/containers.json")); err == nil && json.Unmarshal(data, &containers) == nil {
		for _, c := range containers {
			for _, n := range c.Names {
				if n == name {
					out = append(out, c.ID)
				}
			}
		}
	}
	return out
}

// Is reports whether the container is one of those with the ids, or of a pod with one.
// The first twelve digits of a container's id stand for it.
func (c Container) Is(containers, pods []string) bool {
	for _, id := range containers {
		if c.ID == id || len(id) >= 12 && strings.HasPrefix(c.ID, id) {
			return true
		}
	}
	for _, uid := range pods {
		if c.Pod != "" && c.Pod == uid {
			return true
		}
	}
	return false
}
