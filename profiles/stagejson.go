package profiles

import (
	"encoding/json"
	"fmt"

	"github.com/rampload/rampload/profiles/spelling"
)

// MarshalJSON writes each stage under its kind, as in [{"ramp":{"From":50,"To":2000,"For":120000000000}}].
func (l Load) MarshalJSON() ([]byte, error) {
	out := make([]map[string]Stage, 0, len(l))
	for i, s := range l {
		if s == nil {
			return nil, fmt.Errorf("encode load: there is no stage %d", i+1)
		}
		out = append(out, map[string]Stage{s.Kind(): s})
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote. The error names a stage of a kind that is
// none, and fields that a kind does not have are ignored.
func (l *Load) UnmarshalJSON(data []byte) error {
	var all []map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return fmt.Errorf("decode load: %w", err)
	}
	out := make(Load, 0, len(all))
	for i, one := range all {
		if len(one) != 1 {
			return fmt.Errorf("decode load: stage %d has %d kinds instead of one", i+1, len(one))
		}
		for kind, data := range one {
			s, err := decodeStage(kind, data)
			if err != nil {
				return fmt.Errorf("decode load: stage %d: %w", i+1, err)
			}
			out = append(out, s)
		}
	}
	*l = out
	return nil
}

func decodeStage(kind string, data []byte) (Stage, error) {
	switch kind {
	case "ramp":
		return decodeAs[Ramp](data)
	case "hold":
		return decodeAs[Hold](data)
	case "staircase":
		return decodeAs[Staircase](data)
	case "burst":
		return decodeAs[Burst](data)
	case "max":
		return decodeAs[Max](data)
	case "connections":
		return decodeAs[Connections](data)
	case "search":
		return decodeAs[Search](data)
	case "idle":
		return decodeAs[Idle](data)
	}
	return nil, fmt.Errorf("no kind of stage is called %s", spelling.Quote(kind))
}

func decodeAs[S Stage](data []byte) (Stage, error) {
	var s S
	err := json.Unmarshal(data, &s)
	return s, err
}
