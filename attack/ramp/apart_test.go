package ramp

import (
	"reflect"
	"testing"

	"github.com/rampload/rampload/attack/ramp/tally"
)

// What several processors write at once lies in no common cache line: a second engine
// then doubles the load. Each such thing ends with room.
func TestProcessorsWriteApart(t *testing.T) {
	for _, one := range []any{loopSlot{}, share{}} {
		what := reflect.TypeOf(one)
		if last := what.Field(what.NumField() - 1).Type; last != reflect.TypeFor[tally.Apart]() {
			t.Errorf("%s ends with %s, and not with room", what, last)
		}
	}
}
