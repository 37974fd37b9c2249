package prom_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rampload/rampload/probe"
	"github.com/rampload/rampload/probe/probetest"
	"github.com/rampload/rampload/probe/prom"
	"github.com/rampload/rampload/profiles"
)

// pages serves pages in turn, the last one for ever.
func pages(t *testing.T, text ...string) string {
	t.Helper()
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i := min(int(n.Add(1))-1, len(text)-1)
		fmt.Fprint(w, strings.ReplaceAll(strings.TrimSpace(text[i]), "\t", "")+"\n")
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func entry(url string, pools ...profiles.Pool) profiles.Host {
	return profiles.Host{Name: "db-1", Prometheus: []profiles.Metrics{{URL: url}}, Pools: pools}
}

// read reads a host's pages so many times and returns the last values, their limits,
// and the sampler.
func read(t *testing.T, h profiles.Host, times int) (got map[string][2]float64, page probe.Sampler) {
	t.Helper()
	sources := prom.NewHost(h, probe.NewClock(time.Now())).Open(t.Context(), probe.Selection{})
	if len(sources.Missing) > 0 || len(sources.Samplers) != 1 {
		t.Fatalf("sources %+v", sources)
	}
	page = sources.Samplers[0]
	t.Cleanup(func() { page.Close() })
	for range times {
		got = map[string][2]float64{}
		err := page.Sample(t.Context(), func(s probe.Sample) {
			probetest.CheckReading(t, page.Source(), s.Reading)
			m := s.Metric
			got[strings.Trim(strings.Join([]string{m.Process, m.Name, m.Instance}, " "), " ")] = [2]float64{s.Value, s.Limit}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return got, page
}

// want checks values; a limit below 0 means none.
func want(t *testing.T, got map[string][2]float64, all map[string][2]float64) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		v, ok := got[name]
		w := all[name]
		limit := v[1] == w[1] || w[1] < 0 && v[1] != v[1]
		if !ok || v[0] < w[0]-1e-9 || v[0] > w[0]+1e-9 || !limit {
			t.Errorf("%s is %v (there: %v), want %v", name, v, ok, w)
		}
	}
}

const none = -1

func TestNodeExporter(t *testing.T) {
	node := `
	node_cpu_seconds_total{cpu="0",mode="idle"} %g
	node_cpu_seconds_total{cpu="0",mode="user"} %g
	node_cpu_seconds_total{cpu="1",mode="idle"} %g
	node_cpu_seconds_total{cpu="1",mode="iowait"} 5
	node_filefd_allocated 900
	node_filefd_maximum 1000
	node_nf_conntrack_entries 262144
	node_nf_conntrack_entries_limit 262144
	node_nf_conntrack_stat_drop 3
	node_nf_conntrack_stat_early_drop 4
	node_sockstat_TCP_tw 12
	node_sockstat_TCP_inuse 30
	node_memory_MemTotal_bytes 1000
	node_memory_MemAvailable_bytes 250
	node_netstat_TcpExt_ListenOverflows 17
	node_network_receive_bytes_total{device="eth0"} 1e+06
	node_network_transmit_bytes_total{device="eth0"} 2e+06
	node_pressure_cpu_waiting_seconds_total 1.5
	node_softnet_dropped_total{cpu="0"} 2
	node_softnet_dropped_total{cpu="1"} 3
	process_open_fds 9
	process_max_fds 1024
	`
	got, page := read(t, entry(pages(t, fmt.Sprintf(node, 10., 1., 10.), fmt.Sprintf(node, 10.1, 1.9, 11.))), 2)
	want(t, got, map[string][2]float64{
		"cpu": {0.45, 1}, "cpu-core": {0.9, 1}, "cpu-iowait": {0, 1},
		"file-table": {900, 1000}, "conntrack": {262144, 262144}, "conntrack-drop": {7, none},
		"time-wait": {12, none}, "sockets": {42, none}, "memory": {750, 1000}, "listen-overflows": {17, none},
		"net-received eth0": {1e6, none}, "net-sent eth0": {2e6, none}, "cpu-pressure": {1.5e6, none}, "softnet-drops": {5, none},
	})
	if v, there := got["db-1 open-files"]; there {
		t.Errorf("the exporter's own files are taken for the host's: %v", v)
	}
	said := probetest.Absent(t, page, probe.HostThreads, probe.CloseWait, probe.AbortOnClose)
	for _, flag := range []string{"--collector.processes", "--collector.tcpstat", "--collector.netstat.fields"} {
		if !strings.Contains(said, flag) {
			t.Errorf("what is missing does not name %s: %s", flag, said)
		}
	}
}

func TestProcessExporter(t *testing.T) {
	group := `
	namedprocess_namegroup_num_procs{groupname="nginx"} 2
	namedprocess_namegroup_num_procs{groupname="gone"} 0
	namedprocess_namegroup_open_filedesc{groupname="nginx"} 700
	namedprocess_namegroup_open_filedesc{groupname="gone"} 0
	namedprocess_namegroup_worst_fd_ratio{groupname="nginx"} 0.5
	namedprocess_namegroup_num_threads{groupname="nginx"} 4
	namedprocess_namegroup_memory_bytes{groupname="nginx",memtype="resident"} 4096
	namedprocess_namegroup_memory_bytes{groupname="nginx",memtype="virtual"} 9999
	namedprocess_namegroup_oldest_start_time_seconds{groupname="nginx"} %d
	`
	got, page := read(t, entry(pages(t, fmt.Sprintf(group, 1000), fmt.Sprintf(group, 1000), fmt.Sprintf(group, 1700))), 3)
	want(t, got, map[string][2]float64{"nginx open-files": {700, 1400}, "nginx threads": {4, none}, "nginx rss": {4096, none}})
	if _, there := got["gone open-files"]; there {
		t.Error("processes that are not there have open files")
	}
	var events []probe.Event
	page.(probe.EventSource).DrainEvents(func(e probe.Event) { events = append(events, e) })
	if len(events) != 1 || events[0].Kind != probe.ProcessStart || events[0].Process != "nginx" {
		t.Errorf("a restart is %+v", events)
	}
}

// cAdvisor's values have times of their own.
func TestContainers(t *testing.T) {
	now := time.Now().Add(-4 * time.Second).UnixMilli()
	page := func(used float64, at int64) string {
		return fmt.Sprintf(`
	container_memory_working_set_bytes{id="/kubepods/a",container="orders",pod="orders-7",namespace="shop"} 800 %[2]d
	container_memory_working_set_bytes{id="/kubepods"} 1e+09 %[2]d
	container_memory_working_set_bytes{id="/kubepods/b",container="POD",pod="orders-7",namespace="shop"} 8 %[2]d
	container_spec_memory_limit_bytes{id="/kubepods/a",container="orders",pod="orders-7",namespace="shop"} 1000
	container_file_descriptors{id="/kubepods/a",container="orders",pod="orders-7",namespace="shop"} 60 %[2]d
	container_ulimits_soft{id="/kubepods/a",container="orders",pod="orders-7",namespace="shop",ulimit="max_open_files"} 64 %[2]d
	container_threads{id="/kubepods/a",container="orders",pod="orders-7",namespace="shop"} 5 %[2]d
	container_threads_max{id="/kubepods/a",container="orders",pod="orders-7",namespace="shop"} 0 %[2]d
	container_spec_cpu_quota{id="/kubepods/a",container="orders",pod="orders-7",namespace="shop"} 50000
	container_spec_cpu_period{id="/kubepods/a",container="orders",pod="orders-7",namespace="shop"} 100000
	container_cpu_usage_seconds_total{id="/kubepods/a",container="orders",pod="orders-7",namespace="shop"} %[1]g %[2]d
	`, used, at)
	}
	h := entry(pages(t, page(1, now), page(1.5, now+2000)))
	sources := prom.NewHost(h, probe.NewClock(time.Now())).Open(t.Context(), probe.Selection{})
	defer sources.Close()
	at := map[string]time.Duration{}
	got := map[string][2]float64{}
	for range 2 {
		if err := sources.Samplers[0].Sample(t.Context(), func(s probe.Sample) {
			at[s.Metric.Name] = s.At
			got[s.Metric.Process+" "+s.Metric.Name] = [2]float64{s.Value, s.Limit}
		}); err != nil {
			t.Fatal(err)
		}
	}
	want(t, got, map[string][2]float64{
		"orders-7/orders cgroup-memory": {800, 1000}, "orders-7/orders open-files": {60, 64},
		"orders-7/orders cgroup-pids": {5, none}, "orders-7/orders cgroup-cpu": {0.5, 1},
	})
	if len(got) != 4 {
		t.Errorf("more than one container: %v", got)
	}
	if a := at[probe.CgroupCPU]; a > -time.Second || a < -4*time.Second {
		t.Errorf("read at %v, and the page says 2 s before the start", a)
	}
}

func TestServices(t *testing.T) {
	got, _ := read(t, entry(pages(t, `
	haproxy_process_current_connections 95
	haproxy_process_max_connections 100
	haproxy_frontend_current_sessions{proxy="shop"} 90
	haproxy_frontend_limit_sessions{proxy="shop"} 100
	haproxy_backend_current_queue{proxy="orders"} 12
	haproxy_server_connection_errors_total{proxy="orders",server="a"} 3
	haproxy_server_response_errors_total{proxy="orders",server="a"} 4
	envoy_cluster_upstream_cx_overflow{envoy_cluster_name="orders"} 5
	redis_evicted_keys_total 321
	memcached_items_evicted_total{slab="1"} 4
	memcached_items_evicted_total{slab="2"} 5
	nginx_connections_accepted 100
	nginx_connections_handled 98
	hikaricp_connections_active{pool="db"} 10
	hikaricp_connections_max{pool="db"} 10
	hikaricp_connections_pending{pool="db"} 7
	go_sql_in_use_connections{db_name="shop"} 20
	go_sql_max_open_connections{db_name="shop"} 0
	busy{kind="a"} 3
	busy{kind="b"} 40
	room 50
	process_open_fds 60
	process_max_fds 64
	`), profiles.Pool{Name: "own", Use: `busy{kind="b"}`, Limit: "room"}, profiles.Pool{Name: "all", Use: "busy", Limit: "45"}), 1)
	want(t, got, map[string][2]float64{
		"proxy-connections": {95, 100}, "proxy-connections frontend shop": {90, 100}, "proxy-queue backend orders": {12, none},
		"proxy-errors server orders/a": {7, none}, "proxy-overflows cluster orders": {5, none}, "proxy-overflows nginx": {2, none},
		"store-evictions redis": {321, none}, "store-evictions memcached": {9, none},
		"pool hikaricp db": {10, 10}, "pool-waiting hikaricp db": {7, none}, "pool sql shop": {20, none},
		"pool own": {40, 50}, "pool all": {43, 45}, "db-1 open-files": {60, 64},
	})
}

func TestPoolThatNoPageHas(t *testing.T) {
	_, page := read(t, entry(pages(t, "a 1\n"), profiles.Pool{Name: "db", Use: "hikari_active"}), 1)
	said := probetest.Absent(t, page, probe.Pool)
	if !strings.Contains(said, "no page has hikari_active") {
		t.Error(said)
	}
}

// What does not come by waiting ends the source, with what would help.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		ends   bool
		says   string
	}{
		"locked": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, true, "username and password, or bearer"},
		"absent": {http.NotFound, true, "/metrics"},
		"html": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>hello")
		}, true, "/metrics"},
		"empty":   {func(http.ResponseWriter, *http.Request) {}, true, "/metrics"},
		"moved":   {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, true, "/elsewhere"},
		"busy":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, false, "503"},
		"garbled": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a b c d\n") }, false, "db-1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(c.answer)
			defer s.Close()
			sources := prom.NewHost(entry(s.URL), probe.NewClock(time.Now())).Open(t.Context(), probe.Selection{})
			defer sources.Close()
			err := sources.Samplers[0].Sample(t.Context(), func(s probe.Sample) { t.Errorf("reading %+v", s) })
			if err == nil || errors.Is(err, probe.ErrUnsupported) != c.ends {
				t.Fatalf("%v", err)
			}
			probetest.CheckUnsupported(t, err)
			if !c.ends {
				return
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v does not say %q", err, c.says)
			}
		})
	}
}

// Credentials and trust are those of the profile, and go to nobody else.
func TestCredentials(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, basic := r.BasicAuth()
		if basic && user == "me" && password == "secret" || r.Header.Get("Authorization") == "Bearer token" {
			fmt.Fprint(w, "node_load1 0.5\n")
			return
		}
		w.WriteHeader(403)
	}))
	defer s.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	trusted := profiles.TLS{CAFile: ca}
	for name, c := range map[string]struct {
		page profiles.Metrics
		says string
	}{
		"basic":     {profiles.Metrics{Username: "me", Password: "secret", TLS: trusted}, ""},
		"bearer":    {profiles.Metrics{Bearer: "token", TLS: trusted}, ""},
		"forged":    {profiles.Metrics{Bearer: "forged", TLS: trusted}, "other credentials"},
		"untrusted": {profiles.Metrics{Bearer: "token"}, "tls: {ca: FILE}"},
		"unchecked": {profiles.Metrics{Bearer: "token", TLS: profiles.TLS{SkipVerify: true}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.page.URL = s.URL
			sources := prom.NewHost(profiles.Host{Name: "db-1", Prometheus: []profiles.Metrics{c.page}}, probe.NewClock(time.Now())).Open(t.Context(), probe.Selection{})
			defer sources.Close()
			err := sources.Samplers[0].Sample(t.Context(), func(probe.Sample) {})
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

func TestContract(t *testing.T) {
	url := pages(t, "node_load1 1\nnode_filefd_allocated 5\nnode_filefd_maximum 9\n")
	probetest.RunHost(t, func(*testing.T) probe.Host {
		return prom.NewHost(entry(url), probe.NewClock(time.Now()))
	}, probe.Selection{})
}

func FuzzPage(f *testing.F) {
	f.Add("node_load1 1\n")
	f.Add("container_memory_working_set_bytes{name=\"a\"} 1 5\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\n")
	f.Add("namedprocess_namegroup_num_procs{groupname=\"a\"} NaN\nnode_cpu_seconds_total{cpu=\"0\",mode=\"user\"} -1\n")
	f.Fuzz(func(t *testing.T, text string) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }))
		defer s.Close()
		sources := prom.NewHost(entry(s.URL, profiles.Pool{Name: "a", Use: text, Limit: text}), probe.NewClock(time.Now())).Open(context.Background(), probe.Selection{})
		defer sources.Close()
		for range 2 {
			_ = sources.Samplers[0].Sample(context.Background(), func(s probe.Sample) {
				if s.Value < 0 || s.Value != s.Value {
					t.Errorf("reading %+v", s)
				}
			})
		}
	})
}

// A service's own counters tell how many requests it answered and how many of them with a
// 5xx, under whatever name its library gives them.
func TestRequestsOfAService(t *testing.T) {
	for _, tt := range []struct {
		name, page, metric string
		served, refused    float64 // refused below 0: not told
	}{
		{"haproxy", `
	haproxy_frontend_http_requests_total{proxy="shop"} 90
	haproxy_frontend_http_requests_total{proxy="api"} 10
	haproxy_frontend_http_responses_total{proxy="shop",code="2xx"} 80
	haproxy_frontend_http_responses_total{proxy="shop",code="5xx"} 7
	haproxy_frontend_http_responses_total{proxy="api",code="5xx"} 1
	`, "haproxy_frontend_http_requests_total", 100, 8},
		{"envoy without its administration", `
	envoy_http_downstream_rq_total{envoy_http_conn_manager_prefix="ingress"} 50
	envoy_http_downstream_rq_total{envoy_http_conn_manager_prefix="admin"} 900
	envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix="ingress",envoy_response_code_class="5"} 2
	envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix="admin",envoy_response_code_class="5"} 30
	`, "envoy_http_downstream_rq_total", 50, 2},
		{"nginx tells no statuses", "nginx_http_requests_total 12\n", "nginx_http_requests_total", 12, -1},
		{"a histogram of OpenTelemetry", `
	# TYPE http_server_request_duration_seconds histogram
	http_server_request_duration_seconds_bucket{http_response_status_code="200",le="+Inf"} 30
	http_server_request_duration_seconds_sum{http_response_status_code="200"} 3
	http_server_request_duration_seconds_count{http_response_status_code="200"} 30
	http_server_request_duration_seconds_bucket{http_response_status_code="503",le="+Inf"} 4
	http_server_request_duration_seconds_sum{http_response_status_code="503"} 3
	http_server_request_duration_seconds_count{http_response_status_code="503"} 4
	`, "http_server_request_duration_seconds", 34, 4},
		{"a client library", `
	http_requests_total{code="200",method="get"} 20
	http_requests_total{code="500",method="get"} 1
	`, "http_requests_total", 21, 1},
	} {
		got, _ := read(t, entry(pages(t, tt.page)), 1)
		want(t, got, map[string][2]float64{"requests-served " + tt.metric: {tt.served, none}})
		v, told := got["requests-refused "+tt.metric]
		if told != (tt.refused >= 0) || told && v[0] != tt.refused {
			t.Errorf("%s: refused %v (%v), want %g", tt.name, v[0], told, tt.refused)
		}
	}
}
