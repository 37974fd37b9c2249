package schema

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
)

func orders(t testing.TB) *Schema {
	t.Helper()
	set, err := Compile([]string{"testdata/shop/orders.proto"}, []string{"testdata"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse(set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func method(t testing.TB, s *Schema, call string) Method {
	t.Helper()
	m, err := s.Method(call)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMethods(t *testing.T) {
	s := orders(t)
	for call, want := range map[string]string{
		"/shop.Orders/Get":   "",
		"shop.Orders/Get":    "",
		"shop.Orders/Gte":    `service shop.Orders has no method "Gte"; did you mean "Get"?`,
		"shop.Order/Get":     `there is no service "shop.Order"; did you mean "shop.Orders"?`,
		"Orders/Get":         `there is no service "Orders"; did you mean "shop.Orders"?`,
		"shop.Customer/Get":  `there is no service "shop.Customer"`,
		"nothing":            `"nothing" is no call`,
		"shop.Orders/Delete": "there are Get, Watch, Upload, Chat",
	} {
		m, err := s.Method(call)
		switch {
		case want == "" && (err != nil || m.Name() != "Get"):
			t.Errorf("%s: %v %v", call, m, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", call, err, want)
		}
	}
	if !method(t, s, "shop.Orders/Get").Idempotent() || method(t, s, "shop.Orders/Watch").Idempotent() {
		t.Error("which methods are idempotent is wrong")
	}
}

func TestCompileErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ file, want string }{
		{write("syntax.proto", "syntax = \"proto3\";\nmessage A {\n  strng name 1;\n}\n"), "syntax.proto:3:14"},
		{write("type.proto", "syntax = \"proto3\";\nmessage A { B b = 1; }\n"), "type.proto:2:13"},
		{write("import.proto", "syntax = \"proto3\";\nimport \"no/such.proto\";\n"), "import.proto:2"},
		{filepath.Join(dir, "none.proto"), "no such file"},
		{dir, "no file"},
	} {
		_, err := Compile([]string{c.file}, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.file, err, c.want)
		}
	}
	if _, err := Parse([]byte("no set")); err == nil {
		t.Error("no set of files was taken for one")
	}
}

var messages = []string{
	`{}`,
	`{"id": "12", "customer": {"name": "anna", "labels": {"a": "b", "c": "d"}}}`,
	`{"id": 9007199254740993, "numbers": [1, 2, 3], "others": [{"name": "x"}, {}]}`,
	`{"state": "PAID", "states": ["SENT", 1], "at": "2026-11-29T17:00:00.5Z", "note": "n"}`,
	`{"extra": {"a": [1, {"b": null}]}, "post": "dhl", "token": "aGVsbG8=", "weight": 1.5e3}`,
	`{"delta": -3, "hash": "18446744073709551615", "limit": 0, "pricePaid": {"currency": "EUR"}}`,
	`{"price_paid": {"units": -1}, "fix": -5, "share": "NaN", "customer": null}`,
	`{"customer": {"friends": {"-1": {"name": "b", "friends": {"7": {}}}}}}`,
	`{"any": {"@type": "type.googleapis.com/shop.Money", "currency": "EUR"}}`,
}

// TestEncode holds the bytes of messages to what protojson makes of them.
func TestEncode(t *testing.T) {
	s := orders(t)
	m := method(t, s, "shop.Orders/Get")
	for _, text := range messages {
		same(t, s, m, text)
	}
}

func same(t *testing.T, s *Schema, m Method, text string) {
	t.Helper()
	got, problems := m.Encode(text, false)
	want := dynamicpb.NewMessage(m.Input())
	err := protojson.UnmarshalOptions{Resolver: s.resolver()}.Unmarshal([]byte(text), want)
	if len(problems) > 0 {
		if err == nil {
			t.Errorf("%s: %v", text, problems)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: taken, but %v", text, err)
		return
	}
	b, ok := got.Literal()
	back := dynamicpb.NewMessage(m.Input())
	if err := proto.Unmarshal(b, back); err != nil || !ok || !proto.Equal(want, back) && !strings.Contains(text, "NaN") {
		t.Errorf("%s: %v %v\n%v\n%v", text, ok, err, want, back)
	}
}

func FuzzEncode(f *testing.F) {
	for _, text := range messages {
		f.Add(text)
	}
	s := orders(f)
	m := method(f, s, "shop.Orders/Get")
	f.Fuzz(func(t *testing.T, text string) {
		got, problems := m.Encode(text, false)
		if len(problems) > 0 {
			return
		}
		b, _ := got.Literal()
		want, back := dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Input())
		if err := (protojson.UnmarshalOptions{Resolver: s.resolver()}).Unmarshal([]byte(text), want); err != nil {
			t.Errorf("%q is taken, but %v", text, err)
		} else if err := proto.Unmarshal(b, back); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		m.Encode(text, true)
	})
}

func TestProblems(t *testing.T) {
	m := method(t, orders(t), "shop.Orders/Get")
	for _, c := range []struct{ text, path, want string }{
		{`{"nmae": 1}`, "nmae", `shop.GetRequest has no field "nmae"`},
		{`{"customer": {"nmae": "x"}}`, "customer.nmae", `did you mean "name"?`},
		{`{"others": [{}, {"nmae": "x"}]}`, "others.1.nmae", "shop.Customer has no field"},
		{`{"id": "abc"}`, "id", `is no int64`},
		{`{"state": "PIAD"}`, "state", `did you mean "PAID"?`},
		{`{"customer": "anna"}`, "customer", "write its fields, such as {name: ...}"},
		{`{"numbers": 3}`, "numbers", "is a list of int32: write [3]"},
		{`{"post": "a", "pickup": true}`, "pickup", `exclude each other`},
		{`{"id": 1, "id": 2}`, "id", `exclude each other`},
		{`{"id": "${users.id}", "extra": {"a": "${users.id}"}}`, "extra", "cannot be filled into a google.protobuf.Struct"},
		{`{"customer": {"labels": {"${users.id}": "x"}}}`, "customer.labels.${users.id}", "keys of a map"},
		{`[1]`, "", "write its fields"},
		{`{"id": `, "", "is no JSON"},
		{`{} {}`, "", "something follows"},
	} {
		_, problems := m.Encode(c.text, true)
		if len(problems) == 0 || problems[0].Path != c.path || !strings.Contains(problems[0].Message, c.want) {
			t.Errorf("%s: %q, want %s: %s", c.text, problems, c.path, c.want)
		}
	}
}

// TestLeaves holds what is filled in to what protojson makes of the same values.
func TestLeaves(t *testing.T) {
	m := method(t, orders(t), "shop.Orders/Get")
	got, problems := m.Encode(`{"id": "${u.a}", "customer": {"name": "x ${u.b} y", "labels": {"k$$": "${u.b}"}, "friends": {"7": {"name": "${u.b}"}}},
		"numbers": [1, "${u.a}"], "others": [{"name": "${u.b}"}, {"name": "z$$"}], "state": "${u.c}", "at": "${time.rfc3339}", "note": "${u.b}", "token": "${u.d}",
		"weight": "${u.a}", "delta": "${u.a}", "hash": "${u.a}", "fix": "${u.a}", "share": "${u.a}", "pickup": "${u.e}"}`, true)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	values := map[string]string{"u.a": "7", "u.b": strings.Repeat("ü", 100), "u.c": "SENT", "u.d": "aGk=", "u.e": "true", "time.rfc3339": "2026-11-29T17:00:00.25Z"}
	leaves := 0
	got.Leaves(func(*Leaf) { leaves++ })
	back := dynamicpb.NewMessage(m.Input())
	if err := proto.Unmarshal(fillIn(t, nil, got.Parts, values), back); err != nil {
		t.Fatal(err)
	}
	want := dynamicpb.NewMessage(m.Input())
	b := values["u.b"]
	if err := protojson.Unmarshal([]byte(`{"id": 7, "customer": {"name": "x `+b+` y", "labels": {"k$": "`+b+`"}, "friends": {"7": {"name": "`+b+`"}}},
		"numbers": [1, 7], "others": [{"name": "`+b+`"}, {"name": "z$"}], "state": "SENT", "at": "2026-11-29T17:00:00.25Z", "note": "`+b+`", "token": "aGk=",
		"weight": 7, "delta": 7, "hash": 7, "fix": 7, "share": 7, "pickup": true}`), want); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(want, back) || leaves != 16 {
		t.Errorf("%d leaves\n%v\n%v", leaves, want, back)
	}
}

func fillIn(t *testing.T, b []byte, parts []Part, values map[string]string) []byte {
	for _, p := range parts {
		switch {
		case p.Tag == nil:
			b = append(b, p.Literal...)
		case p.Leaf != nil:
			var text string
			for _, piece := range p.Leaf.Pieces {
				if piece.Literal() {
					text += piece.Text
				} else {
					text += values[piece.Ref.String()]
				}
			}
			var err error
			if b, err = p.Leaf.Append(append(b, p.Tag...), []byte(text)); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		default:
			inner := fillIn(t, nil, p.Nested, values)
			b = append(b, p.Tag...)
			b = appendLength(b, len(inner))
			b = append(b, inner...)
		}
	}
	return b
}

func appendLength(b []byte, n int) []byte {
	for ; n >= 128; n >>= 7 {
		b = append(b, byte(n)|128)
	}
	return append(b, byte(n))
}

func TestLeafChecks(t *testing.T) {
	m := method(t, orders(t), "shop.Orders/Get")
	for field, cases := range map[string][2]string{
		"id": {"-12", "1.5"}, "state": {"PAID", "PIAD"}, "token": {"aGk", "a"}, "pickup": {"true", "yes"}, "limit": {"4294967295", "-1"},
		"share": {"1e3", "x"}, "at": {"2026-11-29T17:00:00Z", "now"}, "post": {"a", "\xff"}, "fix": {"-7", "2147483648"}, "hash": {"1", ""},
	} {
		got, problems := m.Encode(`{"`+field+`": "${u.x}"}`, true)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		got.Leaves(func(l *Leaf) {
			if err := l.Check(cases[0]); err != nil {
				t.Errorf("%s: %v", field, err)
			}
			if err := l.Check(cases[1]); err == nil {
				t.Errorf("%s: %q was taken for a %s", field, cases[1], l.Type())
			}
		})
	}
}

func TestJSON(t *testing.T) {
	m := method(t, orders(t), "shop.Orders/Get")
	got, err := m.JSON([]byte{8, 7, 24, 1})
	if want := `{"id":"7","customer":"","state":"PAID"}`; err != nil || string(got) != want {
		t.Errorf("%s %v, want %s", got, err, want)
	}
	if _, err := m.JSON([]byte{8}); err == nil {
		t.Error("a truncated message was decoded")
	}
}
