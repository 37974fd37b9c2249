package tracefs

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files; pages are recorded anew as root")

func pageRing(t testing.TB) ring {
	t.Helper()
	text, err := os.ReadFile("testdata/formats/6.18/header_page")
	if err != nil {
		t.Fatal(err)
	}
	r, err := parseHeaderPage(string(text), binary.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestPages decodes pages recorded on Linux 6.18 (see TestRecordPages).
func TestPages(t *testing.T) {
	pages, err := filepath.Glob("testdata/pages/*.page")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	r, layouts := pageRing(t), fixtureLayouts(t, "6.18")
	for _, path := range pages {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		var first uint64
		m, err := r.decode(page, func(at uint64, entry []byte) {
			l, ok := layouts[binary.LittleEndian.Uint16(entry)]
			if !ok {
				t.Errorf("%s: event %d", path, binary.LittleEndian.Uint16(entry))
				return
			}
			rec, err := l.decode(at, entry)
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			if first == 0 {
				first = at
			}
			fmt.Fprintf(&out, "%d %d %v > %v %s %s answer=%v interrupt=%v\n",
				rec.At-first, rec.Kind, rec.Local, rec.Remote, rec.State, rec.Reason, rec.Answer, rec.Interrupt)
		})
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		fmt.Fprintf(&out, "missed %v, %d\n", m.any, m.count)
		golden := strings.TrimSuffix(path, ".page") + ".golden"
		if *update {
			if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if out.String() != string(want) {
			t.Errorf("%s:\n%s\nwant\n%s", path, out.String(), want)
		}
	}
}

// pageOf makes a page of entries.
func pageOf(order binary.ByteOrder, stamp, commit uint64, words ...uint32) []byte {
	b := make([]byte, 4096)
	order.PutUint64(b, stamp)
	order.PutUint64(b[8:], commit|uint64(4*len(words)))
	for i, w := range words {
		order.PutUint32(b[16+4*i:], w)
	}
	return b
}

func TestRingEntries(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		r := pageRing(t)
		r.order = order
		entry := func(typ, delta uint32) uint32 {
			if order == binary.BigEndian {
				return typ<<27 | delta
			}
			return delta<<5 | typ
		}
		page := pageOf(order, 1<<60|1000, 0,
			entry(1, 5), 0xaa, // data of one word at 1005
			entry(typeExtend, 1), 1, // one tick and 2^27 more
			entry(2, 0), 0xbb, 0xcc,
			entry(typePadding, 7), 8, 0, // a discarded entry of 4 bytes
			entry(typeStamp, 3), 2, // absolute
			entry(typeLong, 4), 8, 0xdd, // data with its length
			entry(typePadding, 0), 0, 0, 0,
		)
		type seen struct {
			at uint64
			n  int
		}
		var got []seen
		m, err := r.decode(page, func(at uint64, b []byte) { got = append(got, seen{at, len(b)}) })
		high := uint64(1 << 60)
		want := []seen{{high | 1005, 4}, {high | 1006 + 1<<27, 8}, {high | 2<<27 + 7, 4}}
		if err != nil || m.any || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v: %v, %v, %v; want %v", order, got, m, err, want)
		}
	}
}

func TestRingMissed(t *testing.T) {
	r := pageRing(t)
	page := pageOf(binary.LittleEndian, 0, missedEvents|missedStored, 1, 2)
	binary.LittleEndian.PutUint64(page[16+8:], 4711)
	if m, err := r.decode(page, func(uint64, []byte) {}); err != nil || m != (missed{true, 4711}) {
		t.Errorf("%v, %v", m, err)
	}
	page = pageOf(binary.LittleEndian, 0, missedEvents, 1, 2)
	if m, err := r.decode(page, func(uint64, []byte) {}); err != nil || m != (missed{true, 0}) {
		t.Errorf("%v, %v", m, err)
	}
}

func TestRingMalformed(t *testing.T) {
	r := pageRing(t)
	for name, page := range map[string][]byte{
		"short":        make([]byte, 15),
		"commit":       pageOf(binary.LittleEndian, 0, 4081),
		"cut entry":    pageOf(binary.LittleEndian, 0, 0, 28),
		"cut length":   pageOf(binary.LittleEndian, 0, 0, typeLong),
		"long length":  pageOf(binary.LittleEndian, 0, 0, typeLong, 1<<31, 0),
		"short length": pageOf(binary.LittleEndian, 0, 0, typeLong, 0, 0),
		"cut time":     pageOf(binary.LittleEndian, 0, 0, typeExtend),
	} {
		if _, err := r.decode(page, func(uint64, []byte) {}); !errors.Is(err, errPage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{
		"", "field: u64 timestamp;\toffset:0;\tsize:8;\n",
		"field: u64 timestamp;\toffset:0;\tsize:8;\nfield: local_t commit;\toffset:8;\tsize:8;\nfield: char data;\toffset:9;\tsize:4080;\n",
	} {
		if _, err := parseHeaderPage(text, binary.LittleEndian); err == nil {
			t.Errorf("header page %q accepted", text)
		}
	}
}

// A page of a 32-bit kernel has a shorter commit word.
func TestRing32(t *testing.T) {
	r, err := parseHeaderPage("\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\tfield: local_t commit;\toffset:8;\tsize:4;\tsigned:1;\n\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n\tfield: char data;\toffset:12;\tsize:4084;\tsigned:0;\n", binary.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	if r.size != 4096 || r.data != 12 {
		t.Fatalf("%+v", r)
	}
	page := make([]byte, 4096)
	page[8], page[12], page[16] = 8, 1, 9
	n := 0
	if _, err := r.decode(page, func(_ uint64, b []byte) { n += int(b[0]) }); err != nil || n != 9 {
		t.Errorf("%d, %v", n, err)
	}
}

func FuzzPage(f *testing.F) {
	pages, _ := filepath.Glob("testdata/pages/*.page")
	for _, path := range pages {
		page, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(page)
	}
	r, layouts := pageRing(f), fixtureLayouts(f, "6.18")
	f.Fuzz(func(t *testing.T, page []byte) {
		total := 0
		_, _ = r.decode(page, func(at uint64, entry []byte) {
			if total += len(entry); total > len(page) {
				t.Fatal("entries longer than their page")
			}
			if len(entry) < 2 {
				return
			}
			if l, ok := layouts[binary.LittleEndian.Uint16(entry)]; ok {
				_, _ = l.decode(at, entry)
			}
		})
	})
}
