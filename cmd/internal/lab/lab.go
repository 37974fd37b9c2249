// Package lab is what scenarios are made of: a [Scenario] lets a real component (a
// process with a descriptor limit, nginx, a packet filter, a cgroup) fail for a
// known cause, and reports afterwards, from the injector's or the kernel's counts,
// what really happened. A [Bench] is a scenario being set up; a [Child] is a faulty
// service in a process of its own.
//
// The scenarios are in the packages below, one for each software or family;
// catalog lists them all, teach holds the few that the installed tool carries, and
// services holds the faulty services. The package is for demonstrations and for
// grading the diagnosis. None of its services is fit to carry real traffic.
package lab
