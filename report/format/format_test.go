package format

import (
	"math"
	"testing"
)

func TestFormat(t *testing.T) {
	tests := []struct{ got, want string }{
		{Count(0), "0"},
		{Count(999), "999"},
		{Count(1000), "1,000"},
		{Count(math.MaxUint64), "18,446,744,073,709,551,615"},
		{Counted(1, "burst"), "1 burst"},
		{Counted(3, "process"), "3 processes"},
		{Counted(uint64(70080), "request"), "70,080 requests"},
		{Counted(2.5, "connection"), "2.5 connections"},
		{Number(0), "0"},
		{Number(1510), "1,510"},
		{Number(70080.4), "70,080"},
		{Number(61.34), "61"},
		{Number(9.96), "10"},
		{Number(9.04), "9"},
		{Number(2.54), "2.5"},
		{Number(0.25), "0.25"},
		{Number(-1234.6), "-1,235"},
		{Number(math.NaN()), "unknown"},
		{Number(999.6), "1,000"},
		{Number(0.0001234), "0.00012"},
		{Number(math.Copysign(0, -1)), "0"},
		{Fine(61.34), "61.3"},
		{Fine(0.0001234), "0.000123"},
		{Fine(1234567), "1,234,567"},
		{Range(1490.4, 1525), "1,490-1,525"},
		{Rate(1510), "1,510/s"},
		{Rate(12.5), "12.5/s"},
		{FinePercent(0.0121), "1.21%"},
		{FinePercent(0), "0%"},
		{Percent(0.00003), "0.003%"},
		{Percent(0.025), "2.5%"},
		{Percent(0.09), "9%"},
		{Percent(0.0996), "10%"},
		{Percent(0.614), "61%"},
		{Percent(0.997), "99.7%"},
		{Percent(0.9999), "100%"},
		{Percent(1), "100%"},
		{Percent(math.Inf(1)), "unknown"},
		{Bound(0.0000301), "0.0031%"},
		{Bound(0.00003), "0.003%"},
		{Bound(0), "0%"},
		{Bound(1), "100%"},
		{Bound(0.999), "100%"},
		{Seconds(0), "0 s"},
		{Seconds(0.084), "84 ms"},
		{Seconds(0.2), "0.2 s"},
		{Seconds(12), "12 s"},
		{Seconds(90), "1m30s"},
		{Seconds(-22), "-22 s"},
		{Seconds(3600), "1h0m0s"},
		{Seconds(math.NaN()), "unknown"},
		{Seconds(0.0004), "0.4 ms"},
		{Seconds(9.04), "9 s"},
		{Amount(3<<30, "bytes"), "3 GiB"},
		{Amount(1.25*(1<<30), "bytes"), "1.25 GiB"},
		{Amount(1000*1024, "bytes"), "0.977 MiB"},
		{Amount(512, "bytes"), "512 B"},
		{Amount(2<<20, "bytes/s"), "2 MiB/s"},
		{Amount(0.614, "share"), "61%"},
		{Amount(0.035, "seconds"), "35 ms"},
		{Amount(1500, "µs"), "1.5 ms"},
		{Amount(1024, "files"), "1,024"},
		{Number(RoundUp(1301)), "1,400"},
		{Number(RoundUp(1300)), "1,300"},
		{Seconds(59.96), "60 s"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
