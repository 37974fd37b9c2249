package fleetcmd

import (
	"context"
	"testing"
	"time"

	"github.com/rampload/rampload/cmd/internal/fleet/protocol"
	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/profiles"
)

func TestAllowsLog(t *testing.T) {
	for _, tt := range []struct {
		allowed string
		log     profiles.Log
		want    bool
	}{
		{"/var/log/pods/*/*/*.log", profiles.Log{File: "/var/log/pods/shop_orders-*/*/*.log"}, true},
		{"/var/log/app.log", profiles.Log{File: "/var/log/app.log"}, true},
		{"/var/log/*.log", profiles.Log{File: "/var/log/app.log"}, true},
		{"/var/log/*.log", profiles.Log{File: "/var/log/../../etc/shadow.log"}, false},
		{"/var/log/*.log", profiles.Log{File: "/var/log/nginx/error.log"}, false},
		{"/var/log/app-*.log", profiles.Log{File: "/var/log/*.log"}, false},
		{"/var/log/*", profiles.Log{File: "/var/log/[a-z]"}, false},
		{"/*", profiles.Log{File: "/etc/shadow"}, false},
		{"journal=orders.service", profiles.Log{Journal: "orders.service"}, true},
		{"journal=orders.service", profiles.Log{Journal: "*"}, false},
		{"container=orders", profiles.Log{Container: "orders"}, true},
		{"container=orders", profiles.Log{Container: "payments"}, false},
		{"orders", profiles.Log{Container: "orders"}, false},
		{"*", profiles.Log{URL: "http://169.254.169.254/"}, false},
		{"*", profiles.Log{Journal: "orders.service"}, false},
	} {
		if got := allowsLog(tt.allowed, tt.log); got != tt.want {
			t.Errorf("--log %s and %+v: %v", tt.allowed, tt.log, got)
		}
	}
}

// TestAgentReadsNoLogThatIsNotAllowed asks an agent on the bus for a file of the system.
func TestAgentReadsNoLogThatIsNotAllowed(t *testing.T) {
	watch, err := (&exposure{kinds: exposures}).watch()
	if err != nil {
		t.Fatal(err)
	}
	r := protocol.Request{Name: "orders", Logs: []profiles.Log{{File: "/etc/passwd"}}}
	sources, _ := watch(context.Background(), r, probe.NewClock(time.Now()))
	for _, m := range sources.Missing {
		if m.Source.Name == "log /etc/passwd" && m.Reason == "log /etc/passwd not measured: the agent does not show it; needs its --expose logs and --log /etc/passwd" {
			return
		}
	}
	t.Errorf("not said: %+v", sources.Missing)
}
