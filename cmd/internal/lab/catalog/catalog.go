// Package catalog lists all scenarios of the lab.
package catalog

import (
	"slices"

	"github.com/rampload/rampload/cmd/internal/lab"
	"github.com/rampload/rampload/cmd/internal/lab/apache"
	"github.com/rampload/rampload/cmd/internal/lab/application"
	"github.com/rampload/rampload/cmd/internal/lab/caddy"
	"github.com/rampload/rampload/cmd/internal/lab/haproxy"
	"github.com/rampload/rampload/cmd/internal/lab/lighttpd"
	"github.com/rampload/rampload/cmd/internal/lab/middlebox"
	"github.com/rampload/rampload/cmd/internal/lab/network"
	"github.com/rampload/rampload/cmd/internal/lab/nginx"
	"github.com/rampload/rampload/cmd/internal/lab/node"
	"github.com/rampload/rampload/cmd/internal/lab/php"
	"github.com/rampload/rampload/cmd/internal/lab/proxy"
	"github.com/rampload/rampload/cmd/internal/lab/python"
	"github.com/rampload/rampload/cmd/internal/lab/resource"
	"github.com/rampload/rampload/cmd/internal/lab/ruby"
	"github.com/rampload/rampload/cmd/internal/lab/squid"
	"github.com/rampload/rampload/cmd/internal/lab/stunnel"
	"github.com/rampload/rampload/cmd/internal/lab/teach"
	"github.com/rampload/rampload/cmd/internal/lab/tomcat"
	"github.com/rampload/rampload/cmd/internal/lab/varnish"
)

// Scenarios returns all scenarios, those that need no privileges first. Which of
// them this machine can run, [lab.Scenario.Missing] tells.
func Scenarios() []lab.Scenario {
	return slices.Concat(
		teach.Scenarios(), application.Scenarios(), python.Scenarios(),
		network.Scenarios(), proxy.Scenarios(), resource.Scenarios(), middlebox.Scenarios(),
		nginx.Scenarios(), haproxy.Scenarios(), apache.Scenarios(), lighttpd.Scenarios(), stunnel.Scenarios(),
		node.Scenarios(), caddy.Scenarios(), php.Scenarios(), ruby.Scenarios(), tomcat.Scenarios(), squid.Scenarios(), varnish.Scenarios(),
	)
}
