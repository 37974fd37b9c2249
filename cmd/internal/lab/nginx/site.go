package nginx

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// Site is nginx as a scenario wants it: parts of its configuration.
type Site struct {
	workers  int    // worker processes; 0: one
	main     string // directives outside of all blocks
	http     string // of the block http
	Listen   string // parameters of the listener behind its address
	Server   string // of the block server
	Location string // of the only location; empty: an answer without a backend
	Pool     string // of the upstream "backend"
	Backends []*lab.Child
	Member   string // parameters of each backend; empty: none is given up, so that what it does wrong is seen all the time
}

// StartSite starts nginx on port 8080 of an address and returns the process id of
// its master. The texts are harm when the error log gets them.
func StartSite(b *lab.Bench, netns, addr string, s Site, texts ...string) (int, error) {
	var upstream strings.Builder
	if len(s.Backends) > 0 {
		upstream.WriteString("upstream backend {\n")
		for _, c := range s.Backends {
			fmt.Fprintf(&upstream, "server %s %s;\n", c.Addr(), cmp.Or(s.Member, "max_fails=0"))
		}
		upstream.WriteString(s.Pool + "\n}\n")
	}
	location := s.Location
	switch {
	case len(s.Backends) > 0:
		location += "\nproxy_pass http://backend;\nproxy_http_version 1.1;\nproxy_set_header Connection \"\";"
	case location == "":
		location = `default_type text/plain; return 200 "ok";`
	}
	conf := fmt.Sprintf(`daemon off;
user root;
worker_processes %d;
pid nginx.pid;
error_log error.log info;
%s
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	%s
	%s
	server {
		listen %s:8080 backlog=4096 %s;
		%s
		location / {
			%s
		}
	}
}
`, max(1, s.workers), s.main, s.http, upstream.String(), addr, s.Listen, s.Server, location)
	file := filepath.Join(b.Env.Dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return 0, err
	}
	cmd, err := b.Program(netns, nil, "nginx", "-p", b.Env.Dir, "-c", file, "-e", "error.log")
	if err != nil {
		return 0, err
	}
	if err := b.Answers(netns, netip.MustParseAddr(addr), 8080); err != nil {
		return 0, err
	}
	b.WatchLog("error.log", texts...)
	return cmd.Process.Pid, nil
}

// children returns the process ids of a process's children (proc(5)); nothing
// where that cannot be read.
func children(pid int) []int {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var pids []int
	for _, f := range strings.Fields(string(raw)) {
		if n, err := strconv.Atoi(f); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}
