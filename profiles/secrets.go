package profiles

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/rampload/rampload/profiles/spelling"
)

// Secrets holds values that no output may show: what a profile took from the
// environment. It prints and encodes as their number only. The zero value is
// empty.
type Secrets struct{ values []string }

// Add remembers a value. Empty values, and plain numbers of up to five digits (a
// port, a count), are no secrets: hiding them would garble every figure.
func (s *Secrets) Add(value string) {
	number := spelling.IsDigits(value) && len(value) <= 5
	if value != "" && !number && !slices.Contains(s.values, value) {
		s.values = append(slices.Clip(s.values), value)
	}
}

// Len returns the number of values.
func (s Secrets) Len() int { return len(s.values) }

// String returns how many values there are, and none of them.
func (s Secrets) String() string { return strconv.Itoa(len(s.values)) + " secrets" }

// Format prints what [Secrets.String] returns under every verb.
func (s Secrets) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// Values returns the values, for who hides them and for nobody else.
func (s Secrets) Values() []string { return slices.Clone(s.values) }
