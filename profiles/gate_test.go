package profiles

import (
	"testing"
	"time"
)

func TestParseGate(t *testing.T) {
	for _, c := range []struct {
		text string
		want Gate // Text is that of the canonical form below when empty
		form string
	}{
		{"wire-resets == 0 up to 1500/s", Gate{Metric: GateWireResets, Op: Equal, UpTo: 1500}, "wire-resets == 0 up to 1500/s"},
		{"visible-resets(orders)<=3", Gate{Text: "visible-resets(orders) <= 3", Metric: GateVisibleResets, Of: "orders", Op: LessOrEqual, Value: 3}, "visible-resets(orders) <= 3"},
		{" failures  within\t10s < 1% ", Gate{Metric: GateFailures, Within: 10 * time.Second, Op: Less, Value: 0.01, Unit: UnitRatio}, "failures within 10s < 1%"},
		{
			"failures(orders) within 60s < 0.10% up to 1500.0/s",
			Gate{Text: "failures(orders) within 60s < 0.10% up to 1500.0/s", Metric: GateFailures, Of: "orders", Within: time.Minute, Op: Less, Value: 0.001, Unit: UnitRatio, UpTo: 1500},
			"failures(orders) within 1m < 0.1% up to 1500/s",
		},
		{"onset > 1500/s", Gate{Metric: GateOnset, Op: Greater, Value: 1500, Unit: UnitRate}, "onset > 1500/s"},
		{"onset( pay.v2 ) >= 0.5/s", Gate{Text: "onset(pay.v2) >= 0.5/s", Metric: GateOnset, Of: "pay.v2", Op: GreaterOrEqual, Value: 0.5, Unit: UnitRate}, "onset(pay.v2) >= 0.5/s"},
		{"crosses(0.1%) > 1500/s", Gate{Metric: GateCrosses, Share: 0.001, Op: Greater, Value: 1500, Unit: UnitRate}, "crosses(0.1%) > 1500/s"},
		{"crosses( 1%,orders )>=20/s", Gate{Text: "crosses(1%,orders) >= 20/s", Metric: GateCrosses, Share: 0.01, Of: "orders", Op: GreaterOrEqual, Value: 20, Unit: UnitRate}, "crosses(1%, orders) >= 20/s"},
		{"p99 < 250ms up to 1500/s", Gate{Metric: GateLatency, Percentile: 0.99, Op: Less, Value: 0.25, Unit: UnitDuration, UpTo: 1500}, "p99 < 250ms up to 1500/s"},
		{"p99.9(orders) within 1m <= 1.5s", Gate{Metric: GateLatency, Percentile: 0.999, Of: "orders", Within: time.Minute, Op: LessOrEqual, Value: 1.5, Unit: UnitDuration}, "p99.9(orders) within 1m <= 1.5s"},
		{"p50 > 1us", Gate{Text: "p50 > 1us", Metric: GateLatency, Percentile: 0.5, Op: Greater, Value: 1e-6, Unit: UnitDuration}, "p50 > 1µs"},
		{"headroom(open-files) > 20%", Gate{Metric: GateHeadroom, Of: "open-files", Op: Greater, Value: 0.2, Unit: UnitRatio}, "headroom(open-files) > 20%"},
		{"headroom(cpu) < 5% up to 100/s", Gate{Metric: GateHeadroom, Of: "cpu", Op: Less, Value: 0.05, Unit: UnitRatio, UpTo: 100}, "headroom(cpu) < 5% up to 100/s"},
	} {
		got, err := ParseGate(c.text)
		if c.want.Text == "" {
			c.want.Text = c.form
		}
		if err != nil || got != c.want || got.String() != c.form {
			t.Errorf("%q: %+v, %q, error %v", c.text, got, got, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"errors < 1%":                   `unknown metric "errors"; did you mean "failures"?`,
		"(orders) < 1%":                 `a gate begins with what it measures, not with "(": write one such as failures < 0.1% up to 1500/s`,
		"failures(a b) < 1%":            "the parenthesis of failures is not closed after one name: write failures(a)",
		"headroom() > 5%":               "nothing stands in the parentheses of headroom: write headroom(open-files)",
		"p0 < 5s":                       "p0 is not a percentile: write one above p0 and below p100, such as p99 or p99.9",
		"p9.9.9 < 5s":                   "p9.9.9 is not a percentile: write one above p0 and below p100, such as p99 or p99.9",
		"failures within 25h < 1%":      "within 25h is not between 1s and 24h: write within 10s",
		"headroom(a) within 5s > 5%":    `headroom is judged over the whole run: leave out "within 5s"`,
		"headroom(a) == 5%":             "a measured headroom is never quite 5%: write headroom(a) > 5%",
		"onset == 5/s":                  "a measured onset is never quite 5/s: write onset > 5/s",
		"crosses > 5/s":                 "crosses what? write a share of failed requests: crosses(0.1%) > 1500/s",
		"crosses() > 5/s":               "nothing stands in the parentheses of crosses: write crosses(0.1%) > 1500/s",
		"crosses(0.1) > 5/s":            "0.1 needs a unit: write crosses(0.1%)",
		"crosses(0%) > 5/s":             "0% is no share that failures could pass: write one above 0% and below 100%, such as crosses(0.1%) > 1500/s",
		"crosses(orders) > 5/s":         "crosses takes a share of failed requests, such as crosses(0.1%) > 1500/s: orders is not a percentage: write it as 70%",
		"crosses(1%, a, b) > 5/s":       "crosses takes a share and one target: write crosses(0.1%, orders) > 1500/s",
		"crosses(1% > 5/s":              "the parenthesis of crosses is not closed after a share: write crosses(0.1%) > 1500/s",
		"crosses(1%) < 5/s":             "the later failures pass a share the better: write crosses(1%) > 5/s",
		"crosses(1%) > 5/s up to 9/s":   `crosses(1%) is a load itself: leave out "up to 9/s"`,
		"crosses(1%) within 5s > 5/s":   `crosses is judged over the whole run: leave out "within 5s"`,
		"failures =< 1%":                "=< is not a comparison: write <=",
		"failures ≥ 1%":                 "≥ is not a comparison: write >=",
		"failures > >":                  "a value is missing after >: write failures > 0.1%",
		"failures < 9999999999999999":   "9999999999999999 is neither a whole count nor a percentage: write 9999999999999999%",
		"p99 < 48h":                     "48h is not a latency above 0 and up to 24h: write p99 < 250ms",
		"p99 < 1 s":                     "1 needs a unit: write 1ms",
		"onset > 5 /s":                  "onset is compared with a rate: 5 needs a unit: write 5/s",
		"headroom(a) > 120%":            "headroom is compared with a percentage: 120% is more than 100%: write a percentage from 0% to 100%",
		"failures < 1% up to 1,500/s":   "up to: 1,500/s is not a rate: write 1500/s",
		"failures < 1% up to 5/s now":   `"now" is too much after failures < 1% up to 5/s: end the gate there, or continue with "up to 1500/s"`,
		"failures < 1% || failures < 2": `"||" joins nothing here: write two gates, one a line`,
	} {
		if g, err := ParseGate(text); err == nil || err.Error() != want {
			t.Errorf("%q: %+v, error\n     %v\nwant %s", text, g, err, want)
		}
	}
}

// FuzzParseGate parses anything: what is a gate survives being written.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"wire-resets == 0 up to 1500/s", "failures(orders) within 10s < 0.1%", "p99.9 < 250ms", "headroom(open-files) >= 20%",
		"onset > 1500/s", "crosses(0.1%, orders) > 20/s", "visible-resets<=3", "failures < 1 %", "p99 < 1h0.5s", "failures < 0.000001%", "(", "within up to",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := ParseGate(text)
		if err != nil {
			if err.Error() == "" || g != (Gate{}) {
				t.Errorf("%q: gate %+v with error %q", text, g, err)
			}
			return
		}
		again, err := ParseGate(g.String())
		if err != nil {
			t.Fatalf("%q became %q: %v", text, g, err)
		}
		if again.Text != g.String() {
			t.Errorf("%q: text %q of the canonical %q", text, again.Text, g)
		}
		if again.Text = g.Text; again != g {
			t.Errorf("%q became %q:\n%+v\n%+v", text, g, g, again)
		}
		if user, err := ParseGate(g.Text); err != nil || user != g {
			t.Errorf("%q is not its own text: %q, error %v", text, g.Text, err)
		}
	})
}
