package importer

import (
	"fmt"
	"net/url"
	"os"
	"reflect"
	"slices"
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
		"--form-string": "form-text",
		"-x":            "proxy", "--proxy": "proxy", "--resolve": "resolve", "--connect-to": "connect", "--unix-socket": "socket",
		"--oauth2-bearer": "bearer", "-r": "range", "--range": "range",
		"-T": "upload", "--upload-file": "upload", "--retry": "retry",
		"-o": "", "--output": "", "-w": "", "--write-out": "", "--connect-timeout": "", "-c": "", "--cookie-jar": "",
		"-D": "", "--dump-header": "", "--retry-delay": "", "--retry-max-time": "", "--max-redirs": "", "--limit-rate": "",
		"--ciphers": "left", "--interface": "left", "--tls-max": "left", "--local-port": "left", "--dns-servers": "left", "--noproxy": "left",
		"--capath": "left", "--pinnedpubkey": "left", "--aws-sigv4": "left", "-U": "left", "--proxy-user": "left", "--proxy-header": "left",
		"-K": "left", "--config": "left", "-z": "left", "--time-cond": "left", "--cert-type": "left", "--key-type": "left", "--pass": "left",
		"--trace": "", "--trace-ascii": "", "--stderr": "", "--keepalive-time": "", "-y": "", "--speed-time": "", "-Y": "", "--speed-limit": "",
		"--max-filesize": "", "--proto": "", "--proto-redir": "", "--expect100-timeout": "", "--rate": "", "--output-dir": "",
	}
	curlPlain = map[string]string{
		"-G": "get", "--get": "get", "-I": "head", "--head": "head", "-k": "insecure", "--insecure": "insecure",
		"-L": "follow", "--location": "follow", "--http1.1": "http1", "--http2": "http2",
		"--http2-prior-knowledge": "h2c", "--compressed": "compressed",
		"--location-trusted": "follow",
		"-s":                 "", "--silent": "", "-S": "", "--show-error": "", "-v": "", "--verbose": "", "-f": "", "--fail": "", "--fail-with-body": "",
		"--fail-early": "", "-i": "", "--include": "", "--show-headers": "", "-N": "", "--no-buffer": "", "-#": "", "--progress-bar": "", "--no-progress-meter": "",
		"-O": "", "--remote-name": "", "-J": "", "--remote-header-name": "", "-R": "", "--remote-time": "", "--create-dirs": "", "-q": "", "--disable": "",
		"--globoff": "", "-g": "", "--tcp-nodelay": "", "--no-keepalive": "", "--path-as-is": "", "--basic": "", "-Z": "", "--parallel": "",
		"--retry-all-errors": "", "--retry-connrefused": "", "--trace-time": "", "--styled-output": "", "--no-styled-output": "", "-4": "", "--ipv4": "",
		"-6": "", "--ipv6": "", "-n": "left", "--netrc": "left", "--digest": "left", "--ntlm": "left", "--negotiate": "left", "--http3": "left",
		"--http3-only": "left", "--tr-encoding": "left", "--ssl-reqd": "", "--tlsv1.2": "left", "--tlsv1.3": "left", "--http1.0": "left", "-0": "left",
	}
)

// curl imports a command line.
func (imp *importing) curl(text string) error {
	if isCmd(text) {
		text = fromCmd(text)
	}
	words, err := shellWords(text)
	if err != nil {
		return err
	}
	for len(words) > 0 && words[0] != "curl" && words[0] != "curl.exe" {
		words = words[1:] // a prompt
	}
	if len(words) == 0 {
		return fmt.Errorf("it is no curl command: write curl and a URL")
	}
	c := curlCommand{in: imp}
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
	parts   []profiles.Part
	routes  []route
	flags   map[string]bool
}

// options reads the words behind curl.
func (command *curlCommand) options(words []string) error {
	command.flags = map[string]bool{}
	client := profiles.DefaultClient()
	defer func() {
		if !reflect.DeepEqual(client, profiles.DefaultClient()) { // what is usual need not be written
			command.in.out.Profile.Client = client
		}
	}()
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		if word == "" || word[0] != '-' || word == "-" {
			command.urls = append(command.urls, word)
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
					command.plain("-"+string(letter), &client)
				}
				continue
			}
		}
		if !valued {
			command.plain(name, &client)
			continue
		}
		if !inline {
			if len(words) == 0 {
				return fmt.Errorf("%s has no value", name)
			}
			value, words = words[0], words[1:]
		}
		if err := command.valued(name, meaning, value, &client); err != nil {
			return err
		}
	}
	return nil
}

// plain takes an option without a value. Many change nothing that is sent, such as -s;
// one that is not known may, or may have a value that was then taken for a URL.
func (command *curlCommand) plain(name string, client *profiles.Client) {
	meaning, known := curlPlain[name]
	if !known {
		command.in.note("%s is not known and is left out: see whether it changes what is sent", name)
		return
	}
	switch meaning {
	case "left":
		command.in.note("%s is left out: it cannot be taken into a profile", name)
	case "insecure":
		client.TLS.SkipVerify = true
	case "http1":
		client.Protocol = profiles.ProtocolHTTP1
	case "http2":
		client.Protocol = profiles.ProtocolAuto
	case "h2c":
		client.Protocol = profiles.ProtocolH2C
	case "follow":
		command.in.note("-L is not followed: a redirect is an answer; write the URL that it leads to")
	case "":
	default:
		command.flags[meaning] = true
	}
}

func (command *curlCommand) valued(name, meaning, value string, client *profiles.Client) error {
	switch meaning {
	case "request":
		command.method = strings.ToUpper(value)
	case "header":
		n, v, ok := strings.Cut(value, ":")
		if !ok || strings.TrimSpace(v) == "" {
			return nil // "Name:" and "Name;" take a header away or send an empty one
		}
		command.header(strings.TrimSpace(n), strings.TrimSpace(v))
	case "data", "binary", "json", "raw":
		if file, isFile := strings.CutPrefix(value, "@"); isFile && meaning != "raw" {
			command.file = file
		} else {
			command.data = append(command.data, value)
		}
		command.asJSON = command.asJSON || meaning == "json"
	case "urlencode":
		if n, v, ok := strings.Cut(value, "="); ok {
			command.data = append(command.data, n+"="+url.QueryEscape(v))
		} else {
			command.data = append(command.data, url.QueryEscape(value))
		}
	case "user":
		user, password, _ := strings.Cut(value, ":")
		command.headers = append(command.headers, profiles.Header{
			Name: "Authorization", Value: "Basic " + command.in.secret("BASIC_CREDENTIALS", basic(url.UserPassword(user, password))),
		})
		command.in.note("BASIC_CREDENTIALS is base64 of user:password: printf user:password | base64")
	case "cookie":
		if strings.Contains(value, "=") {
			command.header("Cookie", value)
		} else {
			command.in.note("the cookies of %s are not read: write a Cookie header", value)
		}
	case "agent":
		command.header("User-Agent", value)
	case "referer":
		command.header("Referer", value)
	case "url":
		command.urls = append(command.urls, value)
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
	case "form":
		return command.form(value)
	case "form-text":
		return command.formText(name, value)
	case "bearer":
		command.header("Authorization", "Bearer "+value)
	case "range":
		command.header("Range", "bytes="+value)
	case "resolve", "connect":
		return command.route(name, value)
	case "left":
		command.in.note("%s is left out: it cannot be taken into a profile", name)
	case "upload":
		return fmt.Errorf("%s %s: write what it sends into a file and import with --data-binary @file and its Content-Type", name, value)
	case "proxy":
		command.in.note("%s is left out: set HTTP_PROXY or HTTPS_PROXY, and client.proxy: environment", name)
	case "socket":
		command.in.note("%s %s is left out: write the address into the target's url", name, value)
	case "retry":
		if n, err := strconv.Atoi(value); err == nil && n > 0 && n <= 10 {
			client.Retries = profiles.DefaultRetries(n)
		}
	}
	return nil
}

func (command *curlCommand) header(name, value string) {
	if h, keep := command.in.header(name, value); keep {
		command.headers = append(command.headers, h)
	}
}

func (command *curlCommand) hasHeader(name string) bool {
	for _, h := range command.headers {
		if strings.EqualFold(h.Name, name) {
			return true
		}
	}
	return false
}

// finish makes the requests.
func (command *curlCommand) finish() error {
	if len(command.urls) == 0 {
		return fmt.Errorf("the curl command has no URL")
	}
	body := strings.Join(command.data, "&")
	sends := len(command.data) > 0 || command.file != ""
	if sends && len(command.parts) > 0 {
		return fmt.Errorf("-F and -d are two bodies of one request: leave out one of them")
	}
	if len(command.parts) > 0 { // the type is written with the boundary between the parts
		command.headers = slices.DeleteFunc(command.headers, func(h profiles.Header) bool { return strings.EqualFold(h.Name, "Content-Type") })
	}
	switch {
	case command.method != "":
	case command.flags["head"]:
		command.method = "HEAD"
	case sends && !command.flags["get"] || len(command.parts) > 0:
		command.method = "POST"
	default:
		command.method = "GET"
	}
	if sends && !command.flags["get"] && !command.hasHeader("Content-Type") {
		kind := "application/x-www-form-urlencoded"
		if command.asJSON {
			kind = "application/json"
		}
		command.headers = append(command.headers, profiles.Header{Name: "Content-Type", Value: kind})
	}
	for _, text := range command.urls {
		if !strings.Contains(text, "://") {
			text = "http://" + text
		}
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("%s is not an http or https URL", quote(redactURL(text)))
		}
		r := profiles.Request{Method: command.method, Headers: command.headers, Body: body, BodyFile: command.file, Parts: command.parts}
		if u.User != nil && !command.hasHeader("Authorization") {
			r.Headers = append(r.Headers[:len(r.Headers):len(r.Headers)], profiles.Header{Name: "Authorization", Value: "Basic " + command.in.secret("BASIC_CREDENTIALS", basic(u.User))})
		}
		if command.flags["get"] && body != "" {
			u.RawQuery = strings.Trim(u.RawQuery+"&"+body, "&")
			r.Body = ""
		}
		r.Path = u.RequestURI()
		command.look(command.file, "the body's file")
		for _, part := range command.parts {
			command.look(part.File, "the file of part "+part.Name)
		}
		base := profiles.Base{URL: u.Scheme + "://" + u.Host, Requests: []profiles.Request{{Method: r.Method, Path: r.Path, Headers: r.Headers, Weight: 1}}}
		if problems := rules.Base(base); len(problems) > 0 {
			return fmt.Errorf("%s", problems[0].Message)
		}
		command.in.add(u, r)
		command.reroute(u)
	}
	for _, r := range command.routes {
		if !r.used {
			command.in.note("%s is left out: it is of no URL of the command", r.text)
		}
	}
	return nil
}

// look notes a file that is not here.
func (command *curlCommand) look(file, what string) {
	if file == "" {
		return
	}
	if _, err := os.Stat(file); err != nil {
		command.in.note("%s %s is not here: put it beside the profile", what, file)
	}
}
