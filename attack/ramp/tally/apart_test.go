package tally

import (
	"reflect"
	"testing"
)

// What several processors write at once lies in no common cache line: a second engine
// then doubles the load. Each such thing ends with room.
func TestProcessorsWriteApart(t *testing.T) {
	for _, one := range []any{shard{}, tally{}} {
		what := reflect.TypeOf(one)
		if last := what.Field(what.NumField() - 1).Type; last != reflect.TypeFor[Apart]() {
			t.Errorf("%s ends with %s, and not with room", what, last)
		}
	}
	// Lists of a few entries have memory of their own from the start.
	tally := newTally()
	for name, bytes := range map[string]uintptr{
		"cells":    uintptr(cap(tally.cells)) * reflect.TypeOf(tally.cells).Elem().Size(),
		"statuses": uintptr(cap(tally.statuses)) * reflect.TypeOf(tally.statuses).Elem().Size(),
		"requests": uintptr(cap(tally.requests)) * reflect.TypeOf(tally.requests).Elem().Size(),
	} {
		if bytes < 128 {
			t.Errorf("%s begin with %d bytes", name, bytes)
		}
	}
}
