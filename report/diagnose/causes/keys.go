package causes

import "slices"

// generatorKeys are the causes of the generator itself.
var generatorKeys = [...]string{"client-cpu", "client-ephemeral-ports", "client-file-descriptors"}

// UnexpectedAnswers is the key of answers that came as before, but whose content is not what the
// profile expects. The failures themselves say so; no rule weighs it.
const UnexpectedAnswers = "unexpected-answers"

// WrongProtocol is the key of a target that speaks another protocol than its URL says. Asking the
// address shows it; no rule weighs it.
const WrongProtocol = "wrong-protocol"

// Keys returns every key that a cause can have, in alphabetical order, without the
// prefix of an inner hop.
func Keys() []string {
	out := slices.Clone(generatorKeys[:])
	for _, r := range Catalogue() {
		out = append(out, r.Cause)
	}
	out = append(out, lateKeys()...)
	out = append(out, UnexpectedAnswers, WrongProtocol)
	slices.Sort(out)
	return out
}
