// Package fault holds servers that fail on demand, in the manner of
// net/http/httptest.
//
// An [Injector] resets connections at one exact place, or answers with a malformed
// response, and counts each RST that left while the peer still had its side open,
// so that a client's count can be held against it, one by one. [Reset], [Unread] and
// [PeerOpen] are for services that do the same by their own rules.
//
// The package is for tests and demonstrations. It is not a mock framework, and no
// server of it is fit to carry real traffic.
package fault
