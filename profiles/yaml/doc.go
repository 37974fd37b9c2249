// Package yaml reads and writes profiles as YAML: strictly, with the position of
// every mistake. It also holds the profiles that come with rampload and the JSON
// Schema that editors complete and check profiles with.
//
// A key that nobody knows, a value without its unit, a second document, a
// missing environment variable are errors; bind.Error carries all of them, sorted
// by position, each with what to do. It is no general YAML package, and it
// judges nothing beyond syntax: the rules of a right profile are those of
// profiles/rules.
package yaml
