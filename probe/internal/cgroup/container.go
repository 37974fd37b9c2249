package cgroup

import (
	"path"
	"strings"
)

// Container is what a cgroup's path tells of a container.
type Container struct {
	Runtime string // "docker", "containerd", "cri-o", "podman", "lxc", or "kubernetes" if the path does not say
	ID      string // 64 hex digits; a name with lxc
	Pod     string // UID of the Kubernetes pod, empty outside of Kubernetes
}

// String is how people see it: the runtime and the short id that its tools
// print, "docker 3f2a9c1b04de"; with the pod in Kubernetes.
func (c Container) String() string {
	id := c.ID
	if len(id) == 64 {
		id = id[:12]
	}
	s := c.Runtime + " " + id
	if c.Pod != "" {
		s = "pod " + c.Pod + " " + s
	}
	return s
}

// ContainerOf finds the container in a cgroup's path, with systemd's and with
// the plain driver of docker, containerd, cri-o and podman, in and outside of
// Kubernetes, and of lxc. The innermost container of the path counts.
func ContainerOf(cgroup string) (c Container, ok bool) {
	parts := strings.Split(path.Clean("/"+cgroup), "/")
	kubernetes := false
	for i, part := range parts {
		// containerd's plain driver: "kubepods-pod<uid>.slice:cri-containerd:<id>"
		if slice, id, cut := strings.Cut(part, ":cri-containerd:"); cut && isID(id) {
			c, ok = Container{Runtime: "containerd", ID: id}, true
			c.Pod, _ = podOf(strings.TrimSuffix(slice, ".slice"))
			continue
		}
		part = strings.TrimSuffix(strings.TrimSuffix(part, ".slice"), ".scope")
		parent := ""
		if i > 0 {
			parent = parts[i-1]
		}
		if strings.HasPrefix(part, "kubepods") {
			kubernetes = true
		}
		if pod, is := podOf(part); is && kubernetes {
			c.Pod = pod
			continue
		}
		runtime, id := "", part
		if prefix, rest, cut := cutLast(part, "-"); cut && isID(rest) {
			runtime, id = runtimeOf(prefix), rest
		}
		switch {
		case isID(id) && runtime != "":
		case isID(id) && kubernetes:
			runtime = "kubernetes"
		case isID(id) && parent == "docker":
			runtime = "docker"
		case isID(id) && parent == "libpod_parent":
			runtime = "podman"
		case strings.HasPrefix(part, "lxc.payload."):
			runtime, id = "lxc", strings.TrimPrefix(part, "lxc.payload.")
		case parent == "lxc" && part != "":
			runtime = "lxc"
		default:
			continue
		}
		c.Runtime, c.ID, ok = runtime, id, true
	}
	return c, ok
}

// podOf reads "pod<uid>" and "kubepods-burstable-pod<uid with _ for ->".
func podOf(part string) (string, bool) {
	if _, after, cut := cutLast(part, "-pod"); cut {
		part = "pod" + after
	}
	uid, ok := strings.CutPrefix(part, "pod")
	if !ok || len(uid) < 32 || strings.Trim(uid, "0123456789abcdef-_") != "" {
		return "", false
	}
	return strings.ReplaceAll(uid, "_", "-"), true
}

func runtimeOf(prefix string) string {
	switch prefix {
	case "cri-containerd", "nerdctl":
		return "containerd"
	case "crio":
		return "cri-o"
	case "libpod":
		return "podman"
	default:
		return prefix // "docker"
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func isID(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
