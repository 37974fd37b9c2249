// Package tunnel asks an HTTP proxy for a connection to a target.
package tunnel

import (
	"bufio"
	"io"
	"net/http"
)

// mostAnswer bounds what a proxy may say to CONNECT.
const mostAnswer = 1 << 20

// Connect has the proxy connect to a host:port (RFC 9110 §9.3.6). It returns the status
// of the proxy's answer, 0 without one; the tunnel stands with one of 2xx, and Clean. The
// error is that of the connection, or of what the proxy answered.
func Connect(via io.ReadWriter, to, auth, agent string) (Answer, error) {
	req := "CONNECT " + to + " HTTP/1.1\r\nHost: " + to + "\r\nUser-Agent: " + agent + "\r\n"
	if auth != "" {
		req += "Proxy-Authorization: " + auth + "\r\n"
	}
	if _, err := io.WriteString(via, req+"\r\n"); err != nil {
		return Answer{}, err
	}
	// The response has no body when the tunnel stands, and the connection ends
	// when it does not: nothing is lost in the reader, for the target's server
	// does not speak first.
	br := bufio.NewReaderSize(io.LimitReader(via, mostAnswer), 4<<10)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return Answer{}, err
	}
	return Answer{Status: resp.StatusCode, Clean: br.Buffered() == 0}, nil
}

// Answer is what a proxy said.
type Answer struct {
	Status int
	Clean  bool // nothing came behind the answer
}

// Stands reports whether the tunnel does.
func (a Answer) Stands() bool { return a.Status/100 == 2 && a.Clean }
