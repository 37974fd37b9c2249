package spelling

import (
	"math"
	"testing"
	"time"
)

func TestParseRate(t *testing.T) {
	for text, want := range map[string]float64{"0/s": 0, "1500/s": 1500, "0.5/s": 0.5, "007/s": 7} {
		if got, err := ParseRate(text); err != nil || got != want {
			t.Errorf("%q: %v, error %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":        `"" is not a rate: write a number of requests per second, such as 1500/s`,
		"1500":    "1500 needs a unit: write 1500/s",
		"1_500/s": "1_500/s is not a rate: write 1500/s",
		"1 500/s": `"1 500/s" is not a rate: write 1500/s`,
		"1.5k":    "1.5k is not a rate: write 1500/s",
		"90/min":  "90/min is not a rate: rates are per second, write 1.5/s",
		"100/h":   "100/h is not a rate: rates are per second, write 0.027778/s",
		"5rps":    "5rps is not a rate: write 5/s",
		"-5/s":    "-5/s is not a rate: write a number of requests per second, such as 1500/s",
		"1e3/s":   "1e3/s is not a rate: write 1/s",
		"inf/s":   "inf/s is not a rate: write a number of requests per second, such as 1500/s",
		"0x10/s":  "0x10/s is not a rate: write 0/s",
		".5/s":    ".5/s is not a rate: write a number of requests per second, such as 1500/s",
		"\x00/s":  `"\x00/s" is not a rate: write a number of requests per second, such as 1500/s`,
	} {
		if got, err := ParseRate(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, error\n     %v\nwant %s", text, got, err, want)
		}
	}
}

func TestParsePercent(t *testing.T) {
	for text, want := range map[string]float64{"0%": 0, "70%": 0.7, "0.1%": 0.001, "33.3%": 0.333, "7%": 0.07, "29%": 0.29, "150%": 1.5} {
		if got, err := ParsePercent(text); err != nil || got != want {
			t.Errorf("%q: %v, error %v", text, got, err)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"0s": 0, "250ms": 250e6, "1h30m": 5400e9, "1.5s": 1500e6, "0": 0} {
		got, err := ParseDuration(text)
		if text == "0" {
			if err == nil || err.Error() != "0 needs a unit: write 0s" {
				t.Errorf("%q: error %v", text, err)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q: %v, error %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"5 min":      `"5 min" is not a duration: write 5m`,
		"2 hours":    `"2 hours" is not a duration: write 2h`,
		"3days":      "3days is not a duration: write 72h",
		"1h 30m":     `"1h 30m" is not a duration: write 1h30m`,
		"5x":         "5x is not a duration: write a number with a unit, such as 250ms, 5s, 2m or 1h30m",
		"-2m":        "-2m is negative: write 2m",
		"999999999h": "999999999h is not a duration: write a number with a unit, such as 250ms, 5s, 2m or 1h30m",
	} {
		if got, err := ParseDuration(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, error\n     %v\nwant %s", text, got, err, want)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 2 * time.Minute: "2m", time.Hour: "1h", 90 * time.Minute: "1h30m", 3605 * time.Second: "1h0m5s",
		250 * time.Millisecond: "250ms", 10 * time.Second: "10s", 1500 * time.Millisecond: "1.5s",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// FuzzUnits checks that formatting and parsing are inverse to the last bit.
func FuzzUnits(f *testing.F) {
	for _, v := range []float64{0, 1, 0.1, 0.07, 1.0 / 3, 1e-300, 1e300, 5e-324, math.MaxFloat64} {
		f.Add(v, int64(v))
	}
	f.Fuzz(func(t *testing.T, v float64, n int64) {
		if v = math.Abs(v); math.IsNaN(v) || math.IsInf(v, 0) {
			return
		}
		if got, err := ParseRate(FormatRate(v)); err != nil || got != v {
			t.Errorf("rate %v: %s, %v, error %v", v, FormatRate(v), got, err)
		}
		if got, err := ParsePercent(FormatPercent(v)); err != nil || got != v {
			t.Errorf("ratio %v: %s, %v, error %v", v, FormatPercent(v), got, err)
		}
		d := time.Duration(max(n, 0))
		if got, err := ParseDuration(FormatDuration(d)); err != nil || got != d {
			t.Errorf("duration %v: %s, %v, error %v", d, FormatDuration(d), got, err)
		}
	})
}

func TestNearest(t *testing.T) {
	keys := []string{"connections", "max-in-flight", "timeout", "idle-timeout", "url", "on"}
	for word, want := range map[string]string{
		"conections": "connections", "connection": "connections", "max_in_flight": "max-in-flight", "maxInFlight": "max-in-flight",
		"timeuot": "timeout", "uri": "url", "colour": "", "": "", "in": "on", "xy": "",
	} {
		if got := Nearest(word, keys); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	if d := editDistance("timeuot", "timeout"); d != 1 {
		t.Errorf("a swap costs %d", d)
	}
}

func TestThousands(t *testing.T) {
	for number, want := range map[string]string{
		"": "", "7": "7", "999": "999", "1000": "1,000", "-100": "-100", "-1000": "-1,000", "1234567": "1,234,567",
	} {
		if got := Thousands(number); got != want {
			t.Errorf("Thousands(%q) = %q, want %q", number, got, want)
		}
	}
}
