package redaction

import (
	"regexp"
	"strings"

	"github.com/rampload/rampload/profiles"
)

// sensitive are the names whose values are credentials, without "-" and "_" and in
// lower case: of headers, and of keys in a query. The README lists them.
var sensitive = func() map[string]bool {
	out := map[string]bool{}
	for _, name := range SensitiveNames() {
		out[plainKey(name)] = true
	}
	return out
}()

// SensitiveNames returns the names of headers and query keys whose values no output
// shows. Case, "-" and "_" do not count: api_key stands for Api-Key and apikey too.
func SensitiveNames() []string {
	return []string{
		// HTTP itself and what is common to many services
		"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "Api-Key", "X-Api-Key", "X-Auth-Key",
		"X-Auth-Token", "X-Access-Token", "X-Id-Token", "X-Refresh-Token", "X-Session-Token", "X-Csrf-Token", "X-Xsrf-Token",
		"X-Secret-Key", "X-Client-Secret", "X-Token", "X-Jwt-Assertion", "X-Forwarded-Access-Token", "Private-Token", "Job-Token",
		// particular services
		"X-Amz-Security-Token", "X-Amz-Signature", "X-Amz-Credential", "X-Goog-Api-Key", "X-Goog-Signature", "X-Goog-Credential",
		"X-Goog-Iap-Jwt-Assertion", "X-Vault-Token", "X-Consul-Token", "X-Nomad-Token", "X-Shopify-Access-Token", "X-Rapidapi-Key",
		"Ocp-Apim-Subscription-Key", "Subscription-Key", "X-Functions-Key", "Cf-Access-Client-Secret", "Cf-Access-Jwt-Assertion",
		"Cf-Access-Token", "Dd-Api-Key", "Dd-Application-Key", "X-Honeycomb-Team", "X-Postmark-Server-Token",
		// queries
		"access_token", "id_token", "refresh_token", "auth_token", "session_token", "token", "auth", "jwt", "secret", "client_secret",
		"password", "passwd", "pwd", "sig", "signature", "session_id", "jsessionid", "phpsessid",
	}
}

func plainKey(name string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))
}

// SensitiveHeader reports whether the value of a header is a secret by the
// header's name; see [SensitiveNames].
func SensitiveHeader(name string) bool { return sensitive[plainKey(name)] }

// SensitiveKey reports whether the value of a key in a query is a secret by its
// name; see [SensitiveNames].
func SensitiveKey(name string) bool { return sensitive[plainKey(name)] }

var (
	// userInfo is the user and password of a URL: all up to the last @ before the path
	// (RFC 3986, 3.2). A password may have been written with spaces or quotes in it.
	userInfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s]*@`)
	// queryValue is a key and its value in a query, or in the parameters of a path.
	queryValue = regexp.MustCompile(`([?&;])([A-Za-z0-9_.~%-]+)=([^&;#\s"'<>]*)`)
)

// URLs hides what stands where credentials stand in the URLs of a text: users
// and passwords, and the values that [SensitiveKey] knows. It needs no profile: for
// messages about one that could not be read.
func URLs(text string) string { return redactPlaces(text) }

// examples are the URLs with a user that messages tell people to write. They are nobody's,
// and say nothing without their users.
var examples = func() []string {
	var out []string
	for _, s := range profiles.Schemes() {
		if strings.Contains(s.Example, "@") {
			out = append(out, s.Example)
		}
	}
	return out
}()

// cutExample cuts a text around one of our examples that stands between blanks, where no
// other URL can reach into it.
func cutExample(text string) (before, example, after string, found bool) {
	for _, example := range examples {
		before, after, found := strings.Cut(text, example)
		if !found || before != "" && !strings.ContainsAny(before[len(before)-1:], " \t\n") {
			continue
		}
		next := after
		if next != "" && strings.Contains(",;", next[:1]) {
			next = next[1:]
		}
		if next != "" && !strings.ContainsAny(next[:1], " \t\n") {
			continue
		}
		return before, example, after, true
	}
	return text, "", "", false
}

// redactPlaces hides what stands where credentials stand in a URL.
func redactPlaces(text string) string {
	if strings.Contains(text, "@") {
		if before, example, after, found := cutExample(text); found {
			return redactPlaces(before) + example + redactPlaces(after)
		}
		text = userInfo.ReplaceAllString(text, "${1}"+redacted+"@")
	}
	if !strings.Contains(text, "=") {
		return text
	}
	return queryValue.ReplaceAllStringFunc(text, func(pair string) string {
		key, value, _ := strings.Cut(pair, "=")
		if value == "" || !SensitiveKey(key[1:]) {
			return pair
		}
		return key + "=" + redacted
	})
}
