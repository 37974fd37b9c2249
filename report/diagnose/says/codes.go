package says

import "strings"

// maxName is the length of the longest name that is looked for, in bytes.
const maxName = 72

// token is where a word, name or number stands in a text, as offsets.
type token struct{ from, to int }

// codes finds the most telling code or name of an error in a text. low is the text in lower case.
func (x *index) codes(text, low string, best *hit, want func(Meaning) bool) {
	var before [2]token // the two tokens before this one, the nearest first
	for i := 0; i < len(low); {
		if !tokenByte(low[i]) {
			i++
			continue
		}
		t := token{i, i}
		digits, letters := false, false
		for t.to < len(low) && tokenByte(low[t.to]) {
			if c := low[t.to]; c >= '0' && c <= '9' {
				digits = true
			} else {
				letters = true
			}
			t.to++
		}
		i = t.to
		c, known := coded{}, false
		if digits && t.to-t.from <= 6 {
			c, known = number(low, t, before, letters)
		}
		if !known && letters && !key(low, t) {
			if c, known = word(low, t, before); !known {
				c, known = x.named(text[t.from:t.to], low[t.from:t.to])
			}
		}
		before[1], before[0] = before[0], t
		if !known || c.meaning == None || want != nil && !want(c.meaning) {
			continue
		}
		if rank := x.rank(c); rank < best.rank {
			*best = hit{coded: c, phrase: low[t.from:t.to], rank: rank, end: t.to}
		}
	}
}

func tokenByte(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' }

// named looks a name up, also without "Error" or "Exception" at its end. written is the name as the
// text has it, name the same in lower case. A name that begins with a small letter is that of a
// setting or variable, unless its software spells the error so.
func (x *index) named(written, name string) (coded, bool) {
	if len(name) < 4 || len(name) > maxName {
		return coded{}, false
	}
	small := written[0] >= 'a' && written[0] <= 'z'
	var buf [maxName]byte
	n := 0
	for i := range len(name) {
		if name[i] != '_' {
			buf[n] = name[i]
			n++
		}
	}
	h, ok := x.names[string(buf[:n])]
	if !ok {
		for _, kind := range [...]string{"error", "exception"} {
			if n > len(kind) && string(buf[n-len(kind):n]) == kind {
				h, ok = x.names[string(buf[:n-len(kind)])]
			}
		}
	}
	return h.coded, ok && (!small || h.small)
}

// key reports whether a name is that of a setting or counter, as a value follows: "out_of_memory: 0".
func key(low string, t token) bool {
	i := t.to
	for i < len(low) && (low[i] == ' ' || low[i] == '"' || low[i] == '\'') {
		i++
	}
	if i >= len(low) {
		return false
	}
	switch low[i] {
	case '=':
		return i+1 >= len(low) || low[i+1] != '='
	case ':':
		for i++; i < len(low) && (low[i] == ' ' || low[i] == '"'); i++ {
		}
		if strings.HasPrefix(low[i:], "false") || strings.HasPrefix(low[i:], "null") {
			return true
		}
		return i < len(low) && low[i] >= '0' && low[i] <= '9' && strings.Contains(low[t.from:t.to], "_")
	}
	return false
}

// near reports whether only a few punctuation marks stand between two tokens.
func near(low string, a, b token) bool {
	if a.to == 0 || b.from-a.to > 5 {
		return false
	}
	for _, c := range []byte(low[a.to:b.from]) {
		switch c {
		case ' ', ':', '=', '(', '[', '{', '"', '\'', '#', '-', '<', '>', ']', ')':
		default:
			return false
		}
	}
	return true
}

// number reads a token with digits as a code. The words before it say whose code it is: "errno 111",
// "ORA-12520".
func number(low string, t token, before [2]token, letters bool) (coded, bool) {
	text := low[t.from:t.to]
	var one, two string // the word before the number, and the one before that
	if near(low, before[0], t) {
		one = low[before[0].from:before[0].to]
		if near(low, before[1], before[0]) {
			two = low[before[1].from:before[1].to]
		}
	}
	if len(text) == 5 {
		if c, ok := sqlState(low, t, text, one, letters); ok {
			return c, true
		}
	}
	if letters {
		return prisma(low, t, text, one)
	}
	n := 0
	for i := range len(text) {
		n = 10*n + int(text[i]-'0')
	}
	if c, ok := mysqlNumber(low, t, n, one, two); ok {
		return c, true
	}
	minus := t.from > 0 && low[t.from-1] == '-'
	switch {
	case one == "errno", one == "errcode" && n < 200, (one == "error" || one == "code") && (two == "os" || two == "system"), one == "failed" && t.to < len(low) && low[t.to] == ':' && low[t.from-1] == '(':
		if minus && t.from > 7 && low[t.from-7:t.from-1] == "errno " && n <= 8 {
			return coded{meaning: Name}, n >= 2 && n <= 5 // getaddrinfo has negative numbers of its own (EAI_NONAME is -2)
		}
		c, ok := errnos[n]
		return c.coded, ok
	case one == "socketexception", one == "winerror", one == "wsaerror":
		if c, ok := winsock[n]; ok {
			return c, true
		}
		c, ok := errnos[n]
		return c.coded, ok && one == "socketexception"
	case one == "number" && two == "alert":
		c, ok := alertOf(n)
		return c, ok
	case one == "curl" && low[t.from-1] == '(' && strings.HasPrefix(low[t.to:], ")"), one == "error" && two == "curl", one == "code" && two == "curl":
		c, ok := curlCodes[n]
		return c, ok
	case one == "ora":
		c, ok := oracle[n]
		return c, ok
	case one == "msg", one == "number" && two == "error":
		c, ok := sqlServer[n]
		return c, ok
	case one == "code" && (two == "ldap" || two == "error" && strings.Contains(low, "ldap")):
		c, ok := ldapCodes[n]
		return c, ok
	case one == "status" && two == "grpc", one == "grpc_status":
		c, ok := rpcCodes[n]
		return c, ok
	}
	return coded{}, false
}

// word reads a token of letters that is a code only behind a word that says so: "code: UNAVAILABLE".
func word(low string, t token, before [2]token) (coded, bool) {
	dotted := before[0].to > 0 && before[0].to == t.from-1 && low[t.from-1] == '.' // StatusCode.UNAVAILABLE
	if !dotted && !near(low, before[0], t) {
		return coded{}, false
	}
	switch one := low[before[0].from:before[0].to]; one {
	case "code", "statuscode", "status":
		c, ok := rpcWords[low[t.from:t.to]]
		return c, ok
	case "14", "4", "8", "16", "7": // Node writes "14 UNAVAILABLE"
		c, ok := rpcWords[low[t.from:t.to]]
		return c, ok && before[0].to == t.from-1
	case "rcode":
		c, ok := rcodes[low[t.from:t.to]]
		return c, ok
	}
	return coded{}, false
}
