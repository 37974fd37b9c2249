package replies

import (
	"encoding/binary"
	"strings"
	"testing"
)

// pg makes an ErrorResponse.
func pg(fields ...string) string {
	body := strings.Join(fields, "\x00") + "\x00\x00"
	return "E" + string(binary.BigEndian.AppendUint32(nil, uint32(4+len(body)))) + body
}

func mysql(seq byte, body string) string {
	n := len(body)
	return string([]byte{byte(n), byte(n >> 8), 0, seq}) + body
}

func amqp(class, method uint16, args string) string {
	b := []byte{1, 0, 0}
	b = binary.BigEndian.AppendUint32(b, uint32(4+len(args)))
	b = binary.BigEndian.AppendUint16(b, class)
	return string(binary.BigEndian.AppendUint16(b, method)) + args + "\xce"
}

func TestRead(t *testing.T) {
	const bound, authOk = "1\x00\x00\x00\x042\x00\x00\x00\x04", "R\x00\x00\x00\x08\x00\x00\x00\x00"
	for name, test := range map[string]struct {
		data string
		want string // "" for none: protocol, status, text
	}{
		"http":               {"HTTP/1.1 503 Service Unavailable\r\nServer: x\r\n\r\n<html><h1>Too many</h1>\n<p>try later", "http 503 503 Service Unavailable: Too many try later"},
		"http chunked":       {"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n1f\r\n{\"error\":\"no rights\"}", `http 500 500 Oops: {"error":"no rights"}`},
		"http packed":        {"HTTP/1.1 500 Oops\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08", "http 500 500 Oops"},
		"http secret":        {"HTTP/1.1 401 Unauthorized\r\n\r\n{\"token\": \"abcdef123\"}", `http 401 401 Unauthorized: {"token": "***"}`},
		"http good":          {"HTTP/1.1 200 OK\r\n\r\nfine", ""},
		"redis":              {"-OOM command not allowed when used memory > 'maxmemory'.\r\n", "redis 0 OOM command not allowed when used memory > 'maxmemory'."},
		"redis elsewhere":    {"-MOVED 3999 127.0.0.1:6381\r\n", ""},
		"redis part":         {"-ERR this has no end", ""},
		"minus":              {"-12 and more\r\n", ""},
		"postgresql":         {pg("SFATAL", "VFATAL", "C53300", "Msorry, too many clients already", "Fproc.c"), "postgresql 0 FATAL: sorry, too many clients already (53300)"},
		"postgresql bound":   {bound + pg("SERROR", "C2200H", "Mnextval: reached maximum value"), "postgresql 0 ERROR: nextval: reached maximum value (2200H)"},
		"postgresql trusted": {authOk + pg("SFATAL", "C53300", "Mremaining connection slots are reserved"), "postgresql 0 FATAL: remaining connection slots are reserved (53300)"},
		"postgresql scram":   {"R\x00\x00\x00\x0c\x00\x00\x00\x0cv=ab" + authOk + pg("SFATAL", "C3D000", "Mdatabase \"x\" does not exist"), `postgresql 0 FATAL: database "x" does not exist (3D000)`},
		"postgresql let in":  {authOk + "S\x00\x00\x00\x09a\x00bcd\x00", ""},
		"postgresql cut":     {"R\x00\x00\x01\x08\x00\x00\x00\x00E", ""},
		"postgresql served":  {bound + "C\x00\x00\x00\x0dSELECT 1\x00", ""},
		"text with E":        {"E\x00 is no message of anybody at all", ""},
		"mysql":              {mysql(1, "\xff\x10\x04Too many connections"), "mysql 0 error 1040: Too many connections"},
		"mysql state":        {mysql(1, "\xff\x15\x04#28000Access denied for user 'a'@'b'"), "mysql 0 error 1045: Access denied for user 'a'@'b'"},
		"no mysql":           {"\x12\x34\x56\x78\xff\x00\x01\x02\x03\x04", ""},
		"memcached":          {"SERVER_ERROR out of memory storing object\r\n", "memcached 0 SERVER_ERROR out of memory storing object"},
		"amqp closes":        {amqp(10, 50, "\x01\x40\x10CONNECTION_FORCE\x00\x00\x00\x00"), "amqp 0 320 CONNECTION_FORCE"},
		"amqp blocks":        {amqp(10, 60, "\x0dlow on memory"), "amqp 0 connection blocked: low on memory"},
		"amqp other":         {amqp(60, 60, "\x0dlow on memory"), ""},
		"fastcgi":            {"\x01\x07\x00\x01\x00\x10\x00\x00PHP Fatal error:", "fastcgi 0 PHP Fatal error:"},
		"alert":              {"\x15\x03\x03\x00\x02\x02\x46", "tls 0 TLS alert: protocol version (70)"},
		"alert warns":        {"\x15\x03\x03\x00\x02\x01\x00", ""},
		"alert encrypted":    {"\x15\x03\x03\x00\x1a\x02\x46\x01\x02", ""},
		"short":              {"-ERR", ""},
		"terminal sequences": {"-ERR \x1b[31mred\r\n", "redis 0 ERR [31mred"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if r, ok := Read([]byte(test.data)); ok {
				got = r.Protocol + " " + strings.TrimSpace(strings.Join([]string{itoa(r.Status), r.Text}, " "))
			}
			if got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func itoa(n int) string {
	if n == 0 {
		return "0"
	}
	return string(rune('0'+n/100)) + string(rune('0'+n/10%10)) + string(rune('0'+n%10))
}

func TestReadDNS(t *testing.T) {
	query := "\x05price\x04shop\x00\x00\x01\x00\x01"
	for rcode, want := range map[byte]string{0: "", 2: "lookup price.shop: server failure", 3: "lookup price.shop: no such host", 5: "lookup price.shop: query refused"} {
		r, _ := ReadDNS([]byte("\x12\x34\x81" + string([]byte{0x80 | rcode}) + "\x00\x01\x00\x00\x00\x00\x00\x00" + query))
		if r.Text != want {
			t.Errorf("code %d: %q, want %q", rcode, r.Text, want)
		}
	}
	if _, ok := ReadDNS([]byte("\x12\x34\x01\x83\x00\x01\x00\x00\x00\x00\x00\x00" + query)); ok {
		t.Error("a question was taken for an answer")
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"HTTP/1.1 503 No\r\n\r\n<a>", "-ERR a\r\n", pg("SFATAL", "Mno"), mysql(1, "\xff\x10\x04Too many"), amqp(10, 50, "\x01\x40\x03abc"), "\x01\x07\x00\x01\x00\x10\x00\x00PHP", "SERVER_ERROR x\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, ok := Read(data)
		d, okDNS := ReadDNS(data)
		for _, x := range []struct {
			Reply
			ok bool
		}{{r, ok}, {d, okDNS}} {
			if x.ok && (x.Text == "" || len(x.Text) > maxText || strings.ContainsAny(x.Text, "\x00\x1b\n\r")) {
				t.Errorf("kept %q", x.Text)
			}
		}
	})
}
