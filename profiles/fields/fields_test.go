package fields_test

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/rampload/rampload/profiles/fields"
)

var (
	errMalformed = errors.New("malformed")
	errNewer     = errors.New("newer")
)

func TestReader(t *testing.T) {
	b := []byte{2, 1, 2, 0b101}
	b = binary.AppendUvarint(b, 70_000)
	b = binary.AppendVarint(b, -int64(time.Second))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(1.5))
	b = append(b, 3, 'a', 'b', 'c', 0)
	b = binary.AppendUvarint(binary.AppendVarint(b, -300), 300)
	b = append(b, 3, 4)
	r := fields.New(b, errMalformed)
	var on, off, too bool
	if v, n := r.Version(2, errNewer), r.Fixed16(); v != 2 || n != 0x102 {
		t.Errorf("version %d, %#x", v, n)
	}
	if r.Flags(&on, &off, &too); !on || off || !too {
		t.Errorf("flags %v %v %v", on, off, too)
	}
	if n, d, f := r.Uint32(), r.Duration(), r.Float64(); n != 70_000 || d != -time.Second || f != 1.5 {
		t.Errorf("%d, %v, %v", n, d, f)
	}
	if s, a := r.Text(), r.AddrPort(); s != "abc" || a.IsValid() {
		t.Errorf("%q, %v", s, a)
	}
	if x, y := r.Pair(); x != -300 || y != 300 {
		t.Errorf("%d, %d", x, y)
	}
	if x, y := r.Pair(); x != -2 || y != 4 {
		t.Errorf("%d, %d", x, y)
	}
	if err := r.End(); err != nil {
		t.Error(err)
	}
}

// What does not fit is said, wraps what the record's reader names, and everything behind
// it reads as 0.
func TestReaderSaysWhatDoesNotFit(t *testing.T) {
	for name, tt := range map[string]struct {
		b    []byte
		read func(r *fields.Reader)
		want string
	}{
		"empty":        {nil, func(r *fields.Reader) { r.Byte() }, "malformed: cut short"},
		"rest":         {[]byte{1}, func(*fields.Reader) {}, "malformed: bytes after the last field"},
		"version 0":    {[]byte{0}, func(r *fields.Reader) { r.Version(3, errNewer) }, "malformed: version 0"},
		"newer":        {[]byte{4}, func(r *fields.Reader) { r.Version(3, errNewer) }, "newer (version 4, this build knows 3)"},
		"long list":    {[]byte{9, 1}, func(r *fields.Reader) { r.Count(1) }, "malformed: list longer than the record"},
		"not finite":   {binary.LittleEndian.AppendUint64(nil, math.Float64bits(math.NaN())), func(r *fields.Reader) { r.Float64() }, "malformed: number not finite"},
		"16 bits":      {binary.AppendUvarint(nil, 1<<16), func(r *fields.Reader) { r.Uint16() }, "malformed: number outside 16 bits"},
		"32 bits":      {binary.AppendVarint(nil, 5), func(r *fields.Reader) { r.Int32From(math.MaxInt32) }, "malformed: number outside 32 bits"},
		"unknown flag": {[]byte{2}, func(r *fields.Reader) { r.Flags(new(bool)) }, "malformed: unknown flag"},
		"address":      {[]byte{1, 9}, func(r *fields.Reader) { r.AddrPort() }, "malformed: address"},
	} {
		r := fields.New(tt.b, errMalformed)
		tt.read(&r)
		err := r.End()
		if err == nil || err.Error() != tt.want || !errors.Is(err, errMalformed) && !errors.Is(err, errNewer) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if r.Uvarint() != 0 || r.Text() != "" || r.Byte() != 0 {
			t.Errorf("%s: something is read behind what does not fit", name)
		}
	}
}
