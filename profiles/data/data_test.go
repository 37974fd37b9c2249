package data

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rampload/rampload/profiles"
)

func TestParse(t *testing.T) {
	for text, want := range map[string][]Piece{
		"":                   nil,
		"a $5 b":             {{Text: "a $5 b"}},
		"$$":                 {{Text: "$"}},
		"$${users.id}":       {{Text: "${users.id}"}},
		"${users.id}":        {{Ref: Ref{Source: "users", Name: "id"}}},
		"/u/${users.id}/x":   {{Text: "/u/"}, {Ref: Ref{Source: "users", Name: "id"}}, {Text: "/x"}},
		"${u.address.city}":  {{Ref: Ref{Source: "u", Name: "address.city"}}},
		"${random.int(1..9)": nil,
		"${random.int(1..9)}${random.hex( 4 )}": {
			{Ref: Ref{Source: "random", Name: "int", Args: "1..9", Called: true}},
			{Ref: Ref{Source: "random", Name: "hex", Args: "4", Called: true}},
		},
	} {
		got, err := Parse(text)
		if bad := strings.HasPrefix(text, "${random.int(1..9)") && want == nil; bad != (err != nil) {
			t.Errorf("%s: %v", text, err)
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
	for _, text := range []string{"${", "${}", "${a}", "${.x}", "${a.}", "${a.b(}", "${-a.b}", "${a. b}", "${a.b\n}"} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "$", "$$", "${users.id}", "a${random.int(1..100)}b$${x}", "${u.a b}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pieces, err := Parse(text)
		if err != nil {
			return
		}
		var written strings.Builder
		for _, p := range pieces {
			if p.Literal() {
				written.WriteString(Literal(p.Text))
			} else {
				written.WriteString("${" + p.Ref.String() + "}")
			}
		}
		again, err := Parse(written.String())
		if err != nil || !reflect.DeepEqual(pieces, again) {
			t.Errorf("%q is %+v, and written %q it is %+v, %v", text, pieces, written.String(), again, err)
		}
	})
}

func TestParseArgs(t *testing.T) {
	for _, g := range Generators() {
		pieces, err := Parse(g.Example)
		if err != nil || len(pieces) != 1 {
			t.Fatalf("%s: %v", g.Example, err)
		}
		if _, err := ParseArgs(pieces[0].Ref); err != nil {
			t.Errorf("the example of %s is refused: %v", g.Name, err)
		}
	}
	for inside, want := range map[string]string{
		"random.int":          "write it as ${random.int(1..100)}",
		"random.int(9..1)":    "write it as ${random.int(1..100)}",
		"random.int(a..b)":    "write it as",
		"random.hex(0)":       "write it as ${random.hex(16)}",
		"random.hex(100000)":  "write it as",
		"random.uuid(4)":      "write it as ${random.uuid}",
		"random.of()":         "write it as",
		"time.unix(tomorrow)": "write it as ${time.unix}",
		"random.uid":          `did you mean "random.uuid"?`,
		"fake.mail":           `did you mean "fake.email"?`,
	} {
		ref, err := ParseRef(inside)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseArgs(ref); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", inside, err, want)
		}
	}
}

func open(t *testing.T, name, content string) (profiles.Table, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	table := profiles.Table{Name: "users", File: file}
	err := Open(&table)
	return table, err
}

func TestOpen(t *testing.T) {
	for _, c := range []struct {
		name, content string
		columns       []string
		rows          [][]string
	}{
		{"a.csv", "\ufeffid, name\n1,anna\n\n2,\"O\"\"Brien, Bo\"\n", []string{"id", "name"}, [][]string{{"1", "anna"}, {"2", `O"Brien, Bo`}}},
		{"a.csv", "id; name\r\n1;\"Bo; 1,5\"\r\n", []string{"id", "name"}, [][]string{{"1", "Bo; 1,5"}}},
		{"a.csv", "\n\"id, or\"\tname\n1\ta;b\n", []string{"id, or", "name"}, [][]string{{"1", "a;b"}}},
		{"a.csv", "id;of,name\n1;2,anna\n", []string{"id;of", "name"}, [][]string{{"1;2", "anna"}}},
		{"a.csv", "id\n1;2\n", []string{"id"}, [][]string{{"1;2"}}},
		{"a.jsonl", "\ufeff{\"id\": 1}\n", []string{"id"}, [][]string{{"1"}}},
		{
			"a.jsonl", `{"id": 10000000000000001, "address": {"city": "Rome", "no": null}, "tags": [1, 2]}` + "\n\n" +
				`{"tags": true, "address": {"no": "7", "city": "Oslo"}, "id": 2}`,
			[]string{"id", "address.city", "address.no", "tags"},
			[][]string{{"10000000000000001", "Rome", "", "[1, 2]"}, {"2", "Oslo", "7", "true"}},
		},
	} {
		table, err := open(t, c.name, c.content)
		if err != nil || !reflect.DeepEqual(table.Columns, c.columns) || !reflect.DeepEqual(table.Rows, c.rows) {
			t.Errorf("%s: %q %q, %v", c.name, table.Columns, table.Rows, err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"a.csv", "", ":1: the file is empty"},
		{"a.csv", "id,name\n", ":1: there are column names and no rows"},
		{"a.csv", "id,name\n1,a\n2\n", ":3: this row has 1 of the 2 values"},
		{"a.csv", "id,id\n1,a\n", `:1: two columns are called "id"`},
		{"a.csv", "id,\n1,a\n", ":1: column 2 has no name"},
		{"a.csv", "id,a{b\n1,a\n", ":1: column 2,"},
		{"a.csv", "id,name\n1,\"a\n", ":2:6: this is not CSV"},
		{"a.csv", "id,name\n1,a\xffb\n", ":2: this is not UTF-8"},
		{"a.csv", "id;name\n1,a\n", ":2: this row has 1 of the 2 values"},
		{"a.csv", "id;name\n1;a\"b\n", "put a value with semicolons or quotes into"},
		{"a.csv", "\xff\xfei\x00d\x00", ":1: this is UTF-16: save the file as UTF-8"},
		{"a.jsonl", "\xfe\xff\x00{", ":1: this is UTF-16: save the file as UTF-8"},
		{"a.jsonl", "{\"a\": 1}\n[1]\n", ":2: this is no JSON object on one line"},
		{"a.jsonl", "{\"a\": 1}\n{\"b\": 1}\n", `:2: the key "b" is not in the first line`},
		{"a.jsonl", "{\"a\": 1, \"b\": 2}\n{\"b\": 1}\n", ":2: this line has 1 keys and the first has 2"},
		{"a.jsonl", "{\"a\": 1, \"a\": 2}\n", `the key "a" is there twice`},
		{"a.jsonl", "{\"a\": 1} {\"a\": 2}\n", "something follows the object"},
		{"a.jsonl", "{\"a\": " + strings.Repeat(`{"a": `, 20) + "1" + strings.Repeat("}", 21), "nests too deep"},
		{"a.jsonl", "{\"a\": \"" + strings.Repeat("x", 2<<20) + "\"}", ":1: the line is longer"},
	} {
		if _, err := open(t, c.name, c.content); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: %v, want %q", c.content, err, c.want)
		}
	}
}

func FuzzTable(f *testing.F) {
	f.Add("id,name\n1,anna\n", false)
	f.Add(`{"id": 1, "a": {"b": [1]}}`, true)
	f.Fuzz(func(t *testing.T, content string, lines bool) {
		read := readCSV
		if lines {
			read = readLines
		}
		columns, rows, err := read("f", strings.NewReader(content))
		if err != nil {
			return
		}
		for _, row := range rows {
			if len(row) != len(columns) || len(rows) == 0 {
				t.Errorf("%q under %q", row, columns)
			}
		}
	})
}
