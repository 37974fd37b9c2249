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
		{Number(1510), "1,510"},
		{Number(61.34), "61.3"},
		{Number(0.25), "0.25"},
		{Number(-1234.6), "-1,235"},
		{Number(math.NaN()), "-"},
		{Number(999.6), "1,000"},
		{Number(0.0001234), "0.000123"},
		{Number(math.Copysign(0, -1)), "0"},
		{Rate(1510), "1,510/s"},
		{Percent(0.0121, 3), "1.21%"},
		{Percent(0.025, 2), "2.5%"},
		{Percent(0, 3), "0%"},
		{Percent(1, 3), "100%"},
		{Percent(math.Inf(1), 3), "-"},
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
		{Seconds(math.NaN()), "-"},
		{Seconds(59.96), "60 s"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}
