package protocol

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/rampload/rampload/profiles"
)

// An order with a long table fits into a message, and comes out as it was; a short one goes
// as it is.
func TestPack(t *testing.T) {
	table := profiles.Table{Name: "users", Columns: []string{"id", "name"}}
	for range 50_000 {
		table.Rows = append(table.Rows, []string{"12345", "anna@example.com"})
	}
	order := Order{Version: Version, Run: "0123456789abcdef", Kind: OrderPrepare, Assignment: &Assignment{Of: 1, Profile: profiles.Profile{Data: []profiles.Table{table}}}}
	long := Encode(order)
	packed := Pack(long)
	if len(packed) > len(long)/10 {
		t.Errorf("%d bytes of %d", len(packed), len(long))
	}
	got, err := DecodeOrder(packed)
	if err != nil || len(got.Assignment.Profile.Data[0].Rows) != 50_000 || got.Assignment.Profile.Data[0].Rows[7][1] != "anna@example.com" {
		t.Errorf("%v", err)
	}
	order.Assignment = nil
	short := Encode(order)
	if !bytes.Equal(Pack(short), short) {
		t.Error("a short order is packed")
	}
}

// What does not unpack is an error, and what unpacks for ever ends.
func TestUnpackIsBounded(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := z.Write(make([]byte, 1<<20+1)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"bomb": bomb.Bytes(), "cut": bomb.Bytes()[:1000], "no gzip": {0x1f, 0x8b, 1, 2, 3}} {
		if _, err := unpack(data, 1<<20); err == nil || !strings.Contains(err.Error(), "unpack order") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
