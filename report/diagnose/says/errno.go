package says

// errnoEntry is an error of the system: its name, the text that glibc has for it, and what
// it says; None where only what was tried says why.
type errnoEntry struct {
	coded
	name, text string
}

// errnos are those of Linux (asm-generic/errno.h) that say something of a fault, by
// number. Those that say as little as "try again" are not among them.
var errnos = map[int]errnoEntry{
	2:   {coded{meaning: Exception, weak: true}, "ENOENT", ""},
	5:   {coded{meaning: FileAccess}, "EIO", "input/output error"},
	12:  {coded{meaning: Memory}, "ENOMEM", "cannot allocate memory"},
	13:  {coded{meaning: Forbidden, weak: true}, "EACCES", ""},
	19:  {coded{meaning: FileAccess, weak: true}, "ENODEV", ""},
	23:  {coded{meaning: Files}, "ENFILE", "too many open files in system"},
	24:  {coded{meaning: Files}, "EMFILE", "too many open files"},
	27:  {coded{meaning: FileAccess, weak: true}, "EFBIG", ""},
	28:  {coded{meaning: Disk}, "ENOSPC", "no space left on device"},
	30:  {coded{meaning: FileAccess}, "EROFS", "read-only file system"},
	32:  {coded{meaning: Reset, of: Behind}, "EPIPE", ""},
	35:  {coded{meaning: Locking}, "EDEADLK", "resource deadlock avoided"},
	37:  {coded{meaning: FileAccess}, "ENOLCK", "no locks available"},
	71:  {coded{meaning: BadAnswer, weak: true}, "", ""},
	99:  {coded{meaning: Ports}, "EADDRNOTAVAIL", "cannot assign requested address"},
	100: {coded{meaning: NoRoute, of: Behind}, "ENETDOWN", "network is down"},
	101: {coded{meaning: NoRoute, of: Behind}, "ENETUNREACH", "network is unreachable"},
	103: {coded{meaning: Reset, of: Behind, weak: true}, "", ""}, // some clients write it when they give up themselves
	104: {coded{meaning: Reset, of: Behind}, "ECONNRESET", "connection reset by peer"},
	110: {coded{meaning: NoConnect, of: Behind}, "ETIMEDOUT", "connection timed out"},
	111: {coded{meaning: Refused, of: Behind}, "ECONNREFUSED", "connection refused"},
	112: {coded{meaning: NoRoute, of: Behind}, "EHOSTDOWN", ""},
	113: {coded{meaning: NoRoute, of: Behind}, "EHOSTUNREACH", "no route to host"},
	116: {coded{meaning: FileAccess}, "ESTALE", "stale file handle"},
	117: {coded{meaning: FileAccess}, "EUCLEAN", "structure needs cleaning"},
	121: {coded{meaning: FileAccess, weak: true}, "EREMOTEIO", "remote i/o error"},
	122: {coded{meaning: Disk}, "EDQUOT", "disk quota exceeded"},

	3001: {coded{meaning: Name}, "EAI_AGAIN", ""}, // libuv has numbers of its own for errors of names
	3008: {coded{meaning: Name}, "EAI_NONAME", "name or service not known"},
	3007: {coded{meaning: Name}, "EAI_NODATA", "no address associated with hostname"},
	3004: {coded{meaning: Name}, "EAI_FAIL", "non-recoverable failure in name resolution"},
}

// winsock are the errors of sockets as Windows and .NET number them.
var winsock = map[int]coded{
	10013: {meaning: Forbidden, weak: true}, 10024: {meaning: Files}, 10048: {meaning: Ports}, 10049: {meaning: Ports}, 10050: {meaning: NoRoute, of: Behind}, 10051: {meaning: NoRoute, of: Behind},
	10053: {meaning: Reset, of: Behind, weak: true}, 10054: {meaning: Reset, of: Behind}, 10055: {meaning: Ports}, 10060: {meaning: NoConnect, of: Behind}, 10061: {meaning: Refused, of: Behind},
	10065: {meaning: NoRoute, of: Behind}, 11001: {meaning: Name}, 11002: {meaning: Name}, 11003: {meaning: Name}, 11004: {meaning: Name},
}

// curlCodes are what libcurl returns (libcurl-errors(3)).
var curlCodes = map[int]coded{
	5: {meaning: Name}, 6: {meaning: Name}, 7: {meaning: Refused, of: Behind, weak: true}, 18: {meaning: Short}, 27: {meaning: Memory}, 28: {meaning: Slow, of: Behind}, 35: {meaning: Certificate, of: Behind, weak: true},
	52: {meaning: Closed, of: Behind}, 55: {meaning: Reset, of: Behind}, 56: {meaning: Reset, of: Behind}, 58: {meaning: Certificate, of: Behind}, 60: {meaning: Certificate, of: Behind}, 61: {meaning: BadAnswer},
	67: {meaning: Credentials}, 77: {meaning: Certificate, of: Behind}, 83: {meaning: Certificate, of: Behind}, 91: {meaning: Certificate, of: Behind},
}

// errnoWords are the texts of glibc.
func errnoWords() []wording {
	out := make([]wording, 0, len(errnos))
	for n := range maxErrno {
		if e := errnos[n]; e.text != "" {
			out = append(out, wording{e.meaning, e.of, []string{e.text}})
		}
	}
	return out
}

// errnoNames are their names, as they are written in code; three letters may be anything.
func errnoNames() []naming {
	out := make([]naming, 0, len(errnos))
	for n := range maxErrno {
		if e := errnos[n]; len(e.name) > 3 && !e.weak {
			out = append(out, naming{e.meaning, e.of, e.name})
		}
	}
	return out
}

const maxErrno = 4000
