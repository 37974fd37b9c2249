package importer

import (
	"fmt"
	"net/url"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/rules"
)

// Options of curl that matter here: with a value, without one, and those that
// change nothing that is sent.
var (
	curlValued = map[string]string{
		"-X": "request", "--request": "request", "-H": "header", "--header": "header", "-d": "data", "--data": "data",
		"--data-ascii": "data", "--data-raw": "raw", "--data-binary": "binary", "--data-urlencode": "urlencode", "--json": "json",
		"-u": "user", "--user": "user", "-b": "cookie", "--cookie": "cookie", "-A": "agent", "--user-agent": "agent",
		"-e": "referer", "--referer": "referer", "--url": "url", "-m": "timeout", "--max-time": "timeout",
		"--cacert": "ca", "-E": "cert", "--cert": "cert", "--key": "key", "-F": "form", "--form": "form",
		"-x": "proxy", "--proxy": "proxy", "--resolve": "resolve", "--connect-to": "resolve", "--unix-socket": "socket",
		"-T": "upload", "--upload-file": "upload", "--retry": "retry",
		"-o": "", "--output": "", "-w": "", "--write-out": "", "--connect-timeout": "", "-c": "", "--cookie-jar": "",
		"-D": "", "--dump-header": "", "--retry-delay": "", "--retry-max-time": "", "--max-redirs": "", "--limit-rate": "",
		"--ciphers": "", "--interface": "",
	}
	curlPlain = map[string]string{
		"-G": "get", "--get": "get", "-I": "head", "--head": "head", "-k": "insecure", "--insecure": "insecure",
		"-L": "follow", "--location": "follow", "--http1.1": "http1", "--http2": "http2",
		"--http2-prior-knowledge": "h2c", "--compressed": "compressed",
	}
)

// curl imports a command line.
func (in *importing) curl(text string) error {
	words, err := shellWords(text)
	if err != nil {
		return err
	}
	for len(words) > 0 && words[0] != "curl" {
		words = words[1:] // a prompt
	}
	if len(words) == 0 {
		return fmt.Errorf("it is no curl command: write curl and a URL")
	}
	c := curlCommand{in: in}
	if err := c.options(words[1:]); err != nil {
		return err
	}
	return c.finish()
}

type curlCommand struct {
	in      *importing
	urls    []string
	method  string
	headers []profiles.Header
	data    []string
	file    string
	asJSON  bool
	flags   map[string]bool
}

// options reads the words behind curl.
func (c *curlCommand) options(words []string) error {
	c.flags = map[string]bool{}
	client := profiles.DefaultClient()
	defer func() {
		if !reflect.DeepEqual(client, profiles.DefaultClient()) { // what is usual need not be written
			c.in.out.Profile.Client = client
		}
	}()
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		if word == "" || word[0] != '-' || word == "-" {
			c.urls = append(c.urls, word)
			continue
		}
		name, value, inline := word, "", false
		if n, v, ok := strings.Cut(word, "="); ok && strings.HasPrefix(word, "--") {
			name, value, inline = n, v, true
		}
		meaning, valued := curlValued[name]
		if !valued && len(word) > 2 && word[1] != '-' { // -XPOST, or -sSL
			if m, ok := curlValued[word[:2]]; ok {
				name, meaning, value, valued, inline = word[:2], m, word[2:], true, true
			} else {
				for _, letter := range word[1:] {
					c.plain("-"+string(letter), &client)
				}
				continue
			}
		}
		if !valued {
			c.plain(name, &client)
			continue
		}
		if !inline {
			if len(words) == 0 {
				return fmt.Errorf("%s has no value", name)
			}
			value, words = words[0], words[1:]
		}
		if err := c.valued(name, meaning, value, &client); err != nil {
			return err
		}
	}
	return nil
}

// plain takes an option without a value. Those that are not known change nothing
// that is sent: -s, -v, --fail.
func (c *curlCommand) plain(name string, client *profiles.Client) {
	switch meaning := curlPlain[name]; meaning {
	case "insecure":
		client.TLS.SkipVerify = true
	case "http1":
		client.Protocol = profiles.ProtocolHTTP1
	case "http2":
		client.Protocol = profiles.ProtocolAuto
	case "h2c":
		client.Protocol = profiles.ProtocolH2C
	case "follow":
		c.in.note("-L is not followed: a redirect is an answer; write the URL that it leads to")
	case "":
	default:
		c.flags[meaning] = true
	}
}

func (c *curlCommand) valued(name, meaning, value string, client *profiles.Client) error {
	switch meaning {
	case "request":
		c.method = strings.ToUpper(value)
	case "header":
		n, v, ok := strings.Cut(value, ":")
		if !ok || strings.TrimSpace(v) == "" {
			return nil // "Name:" and "Name;" take a header away or send an empty one
		}
		c.header(strings.TrimSpace(n), strings.TrimSpace(v))
	case "data", "binary", "json", "raw":
		if file, isFile := strings.CutPrefix(value, "@"); isFile && meaning != "raw" {
			c.file = file
		} else {
			c.data = append(c.data, value)
		}
		c.asJSON = c.asJSON || meaning == "json"
	case "urlencode":
		if n, v, ok := strings.Cut(value, "="); ok {
			c.data = append(c.data, n+"="+url.QueryEscape(v))
		} else {
			c.data = append(c.data, url.QueryEscape(value))
		}
	case "user":
		user, password, _ := strings.Cut(value, ":")
		c.headers = append(c.headers, profiles.Header{
			Name: "Authorization", Value: "Basic " + c.in.secret("BASIC_CREDENTIALS", basic(url.UserPassword(user, password))),
		})
		c.in.note("BASIC_CREDENTIALS is base64 of user:password: printf user:password | base64")
	case "cookie":
		if strings.Contains(value, "=") {
			c.header("Cookie", value)
		} else {
			c.in.note("the cookies of %s are not read: write a Cookie header", value)
		}
	case "agent":
		c.header("User-Agent", value)
	case "referer":
		c.header("Referer", value)
	case "url":
		c.urls = append(c.urls, value)
	case "timeout":
		if s, err := strconv.ParseFloat(value, 64); err == nil && s > 0 && s < 3600 {
			client.Timeout = time.Duration(s * float64(time.Second))
		}
	case "ca":
		client.TLS.CAFile = value
	case "cert":
		client.TLS.CertFile = value
	case "key":
		client.TLS.KeyFile = value
	case "form", "upload":
		return fmt.Errorf("%s %s: write what it sends into a file and import with --data-binary @file and its Content-Type", name, value)
	case "proxy":
		c.in.note("%s is left out: set HTTP_PROXY or HTTPS_PROXY, and client.proxy: environment", name)
	case "resolve", "socket":
		c.in.note("%s %s is left out: write the address into the target's url", name, value)
	case "retry":
		if n, err := strconv.Atoi(value); err == nil && n > 0 && n <= 10 {
			client.Retries = profiles.DefaultRetries(n)
		}
	}
	return nil
}

func (c *curlCommand) header(name, value string) {
	if h, keep := c.in.header(name, value); keep {
		c.headers = append(c.headers, h)
	}
}

func (c *curlCommand) hasHeader(name string) bool {
	for _, h := range c.headers {
		if strings.EqualFold(h.Name, name) {
			return true
		}
	}
	return false
}

// finish makes the requests.
func (c *curlCommand) finish() error {
	if len(c.urls) == 0 {
		return fmt.Errorf("the curl command has no URL")
	}
	body := strings.Join(c.data, "&")
	sends := len(c.data) > 0 || c.file != ""
	switch {
	case c.method != "":
	case c.flags["head"]:
		c.method = "HEAD"
	case sends && !c.flags["get"]:
		c.method = "POST"
	default:
		c.method = "GET"
	}
	if sends && !c.flags["get"] && !c.hasHeader("Content-Type") {
		kind := "application/x-www-form-urlencoded"
		if c.asJSON {
			kind = "application/json"
		}
		c.headers = append(c.headers, profiles.Header{Name: "Content-Type", Value: kind})
	}
	for _, text := range c.urls {
		if !strings.Contains(text, "://") {
			text = "http://" + text
		}
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("%s is not an http or https URL", quote(redactURL(text)))
		}
		r := profiles.Request{Method: c.method, Headers: c.headers, Body: body, BodyFile: c.file}
		if u.User != nil && !c.hasHeader("Authorization") {
			r.Headers = append(r.Headers[:len(r.Headers):len(r.Headers)], profiles.Header{Name: "Authorization", Value: "Basic " + c.in.secret("BASIC_CREDENTIALS", basic(u.User))})
		}
		if c.flags["get"] && body != "" {
			u.RawQuery = strings.Trim(u.RawQuery+"&"+body, "&")
			r.Body = ""
		}
		r.Path = u.RequestURI()
		if c.file != "" {
			if _, err := os.Stat(c.file); err != nil {
				c.in.note("the body's file %s is not here: put it beside the profile", c.file)
			}
		}
		base := profiles.Base{URL: u.Scheme + "://" + u.Host, Requests: []profiles.Request{{Method: r.Method, Path: r.Path, Headers: r.Headers, Weight: 1}}}
		if problems := rules.Base(base); len(problems) > 0 {
			return fmt.Errorf("%s", problems[0].Message)
		}
		c.in.add(u, r)
	}
	return nil
}

// shellWords splits a command line as a POSIX shell does, with $'...' as browsers
// write it. Variables and substitutions are left as they stand.
func shellWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	started := false
	end := func() {
		if started {
			words = append(words, word.String())
		}
		word.Reset()
		started = false
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case ' ', '\t':
			end()
		case '\n', '\r', ';':
			end()
			if len(words) > 0 && strings.TrimSpace(text[i+1:]) != "" && c == ';' {
				return nil, fmt.Errorf("there is more than one command: import one curl command at a time")
			}
		case '\\':
			if i++; i < len(text) && text[i] != '\n' && text[i] != '\r' {
				word.WriteByte(text[i])
				started = true
			} else if i+1 < len(text) && text[i] == '\r' && text[i+1] == '\n' {
				i++
			}
		case '\'', '"':
			n, err := quotedWord(text[i:], &word)
			if err != nil {
				return nil, err
			}
			i += n
			started = true
		case '$':
			if i+1 < len(text) && text[i+1] == '\'' {
				n, err := ansiWord(text[i+1:], &word)
				if err != nil {
					return nil, err
				}
				i += 1 + n
				started = true
				continue
			}
			word.WriteByte(c)
			started = true
		default:
			word.WriteByte(c)
			started = true
		}
	}
	end()
	return words, nil
}

// quotedWord reads a word in quotes and returns the place of the closing one.
func quotedWord(text string, word *strings.Builder) (int, error) {
	mark := text[0]
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == mark:
			return i, nil
		case c == '\\' && mark == '"' && i+1 < len(text):
			i++
			if n := text[i]; n != '"' && n != '\\' && n != '$' && n != '`' && n != '\n' {
				word.WriteByte('\\')
			}
			if text[i] != '\n' {
				word.WriteByte(text[i])
			}
		default:
			word.WriteByte(c)
		}
	}
	return 0, fmt.Errorf("a quotation mark %c has no end", mark)
}

// ansiWord reads '...' behind a $, with the escapes of bash.
func ansiWord(text string, word *strings.Builder) (int, error) {
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'':
			return i, nil
		case c == '\\' && i+1 < len(text):
			if i++; text[i] == '\'' {
				word.WriteByte('\'')
				continue
			}
			r, _, tail, err := strconv.UnquoteChar(text[i-1:], 0)
			if err != nil {
				word.WriteByte(text[i])
				continue
			}
			word.WriteRune(r)
			i = len(text) - len(tail) - 1
		default:
			word.WriteByte(c)
		}
	}
	return 0, fmt.Errorf("a quotation mark $' has no end")
}
