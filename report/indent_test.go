package report

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestIndent(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":[1,null,-2.5e3],"b":[]}`:    "{\n \"a\": [1,null,-2.5e3],\n \"b\": []\n}",
		`{"a":[[1,2],[3]]}`:               "{\n \"a\": [\n  [1,2],\n  [3]\n ]\n}",
		`{"a":"[1, 2]\\\"[ 3","b":["1"]}`: "{\n \"a\": \"[1, 2]\\\\\\\"[ 3\",\n \"b\": [\n  \"1\"\n ]\n}",
		`[null,{"a":1}]`:                  "[\n null,\n {\n  \"a\": 1\n }\n]",
		`[true,1]`:                        "[\n true,\n 1\n]",
	} {
		got, err := indent([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", in, err, got, want)
		}
		var back bytes.Buffer
		if err := json.Compact(&back, got); err != nil || back.String() != in {
			t.Errorf("%s comes back as %s (%v)", in, back.String(), err)
		}
	}
}
