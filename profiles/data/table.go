package data

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
)

// Bounds of a table. It is held in memory, and sent to the workers of a fleet.
const (
	maxBytes   = 256 << 20
	maxColumns = 200
	maxLine    = 1 << 20 // of JSON
)

// Open reads the file of a table. A name that ends with .jsonl, .ndjson or .json is JSON
// Lines, any other CSV. The error has file and line, and says what to do.
func Open(t *profiles.Table) error {
	f, err := os.Open(t.File)
	if err != nil {
		return fmt.Errorf("read data %s: %w", t.Name, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("read data %s: %s is no regular file", t.Name, t.File)
	} else if info.Size() > maxBytes {
		return fmt.Errorf("read data %s: %s has %d MB, more than %d: make it shorter", t.Name, t.File, info.Size()>>20, maxBytes>>20)
	}
	read := readCSV
	for _, end := range []string{".jsonl", ".ndjson", ".json"} {
		if strings.HasSuffix(strings.ToLower(t.File), end) {
			read = readLines
		}
	}
	t.Columns, t.Rows, err = read(t.File, f)
	return err
}

// skipMark skips the byte order mark with which editors of Windows begin a file. The error
// is for a file that has the mark of UTF-16.
func skipMark(file string, in *bufio.Reader) error {
	mark, _ := in.Peek(3)
	switch {
	case string(mark) == "\ufeff":
		_, _ = in.Discard(3)
	case bytes.HasPrefix(mark, []byte("\xff\xfe")), bytes.HasPrefix(mark, []byte("\xfe\xff")):
		return fmt.Errorf("%s:1: this is UTF-16: save the file as UTF-8", file)
	}
	return nil
}

// headBytes is how much of a file is looked at to tell what separates its values.
const headBytes = 64 << 10

// separator tells what separates the values of a file, by its first line: a comma, or,
// where that has none, a semicolon or a tab, as spreadsheets of other countries write. What
// stands in quotes does not count.
func separator(head []byte) rune {
	other, quoted := ',', false
	for _, c := range bytes.TrimLeft(head, "\r\n") {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ',':
			return ','
		case c == '\n':
			return other
		case (c == ';' || c == '\t') && other == ',':
			other = rune(c)
		}
	}
	return other
}

// separatorName is how messages call more than one of a separator.
func separatorName(r rune) string {
	switch r {
	case ';':
		return "semicolons"
	case '\t':
		return "tabs"
	}
	return "commas"
}

// readCSV reads comma-separated values (RFC 4180) whose first line names the columns; their
// separator may be a semicolon or a tab as well.
func readCSV(file string, r io.Reader) (columns []string, rows [][]string, err error) {
	in := bufio.NewReaderSize(r, headBytes)
	if err := skipMark(file, in); err != nil {
		return nil, nil, err
	}
	head, _ := in.Peek(headBytes)
	c := csv.NewReader(in)
	c.Comma, c.FieldsPerRecord, c.ReuseRecord = separator(head), -1, false
	for {
		record, err := c.Read()
		line, _ := 0, 0
		if err == nil {
			line, _ = c.FieldPos(0)
		}
		var broken *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return columns, rows, checkRows(file, columns, rows)
		case errors.As(err, &broken):
			return nil, nil, fmt.Errorf("%s:%d:%d: this is not CSV (%w): put a value with %s or quotes into \"quotes\"", file, broken.Line, broken.Column, broken.Err, separatorName(c.Comma))
		case err != nil:
			return nil, nil, fmt.Errorf("read %s: %w", file, err)
		case columns == nil:
			for i := range record {
				record[i] = strings.TrimSpace(record[i])
			}
			if err := checkColumns(record); err != nil {
				return nil, nil, fmt.Errorf("%s:%d: %w", file, line, err)
			}
			columns = record
		case len(record) != len(columns):
			return nil, nil, fmt.Errorf("%s:%d: this row has %d of the %d values that the first line names: give each row a value for each column", file, line, len(record), len(columns))
		case !utf8.ValidString(strings.Join(record, "")):
			return nil, nil, fmt.Errorf("%s:%d: this is not UTF-8: save the file as UTF-8", file, line)
		default:
			rows = append(rows, record)
		}
	}
}

// readLines reads JSON Lines: an object a line, all with the same keys. Objects within
// are told by their path, as in address.city.
func readLines(file string, r io.Reader) (columns []string, rows [][]string, err error) {
	src := bufio.NewReader(r)
	if err := skipMark(file, src); err != nil {
		return nil, nil, err
	}
	in := bufio.NewScanner(src)
	in.Buffer(make([]byte, 64<<10), maxLine)
	index := map[string]int{}
	line := 0
	for in.Scan() {
		line++
		text := bytes.TrimSpace(in.Bytes())
		if len(text) == 0 {
			continue
		}
		fields, err := flatten(text)
		if err != nil {
			return nil, nil, fmt.Errorf("%s:%d: this is no JSON object on one line (%w): write {\"id\": 1, \"name\": \"anna\"}", file, line, err)
		}
		if columns == nil {
			for _, f := range fields {
				index[f.Name] = len(columns)
				columns = append(columns, f.Name)
			}
			if err := checkColumns(columns); err != nil {
				return nil, nil, fmt.Errorf("%s:%d: %w", file, line, err)
			}
		}
		row := make([]string, len(columns))
		seen := 0
		for _, f := range fields {
			i, known := index[f.Name]
			if !known {
				return nil, nil, fmt.Errorf("%s:%d: the key %s is not in the first line: give every line the same keys", file, line, spelling.Quote(f.Name))
			}
			row[i] = f.Value
			seen++
		}
		if seen < len(columns) {
			return nil, nil, fmt.Errorf("%s:%d: this line has %d keys and the first has %d: give every line the same keys", file, line, seen, len(columns))
		}
		rows = append(rows, row)
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return nil, nil, fmt.Errorf("%s:%d: the line is longer than %d KB: JSON Lines has one object a line", file, line+1, maxLine>>10)
	}
	if in.Err() != nil {
		return nil, nil, fmt.Errorf("read %s: %w", file, in.Err())
	}
	return columns, rows, checkRows(file, columns, rows)
}

// flatten returns the values of an object in order, as text: strings as they are, null
// as nothing, lists as JSON, and objects by their paths.
func flatten(text []byte) ([]profiles.Header, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.New("it does not begin with {")
	}
	out, err := flattenInto(d, "", 0, nil)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return out, nil
}

func flattenInto(d *json.Decoder, prefix string, depth int, out []profiles.Header) ([]profiles.Header, error) {
	if depth > 8 || len(out) > maxColumns {
		return nil, errors.New("it nests too deep, or has too many keys")
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name := prefix + token.(string) // keys of objects are strings
		if seen[name] {
			return nil, fmt.Errorf("the key %s is there twice", spelling.Quote(name))
		}
		seen[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if value[0] == '{' {
			inner := json.NewDecoder(bytes.NewReader(value))
			inner.UseNumber()
			_, _ = inner.Token() // the brace that was just seen
			if out, err = flattenInto(inner, name+".", depth+1, out); err != nil {
				return nil, err
			}
			continue
		}
		text := string(value)
		switch value[0] {
		case '"':
			if err := json.Unmarshal(value, &text); err != nil {
				return nil, err
			}
		case 'n':
			text = ""
		}
		out = append(out, profiles.Header{Name: name, Value: text})
	}
	_, err := d.Token() // the end of the object
	return out, err
}

func checkColumns(columns []string) error {
	if len(columns) > maxColumns {
		return fmt.Errorf("there are %d columns, more than %d: leave some out", len(columns), maxColumns)
	}
	for i, name := range columns {
		switch {
		case name == "":
			return fmt.Errorf("column %d has no name: the first line names the columns, such as id,name", i+1)
		case strings.ContainsAny(name, "(){}$\n\r") || !utf8.ValidString(name) || len(name) > 100:
			return fmt.Errorf("column %d, %s, cannot be referred to: give it a short name of letters and digits", i+1, spelling.Quote(name))
		case slices.Contains(columns[:i], name):
			return fmt.Errorf("two columns are called %s: give each its own name", spelling.Quote(name))
		}
	}
	return nil
}

func checkRows(file string, columns []string, rows [][]string) error {
	switch {
	case columns == nil:
		return fmt.Errorf("%s:1: the file is empty: write a line of column names and a row a line", file)
	case len(rows) == 0:
		return fmt.Errorf("%s:1: there are column names and no rows: write a row a line below them", file)
	}
	return nil
}
