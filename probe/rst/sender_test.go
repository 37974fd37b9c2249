package rst

import (
	"testing"

	"github.com/rampload/rampload/probe"
)

func TestSender(t *testing.T) {
	const rst, rstACK = flagRST, flagRST | flagACK
	for _, tt := range []struct {
		name string
		p    probe.Packet
		want SenderClass
	}{
		{"linger 0", probe.Packet{Flags: rstACK, Window: 64, IPID: 5, DF: true, TTL: 63, SynAckTTL: 63, SynAckFlow: true, HasOptions: true}, SocketAborted},
		{"closed window", probe.Packet{Flags: rstACK, IPID: 5, DF: true, TTL: 63, SynAckTTL: 63, HasOptions: true}, SocketAborted},
		{"without timestamps", probe.Packet{Flags: rstACK, Window: 64, IPID: 5, DF: true, TTL: 63, SynAckTTL: 63}, SocketAborted},
		{"closed window without timestamps", probe.Packet{Flags: rstACK, IPID: 5, DF: true, TTL: 63, SynAckTTL: 63}, SocketAborted},
		{"the same of an unknown flow", probe.Packet{Flags: rstACK, IPID: 5, DF: true, TTL: 63}, UnknownSender},
		{"linger 0 over IPv6", probe.Packet{Flags: rstACK, Window: 64, DF: true, TTL: 63, SynAckTTL: 63, HasOptions: true}, SocketAborted},
		{"linger 0, no path MTU discovery", probe.Packet{Flags: rstACK, Window: 64, IPID: 5, TTL: 63, SynAckTTL: 63, HasOptions: true}, SocketAborted},
		{"behind a SYN proxy", probe.Packet{Flags: rstACK, Window: 64, IPID: 5, DF: true, TTL: 62, SynAckTTL: 63, HasOptions: true}, UnknownSender},
		{"forgotten connection", probe.Packet{Flags: rst, DF: true, TTL: 63, SynAckTTL: 63}, SocketGone},
		{"forgotten connection, flow unknown", probe.Packet{Flags: rst, DF: true, TTL: 63}, SocketGone},
		{"closed port", probe.Packet{Flags: rstACK, DF: true, TTL: 63}, ClosedPort},
		{"crashed server", probe.Packet{Flags: rstACK, DF: true, TTL: 63, SynAckTTL: 63}, ClosedPort},
		{"router, data", probe.Packet{Flags: rst, DF: true, TTL: 64, SynAckTTL: 63}, RouterReject},
		{"router, SYN", probe.Packet{Flags: rstACK, DF: true, TTL: 64, SynAckTTL: 63}, RouterReject},
		{"injector", probe.Packet{Flags: rstACK, IPID: 5, TTL: 99, SynAckTTL: 63}, Injector},
		{"injector, same TTL", probe.Packet{Flags: rstACK, IPID: 5, TTL: 63, SynAckTTL: 63}, Injector},
		{"injector, no IP ID", probe.Packet{Flags: rstACK, TTL: 63, SynAckTTL: 63}, Injector},
		{"injector with a window", probe.Packet{Flags: rstACK, Window: 512, IPID: 5, TTL: 63, SynAckTTL: 63}, Injector},
		{"injector with DF", probe.Packet{Flags: rstACK, IPID: 5, DF: true, TTL: 99, SynAckTTL: 63}, Injector},
		{"injector without ACK", probe.Packet{Flags: rst, Window: 8192, IPID: 1, TTL: 63, SynAckTTL: 63}, Injector},
		{"injector without ACK and window", probe.Packet{Flags: rst, IPID: 1, DF: true, TTL: 63, SynAckTTL: 63}, Injector},
		{"not a RST", probe.Packet{Flags: flagACK}, UnknownSender},
	} {
		if got := Sender(tt.p); got != tt.want {
			t.Errorf("%s: %s (%s), want %s", tt.name, got, Why(tt.p), tt.want)
		}
		if Why(tt.p) == "" {
			t.Errorf("%s: no reason", tt.name)
		}
	}
}

func TestWithTrace(t *testing.T) {
	for _, tt := range []struct {
		class        SenderClass
		sent, absent SenderClass
	}{
		{SocketAborted, SocketAborted, Injector},
		{SocketGone, SocketGone, HostReject},
		{ClosedPort, ClosedPort, HostReject},
		{RouterReject, RouterReject, RouterReject},
		{Injector, Injector, Injector},
		{UnknownSender, UnknownSender, UnknownSender},
		{HostReject, UnknownSender, HostReject},
	} {
		if got := tt.class.WithTrace(true); got != tt.sent {
			t.Errorf("%s sent: %s, want %s", tt.class, got, tt.sent)
		}
		if got := tt.class.WithTrace(false); got != tt.absent {
			t.Errorf("%s not sent: %s, want %s", tt.class, got, tt.absent)
		}
	}
}
