package says

import "strings"

// sqlClasses are the classes of SQLSTATE that say something as a whole.
var sqlClasses = map[string]coded{
	"08": {meaning: Closed, of: Behind, weak: true}, "28": {meaning: Credentials, of: Behind}, "42": {meaning: Schema, of: Behind, weak: true},
	"53": {meaning: Store, of: Behind, weak: true}, "3D": {meaning: Schema, of: Behind}, "3F": {meaning: Schema, of: Behind},
}

// sqlCondition is a code of SQLSTATE: its name in PostgreSQL, after which drivers name
// their classes, and what it says.
type sqlCondition struct {
	code, name string
	coded
}

// sqlConditions are those that say more or less than their class; None says nothing.
var sqlConditions = []sqlCondition{
	{"08001", "sqlclient_unable_to_establish_sqlconnection", coded{NoConnect, Behind, true}},
	{"08004", "sqlserver_rejected_establishment_of_sqlconnection", coded{}},
	{"08P01", "", coded{}}, // pgbouncer uses it for any error
	{"22001", "string_data_right_truncation", coded{Schema, Behind, false}},
	{"22P02", "invalid_text_representation", coded{Schema, Behind, false}},
	{"2200H", "sequence_generator_limit_exceeded", coded{Identifiers, Behind, false}},
	{"23502", "not_null_violation", coded{Schema, Behind, false}},
	{"23503", "foreign_key_violation", coded{Schema, Behind, false}},
	{"23514", "check_violation", coded{Schema, Behind, false}},
	{"25006", "read_only_sql_transaction", coded{ReadOnly, Behind, false}},
	{"28000", "invalid_authorization_specification", coded{Credentials, Behind, false}},
	{"28P01", "invalid_password", coded{Credentials, Behind, false}},
	{"3D000", "invalid_catalog_name", coded{Schema, Behind, false}},
	{"3F000", "invalid_schema_name", coded{Schema, Behind, false}},
	{"40001", "serialization_failure", coded{Locking, Behind, false}},
	{"40P01", "deadlock_detected", coded{Locking, Behind, false}},
	{"42501", "insufficient_privilege", coded{Forbidden, Behind, false}},
	{"42601", "", coded{}}, // a syntax error
	{"42703", "undefined_column", coded{Schema, Behind, false}},
	{"42704", "undefined_object", coded{Schema, Behind, false}},
	{"42710", "", coded{}},
	{"42804", "datatype_mismatch", coded{Schema, Behind, false}},
	{"42883", "undefined_function", coded{Schema, Behind, false}},
	{"42P01", "undefined_table", coded{Schema, Behind, false}},
	{"42P05", "", coded{}}, // a prepared statement that another session made
	{"42P07", "", coded{}},
	{"42S02", "", coded{Schema, Behind, false}}, // the ODBC spelling of a MySQL error
	{"42S22", "", coded{Schema, Behind, false}},
	{"53100", "disk_full", coded{Disk, Behind, false}},
	{"53200", "", coded{Store, Behind, false}},
	{"53300", "too_many_connections", coded{Connections, Behind, false}},
	{"53400", "", coded{}},
	{"55P03", "lock_not_available", coded{Locking, Behind, false}},
	{"57014", "query_canceled", coded{Late, Behind, false}},
	{"57P01", "admin_shutdown", coded{Starting, Behind, false}},
	{"57P02", "crash_shutdown", coded{Starting, Behind, false}},
	{"57P03", "cannot_connect_now", coded{Starting, Behind, false}},
	{"57P04", "database_dropped", coded{Schema, Behind, false}},
	{"57P05", "", coded{Closed, Behind, false}},
	{"58030", "", coded{FileAccess, Behind, false}},
	{"58P01", "undefined_file", coded{FileAccess, Behind, false}},
	{"72000", "snapshot_too_old", coded{Late, Behind, false}},
	{"XX001", "data_corrupted", coded{FileAccess, Behind, true}},
	{"XX002", "index_corrupted", coded{FileAccess, Behind, true}},
}

// sqlWords are what drivers and servers say in words that the vocabulary does not have.
var sqlWords = []wording{
	{Refused, Behind, []string{"can't connect to mysql server on … (111", "can't connect to server on … (111", "can't connect to local mysql server through socket", "can't connect to local server through socket", "can't connect to local mariadb server"}},
	{NoConnect, Behind, []string{"can't connect to mysql server on … (110", "can't connect to server on … (110", "can't connect to mysql server on … (115", "can't connect to server on … (115"}},
	{NoRoute, Behind, []string{"can't connect to mysql server on … (113", "can't connect to server on … (113"}},
	{Name, Writer, []string{"unknown mysql server host", "unknown server host", "could not translate host name"}},
	{Starting, Behind, []string{"wsrep has not yet prepared node", "server shutdown in progress", "database system is not accepting connections", "vault is sealed", "database is being recovered", "ora-01033", "ora-01034", "ora-01089"}},
	{Late, Behind, []string{"conflict with recovery", "execution timeout expired", "user requested cancel of current operation"}},
	{Locking, Behind, []string{"could not acquire lock", "unable to acquire lock", "failed to acquire lock", "could not acquire … lock", "restart transaction: "}},
	{Closed, Behind, []string{"due to idle-in-transaction timeout", "due to idle-session timeout", "has been closed unexpectedly", "connection closed unexpectedly", "the socket is closed"}},
	{Credentials, Behind, []string{"is not allowed to connect to this"}},
	{Connections, Behind, []string{"has exceeded the 'max_user_connections'", "the negotiated channel_max", "ora-12516", "ora-12519", "ora-12520", "resource limits reached … sessions"}},
	{Schema, Behind, []string{"unknown database", "no partition of relation", "does not exist at character", "no such module", "has no column named"}},
	{Disk, Behind, []string{"errno: 28 -", "errno: 28 \"", "got error 28", "database or disk is full"}},
	{FileAccess, Writer, []string{"disk i/o error", "database disk image is malformed", "could not read block … in file", "could not write block", "could not fsync file"}},
}

// mysqlErrors are errors of MySQL and MariaDB by number, with the names that both have for
// them: ER_ of the server, CR_ of the client.
var mysqlErrors = map[int]struct {
	name string
	coded
}{
	1021: {"ER_DISK_FULL", coded{Disk, Behind, false}},
	1037: {"ER_OUTOFMEMORY", coded{Store, Behind, false}},
	1038: {"ER_OUT_OF_SORTMEMORY", coded{Store, Behind, false}},
	1040: {"ER_CON_COUNT_ERROR", coded{Connections, Behind, false}},
	1041: {"ER_OUT_OF_RESOURCES", coded{Store, Behind, false}},
	1044: {"ER_DBACCESS_DENIED_ERROR", coded{Forbidden, Behind, false}},
	1045: {"ER_ACCESS_DENIED_ERROR", coded{Credentials, Behind, false}},
	1047: {"ER_UNKNOWN_COM_ERROR", coded{Starting, Behind, true}}, // Galera sends it from a node that is not ready
	1048: {"ER_BAD_NULL_ERROR", coded{Schema, Behind, false}},
	1049: {"ER_BAD_DB_ERROR", coded{Schema, Behind, false}},
	1053: {"ER_SERVER_SHUTDOWN", coded{Starting, Behind, false}},
	1054: {"ER_BAD_FIELD_ERROR", coded{Schema, Behind, false}},
	1114: {"ER_RECORD_FILE_FULL", coded{Store, Behind, false}},
	1129: {"ER_HOST_IS_BLOCKED", coded{Connections, Behind, false}},
	1130: {"ER_HOST_NOT_PRIVILEGED", coded{Credentials, Behind, false}},
	1135: {"ER_CANT_CREATE_THREAD", coded{Workers, Behind, false}},
	1136: {"ER_WRONG_VALUE_COUNT_ON_ROW", coded{Schema, Behind, false}},
	1142: {"ER_TABLEACCESS_DENIED_ERROR", coded{Forbidden, Behind, false}},
	1143: {"ER_COLUMNACCESS_DENIED_ERROR", coded{Forbidden, Behind, false}},
	1146: {"ER_NO_SUCH_TABLE", coded{Schema, Behind, false}},
	1153: {"ER_NET_PACKET_TOO_LARGE", coded{Large, Writer, false}},
	1158: {"ER_NET_READ_ERROR", coded{Closed, Behind, true}},
	1159: {"ER_NET_READ_INTERRUPTED", coded{Slow, Behind, true}},
	1203: {"ER_TOO_MANY_USER_CONNECTIONS", coded{Connections, Behind, false}},
	1205: {"ER_LOCK_WAIT_TIMEOUT", coded{Locking, Behind, false}},
	1206: {"ER_LOCK_TABLE_FULL", coded{Store, Behind, false}},
	1213: {"ER_LOCK_DEADLOCK", coded{Locking, Behind, false}},
	1227: {"ER_SPECIFIC_ACCESS_DENIED_ERROR", coded{Forbidden, Behind, false}},
	1290: {"ER_OPTION_PREVENTS_STATEMENT", coded{ReadOnly, Behind, true}},
	1305: {"ER_SP_DOES_NOT_EXIST", coded{Schema, Behind, false}},
	1317: {"ER_QUERY_INTERRUPTED", coded{Late, Behind, false}},
	1364: {"ER_NO_DEFAULT_FOR_FIELD", coded{Schema, Behind, false}},
	1366: {"ER_TRUNCATED_WRONG_VALUE_FOR_FIELD", coded{Schema, Behind, false}},
	1406: {"ER_DATA_TOO_LONG", coded{Schema, Behind, false}},
	1452: {"ER_NO_REFERENCED_ROW_2", coded{Schema, Behind, false}},
	1467: {"ER_AUTOINC_READ_FAILED", coded{Identifiers, Behind, false}},
	1614: {"ER_XA_RBDEADLOCK", coded{Locking, Behind, false}},
	1792: {"ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION", coded{ReadOnly, Behind, false}},
	1836: {"ER_READ_ONLY_MODE", coded{ReadOnly, Behind, false}},
	1927: {"ER_CONNECTION_KILLED", coded{Closed, Behind, false}},
	1969: {"ER_STATEMENT_TIMEOUT", coded{Late, Behind, false}},
	2002: {"CR_CONNECTION_ERROR", coded{Refused, Behind, true}},
	2003: {"CR_CONN_HOST_ERROR", coded{NoConnect, Behind, true}},
	2005: {"CR_UNKNOWN_HOST", coded{Name, Writer, false}},
	2006: {"CR_SERVER_GONE_ERROR", coded{Closed, Behind, false}},
	2013: {"CR_SERVER_LOST", coded{Closed, Behind, false}},
	2020: {"CR_NET_PACKET_TOO_LARGE", coded{Large, Writer, false}},
	2026: {"CR_SSL_CONNECTION_ERROR", coded{Certificate, Behind, false}},
	2055: {"CR_SERVER_LOST_EXTENDED", coded{Closed, Behind, false}},
	3024: {"ER_QUERY_TIMEOUT", coded{Late, Behind, false}},
	3572: {"ER_LOCK_NOWAIT", coded{Locking, Behind, false}},
	4031: {"ER_CLIENT_INTERACTION_TIMEOUT", coded{Closed, Behind, false}},
}

// oracle and sqlServer are errors of these two by number.
var (
	oracle = map[int]coded{
		18: {Connections, Behind, false}, 20: {Connections, Behind, false}, 54: {Locking, Behind, false}, 60: {Locking, Behind, false}, 257: {Disk, Behind, false}, 600: {}, 904: {Schema, Behind, false}, 942: {Schema, Behind, false},
		1000: {Store, Behind, false}, 1013: {Late, Behind, false}, 1017: {Credentials, Behind, false}, 1031: {Forbidden, Behind, false}, 1033: {Starting, Behind, false}, 1034: {Starting, Behind, false}, 1089: {Starting, Behind, false},
		1555: {Late, Behind, false}, 1653: {Disk, Behind, false}, 1654: {Disk, Behind, false}, 2391: {Connections, Behind, false}, 3113: {Closed, Behind, false}, 3114: {Closed, Behind, false}, 3135: {Closed, Behind, false}, 4031: {Store, Behind, false}, 8177: {Locking, Behind, false},
		12154: {Name, Writer, true}, 12170: {NoConnect, Behind, false}, 12514: {NoServer, Behind, false}, 12516: {Connections, Behind, false}, 12519: {Connections, Behind, false}, 12520: {Connections, Behind, false}, 12535: {NoConnect, Behind, false},
		12537: {Closed, Behind, false}, 12541: {Refused, Behind, false}, 12545: {Name, Writer, true}, 16000: {ReadOnly, Behind, false}, 28000: {Credentials, Behind, false}, 30006: {Locking, Behind, false},
	}
	sqlServer = map[int]coded{
		207: {Schema, Behind, false}, 208: {Schema, Behind, false}, 701: {Store, Behind, false}, 1105: {Disk, Behind, false}, 1205: {Locking, Behind, false}, 1222: {Locking, Behind, false}, 3906: {ReadOnly, Behind, false}, 3960: {Locking, Behind, false},
		4060: {Schema, Behind, true}, 8645: {Store, Behind, false}, 9002: {Disk, Behind, false}, 10928: {Connections, Behind, false}, 10929: {Connections, Behind, false}, 17809: {Connections, Behind, false}, 17810: {Connections, Behind, false}, 18456: {Credentials, Behind, false},
		229: {Forbidden, Behind, false}, 40197: {Starting, Behind, true}, 40501: {Rate, Behind, false}, 40613: {Starting, Behind, false},
	}
)

// sqlState reads a code of SQLSTATE, in the forms in which drivers and servers write it.
func sqlState(low string, t token, text, before string, letters bool) (coded, bool) {
	next := byte(0)
	if t.to < len(low) {
		next = low[t.to]
	}
	quoted := t.from > 0 && (low[t.from-1] == '\'' || low[t.from-1] == '"') && next == low[t.from-1]
	bare := false
	switch {
	case before == "sqlstate", before == "sql_state", before == "state" && strings.Contains(low, "sql"):
	case before == "code" && quoted, before == "pgcode":
	case (before == "error" || before == "fatal" || before == "panic" || strings.HasPrefix(before, "0x8")) && next == ':' && t.from > 1 && low[t.from-2] == ':':
	case letters && text[2] == 'p': // PostgreSQL's own states, whose form is unique
		bare = true
	default:
		return coded{}, false
	}
	for i := range sqlConditions {
		if c := &sqlConditions[i]; strings.EqualFold(c.code, text) {
			return c.coded, true
		}
	}
	c, ok := sqlClasses[strings.ToUpper(text[:2])]
	return c, ok && !bare
}

// mysqlNumber reads an error's number, in the forms in which clients of MySQL write it:
// ERROR 1040 (08004), Error 1040: , [1040], (1040, "Too many connections").
func mysqlNumber(low string, t token, n int, one, two string) (coded, bool) {
	e, known := mysqlErrors[n]
	if !known {
		return coded{}, false
	}
	rest := low[t.to:]
	first, last := byte(0), byte(0)
	if t.from > 0 {
		last = low[t.from-1]
	}
	if rest != "" {
		first = rest[0]
	}
	state := len(rest) >= 8 && rest[0] == ' ' && rest[1] == '(' && rest[7] == ')' && tokenByte(rest[2]) && tokenByte(rest[6])
	switch {
	case state && (one == "" || one == "error" || one == "code"), state && !strings.ContainsAny(rest[2:7], "gjkmqtvwz") && digits(rest[2:7]) >= 2:
	case one == "error" && (first == ':' || first == ',' || two == "general" || two == "sql" || two == "mysql") && last != '.':
	case one == "errno", one == "error_code", one == "code" && two == "error", one == "mysql":
	case last == '[' && first == ']' && strings.Contains(low, "sqlstate"):
	case last == '(' && (strings.HasPrefix(rest, ", \"") || strings.HasPrefix(rest, ", '") || strings.HasPrefix(rest, ", u'")):
	default:
		return coded{}, false
	}
	return e.coded, true
}

// prismaCodes are what Prisma's client says of the database.
var prismaCodes = map[string]coded{
	"p1000": {Credentials, Behind, false}, "p1001": {Refused, Behind, true}, "p1002": {NoConnect, Behind, false}, "p1003": {Schema, Behind, false}, "p1008": {Slow, Behind, false}, "p1010": {Forbidden, Behind, false}, "p1011": {Certificate, Behind, false},
	"p1017": {Closed, Behind, false}, "p2021": {Schema, Behind, false}, "p2022": {Schema, Behind, false}, "p2024": {Pool, Writer, false}, "p2034": {Locking, Behind, false}, "p2037": {Connections, Behind, false},
}

func prisma(_ string, _ token, text, before string) (coded, bool) {
	if before != "code" && before != "error" {
		return coded{}, false
	}
	c, ok := prismaCodes[text]
	return c, ok
}

// sqlNames are the names of conditions and errors.
func sqlNames() []naming {
	var out []naming
	for _, c := range sqlConditions {
		if c.name != "" && !c.weak && c.meaning != None {
			out = append(out, naming{c.meaning, c.of, c.name})
		}
	}
	for n := range maxErrno + 1000 {
		if e, ok := mysqlErrors[n]; ok && !e.weak {
			out = append(out, naming{e.meaning, e.of, e.name})
		}
	}
	return out
}

// digits counts those of a text: a state of SQL has at least two, a word has none.
func digits(s string) (n int) {
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			n++
		}
	}
	return n
}
