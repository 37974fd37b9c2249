package says

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// Peer is the other end that a text names. The zero value is none.
type Peer struct {
	Name string // as written, where it is no address
	Addr netip.AddrPort
}

// IsZero reports whether no peer is named.
func (p Peer) IsZero() bool { return p.Name == "" && !p.Addr.IsValid() }

// String returns the address, or name and port.
func (p Peer) String() string {
	switch {
	case p.Name != "" && p.Addr.IsValid():
		return p.Name + "/" + p.Addr.String()
	case p.Addr.IsValid() && p.Addr.Port() == 0:
		return p.Addr.Addr().String()
	case p.Addr.IsValid():
		return p.Addr.String()
	}
	return p.Name
}

// peers are wordings by which clients name the other end, the most telling first. Their groups are
// host and port; the port may be missing.
var peers = []*regexp.Regexp{
	regexp.MustCompile(`upstream: "(?:[a-z0-9+.-]+://)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?`),                               // nginx
	regexp.MustCompile(`server (?:at|on) "([^"\s]{1,253})"(?: \([0-9a-fA-F.:]+\))?,? port (\d{1,5})`),                                      // libpq
	regexp.MustCompile(`host='([^'\s]{1,253})', port=(\d{1,5})`),                                                                           // urllib3
	regexp.MustCompile(`->(\[[0-9a-fA-F:.]+\]|\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5})`),                                                         // Go: read tcp a->b
	regexp.MustCompile(`dial (?:tcp|udp)[46]? (\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})`),                                             // Go
	regexp.MustCompile(`(?:ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|EPIPE|ENETUNREACH) (\[?[0-9a-fA-F:.]*[0-9a-fA-F]\]?):(\d{1,5})`), // Node
	regexp.MustCompile(`(?:ENOTFOUND|EAI_AGAIN) ([A-Za-z0-9._-]{1,253})(?::(\d{1,5}))?`),                                                   // Node
	regexp.MustCompile(`connect(?:ing)? to (?:\w+ )?\[?([A-Za-z0-9._-]+)(?:/[0-9a-fA-F.:]+)?(?::|, port |\]?:)(\d{1,5})`),
	regexp.MustCompile(`attempt to connect to ([0-9a-fA-F.:\[\]]+?):(\d{1,5}) `), // Apache
	regexp.MustCompile(`[a-z][a-z0-9+.-]{1,10}://(?:[^@/\s"]{0,64}@)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})`),
	regexp.MustCompile(`(?:^|[^0-9A-Za-z.:])(\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5})(?:[^0-9.]|$)`),
	regexp.MustCompile(`host \[?"?([A-Za-z0-9._-]+\.[A-Za-z]{2,})"?\]?`),
	regexp.MustCompile(`lookup ([A-Za-z0-9._-]{1,253})`), // Go
}

// PeerOf returns the other end that a text names; zero for none.
func PeerOf(text string) Peer {
	if len(text) > maxRead {
		text = text[:maxRead]
	}
	for _, p := range peers {
		m := p.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		port := ""
		if len(m) > 2 {
			port = m[2]
		}
		if out := ParsePeer(m[1], port); !out.IsZero() {
			return out
		}
	}
	return Peer{}
}

// ParsePeer makes a peer of a host and a port, which may be empty. It is zero where they are invalid.
func ParsePeer(host, port string) Peer {
	host = strings.Trim(host, "[]")
	n, err := strconv.ParseUint(port, 10, 16)
	if port != "" && err != nil {
		return Peer{}
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return Peer{Addr: netip.AddrPortFrom(a.Unmap().WithZone(""), uint16(n))}
	}
	if host == "" || len(host) > 253 || strings.ContainsFunc(host, func(r rune) bool {
		return r != '.' && r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return Peer{}
	}
	if port == "" {
		return Peer{Name: host}
	}
	return Peer{Name: host + ":" + port}
}
