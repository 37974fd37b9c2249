//go:build !linux

package fault

import "net"

// PeerOpen cannot tell here: every reset counts.
func PeerOpen(*net.TCPConn) bool { return true }

// Unread cannot tell here.
func Unread(*net.TCPConn) int { return 0 }
