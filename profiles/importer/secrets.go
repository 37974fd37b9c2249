package importer

import (
	"regexp"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/redaction"
)

var (
	// pair is a key and its value in a query or a form.
	pair = regexp.MustCompile(`(^|[?&])([A-Za-z0-9_.\[\]%-]+)=([^&#\s]*)`)
	// member is a key and its text in JSON.
	member = regexp.MustCompile(`"([A-Za-z0-9_.-]+)"(\s*:\s*)"((?:[^"\\]|\\.)+)"`)
)

// places puts variables where a request has secrets in its query, form or JSON.
func (imp *importing) places(r *profiles.Request) {
	pairs := func(text string) string {
		return pair.ReplaceAllStringFunc(text, func(whole string) string {
			m := pair.FindStringSubmatch(whole)
			if !secretKey(m[2]) || m[3] == "" || strings.Contains(m[3], "${") {
				return whole
			}
			return m[1] + m[2] + "=" + imp.secret(variableName(m[2]), m[3])
		})
	}
	if path, query, ok := strings.Cut(r.Path, "?"); ok {
		r.Path = path + pairs("?"+query)
	}
	switch body := strings.TrimSpace(r.Body); {
	case body == "" || r.Template:
	case body[0] == '{' || body[0] == '[':
		r.Body = member.ReplaceAllStringFunc(r.Body, func(whole string) string {
			m := member.FindStringSubmatch(whole)
			if !secretKey(m[1]) || strings.Contains(m[3], "${") {
				return whole
			}
			return `"` + m[1] + `"` + m[2] + `"` + imp.secret(variableName(m[1]), m[3]) + `"`
		})
	default:
		r.Body = pairs(r.Body)
	}
}

// secretKey reports whether the value of a key is a secret, by its name.
func secretKey(key string) bool {
	lower := strings.ToLower(key)
	return redaction.SensitiveKey(key) || strings.Contains(lower, "password") || strings.Contains(lower, "secret") || strings.HasSuffix(lower, "token")
}

// variableName is the variable that stands for the value of a key.
func variableName(key string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToUpper(plain(key, "SECRET")))
}
