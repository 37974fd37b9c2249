package says

import (
	"testing"
	"unicode/utf8"
)

// TestRead reads what real software wrote, word for word but for names and addresses.
func TestRead(t *testing.T) {
	for _, test := range []struct {
		text    string
		meaning Meaning
		of      Of
		peer    string
	}{
		{`connection to server at "10.0.3.2", port 5432 failed: FATAL:  sorry, too many clients already`, Connections, Behind, "10.0.3.2:5432"},
		{`FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute`, Connections, Behind, ""},
		{`redis.exceptions.ConnectionError: max number of clients reached`, Connections, Behind, ""},
		{`ERROR 1040 (HY000): Too many connections`, Connections, Behind, ""},
		{`READONLY You can't write against a read only replica.`, ReadOnly, Behind, ""},
		{`MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.`, ReadOnly, Behind, ""},
		{`ERROR:  cannot execute INSERT in a read-only transaction`, ReadOnly, Behind, ""},
		{`OOM command not allowed when used memory > 'maxmemory'.`, Store, Behind, ""},
		{`psycopg.errors.SequenceGeneratorLimitExceeded: nextval: reached maximum value of sequence "orders_id_seq" (2147483647)`, Identifiers, Behind, ""},
		{`FATAL:  password authentication failed for user "shop"`, Credentials, Behind, ""},
		{`NOAUTH Authentication required.`, Credentials, Behind, ""},
		{`ERROR:  permission denied for table orders`, Forbidden, Behind, ""},
		{`ERROR:  deadlock detected`, Locking, Behind, ""},
		{`ERROR:  canceling statement due to lock timeout`, Locking, Behind, ""},
		{`ERROR:  canceling statement due to statement timeout`, Late, Behind, ""},
		{`BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.`, Late, Behind, ""},
		{`LOG:  process 4711 still waiting for AccessShareLock on relation 16389 of database 16384 after 1000.121 ms`, Locking, Behind, ""},
		{`connection blocked: low on memory`, Store, Behind, ""},
		{`connection blocked: low on disk`, Disk, Behind, ""},
		{`406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'jobs' in vhost '/'`, Schema, Behind, ""},
		{`ERROR:  null value in column "tax" of relation "orders" violates not-null constraint`, Schema, Behind, ""},
		{`[ALERT] (9) : Proxy in reached process FD limit (maxsock=100). Please check 'ulimit-n' and restart.`, Files, Writer, ""},
		{`[WARNING] (9) : Proxy in reached the configured maximum connection limit. Please check the global 'maxconn' value.`, Slots, Writer, ""},
		{`[error] 9#9: *7 upstream sent too big header while reading response header from upstream, upstream: "http://10.0.3.2:8080/x"`, BadAnswer, Writer, "10.0.3.2:8080"},
		{`[error] 9#9: *7 peer closed connection in SSL handshake (104: Connection reset by peer) while SSL handshaking to upstream, upstream: "https://10.0.3.2:8443/x"`, Certificate, Behind, "10.0.3.2:8443"},
		{`net/http: HTTP/1.x transport connection broken: malformed HTTP response "\x15\x03\x01"`, BadAnswer, Writer, ""},
		{`dial tcp 10.0.3.2:8443: i/o timeout`, NoConnect, Behind, "10.0.3.2:8443"},
		{`read tcp 10.0.2.2:41516->10.0.3.2:6379: i/o timeout`, Slow, Behind, "10.0.3.2:6379"},
		{`upstream connect error or disconnect/reset before headers. reset reason: connection timeout`, NoConnect, Behind, ""},
		{`AH00959: ap_proxy_connect_backend disabling worker for (10.0.3.2:8080) for 60s`, NoServer, Behind, "10.0.3.2:8080"},
		{`2026/11/29 10:00:00 [error] 9#9: *5 open() "/srv/www/orders" failed (2: No such file or directory), client: 10.0.1.1`, Exception, Writer, ""},
		{`PHP Fatal error:  Uncaught TypeError: price(): Argument #1 must be of type int`, Exception, Writer, ""},
		{`PHP Fatal error:  Allowed memory size of 16777216 bytes exhausted (tried to allocate 4096 bytes)`, Memory, Writer, ""},
		{`ERROR:  relation "carts" does not exist at character 15`, Schema, Behind, ""},
		{`OSError: [Errno 28] No space left on device`, Disk, Writer, ""},
		{`ERROR:  could not extend file "base/5/16384": No space left on device`, Disk, Behind, ""},
		{`nf_conntrack: nf_conntrack: table full, dropping packet`, Tracking, Writer, ""},
		{`TCP: request_sock_TCP: Possible SYN flooding on port 0.0.0.0:8080. Sending cookies.`, Backlog, Writer, ""},
		{`2026/11/29 10:00:00 [alert] 4711#4711: 512 worker_connections are not enough`, Slots, Writer, ""},
		{`2026/11/29 10:00:00 [crit] 9#9: *20 connect() to 10.0.3.2:8080 failed (99: Cannot assign requested address) while connecting to upstream, client: 10.0.1.1, server: , request: "GET / HTTP/1.1", upstream: "http://10.0.3.2:8080/", host: "shop"`, Ports, Writer, "10.0.3.2:8080"},
		{`2026/11/29 10:00:00 [error] 9#9: *20 connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.1.1, server: , request: "GET / HTTP/1.1", upstream: "http://[fd00::2]:8080/"`, Refused, Behind, "[fd00::2]:8080"},
		{`2026/11/29 10:00:00 [error] 9#9: *7 recv() failed (104: Connection reset by peer) while reading response header from upstream, client: 10.0.1.1, upstream: "http://10.0.3.2:8080/"`, Reset, Behind, "10.0.3.2:8080"},
		{`[error] 9#9: *7 upstream prematurely closed connection while reading response header from upstream, upstream: "http://10.0.3.2:8080/x"`, Closed, Behind, "10.0.3.2:8080"},
		{`[error] 9#9: *7 upstream timed out (110: Connection timed out) while reading response header from upstream, upstream: "http://10.0.3.2:8080/x"`, Slow, Behind, "10.0.3.2:8080"},
		{`[error] 9#9: *7 upstream timed out (110: Connection timed out) while connecting to upstream, upstream: "http://10.0.3.2:8080/x"`, NoConnect, Behind, "10.0.3.2:8080"},
		{`[error] 9#9: *7 no live upstreams while connecting to upstream, client: 10.0.1.1, upstream: "http://app/"`, NoServer, Behind, "app"},
		{`[error] 9#9: *7 upstream SSL certificate verify error: (20:unable to get local issuer certificate) while SSL handshaking to upstream, upstream: "https://10.0.3.2:8443/"`, Certificate, Behind, "10.0.3.2:8443"},
		{`<html><head><title>400 No required SSL certificate was sent</title></head>`, Certificate, Writer, ""},
		{`<center>Request Header Or Cookie Too Large</center>`, Large, Writer, ""},
		{`[error] 9#9: *7 client intended to send too large body: 1048577 bytes`, Large, Writer, ""},
		{`[error] 9#9: *7 limiting requests, excess: 20.430 by zone "one", client: 10.0.1.1`, Rate, Writer, ""},
		{`HikariPool-1 - Connection is not available, request timed out after 30000ms.`, Pool, Writer, ""},
		{`sqlalchemy.exc.TimeoutError: QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00`, Pool, Writer, ""},
		{`WARNING: [pool www] server reached pm.max_children setting (4), consider raising it`, Workers, Writer, ""},
		{`AH00484: server reached MaxRequestWorkers setting, consider raising the MaxRequestWorkers setting`, Workers, Writer, ""},
		{`[2026-11-29 10:00:00 +0000] [12] [CRITICAL] WORKER TIMEOUT (pid:4711)`, Killed, Writer, ""},
		{`dial tcp 10.0.3.2:8080: connect: connection refused`, Refused, Behind, "10.0.3.2:8080"},
		{`read tcp 10.0.2.2:41234->10.0.3.2:8080: read: connection reset by peer`, Reset, Behind, "10.0.3.2:8080"},
		{`Get "http://payments:8080/": dial tcp: lookup payments on 10.0.0.53:53: no such host`, Name, Writer, "payments:8080"},
		{`Error: connect ECONNREFUSED 10.0.3.2:5432`, Refused, Behind, "10.0.3.2:5432"},
		{`HTTPConnectionPool(host='payments', port=8080): Max retries exceeded with url: / (Caused by NewConnectionError('Failed to establish a new connection: [Errno 111] Connection refused'))`, Refused, Behind, "payments:8080"},
		{`http: Accept error: accept tcp [::]:8080: accept4: too many open files; retrying in 5ms`, Files, Writer, ""},
		{`upstream connect error or disconnect/reset before headers. reset reason: overflow`, Queue, Writer, ""},
		{`http: panic serving 10.0.1.1:4711: runtime error: invalid memory address or nil pointer dereference`, Exception, Writer, "10.0.1.1:4711"},
		{`panic: assignment to entry in nil map`, Crashed, Writer, ""},
		{`Traceback (most recent call last):`, Exception, Writer, ""},
		{`java.lang.OutOfMemoryError: Java heap space`, Memory, Writer, ""},
		{`FATAL ERROR: Ineffective mark-compacts near heap limit Allocation failed - JavaScript heap out of memory`, Memory, Writer, ""},
		{`Server app/a1 is DOWN, reason: Layer4 timeout, check duration: 400ms. 0 active and 0 backup servers left.`, NoServer, Behind, ""},
		{`{"error":"token expired"}`, Credentials, Writer, ""},
	} {
		s, ok := Read(test.text)
		if !ok || s.Meaning != test.meaning || s.Of != test.of || s.Peer.String() != test.peer {
			t.Errorf("%.90s:\n got %s of %d about %q by %q, want %s of %d about %q", test.text, s.Meaning, s.Of, s.Peer, s.Phrase, test.meaning, test.of, test.peer)
		}
	}
}

// TestReadNothing leaves alone what says nothing of a fault.
func TestReadNothing(t *testing.T) {
	for _, text := range []string{
		"", "ok", `{"status":"created","id":42}`, "GET /orders/42 HTTP/1.1", "<h1>Not Found</h1>", "404 page not found", "500 Internal Server Error", "Internal Server Error",
		"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center><hr><center>nginx/1.22.1</center></body></html>",
		"listening on 0.0.0.0:8080", "checkpoint starting: time", "Booting worker with pid: 4711",
		"sync failed for 1205 (users)", "wrote 1048 (files)", "using 12 out of 64 workers", "5 out of 10 connections in use", "error rate exceeded 5% in the last minute",
		"CircuitBreaker 'backendA' exceeded failure rate threshold. Current failure rate: 60.0", "circuit breaker changed state from OPEN to CLOSED",
	} {
		if s, ok := Read(text); ok {
			t.Errorf("%q: %s by %q", text, s.Meaning, s.Phrase)
		}
	}
}

func TestEveryMeaningHasWordsAndAName(t *testing.T) {
	told := map[Meaning]bool{}
	for _, v := range vocabulary {
		told[v.meaning] = true
		for _, p := range v.phrases {
			if len(p) < 4 {
				t.Errorf("%q is too short to be meant", p)
			}
		}
	}
	seen := map[string]bool{}
	for m := None; m < Meanings; m++ {
		if m != None && !told[m] {
			t.Errorf("nobody says %s", m)
		}
		if m.String() == "" || seen[m.String()] {
			t.Errorf("meaning %d is called %q", m, m)
		}
		seen[m.String()] = true
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`upstream: "http://[fd00::2]:8080/x"`)
	f.Add("read tcp [::1]:1->[::1]:99999: connection reset by peer")
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := Read(text)
		if ok == (s.Meaning == None) || s.Meaning >= Meanings {
			t.Fatalf("%v %+v", ok, s)
		}
		if p := s.Peer.String(); !utf8.ValidString(p) || len(p) > 300 {
			t.Fatalf("peer %q", p)
		}
	})
}
