// Package lab holds services that fail on purpose, in the manner of
// net/http/httptest, and the scenarios that are built on them.
//
// An [Injector] resets connections at one exact place and counts each RST that
// left while the peer still had its side open, so that a client's count can be
// held against it, one by one. A [Scenario] lets a real component (a process
// with a descriptor limit, nginx, a packet filter, a cgroup) fail for a known
// cause, and reports afterwards, from the injector's or the kernel's counts,
// what really happened.
//
// The package is for tests, demonstrations and for grading the diagnosis. It is
// not a mock framework, and none of its services is fit to carry real traffic.
package lab
