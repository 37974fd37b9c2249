package says

// vocabulary lists wordings in lower case, the most telling first: those that give a reason come
// before those that name a consequence. Software uses each phrase for that meaning only. "…" stands
// for any text.
var vocabulary = []wording{
	// Stores and databases, as they answer or log themselves.
	{Store, Behind, []string{
		"oom command not allowed", "used memory > 'maxmemory'", "server_error out of memory storing object", "out of memory storing object", "wt_cache_full", "the table '…' is full",
		"out of shared memory", "connection blocked: low on memory", "memory resource limit alarm set", "circuit_breaking_exception", "data too large, data for",
		"database space exceeded", "nospace alarm", "alarm:nospace", "mdb_map_full", "maximum messages exceeded", "maximum bytes exceeded", "insufficient storage resources", "account limit exceeded: storage",
	}},
	{Disk, Behind, []string{"could not extend file", "er_disk_full", "got error 28 from storage", "connection blocked: low on disk", "disk resource limit alarm set", "flood stage disk watermark", "flood-stage watermark"}},
	{ReadOnly, Behind, []string{
		"readonly you can't write", "misconf redis is configured to save", "misconf errors writing", "in a read-only transaction", "running with the --read-only", "--super-read-only",
		"notwritableprimary", "not primary and secondaryok=false", "not master", "notprimaryerror", "read only replica", "read-only replica", "cannot execute … during recovery",
		"database is in read-only mode", "attempt to write a readonly database", "cluster_block_exception", "index [read-only", "noreplicas not enough good replicas",
		"not enough in-sync replicas", "notenoughreplicas",
	}},
	{Identifiers, Behind, []string{
		"nextval: reached maximum value", "integer out of range", "failed to read auto-increment value", "out of range value for column 'id'", "no more auto-increment",
		"duplicate entry '2147483647'", "duplicate entry '4294967295'", "duplicate entry '9223372036854775807'", "numeric value out of range", "database is not accepting commands to avoid wraparound",
	}},
	{Connections, Behind, []string{
		"too many clients", "remaining connection slots", "max number of clients", "too many connections for role", "too many connections for database", "no more connections allowed",
		"max_user_connections", "max_connections_per_hour", "error 1040", "er_con_count_error", "too many connections", "connection limit exceeded", "connection refused because too many open connections",
		"maximum number of connections reached", "server reached max connections", "accepting new connections paused", "toomanyconnectionserror", "is blocked because of many connection errors", "connection limit (… is reached",
	}},
	{Starting, Behind, []string{
		"the database system is starting up", "the database system is shutting down", "the database system is in recovery mode", "the database system is not yet accepting connections",
		"loading redis is loading", "masterdown link", "interruptedatshutdown", "terminating connection due to administrator command", "shutdown in progress", "clusterdown",
		"busyloadingerror", "cannotconnectnowerror", "connection_forced", "maintenance mode", "under maintenance", "down for maintenance",
	}},
	{Locking, Behind, []string{
		"deadlock detected", "deadlock found", "lock wait timeout exceeded", "database is locked", "database table is locked", "could not serialize access", "canceling statement due to lock timeout",
		"could not obtain lock", "still waiting for … after", "lock timeout", "lock request time out period exceeded", "writeconflict", "ora-00060", "ora-00054",
	}},
	{Schema, Behind, []string{
		"relation \"…\" does not exist", "column \"…\" does not exist", "undefinedtable", "undefinedcolumn", "unknown column", "no such table", "no such column", "er_no_such_table", "er_bad_field_error",
		"doesn't exist in engine", "invalid object name", "unknown command '", "cached plan must not change result type", "violates not-null constraint", "violates check constraint", "violates foreign key constraint", "value too long for type",
		"invalid input syntax for type", "wrongtype operation against a key", "data too long for column", "doesn't have a default value", "not_found - no queue", "not_found - no exchange", "precondition_failed - ",
	}},
	{Credentials, Behind, []string{
		"password authentication failed", "noauth authentication required", "wrongpass", "access denied for user", "no pg_hba.conf entry", "role \"…\" does not exist", "er_access_denied_error",
		"scram authentication failed", "sasl authentication failed", "invalid username-password pair", "err invalid password", "authentication required.", "pg_hba.conf rejects connection", "access_refused - ", "authenticationerror", "authentication unsuccessful",
	}},
	{Forbidden, Behind, []string{
		"permission denied for table", "permission denied for relation", "permission denied for schema", "permission denied for sequence", "command denied to user", "noperm", "not authorized on", "must be owner of",
	}},
	{Late, Behind, []string{
		"busy redis is busy running a script", "canceling statement due to statement timeout", "maximum statement execution time exceeded", "query execution was interrupted", "statement timeout", "maxtimemsexpired",
	}},
	{SlowReader, Behind, []string{"slow consumer detected", "slow consumer, messages dropped", "overcoming of output buffer limits"}},

	// Pools, threads, queues.
	{Pool, Writer, []string{
		"connection is not available, request timed out", "queuepool limit", "pool exhausted", "pool is exhausted", "pool timeout", "poolexhausted", "connection pool is full", "connection pool exhausted",
		"connection pool timeout", "timeout waiting for connection from pool", "timeout acquiring a connection", "timed out acquiring", "timeout acquiring", "timed out waiting for a connection", "timed out fetching a new connection",
		"timeout exceeded when trying to connect", "unable to acquire", "could not acquire", "could not get a resource from the pool", "no available connection", "no free connection", "waiting for connection from pool",
		"too many open connections", "pool is full", "could not … from pool", "unable to … from pool", "failed to … from pool", "timeout … from pool", "waiting for … from pool", "error … from pool", "bulkhead", "semaphore timed out", "query_wait_timeout", "waitqueuetimeout", "no more connections in pool",
	}},
	{Workers, Writer, []string{
		"server reached pm.max_children", "server reached maxrequestworkers", "server reached maxclients", "scoreboard is full", "rejectedexecutionexception", "all threads (…) are currently busy", "maximum number of threads",
		"thread pool is exhausted", "threadpool exhausted", "thread pool exhausted", "thread limit", "can't start new thread", "unable to create new native thread", "unable to create native thread", "pthread_create failed",
		"resource temporarily unavailable: retrying", "fork: retry", "cannot fork", "no worker available", "all workers busy", "worker pool is full", "too many workers", "within minsparethreads", "seems busy (you may need to increase", "could not fork new process", "can't create a new thread",
	}},
	{Files, Writer, []string{"reached process fd limit", "reached system fd limit"}},
	{Slots, Writer, []string{
		"worker_connections are not enough", "worker_connections exceed open file", "connection limit reached", "too many active connections", "max connections reached", "proxy … reached … limit", "limiting connections by zone",
		"maximum connections reached", "reached connection limit", "maxconn reached", "session limit reached", "server reached max",
	}},
	{Queue, Writer, []string{
		"reset reason: overflow", "pending overflow", "queue is full", "queue full", "queue timeout", "listen queue … full", "server too busy", "server is overloaded", "overloaded", "load shed", "rejected_execution_exception", "esrejectedexecution",
	}},
	{Backlog, Writer, []string{"possible syn flooding", "request_sock_tcp: possible", "listen queue of the socket", "backlog is full", "resource temporarily unavailable) while connecting to upstream"}},
	{Tracking, Writer, []string{"table full, dropping packet", "nf_conntrack: table full", "ip_conntrack: table full"}},
	{Files, Writer, []string{"too many open files", "emfile", "enfile", "file table overflow", "process file descriptor limit", "no file descriptors available", "no descriptors available"}},
	{Ports, Writer, []string{
		"cannot assign requested address", "can't assign requested address", "eaddrnotavail", "no free ports", "no port available", "address not available) while connecting", "cannot bind to source address",
	}},
	{FileAccess, Writer, []string{
		"read-only file system", "erofs", "input/output error", "eio: i/o error", "stale file handle", "stale nfs file handle", "structure needs cleaning", "failed (13: permission denied)", "permission denied, open", "permission denied, mkdir",
		"permission denied, unlink", "permission denied, rename", "permission denied, scandir", "permission denied, stat", "permission denied, write", "permissionerror: [errno 13]", "permissionerror: [errno 1]", "accessdeniedexception: /",
		"(permission denied)", "failed to open stream: permission denied", "open /… permission denied", "mkdir /… permission denied", "rename /… permission denied", "remove /… permission denied", "could not open file … permission denied",
		"cannot open … permission denied", "can't open … permission denied", "unable to open database file", "couldn't open … permission denied", "eacces, open",
	}},
	{Disk, Writer, []string{"no space left on device", "enospc", "disk quota exceeded", "disk full", "not enough disk space"}},
	{Memory, Writer, []string{
		"out of memory", "cannot allocate memory", "outofmemoryerror", "heap space", "enomem", "memoryerror", "heap out of memory", "oom-kill", "memory cgroup out of memory", "allocation failed", "std::bad_alloc",
		"gc overhead limit exceeded", "allowed memory size of", "outofmemory", "reached system memory limit",
	}},

	// Refusals.
	{Certificate, Writer, []string{
		"no required ssl certificate", "the ssl certificate error", "client certificate required", "certificate required", "peer did not return a certificate", "client sent no required ssl certificate",
	}},

	// An answer that was not accepted.
	{BadAnswer, Writer, []string{
		"upstream sent too big header", "upstream sent invalid header", "upstream sent no valid http", "upstream sent invalid chunked", "upstream sent more data than specified", "upstream sent unsupported",
		"the answer was refused by the proxy", "malformed http response", "invalid http response", "bad http response", "parse error: expected http/", "hpe_invalid", "badstatusline",
		"response headers too large", "too many response headers",
	}},

	{Mismatch, Behind, []string{
		"tls alert: protocol version", "tls alert: handshake failure", "tls alert: insufficient security", "tls alert: no application protocol", "alert protocol version", "alert handshake failure", "alert insufficient security",
		"protocol version not supported", "unsupported protocol", "no protocols available", "no shared cipher", "no cipher overlap", "no cipher suite supported by both", "no cipher match", "version too low", "unsupported ssl/tls version",
		"no supported versions satisfy", "client offered only unsupported versions", "server selected unsupported protocol version", "err_ssl_version_or_cipher_mismatch", "no appropriate protocol", "received fatal alert: protocol_version", "received fatal alert: handshake_failure",
		"inappropriate fallback", "remote error: tls: handshake failure", "remote error: tls: protocol version not supported",
	}},
	{Certificate, Behind, []string{
		"tls alert: ", "upstream ssl certificate verify error", "certificate has expired", "certificate verify failed", "certificate is not yet valid", "unable to get local issuer", "self-signed certificate", "self signed certificate",
		"x509:", "unknown ca", "unknown authority", "bad certificate", "certificate_verify_failed", "depth_zero_self_signed", "cert_has_expired", "err_tls_cert_altname", "unable_to_verify_leaf",
		"pkix path building failed", "sslhandshakeexception", "tls error: ", "ssl_do_handshake() failed", "ssl handshake failure", "layer6 invalid response: \"ssl", "certificate expired", "while ssl handshaking to upstream", "before secure tls connection was established", "wrong version number", "tlsv1 alert", "sslv3 alert", "hostname mismatch",
		"certificate is not valid", "handshake failure",
	}},
	{Rate, Writer, []string{
		"rate limit exceeded", "rate limit reached", "rate limit hit", "rate limited", "rate limit\"", "rate limit for ", "rate limit of ", "hit the rate limit", "hit rate limit", "over the rate limit", "over rate limit", "exceeds rate limit", "exceeds the rate limit", "due to rate limit", "by rate limit", "by the rate limit", "ratelimited", "ratelimit exceeded", "ratelimit reached", "rate-limit", "limiting requests", "too many requests", "quota exceeded", "over quota", "exceeded your quota", "throttl", "request limit", "slow down", "toomanyrequests", "retry later", "refused by a rule of the proxy", "local_rate_limited", "throughputexceeded", "requests per second exceeded",
	}},
	{Credentials, Writer, []string{
		"token expired", "expired token", "jwt expired", "invalid token", "invalid_token", "token is expired", "token has expired", "invalid api key", "bad credentials", "invalid credentials", "authentication failed",
		"signature has expired", "not authenticated", "authentication required", "unauthenticated", "tokenexpirederror", "invalid signature", "no user/password was provided", "password mismatch", "invalid bearer",
		"authorization required", "token is not yet valid", "token used before issued", "signature not yet current", "requesttimetooskewed",
	}},
	{Large, Writer, []string{
		"entity too large", "payload too large", "content too large", "uri too long", "uri too large", "header fields too large", "cookie too large", "header or cookie too large", "body too large", "headers too large",
		"client intended to send too large body", "client sent too long header", "client sent too long uri", "request line is too", "hpe_header_overflow", "limit request line is too large", "request header is too large",
		"request headers too large", "max_allowed_packet", "field larger than field limit", "recordtoolarge", "message larger than max", "too large",
	}},

	// An answer of the next hop.
	{Short, Writer, []string{
		"wrote less than declared content-length", "declared content-length", "wrote more than the declared content-length", "incompleteread", "content-length mismatch", "err_content_length_mismatch",
		"response body length does not match", "too little data", "unexpected end of file while reading",
	}},
	{NoServer, Behind, []string{
		"no live upstreams", "due to maintenance downtime or capacity problems", "circuit breaker: ", "circuit open", "circuit is open", "breaker is open", "no healthy upstream", "no server is available", "no server available", "has no server available", "no endpoints", "all backends failed", "backend fetch failed", "no available server",
		"all servers are down", "all workers are in error state", "host is down", "is marked down", "is down, reason:", "disabling worker for", "server selection timed out", "serverselectionerror", "leader not available", "broker not available",
	}},
	{Withheld, Behind, []string{"server login has been failing, try again later", "server login failing, try again later"}},
	{Name, Writer, []string{
		"name or service not known", "could not resolve", "no such host", "temporary failure in name resolution", "enotfound", "eai_again", "server misbehaving", "nxdomain", "getaddrinfo failed", "getaddrinfo error", "getaddrinfo: ", "getaddrinfo() ", "getaddrinfo(…) failed", "could not be resolved",
		"unknownhostexception", "host not found", "nodename nor servname", "dns resolution failed", "no answer from the name server",
	}},
	{NoRoute, Behind, []string{"no route to host", "failed (22: invalid argument) while connecting", "network is unreachable", "ehostunreach", "enetunreach", "host is unreachable", "noroutetohost"}},
	{Refused, Behind, []string{"pgbouncer cannot connect to server", "connection refused", "econnrefused", "connection failure", "actively refused"}},
	{NoConnect, Behind, []string{"reset reason: connection timeout", "dial tcp … i/o timeout"}},
	{Slow, Behind, []string{"read tcp … i/o timeout", "write tcp … i/o timeout"}},
	{Closed, Behind, []string{
		"upstream prematurely closed", "server closed the connection unexpectedly", "remotedisconnected", "remote end closed connection", "socket hang up", "unexpected eof", "reset reason: connection termination",
		"server disconnected", "connection closed before", "connection was closed", "premature end of", "upstream closed", "connection lost", "gone away", "closed by peer", "closed the connection", "end of script output before headers",
		"nohttpresponseexception", "failed to respond", "prematurely closed", "server closed connection", "error reading status line from remote server", "other side closed", "und_err_socket", "error reading from remote server",
	}},
	{Reset, Behind, []string{
		"connection reset by peer", "econnreset", "reset reason: remote", "reset reason: connection failure", "connection reset", "broken pipe", "epipe", "connection aborted", "upstream connect error", "upstream reset",
	}},
	{Slow, Behind, []string{"timed out) while reading", "timed out) while sending"}},
	{NoConnect, Behind, []string{
		"timed out) while connecting to upstream", "connect timed out", "connection timed out", "etimedout", "connect timeout", "i/o timeout", "upstream connection timeout", "connection timeout",
	}},
	{Slow, Behind, []string{
		"upstream timed out", "upstream request timeout", "gateway time-out", "gateway timeout", "stream timeout", "context deadline exceeded", "deadline_exceeded", "deadlineexceeded", "read timed out", "sockettimeoutexception",
		"response timeout", "request timed out", "timed out reading", "timeout was reached", "und_err_headers_timeout", "esockettimedout", "the timeout specified has expired", "timeout of … exceeded", "query read timeout",
	}},
	{Killed, Writer, []string{"worker timeout (pid", "worker timeout", "was sent sigkill! perhaps out of memory", "harakiri", "execution timed out (", "terminating worker", "killing worker ", "health check failed: restarting", "maximum execution time of"}},
	{Exception, Writer, []string{"php fatal error"}}, // it ends a request, and not the process
	{Crashed, Writer, []string{
		"segfault at", "segmentation fault", "core dumped", "exited on signal 4", "exited on signal 6", "exited on signal 7", "exited on signal 8", "exited on signal 9", "exited on signal 11", "exited with code 1", "exited with code 2", "sigsegv", "sigabrt", "terminated by signal", "general protection fault", "child pid … exit signal",
		"panic: ", "fatal error: ", "fatal exception", "main process exited, code=", "uncaughtexception", "abnormal termination", "exception in thread \"main\"", "triggeruncaughtexception", "throw er; // unhandled",
	}},
	{Exception, Writer, []string{
		"traceback (most recent call last)", "exception in thread", "unhandled exception", "uncaught exception", "unhandled rejection", "unhandledpromiserejection", "nullpointerexception", "null pointer", "nil pointer dereference",
		"index out of range", "is not a function", "cannot read propert", "is not defined", "keyerror", "attributeerror", "indexerror", "valueerror", "typeerror", "referenceerror", "zerodivisionerror", "recursionerror",
		"stackoverflowerror", "maximum call stack", "illegalstateexception", "illegalargumentexception", "classcastexception", "undefined method", "nomethoderror", "runtime error:", "http: panic serving", "at java.", "segmentation violation", "primary script unknown", "no python application found", "error handling request", "no such file or directory",
		"filenotfounderror", "enoent", "cannot find module", "modulenotfounderror", "importerror", "noclassdeffounderror", "nosuchmethoderror", "assertionerror", "jsondecodeerror", "unexpected token",
	}},
	{Forbidden, Writer, []string{"permission denied", "access denied", "access is denied", "eacces", "forbidden by", "not permitted", "not authorized", "insufficient privilege", "csrf", "permissiondenied", "directory index of … is forbidden"}},
	{Locking, Behind, []string{"a deadlock", "deadlock victim", "deadlocked", "deadlock:", "serialization failure"}},
}
