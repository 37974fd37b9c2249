// Package rules says what a profile must hold to be run: values in range, names that
// exist, parts that belong together. It touches neither files nor the network.
package rules

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

// Problem is one rule that a profile breaks. Path leads to the offending value by
// the keys of the profile's YAML and indices from 0, such as
// "targets.0.requests.1.method"; it is empty for the whole profile. Message says
// what is wrong and ends with what to do.
type Problem struct{ Path, Message string }

// String returns "path: message".
func (p Problem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// Limits of a profile. They are far above what one machine can do, and keep
// mistyped numbers from becoming a plan.
const (
	maxRate     = 10e6 // requests per second
	maxConns    = 1e6
	maxRequests = 5000 // of one target
	maxTargets  = 1000
	maxSteps    = 10000 // of one staircase
	maxRetries  = 100
	maxBursts   = 1000000
	maxStage    = 30 * 24 * 60 * 60 // seconds
	maxLoad     = 90 * 24 * 60 * 60 // seconds
)

// Profile returns every rule that the profile breaks, in the order of its
// fields; none means that it can be run. Resources are the names that headroom
// gates may use; nil leaves them unchecked. It expects a profile
// [profiles.Profile.WithDefaults], and touches neither files nor the network.
func Profile(p profiles.Profile, resources []string) []Problem {
	v := &validator{profile: p, resources: resources}
	if p.Name == "" {
		v.add("name", "the profile has no name: write one, such as name: peak")
	} else {
		v.name("name", p.Name)
	}
	requestRules{v}.data()
	targetRules{v}.targets()
	loadRules{v}.load()
	clientRules{v}.client()
	hostRules{v}.hosts()
	hostRules{v}.fleet(v.profile.Fleet)
	exportRules{v}.export(p.Export)
	exportRules{v}.notify(p.Notify)
	exportRules{v}.traces("traces", v.profile.Traces)
	gateRules{v}.gates("gate", p.Gate)
	gateRules{v}.gates("abort-if", p.AbortIf)
	return v.problems
}

// Base returns every rule that a base URL and its requests break, with paths
// such as "url" and "requests.0.headers.1".
func Base(b profiles.Base) []Problem {
	v := &validator{}
	targetRules{v}.url("url", b.URL)
	for i, r := range b.Requests {
		requestRules{v}.request(at("requests", i), r)
	}
	return v.problems
}

// validator collects the problems of one profile. What checks a part of it has a type of
// its own, such as [targetRules].
type validator struct {
	profile   profiles.Profile
	resources []string
	problems  []Problem
	ofJourney bool   // what is checked stands for the steps of one
	step      *place // of a journey, that is checked; nil: none
}

func (v *validator) add(path, format string, args ...any) {
	v.problems = append(v.problems, Problem{path, fmt.Sprintf(format, args...)})
}

// name checks what becomes part of file names, gates and paths. It reports
// whether the name is right.
func (v *validator) name(path, name string) bool {
	const longest = 64
	if len(name) > longest {
		v.add(path, "the name %s is longer than %d characters: write a shorter one", spelling.Quote(name), longest)
		return false
	}
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || strings.IndexByte("._-", c) < 0) {
			v.add(path, "the name %s may have letters, digits, \".\", \"_\" and \"-\" only, a letter or digit first: write it as %s", spelling.Quote(name), plainName(name))
			return false
		}
	}
	return true
}

// plainName turns a name into one that is allowed.
func plainName(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)) {
			return r
		}
		return '-'
	}, name)
	if plain = strings.Trim(plain, "._-"); plain == "" {
		return "orders"
	}
	return plain
}

// finite reports whether a number is one, and says so if not: profiles made in
// code may hold anything.
func (v *validator) finite(path string, number float64) bool {
	if math.IsNaN(number) || math.IsInf(number, 0) {
		v.add(path, "%v is not a number that can be used: write a finite one", number)
		return false
	}
	return true
}

// at joins a path.
func at(path string, index int, keys ...string) string {
	path += "." + strconv.Itoa(index)
	for _, k := range keys {
		path += "." + k
	}
	return path
}
