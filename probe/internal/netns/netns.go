// Package netns names Linux network namespaces and enters them: to open sockets
// and files there that are then used from anywhere.
package netns

// Namespace names a network namespace. The zero value is rampload's own; at most
// one field is set.
type Namespace struct {
	Name string // as `ip netns` shows it: below /run/netns
	Path string // of a namespace file
	PID  int32  // the namespace of a process
}

// Own reports whether it is rampload's own.
func (n Namespace) Own() bool { return n == Namespace{} }
