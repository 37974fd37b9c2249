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

// Short names a hop by its process alone: "payments"; by its address where the process is not known.
func (h *Hop) Short() string {
	if h.Unwatched.IsValid() {
		return h.Unwatched.String()
	}
	return cmp.Or(h.Process, fmt.Sprintf("%s:%d", h.Instances[0].Host, h.Port))
}

// TextOn names the instance of a hop on a host: "payments on app-2:8080, one of 3 instances".
// It is Text where the hop has only one host, or none by that name.
func (h *Hop) TextOn(host string) string {
	if h.OneOfSeveral(host) {
		return fmt.Sprintf("%s on %s, one of %d instances", cmp.Or(h.Process, "a process"), h.PlaceOn(host), max(len(h.Instances), h.Known))
	}
	return h.Text()
}

// PlaceOn is the address of the instance on a host: "app-2:8080". It is Place where there is none.
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

// failing names a hop with the instance that fails, on a host: "payments on app-2:8080 (one of
// 3 instances)". It is Text where the hop has only one host, or none by that name.
func (h *Hop) failing(host string) string {
	if !h.OneOfSeveral(host) {
		return h.Text()
	}
	return fmt.Sprintf("%s on %s (one of %d instances)", cmp.Or(h.Process, "a process"), h.PlaceOn(host), max(len(h.Instances), h.Known))
}

// OneOfSeveral reports whether a host has an instance of the hop and another host has one too.
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
