package yaml

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/schema"
)

// TestCalls holds calls to the .proto files beside the profile: what is wrong is said by
// file and line.
func TestCalls(t *testing.T) {
	data, err := os.ReadFile("testdata/invalid-grpc.yaml")
	if err != nil {
		t.Fatal(err)
	}
	opt := options()
	opt.Dir = "testdata"
	_, err = Decode("grpc.yaml", data, opt)
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{
		`grpc.yaml:8:9: service shop.Orders has no method "Lst"; did you mean "List"?`,
		`grpc.yaml:9:9: a gRPC target is sent calls: write {call: shop.Orders/Get, message: {...}}; there are shop.Orders/Get, shop.Orders/List, shop.Orders/Upload`,
		`grpc.yaml:14:19: shop.Customer has no field "nmae"; did you mean "name"?`,
		`grpc.yaml:15:19: "perhaps" is no bool`,
		`grpc.yaml:16:43: shop.Orders/Get takes one message`,
		`grpc.yaml:17:59: shop.Orders/List takes one message`,
		`grpc.yaml:18:39: shop.Orders/Get answers with one message`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing: %s\nin:\n%s", want, err)
		}
	}
}

// TestRowsOfCalls: a row that is no value of the field that it fills in is found before
// any load.
func TestRowsOfCalls(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"users.csv":    "id,name\n1,anna\nx2,bea\n",
		"orders.proto": "syntax = \"proto3\";\npackage shop;\nmessage Ask { int64 id = 1; string name = 2; }\nservice Orders { rpc Get(Ask) returns (Ask); }\n",
		"broken.proto": "syntax = \"proto3\";\nmessage Ask { int64 id 1; }\n",
	} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	opt := options()
	opt.Dir = dir
	decode := func(more string) (profiles.Profile, error) {
		return Decode("p.yaml", []byte("data: {users: users.csv}\ntargets:\n  - name: orders\n    url: grpc://127.0.0.1:1\n"+more+"load: [{at: 1/s, for: 1s}]\n"), opt)
	}
	for more, want := range map[string]string{
		"    protos: [orders.proto]\n    requests: [{call: shop.Orders/Get, message: {id: \"${users.id}\", name: \"${users.name}\"}}]\n": "row 2: \"x2\" is no int64",
		"    protos: [orders.proto]\n    requests: [{call: shop.Orders/Get, message: {name: \"${users.nam}\"}}]\n":                       "has no column \"nam\"",
		"    protos: [broken.proto]\n    requests: [shop.Orders/Get]\n":                                                                  "broken.proto:2:24",
		"    protos: [none.proto]\n    requests: [shop.Orders/Get]\n":                                                                    "p.yaml:5:14: ",
		"    protos: [orders.proto]\n    proto-paths: [nowhere]\n    requests: [shop.Orders/Get]\n":                                      "is no folder",
		"    proto-paths: [.]\n    requests: [shop.Orders/Get]\n":                                                                        "there are no protos",
	} {
		if _, err := decode(more); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", more, err, want)
		}
	}
	p, err := decode("    protos: [orders.proto]\n    requests: [{call: shop.Orders/Get, message: {name: \"${users.name}\"}}]\n")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := schema.Parse(p.Targets[0].GRPC.Schema); err != nil || len(s.Services()) != 1 {
		t.Errorf("schema: %v", err)
	}
}

// TestReflected: a target without .proto files is asked, and what it tells is held against
// the calls.
func TestReflected(t *testing.T) {
	set, err := schema.Compile([]string{"testdata/protos/orders.proto"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	opt := options()
	opt.Dir = t.TempDir()
	text := []byte("targets:\n  - name: orders\n    url: grpc://127.0.0.1:1\n    requests: [shop.Orders/Lits]\nload: [{at: 1/s, for: 1s}]\n")
	opt.Reflect = func(profiles.Target, profiles.Client) ([]byte, error) { return set, nil }
	if _, err := Decode("p.yaml", text, opt); err == nil || !strings.Contains(err.Error(), `p.yaml:4:16: service shop.Orders has no method "Lits"; did you mean "List"?`) {
		t.Error(err)
	}
	opt.Reflect = func(profiles.Target, profiles.Client) ([]byte, error) {
		return nil, errors.New("no reflection: give protos:")
	}
	if _, err := Decode("p.yaml", text, opt); err == nil || !strings.Contains(err.Error(), "p.yaml:3:10: no reflection: give protos:") {
		t.Error(err)
	}
	opt.Reflect = func(profiles.Target, profiles.Client) ([]byte, error) { return nil, nil }
	if _, err := Decode("p.yaml", text, opt); err != nil {
		t.Errorf("a target that does not answer now: %v", err)
	}
}
