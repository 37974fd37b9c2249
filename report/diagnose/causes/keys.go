package causes

import "slices"

// generatorKeys are the causes of the generator itself.
var generatorKeys = [...]string{"client-cpu", "client-ephemeral-ports", "client-file-descriptors"}

// Keys returns every key that a cause can have, in alphabetical order, without the
// prefix of an inner hop.
func Keys() []string {
	out := slices.Clone(generatorKeys[:])
	for _, r := range Catalogue() {
		out = append(out, r.Cause)
	}
	out = append(out, lateKeys()...)
	slices.Sort(out)
	return out
}
