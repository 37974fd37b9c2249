package says

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadCodes reads errors by their codes and classes, in the forms in which drivers and
// runtimes write them, where no wording is known.
func TestReadCodes(t *testing.T) {
	for _, test := range []struct {
		text    string
		meaning Meaning
		of      Of
	}{
		// SQLSTATE.
		{`SQLSTATE[53300]: FATAL: désolé, trop de clients sont déjà connectés`, Connections, Behind},
		{`FEHLER: zu viele Verbindungen (SQLSTATE 53300)`, Connections, Behind},
		{`{ length: 85, severity: 'FATAL', code: '53300', file: 'proc.c' }`, Connections, Behind},
		{`{"code":"57P03","severity":"FATAL"}`, Starting, Behind},
		{`org.hibernate.util.JDBCExceptionReporter - SQL Error: 0, SQLState: 40P01`, Locking, Behind},
		{`Npgsql.PostgresException (0x80004005): 53300: désolé`, Connections, Behind},
		{`FATAL:  57P01: fermeture de la connexion`, Starting, Behind},
		{`psycopg.errors.TooManyConnections: FATAL`, Connections, Behind},
		{`psycopg2.errors.LockNotAvailable: l'attente du verrou`, Locking, Behind},
		{`asyncpg.exceptions.CannotConnectNowError: nein`, Starting, Behind},
		{`psycopg.errors.ReadOnlySqlTransaction: nicht möglich`, ReadOnly, Behind},
		{`pq: 42P01`, Schema, Behind},
		{`SQLSTATE[08006] [7] FATAL:  sorry, too many clients already`, Connections, Behind},
		{`SQLSTATE[08006] [7]`, Closed, Behind},
		{`SQLSTATE[42999]: unknown`, Schema, Behind},

		// MySQL.
		{`ERROR 1040 (08004): Zu viele Verbindungen`, Connections, Behind},
		{`(1040, "Demasiadas conexiones")`, Connections, Behind},
		{`Error 1205: Beim Warten auf eine Sperre`, Locking, Behind},
		{`SQLSTATE[HY000]: General error: 1205 trop long`, Locking, Behind},
		{`SQLSTATE[HY000] [1040] trop`, Connections, Behind},
		{`Error: ER_LOCK_DEADLOCK: x`, Locking, Behind},
		{`{ code: 'ER_USER_LIMIT', errno: 1203 }`, Connections, Behind},
		{`error returned from database: 1290 (HY000): x`, ReadOnly, Behind},
		{`1040 (08004): x`, Connections, Behind},
		{`ERROR 2003 (HY000): Can't connect to MySQL server on 'db' (111)`, Refused, Behind},
		{`ERROR 2003 (HY000): Can't connect to MySQL server on 'db' (113)`, NoRoute, Behind},
		{`SQLSTATE[HY000] [2002] No such file`, Refused, Behind},
		{`ORA-12516: TNS:listener could not find available handler`, Connections, Behind},
		{`Msg 1205, Level 13, State 51`, Locking, Behind},
		{`PrismaClientKnownRequestError { code: 'P2024' }`, Pool, Writer},

		// Errors of the system.
		{`OSError: [Errno 24] Zu viele offene Dateien`, Files, Writer},
		{`accept() failed (24: Zu viele offene Dateien)`, Files, Writer},
		{`open: (os error 28)`, Disk, Writer},
		{`{ errno: -111, syscall: 'connect' }`, Refused, Behind},
		{`socket.gaierror: [Errno -3] Versuch`, Name, Writer},
		{`errno=30`, FileAccess, Writer},
		{`{:error, :econnrefused}`, Refused, Behind},
		{`accept: EMFILE`, Files, Writer},
		{`Errno::EHOSTUNREACH`, NoRoute, Behind},
		{`System.Net.Sockets.SocketException (10061): x`, Refused, Behind},
		{`System.Net.Sockets.SocketException (111): x`, Refused, Behind},
		{`cURL error 28: x`, Slow, Behind},
		{`curl: (6) x`, Name, Writer},

		// Stores and brokers.
		{`MISCONF Valkey is configured to save RDB snapshots`, ReadOnly, Behind},
		{`LOADING Valkey is loading the dataset in memory`, Starting, Behind},
		{`(error) NOAUTH anything`, Credentials, Behind},
		{`redis.exceptions.BusyLoadingError: x`, Starting, Behind},
		{`MongoServerError: x codeName: 'NotWritablePrimary'`, ReadOnly, Behind},
		{`{"type":"es_rejected_execution_exception","reason":"x"}`, Queue, Writer},
		{`{"type":"cluster_block_exception"}`, ReadOnly, Behind},
		{`Code: 241. DB::Exception: x. (MEMORY_LIMIT_EXCEEDED)`, Store, Behind},
		{`KafkaJSProtocolError: x, type: 'NOT_ENOUGH_REPLICAS'`, ReadOnly, Behind},
		{`org.apache.kafka.common.errors.RecordTooLargeException: x`, Large, Writer},
		{`nats: maximum payload exceeded`, Large, Writer},
		{`nats: slow consumer, messages dropped`, SlowReader, Behind},
		{`Client id=7 addr=10.0.2.2:41516 scheduled to be closed ASAP for overcoming of output buffer limits.`, SlowReader, Behind},
		{`[LDAP: error code 49 - x]`, Credentials, Behind},

		// gRPC: the description first.
		{`rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp 10.0.3.2:50051: connect: connection refused"`, Refused, Behind},
		{`rpc error: code = ResourceExhausted desc = grpc: received message larger than max (5000000 vs. 4194304)`, Large, Writer},
		{`rpc error: code = ResourceExhausted desc = x`, Rate, Writer},
		{`rpc error: code = Unavailable desc = x`, NoServer, Behind},
		{`Error: 14 UNAVAILABLE: x`, NoServer, Behind},
		{`rpc error: code = DeadlineExceeded desc = lock wait timeout exceeded`, Locking, Behind},

		// Names, TLS.
		{`Get "http://payments/": dial tcp: lookup payments on 10.0.0.53:53: read udp 10.0.2.2:4711->10.0.0.53:53: i/o timeout`, Name, Writer},
		{`queryA ESERVFAIL payments`, Name, Writer},
		{`payments could not be resolved (2: Server failure)`, Name, Writer},
		{`send() failed (111: Connection refused) while resolving, resolver: 10.0.0.53:53`, Name, Writer},
		{`SSL_read() failed (SSL: x: SSL alert number 45)`, Certificate, Behind},
		{`SSL alert number 70`, Mismatch, Behind},
		{`received fatal alert: CertificateExpired`, Certificate, Behind},
		{`invalid peer certificate: UnknownIssuer`, Certificate, Behind},
		{`remote error: tls: expired certificate`, Certificate, Behind},
		{`code: 'CERT_NOT_YET_VALID'`, Certificate, Behind},
		{`net/http: TLS handshake timeout`, NoConnect, Behind},

		// Runtimes.
		{`io.github.resilience4j.circuitbreaker.CallNotPermittedException: x`, NoServer, Behind},
		{`io.github.resilience4j.ratelimiter.RequestNotPermitted: x`, Rate, Writer},
		{`Polly.CircuitBreaker.BrokenCircuitException`, NoServer, Behind},
		{`org.springframework.dao.CannotAcquireLockException: x`, Locking, Behind},
		{`ActiveRecord::ConnectionTimeoutError: could not obtain a connection from the pool within 5.000 seconds`, Pool, Writer},
		{`reactor.netty.internal.shaded.reactor.pool.PoolAcquirePendingLimitException: x`, Pool, Writer},
		{`UND_ERR_CONNECT_TIMEOUT`, NoConnect, Behind},
		{`Net::OpenTimeout`, NoConnect, Behind},
		{`ThreadError: can't create Thread: Resource temporarily unavailable`, Workers, Writer},
		{`runtime: failed to create new OS thread (have 4711 already; errno=11)`, Workers, Writer},
		{`jwt.exceptions.ExpiredSignatureError: x`, Credentials, Writer},
		{`TypeError: x`, Exception, Writer},

		// The system.
		{`cgroup: fork rejected by pids controller in /system.slice/orders.service`, Workers, Writer},
		{`EXT4-fs (vda1): Remounting filesystem read-only`, FileAccess, Writer},
		{`I/O error, dev sda, sector 4711 op 0x0:(READ)`, FileAccess, Writer},
		{`gunicorn invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0`, Memory, Writer},
		{`orders.service: Failed with result 'oom-kill'.`, Memory, Writer},
		{`orders.service: Start request repeated too quickly.`, Crashed, Writer},
		{`orders[4711]: segfault at 0 ip 000055d5 sp 00007ffd error 4 in orders`, Crashed, Writer},
	} {
		s, ok := Read(test.text)
		if !ok || s.Meaning != test.meaning || s.Of != test.of {
			t.Errorf("%.110s:\n got %s of %d by %q, want %s of %d", test.text, s.Meaning, s.Of, s.Phrase, test.meaning, test.of)
		}
		if ok && !strings.Contains(strings.ToLower(test.text), strings.Split(s.Phrase, "…")[0]) {
			t.Errorf("%.90s: does not say %q", test.text, s.Phrase)
		}
	}
}

// TestReadInnermost asks for the reason behind the waiting.
func TestReadInnermost(t *testing.T) {
	for text, want := range map[string]Meaning{
		`HikariPool-1 - Connection is not available, request timed out after 30001ms Caused by: org.postgresql.util.PSQLException: Connection to db:5432 refused. Check that. Caused by: java.net.ConnectException: Connection refused`: Refused,
		`HikariPool-1 - Connection is not available, request timed out after 30001ms (total=10, active=10, idle=0, waiting=3)`:                                                                                                          Pool,
		`acquire: timed out waiting for a connection: dial tcp 10.0.3.2:5432: connect: connection refused`:                                                                                                                              Refused,
		`acquire: timed out waiting for a connection: context deadline exceeded`:                                                                                                                                                        Pool,
		`QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00`:                                                                                                                                            Pool,
		`pool timeout: dial tcp: lookup db: no such host`:                                                                                                                                                                               Name,
		`ServletException: x Caused by: java.lang.IllegalStateException: y Caused by: java.net.SocketException: Too many open files`:                                                                                                    Files,
		`GuzzleHttp\Exception\ConnectException: cURL error 28: Operation timed out after 2001 milliseconds`:                                                                                                                             Slow,
		`java.net.ConnectException: Connection timed out`:                                                                                                                                                                               NoConnect,
		`java.net.ConnectException`: Refused,
	} {
		if s, _ := Read(text); s.Meaning != want {
			t.Errorf("%.120s: %s by %q, want %s", text, s.Meaning, s.Phrase, want)
		}
	}
}

// TestReadConcepts understands what no list holds, by the things it names and what it says
// of them.
func TestReadConcepts(t *testing.T) {
	for text, want := range map[string]Meaning{
		"circuit breaker of ledger tripped":                              NoServer,
		"401 Unauthorized":                                               Credentials,
		`{"error":"rate limit"}`:                                         Rate,
		"permit pool of the ledger is depleted":                          Pool,
		"Pool empty. Unable to fetch a connection in 30 s, none idle":    Pool,
		"LeasePoolDepletedException":                                     Pool,
		"could not lease from the pool: timed out":                       Pool,
		"maximum connections were reached":                               Connections,
		"no clients left to serve you, none available":                   Connections,
		"TenantSessionsExhaustedError: acme":                             Connections,
		"all 32 threads are used up":                                     Workers,
		"reason => message_queue_too_long":                               Queue,
		"QueueOverflowException":                                         Queue,
		"the outgoing mailbox is full":                                   Queue,
		"ran out of descriptors":                                         Files,
		"local ports exhausted":                                          Ports,
		"heap limit reached, giving up":                                  Memory,
		"Free disk space is insufficient. Free bytes: 59850752":          Disk,
		"You have exceeded your daily request quota for this API.":       Rate,
		"peer presented a certificate that is expired":                   Certificate,
		"cannot verify caller: token of orders was revoked":              Credentials,
		"payments: circuit is open since 3 s":                            NoServer,
		"waiting for lock on cart 7 timed out":                           Locking,
		"gocql: no hosts available in the pool":                          NoServer,
		"No cluster leader elected":                                      NoServer,
		"AcquisitionTimeoutUsageError":                                   Pool,
		"could not acquire lock on cart: timed out":                      Locking,
		"no response from ledger, call timed out":                        Slow,
		"timed out after 30 s while waiting to connect":                  None,
		"timed out connecting to ledger":                                 NoConnect,
		"could not insert: column tax is missing":                        Schema,
		"rpc error: code = ResourceExhausted desc = permit pool is full": Pool,
	} {
		if s, _ := Read(text); s.Meaning != want {
			t.Errorf("%q: %s by %q, want %s", text, s.Meaning, s.Phrase, want)
		}
	}
	for _, text := range []string{
		"connection pool initialised with a limit of 10", "pool size 10, max 20", "max connections: 100", "thread pool started with maximum 200 threads", "queue length 0, limit 1000", "memory limit 512 MB", "heap max 2 GB", "free disk space 12 GB",
		"token issued for user 7", "certificate is valid until March", "certificate renewed before it expired", "the queue is not full", "connections never exceeded the limit", "try again when the permit pool is depleted", "circuit is closed again", "lock acquired after 3 ms",
		"table orders created", "no connections open", "full sync of the queue done", "rate 100/s, limit 200/s", "password changed", "clients: 5 available", "GET /token/invalid HTTP/1.1", "opened 5 connections to the pool", "password reset link sent", "session of user 7 expired", "rate limit set to 100 requests per second", "rate limiter started", "circuit breaker payments registered, state closed", "disk: 40% full", "table is missing statistics", "Setting NODE_TLS_REJECT_UNAUTHORIZED to 0", "408 Request Timeout", "timeout of 5 s set", "connect to ledger with a timeout of 5 s", "all servers available", "leader elected: node 2", "no nodes were removed", "no reply address",
	} {
		if s, ok := Read(text); ok {
			t.Errorf("%q: %s by %q", text, s.Meaning, s.Phrase)
		}
	}
}

// TestReadSettings takes no setting, counter or number for an error.
func TestReadSettings(t *testing.T) {
	for _, text := range []string{
		"statement_timeout=30s lock_timeout = 0", `{"readTimeout": 5000, "connectTimeout":1000}`, "deadlock_detected: 0", `"too_many_connections": 0`, "took 53300 ms", "order 57014 created", "listening on port 10061", "sent 1040 of 1205 items", "user 1045 logged in",
		"error rate: 24 per minute", "pool_timeout 30", "connect_timeout set to 5", "released 111 connections", "errno=0", "status 14", "code: '00000'", `(1040, 1205)`, "batch 40001 done", "socket_timeout read_timeout network_timeout", "OOMKilled: false",
	} {
		if s, ok := Read(text); ok {
			t.Errorf("%q: %s by %q", text, s.Meaning, s.Phrase)
		}
	}
}

// TestReadRoutine reads what healthy servers wrote while they were started, asked a little
// and stopped: none of it tells of a fault.
func TestReadRoutine(t *testing.T) {
	files, err := filepath.Glob("testdata/routine/*.log")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d files of routine lines: %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if s, ok := Read(line); ok {
				t.Errorf("%s: %s by %q: %s", filepath.Base(f), s.Meaning, s.Phrase, line)
			}
		}
	}
}

// TestVocabularyIsSound looks for what no text could hold, or would be found by chance.
func TestVocabularyIsSound(t *testing.T) {
	x := theIndex()
	if x.inParts > 256 {
		t.Errorf("%d phrases in parts, more than are remembered", x.inParts)
	}
	for g, ps := range x.grams {
		for _, p := range ps {
			if p.phrase != lower(p.phrase) || gram(p.phrase, p.from) != g {
				t.Errorf("%q cannot be found", p.phrase)
			}
			if p.rank >= weakRank {
				t.Errorf("%q of %s has no place among the others", p.phrase, p.meaning)
			}
		}
	}
	planted := 0
	for _, ps := range x.grams {
		planted += len(ps)
	}
	all := 0
	for _, ws := range [][]wording{vocabulary, errnoWords(), sqlWords, storeWords, brokerWords, networkWords(), proxyWords, runtimeWords, systemWords} {
		for _, w := range ws {
			all += len(w.phrases)
		}
	}
	if planted != all {
		t.Errorf("%d of %d phrases can be found: the others have no four bytes in one piece", planted, all)
	}
	for name, h := range x.names {
		if len(name) < 5 || len(name) > maxName || h.meaning == None || h.meaning >= Meanings {
			t.Errorf("name %q of %s", name, h.meaning)
		}
	}
	for n, e := range errnos {
		if e.name == "" && !e.weak || e.meaning == None {
			t.Errorf("errno %d says nothing", n)
		}
	}
}
