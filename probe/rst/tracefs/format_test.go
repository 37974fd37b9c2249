package tracefs

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kernels are the versions with layouts in testdata/formats.
func kernels() []string { return []string{"5.15", "6.1", "6.18"} }

func fixture(t testing.TB, kernel, event string) format {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/formats", kernel, event))
	if err != nil {
		t.Fatal(err)
	}
	f, err := parseFormat(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// fixtureLayouts are the layouts of a kernel by event id.
func fixtureLayouts(t testing.TB, kernel string) map[uint16]layout {
	t.Helper()
	layouts := map[uint16]layout{}
	for event, kind := range map[string]recordKind{
		"tcp_send_reset": Sent, "tcp_receive_reset": Received,
		"tcp_retransmit_skb": Retransmit, "inet_sock_set_state": Closed,
	} {
		f := fixture(t, kernel, event)
		l, err := newLayout(kind, f, binary.LittleEndian)
		if err != nil {
			t.Fatalf("%s %s: %v", kernel, event, err)
		}
		layouts[f.id] = l
	}
	return layouts
}

func TestSymbols(t *testing.T) {
	for _, kernel := range kernels() {
		states := fixture(t, kernel, "tcp_send_reset").symbols("state")
		if len(states) != 12 || states[1] != "TCP_ESTABLISHED" || states[10] != "TCP_LISTEN" || states[12] != "TCP_NEW_SYN_RECV" {
			t.Errorf("%s: states %v", kernel, states)
		}
		old := fixture(t, kernel, "inet_sock_set_state").symbols("oldstate")
		if old[2] != "TCP_SYN_SENT" {
			t.Errorf("%s: old states %v", kernel, old)
		}
	}
	reasons := fixture(t, "6.18", "tcp_send_reset").symbols("reason")
	if reasons[1] != "NO_SOCKET" || reasons[10] != "INVALID_SYN" || reasons[14] != "TCP_STATE" || len(reasons) != 26 {
		t.Errorf("reasons %v", reasons)
	}
	if s := fixture(t, "6.18", "tcp_send_reset").symbols("saddr"); s != nil {
		t.Errorf("saddr has symbols %v", s)
	}
}

// encode lays out a record as the kernel would, by the names of its fields.
func encode(t *testing.T, f format, values map[string]any) []byte {
	t.Helper()
	size := 0
	for _, fl := range f.fields {
		size = max(size, fl.offset+fl.size)
	}
	b := make([]byte, size)
	binary.LittleEndian.PutUint16(b, f.id)
	for name, v := range values {
		fl, ok := f.fields[name]
		if !ok {
			continue
		}
		switch v := v.(type) {
		case int:
			for i := range fl.size {
				b[fl.offset+i] = byte(uint64(v) >> (8 * i))
			}
		case []byte:
			copy(b[fl.offset:fl.offset+fl.size], v)
		}
	}
	return b
}

func sockaddr(ap netip.AddrPort) []byte {
	b := make([]byte, 28)
	binary.BigEndian.PutUint16(b[2:], ap.Port())
	if ap.Addr().Is4() {
		b[0] = 2
		copy(b[4:], ap.Addr().AsSlice())
		return b
	}
	b[0] = 10
	copy(b[8:], ap.Addr().AsSlice())
	return b
}

func TestDecodeRecords(t *testing.T) {
	v4, v6 := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("[2001:db8::1]:80")
	peer4, peer6 := netip.MustParseAddrPort("10.0.0.2:4711"), netip.MustParseAddrPort("[2001:db8::2]:4711")
	for _, kernel := range kernels() {
		for _, ends := range [][2]netip.AddrPort{{v4, peer4}, {v6, peer6}} {
			local, remote := ends[0], ends[1]
			l16, r16 := local.Addr().As16(), remote.Addr().As16()
			values := map[string]any{
				"common_flags": 0x11, "common_pid": 4242, "skbaddr": 1, "skaddr": 0x7fff_1234,
				"state": 10, "oldstate": 1, "newstate": 7, "reason": 10, "sport": 80, "dport": 4711,
				"saddr_v6": l16[:], "daddr_v6": r16[:],
			}
			for _, event := range []string{"tcp_send_reset", "tcp_receive_reset", "tcp_retransmit_skb", "inet_sock_set_state"} {
				f := fixture(t, kernel, event)
				if f.fields["saddr"].size == 28 {
					values["saddr"], values["daddr"] = sockaddr(local), sockaddr(remote)
				} else {
					values["saddr"], values["daddr"] = local.Addr().AsSlice()[:4], remote.Addr().AsSlice()[:4]
				}
				l := fixtureLayouts(t, kernel)[f.id]
				got, err := l.decode(77, encode(t, f, values))
				if err != nil {
					t.Fatalf("%s %s: %v", kernel, event, err)
				}
				want := Record{Kind: l.kind, At: 77, Socket: 0x7fff_1234, Interrupt: true, Pid: 4242, Local: local, Remote: remote}
				switch event {
				case "tcp_send_reset":
					want.Answer, want.State = true, "TCP_LISTEN"
					if kernel == "6.18" {
						want.Reason = "INVALID_SYN"
					}
				case "tcp_retransmit_skb":
					want.Answer, want.State = true, "TCP_LISTEN"
				case "inet_sock_set_state":
					want.State = "TCP_ESTABLISHED"
				}
				if d := cmp.Diff(want, got, cmp.AllowUnexported(Record{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
					t.Errorf("%s %s: %s", kernel, event, d)
				}
			}
		}
	}
}

func TestDecodeMapped(t *testing.T) {
	f := fixture(t, "6.18", "tcp_send_reset")
	l := fixtureLayouts(t, "6.18")[f.id]
	mapped := netip.MustParseAddrPort("[::ffff:10.0.0.1]:80")
	got, err := l.decode(0, encode(t, f, map[string]any{"saddr": sockaddr(mapped), "reason": 99}))
	if err != nil {
		t.Fatal(err)
	}
	if got.Local != netip.MustParseAddrPort("10.0.0.1:80") || got.Remote.IsValid() {
		t.Errorf("ends %v and %v", got.Local, got.Remote)
	}
	if got.Reason != "reason 99" || got.State != "" {
		t.Errorf("reason %q, state %q", got.Reason, got.State)
	}
}

func TestFormatErrors(t *testing.T) {
	send := "name: x\nID: 7\nformat:\n\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "parse event format: no fields"},
		{"no fields", "name: x\nID: 3\n", "parse event format: no fields"},
		{"id", "ID: x\n", `parse event id: strconv.ParseUint: parsing "x": invalid syntax`},
		{"huge", "field:int x;\toffset:99999999;\tsize:4;\n", `parse field "int x": offset 99999999, size 4`},
		{"overflow", "field:int x;\toffset:99999999999999999999;\tsize:4;\n", `parse field "int x": strconv.Atoi: parsing "99999999999999999999": value out of range`},
	} {
		if _, err := parseFormat(tt.text); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
	f, err := parseFormat(send)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newLayout(Sent, f, binary.LittleEndian); err == nil || err.Error() != "event has no field sport" {
		t.Errorf("no addresses: %v", err)
	}
}

func FuzzFormat(f *testing.F) {
	for _, kernel := range kernels() {
		text, err := os.ReadFile(filepath.Join("testdata/formats", kernel, "tcp_send_reset"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), []byte("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"))
	}
	f.Fuzz(func(t *testing.T, text string, entry []byte) {
		parsed, err := parseFormat(text)
		if err != nil {
			return
		}
		l, err := newLayout(Sent, parsed, binary.LittleEndian)
		if err != nil {
			return
		}
		_, _ = l.decode(0, entry)
	})
}
