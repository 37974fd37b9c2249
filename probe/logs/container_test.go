package logs

import (
	"strings"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
)

// What a container writes is read through the forms of runtimes, whatever its own form.
func TestContainerLogs(t *testing.T) {
	const id = "0123456789abcdef-0000000000000007"
	long := strings.Repeat("x", 40)
	for _, tt := range []struct {
		name  string
		lines []string
		text  string
		id    string
	}{
		{"docker, JSON inside", []string{
			`{"log":"{\"level\":\"error\",\"message\":\"connection reset by peer\",\"transactionId\":\"` + id + `\"}\n","stream":"stderr","time":"2026-11-29T10:00:00.5Z"}`,
		}, "connection reset by peer", id},
		{"docker, in parts", []string{
			`{"log":"ERROR too many open ","stream":"stderr","time":"2026-11-29T10:00:00.5Z"}`,
			`{"log":"files ` + long + `\n","stream":"stderr","time":"2026-11-29T10:00:00.5Z"}`,
		}, "too many open files", ""},
		{"CRI, nginx inside", []string{
			`2026-11-29T10:00:00.123456789Z stderr F 2026/11/29 10:00:00 [alert] 7#7: 512 worker_connections are not enough`,
		}, "worker_connections are not enough", ""},
		{"CRI, in parts", []string{
			`2026-11-29T10:00:00.1Z stdout P ERROR no space left `,
			`2026-11-29T10:00:00.2Z stdout F on device`,
		}, "no space left on device", ""},
		{"no runtime's", []string{`{"log":"ERROR out of memory","level":"error"}`}, "out of memory", ""},
	} {
		k := &keeper{service: "orders", clock: probe.NewClock(time.Now())}
		var got []probe.Event
		emit := func(e probe.Event) { got = append(got, e) }
		for _, line := range tt.lines {
			k.line(line, time.Second, emit)
		}
		k.flush(time.Hour, emit)
		if len(got) != 1 || !strings.Contains(got[0].Reason, tt.text) || got[0].Line.ID != tt.id {
			t.Errorf("%s: got %+v", tt.name, got)
		}
	}
	for path, want := range map[string]string{
		"/var/log/pods/shop_orders-7d9_1234/payments/0.log":             "payments",
		"/var/log/containers/orders-7d9_shop_payments-3f2a9c1b04de.log": "payments",
		"/var/log/nginx/error.log":                                      "nginx",
	} {
		if got := serviceOf(path); got != want {
			t.Errorf("%s is of %q, want %q", path, got, want)
		}
	}
}

func FuzzUnwrap(f *testing.F) {
	f.Add(`{"log":"a\n","stream":"stdout","time":"2026-11-29T10:00:00Z"}`)
	f.Add(`2026-11-29T10:00:00.1Z stdout P a`)
	f.Fuzz(func(t *testing.T, line string) {
		if w, ok := unwrap(line); ok && w.time == "" {
			t.Errorf("%q has no time", line)
		}
	})
}
