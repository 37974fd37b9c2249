package gather

import "testing"

func TestTelling(t *testing.T) {
	long := `cannot read the price of an order: Get "http://10.92.0.40:8081/pay?order=4711": read tcp 10.92.0.33:54132->10.92.0.40:8081: read: connection reset by peer`
	for _, test := range []struct{ name, text, phrase, want string }{
		{"short", "connection reset by peer", "connection reset", "connection reset by peer"},
		{"the phrase is at the end", long, "connection reset", "cannot read the price of an order: Get ... connection reset by peer"},
		{"the phrase is at the beginning", long, "cannot read", Shortened(long)},
		{"no phrase", long, "", Shortened(long)},
		{"the phrase is not in it", long, "too many clients", Shortened(long)},
		{"its first part counts", long, "connection reset…peer", "cannot read the price of an order: Get ... connection reset by peer"},
		{"much follows", long + " " + long, "reset by peer", "cannot read the price of an order: Get ... reset by peer cannot read the price of an order: Get \"http://10.92.0.40:808 ..."},
	} {
		if got := Telling(test.text, test.phrase); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
