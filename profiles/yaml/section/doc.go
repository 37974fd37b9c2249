// Package section holds parts of a profile that stand for themselves: TLS, where metrics,
// notices and spans go, where traces come from. Each is a struct of keys with both ways to
// and from its type in profiles.
package section
