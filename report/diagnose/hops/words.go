package hops

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Text names a hop: "payments on app-1:8080 (3 of 3 instances)".
func (h *Hop) Text() string {
	if h.Unwatched.IsValid() {
		return h.Unwatched.String() + " (not watched)"
	}
	s := fmt.Sprintf("%s on %s:%d", cmp.Or(h.Process, "a process"), h.Instances[0].Host, h.Port)
	if n := max(len(h.Instances), h.Known); n > 1 {
		s += fmt.Sprintf(" (%d of %d instances)", len(h.Instances), n)
	}
	return s
}

// Short names a hop in a sentence about where its requests stand.
func (h *Hop) Short() string {
	if h.Unwatched.IsValid() {
		return h.Unwatched.String()
	}
	return cmp.Or(h.Process, fmt.Sprintf("%s:%d", h.Instances[0].Host, h.Port))
}

// TextOn is Text where one of several instances is meant: "payments on app-2:8080, one of
// 3 instances".
func (h *Hop) TextOn(host string) string {
	if h.OneOfSeveral(host) {
		return fmt.Sprintf("%s on %s, one of %d instances", cmp.Or(h.Process, "a process"), h.PlaceOn(host), max(len(h.Instances), h.Known))
	}
	return h.Text()
}

// PlaceOn is Place where the instance on a host is meant.
func (h *Hop) PlaceOn(host string) string {
	if !h.Unwatched.IsValid() && slices.Contains(h.Hosts(), host) {
		return fmt.Sprintf("%s:%d", host, h.Port)
	}
	return h.Place()
}

// Place names a hop as an address: "db:5432".
func (h *Hop) Place() string {
	if h.Unwatched.IsValid() {
		return h.Unwatched.String()
	}
	return fmt.Sprintf("%s:%d", h.Instances[0].Host, h.Port)
}

// failing is Text where the instance on a host is the one that fails: "payments on
// app-2:8080 (one of 3 instances)".
func (h *Hop) failing(host string) string {
	if !h.OneOfSeveral(host) {
		return h.Text()
	}
	return fmt.Sprintf("%s on %s (one of %d instances)", cmp.Or(h.Process, "a process"), h.PlaceOn(host), max(len(h.Instances), h.Known))
}

// OneOfSeveral reports whether one of several instances, on hosts of their own, is on a host.
func (h *Hop) OneOfSeveral(host string) bool {
	hosts := h.Hosts()
	return len(hosts) > 1 && slices.Contains(hosts, host)
}

// Line words the whole way: "client -> haproxy on lb:80 -> payments on app-1:8080". A hop
// that asks several names all of them, and goes on behind the first that asks in turn. Of
// several instances it names the one on the host that fails, where one does.
func (h *Hop) Line(host string) string {
	parts := []string{"client", h.failing(host)}
	for at := h; len(at.Next) > 0; {
		var names []string
		var deeper *Hop
		for _, n := range at.Next {
			names = append(names, n.failing(host))
			if deeper == nil && len(n.Next) > 0 {
				deeper = n
			}
		}
		parts = append(parts, strings.Join(names, ", "))
		if deeper == nil {
			break
		}
		at = deeper
	}
	return strings.Join(parts, " -> ")
}
