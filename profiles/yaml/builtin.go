package yaml

import (
	"embed"
	"slices"
)

//go:embed demo.yaml peak.yaml soak.yaml spike.yaml starter.yaml
var embedded embed.FS

// BuiltinNames returns the names of the profiles that come with rampload, in
// alphabetical order.
func BuiltinNames() []string { return []string{"demo", "peak", "soak", "spike"} }

// Builtin returns the text of a profile that comes with rampload, and false if
// there is none of that name.
func Builtin(name string) ([]byte, bool) {
	if !slices.Contains(BuiltinNames(), name) {
		return nil, false
	}
	data, err := embedded.ReadFile(name + ".yaml")
	return data, err == nil
}

// Starter returns the commented profile that "rampload init" writes. It is valid
// as it stands, with a target on this machine.
func Starter() []byte {
	data, _ := embedded.ReadFile("starter.yaml") // it is part of the program
	return data
}
