package importer

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/rampload/rampload/profiles"
)

// form takes a part of -F: name=value, name=@file, either with ;type=... behind it.
func (command *curlCommand) form(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return fmt.Errorf("-F %s is no part: write name=value or name=@file", quoted(text))
	}
	part := profiles.Part{Name: name}
	file, isFile := strings.CutPrefix(value, "@")
	switch {
	case strings.HasPrefix(value, "<"):
		return fmt.Errorf("-F %s: write the text of the file as the value, or %s=@%s to send it as a file", quoted(text), name, value[1:])
	case file == "-":
		return fmt.Errorf("-F %s: standard input cannot be sent again and again: write it into a file and name that", quoted(text))
	case isFile:
		value = file
	}
	var options string
	if strings.HasPrefix(value, `"`) { // what curl would take for its own stands in quotes
		inside, rest, err := quotedPart(value)
		if err != nil {
			return fmt.Errorf("-F %s: %w", quoted(text), err)
		}
		value, options = inside, rest
	} else if i := partOption(value); i >= 0 {
		value, options = value[:i], value[i:]
	}
	for option := range strings.SplitSeq(options, ";") {
		key, of, _ := strings.Cut(strings.TrimSpace(option), "=")
		switch key {
		case "":
		case "type":
			part.Type = of
		case "filename":
			command.in.note("filename=%s of part %s is left out: a file goes by its own name", of, name)
		default:
			command.in.note("%s=%s of part %s is left out: a part has a value or a file, and a type", key, of, name)
		}
	}
	if isFile {
		if value == "" {
			return fmt.Errorf("-F %s names no file: write name=@file", quoted(text))
		}
		part.File = value
	} else {
		part.Value = command.partValue(name, value)
	}
	command.parts = append(command.parts, part)
	return nil
}

// formText takes a part of --form-string, in which nothing has a meaning.
func (command *curlCommand) formText(option, text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return fmt.Errorf("%s %s is no part: write name=value", option, quoted(text))
	}
	command.parts = append(command.parts, profiles.Part{Name: name, Value: command.partValue(name, value)})
	return nil
}

// partValue puts a variable in the place of a secret.
func (command *curlCommand) partValue(name, value string) string {
	if value != "" && secretKey(name) {
		return command.in.secret(variableName(name), value)
	}
	return value
}

// partOption returns where the options of a part begin, -1 if it has none. Other
// semicolons belong to the value.
func partOption(value string) int {
	first := -1
	for _, key := range []string{";type=", ";filename=", ";headers=", ";encoder="} {
		if i := strings.Index(value, key); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	return first
}

// quotedPart reads a value in quotes, in which a backslash stands before quotes and
// backslashes, and returns what is behind it.
func quotedPart(text string) (inside, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], nil
		case c == '\\' && i+1 < len(text) && (text[i+1] == '"' || text[i+1] == '\\'):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", fmt.Errorf("a quotation mark has no end")
}

// route is where the connections to a host and port go instead. Empty parts: any host
// and port, and the URL's own.
type route struct {
	text           string // as the command has it
	host, port     string
	toHost, toPort string
	used           bool
}

// route reads HOST:PORT:ADDRESS of --resolve, or HOST1:PORT1:HOST2:PORT2 of --connect-to.
func (command *curlCommand) route(name, value string) error {
	fields := routeFields(strings.TrimPrefix(value, "+"))
	r := route{text: name + " " + value}
	switch {
	case name == "--resolve" && strings.HasPrefix(value, "-"):
		return nil // takes an address out of curl's own cache
	case name == "--resolve" && len(fields) >= 3 && fields[0] != "" && fields[1] != "":
		// An address of IPv6 may stand without brackets, and there may be several addresses.
		first, more, several := strings.Cut(strings.Join(fields[2:], ":"), ",")
		if several {
			command.in.note("of the addresses of %s the first is taken: %s is left out", r.text, more)
		}
		r.host, r.port, r.toHost = fields[0], fields[1], first
		if r.host == "*" {
			r.host = ""
		}
		if net.ParseIP(strings.Trim(r.toHost, "[]")) == nil {
			return fmt.Errorf("%s has no address behind host and port: write HOST:PORT:ADDRESS", r.text)
		}
	case name == "--connect-to" && len(fields) == 4:
		r.host, r.port, r.toHost, r.toPort = fields[0], fields[1], fields[2], fields[3]
	case name == "--resolve":
		return fmt.Errorf("%s cannot be read: write HOST:PORT:ADDRESS", r.text)
	default:
		return fmt.Errorf("%s cannot be read: write HOST1:PORT1:HOST2:PORT2", r.text)
	}
	command.routes = append(command.routes, r)
	return nil
}

// routeFields splits at the colons outside brackets.
func routeFields(text string) []string {
	var fields []string
	depth, from := 0, 0
	for i, r := range text {
		switch {
		case r == '[':
			depth++
		case r == ']':
			depth--
		case r == ':' && depth == 0:
			fields = append(fields, text[from:i])
			from = i + 1
		}
	}
	return append(fields, text[from:])
}

// reroute lets the target of a URL connect where the command says. Of several that fit,
// curl takes the first.
func (command *curlCommand) reroute(u *url.URL) {
	port := u.Port()
	if port == "" {
		scheme, _ := profiles.FindScheme(u.Scheme)
		port = fmt.Sprint(scheme.Port)
	}
	for i := range command.routes {
		r := &command.routes[i]
		host := strings.Trim(r.host, "[]")
		if host != "" && !strings.EqualFold(host, u.Hostname()) || r.port != "" && r.port != port {
			continue
		}
		r.used = true
		t := command.in.target(u)
		if t.ConnectTo != "" {
			continue
		}
		toHost, toPort := strings.Trim(r.toHost, "[]"), r.toPort
		if toHost == "" {
			toHost = u.Hostname()
		}
		if toPort == "" {
			toPort = port
		}
		t.ConnectTo = net.JoinHostPort(toHost, toPort)
	}
}
