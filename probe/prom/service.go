package prom

import (
	"math"

	"github.com/rampload/rampload/probe"
)

// haproxy maps what HAProxy shows of itself (doc/configuration.txt, section
// "prometheus-exporter"; 2.4 and later).
func (mapped *mapping) haproxy(r *reading) {
	r.put(mapped.metric(probe.ProxyConnections, ""), r.one("haproxy_process_current_connections"), r.one("haproxy_process_max_connections"))
	for _, s := range r.series("haproxy_frontend_current_sessions") {
		proxy := label(s, "proxy")
		r.put(mapped.metric(probe.ProxyConnections, "frontend "+proxy), value(s), r.one("haproxy_frontend_limit_sessions", "proxy", proxy))
	}
	for _, s := range r.series("haproxy_server_current_sessions") {
		proxy, server := label(s, "proxy"), label(s, "server")
		if limit := r.one("haproxy_server_limit_sessions", "proxy", proxy, "server", server); limit > 0 {
			r.put(mapped.metric(probe.Pool, "server "+proxy+"/"+server), value(s), limit)
		}
	}
	for _, s := range r.series("haproxy_backend_current_queue") {
		r.put(mapped.metric(probe.ProxyQueue, "backend "+label(s, "proxy")), value(s), math.NaN())
	}
	mapped.addUp(r, probe.ProxyErrors, "server", "haproxy_server_connection_errors_total", "haproxy_server_response_errors_total")
	mapped.addUp(r, probe.ProxyRetries, "server", "haproxy_server_retry_warnings_total", "haproxy_server_redispatch_warnings_total")
	mapped.addUp(r, probe.ProxyAborts, "server", "haproxy_server_server_aborts_total", "haproxy_server_client_aborts_total")
}

// maxInstances bounds the servers and clusters of a proxy that have series of their
// own.
const maxInstances = 64

// addUp emits the sum of several totals for each server of a proxy.
func (mapped *mapping) addUp(r *reading, name, by string, totals ...string) {
	for i, s := range r.series(totals[0]) {
		if i == maxInstances {
			return
		}
		proxy, one := label(s, "proxy"), label(s, by)
		sum := 0.0
		for _, t := range totals {
			if v := r.one(t, "proxy", proxy, by, one); !math.IsNaN(v) {
				sum += v
			}
		}
		r.put(mapped.metric(name, by+" "+proxy+"/"+one), sum, math.NaN())
	}
}

// envoy maps the clusters of Envoy (envoyproxy.io, "Cluster manager stats").
func (mapped *mapping) envoy(r *reading) {
	for _, c := range [...]struct {
		name   string
		totals []string
	}{
		{probe.ProxyOverflows, []string{"envoy_cluster_upstream_cx_overflow", "envoy_cluster_upstream_rq_pending_overflow"}},
		{probe.ProxyErrors, []string{"envoy_cluster_upstream_cx_connect_fail", "envoy_cluster_upstream_cx_destroy_remote_with_active_rq"}},
		{probe.ProxyRetries, []string{"envoy_cluster_upstream_rq_retry"}},
	} {
		for i, s := range r.series(c.totals[0]) {
			if i == maxInstances {
				break
			}
			cluster, sum := label(s, "envoy_cluster_name"), 0.0
			for _, t := range c.totals {
				if v := r.one(t, "envoy_cluster_name", cluster); !math.IsNaN(v) {
					sum += v
				}
			}
			r.put(mapped.metric(c.name, "cluster "+cluster), sum, math.NaN())
		}
	}
}

// nginx maps nginx-prometheus-exporter's metrics, which have no limit.
func (mapped *mapping) nginx(r *reading) {
	r.put(mapped.metric(probe.ProxyConnections, "nginx"), r.one("nginx_connections_active"), math.NaN())
	r.put(mapped.metric(probe.ProxyOverflows, "nginx"), r.one("nginx_connections_accepted")-r.one("nginx_connections_handled"), math.NaN())
}

// stores maps what the exporters of Redis and memcached show of entries that had to make room
// (evicted_keys of INFO, evictions of stats).
func (mapped *mapping) stores(r *reading) {
	r.put(mapped.metric(probe.StoreEvictions, "redis"), r.sum("redis_evicted_keys_total"), math.NaN())
	r.put(mapped.metric(probe.StoreEvictions, "memcached"), r.sum("memcached_items_evicted_total"), math.NaN())
}

// jvm maps the pools of Tomcat and HikariCP as Micrometer shows them.
func (mapped *mapping) jvm(r *reading) {
	mapped.pools(r, "tomcat threads", "name", "tomcat_threads_busy_threads", "tomcat_threads_config_max_threads")
	mapped.pools(r, "tomcat connections", "name", "tomcat_connections_current_connections", "tomcat_connections_config_max_connections")
	mapped.pools(r, "jetty threads", "", "jetty_threads_busy", "jetty_threads_config_max")
	mapped.pools(r, "hikaricp", "pool", "hikaricp_connections_active", "hikaricp_connections_max")
	for _, s := range r.series("hikaricp_connections_pending") {
		r.put(mapped.metric(probe.PoolWaiting, instance("hikaricp", label(s, "pool"))), value(s), math.NaN())
	}
	for _, s := range r.series("hikaricp_connections_timeout_total") {
		r.put(mapped.metric(probe.PoolTimeouts, instance("hikaricp", label(s, "pool"))), value(s), math.NaN())
	}
}

// golang maps database/sql's pools as the collector of Prometheus' client shows them.
func (mapped *mapping) golang(r *reading) {
	mapped.pools(r, "sql", "db_name", "go_sql_in_use_connections", "go_sql_max_open_connections")
}

// pools emits the use and the limit of each pool that a label tells apart.
func (mapped *mapping) pools(r *reading, kind, by, use, limit string) {
	for i, s := range r.series(use) {
		if i == maxInstances {
			return
		}
		var same []string
		if by != "" {
			same = []string{by, label(s, by)}
		}
		r.put(mapped.metric(probe.Pool, instance(kind, label(s, by))), value(s), r.one(limit, same...))
	}
}

func instance(kind, name string) string {
	if name == "" {
		return kind
	}
	return kind + " " + name
}
