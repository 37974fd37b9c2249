package postgres

import (
	"bytes"
	"crypto/md5" //nolint:gosec // what servers of before version 14 ask for
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/xdg-go/scram"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/pad"
)

// Requests of the server for a proof of who we are.
const (
	authOK        = 0
	authCleartext = 3
	authMD5       = 5
	authSASL      = 10
	authContinue  = 11
	authFinal     = 12
)

// BeforeTLS implements [wire.Upgrader]: the server is asked whether it speaks TLS.
func (x *exchanger) BeforeTLS(c *wire.Conn) error {
	if _, err := c.Write(wantTLS()); err != nil {
		return err
	}
	// One byte alone: more would have come in the clear, and nobody would know of whom.
	var answer [1]byte
	if _, err := c.Read(answer[:]); err != nil {
		return err
	}
	if answer[0] != 'S' {
		return wire.Failed{Fault: attack.TLS, Detail: attack.Detail{Kind: attack.MalformedDetail, Code: attack.WrongProtocol}}
	}
	return nil
}

// Start implements [wire.Exchanger]: it starts up and logs in.
func (x *exchanger) Start(c *wire.Conn, _ string) (wire.Session, error) {
	s := &session{Conn: c, x: x}
	p := pad.Get()
	defer p.Put()
	var a attack.Attempt
	told, err := s.logIn(&a, p)
	phase := attack.PhaseAwait
	if a.Received > 0 {
		phase = attack.PhaseBody
	}
	switch {
	case told != nil:
		return nil, wire.InPhase{Phase: phase, Err: wire.Refusal{Detail: told.detail(), Words: told.String()}}
	case err != nil:
		return nil, wire.InPhase{Phase: phase, Err: err}
	}
	return s, nil
}

func (s *session) logIn(a *attack.Attempt, p *pad.Pad) (*serverError, error) {
	if _, err := s.Write(startup(s.x.user, s.x.db)); err != nil {
		return s.late(a, p), err
	}
	var proof *scram.ClientConversation
	for {
		m, err := s.next(a, p)
		if err != nil {
			return nil, err
		}
		switch m.kind {
		case 'E':
			return parseError(m.body), nil
		case 'Z':
			if len(p.Rest()) > 0 {
				return nil, wire.Malformed(attack.UnexpectedAnswer)
			}
			return nil, nil
		case 'S', 'K', 'N', 'v':
		case 'R':
			reply, err := s.x.prove(m.body, &proof)
			if err != nil {
				return nil, err
			}
			if reply == nil {
				continue
			}
			if _, err := s.Write(reply); err != nil {
				return s.late(a, p), err
			}
		default:
			return nil, wire.Malformed(attack.MalformedFrame)
		}
	}
}

// refused is an error of a log-in that the server asks for and that we cannot make.
func refused(why string) error {
	return wire.Refusal{Detail: attack.Detail{Kind: attack.ServerDetail, Code: attack.ServerAuthentication}, Words: why}
}

// prove answers a request for a proof; nil for what needs no answer.
func (x *exchanger) prove(body []byte, proof **scram.ClientConversation) ([]byte, error) {
	if len(body) < 4 {
		return nil, wire.Malformed(attack.MalformedFrame)
	}
	kind, body := binary.BigEndian.Uint32(body), body[4:]
	switch kind {
	case authOK:
		if *proof != nil && !(*proof).Valid() {
			return nil, refused("the server did not prove that it knows the password")
		}
		return nil, nil
	case authCleartext:
		return password(nil, append([]byte(x.password), 0)), nil
	case authMD5:
		if len(body) != 4 {
			return nil, wire.Malformed(attack.MalformedFrame)
		}
		inner := hash([]byte(x.password + x.user))
		return password(nil, []byte("md5"+hash(append([]byte(inner), body...))+"\x00")), nil
	case authSASL:
		return x.sasl(body, proof)
	case authContinue, authFinal:
		if *proof == nil {
			return nil, wire.Malformed(attack.MalformedFrame)
		}
		if kind == authContinue && rounds(body) > mostRounds {
			return nil, refused("the server asks for more rounds of SCRAM than anybody does")
		}
		reply, err := (*proof).Step(string(body))
		if err != nil {
			return nil, refused("SCRAM: " + err.Error())
		}
		if kind == authFinal {
			return nil, nil
		}
		return password(nil, []byte(reply)), nil
	}
	return nil, refused(fmt.Sprintf("the server asks for a log-in of kind %d, which is not spoken here: write a line with scram-sha-256 into pg_hba.conf", kind))
}

const (
	mechanism  = "SCRAM-SHA-256"
	mostRounds = 1_000_000 // of hashing, that a server may ask for: usual are 4096
)

// rounds returns how many rounds of hashing a server's first message asks for.
func rounds(body []byte) int {
	for _, field := range bytes.Split(body, []byte(",")) {
		if text, ok := bytes.CutPrefix(field, []byte("i=")); ok {
			if n, err := strconv.Atoi(string(text)); err == nil {
				return n
			}
			return mostRounds + 1
		}
	}
	return 0
}

func (x *exchanger) sasl(body []byte, proof **scram.ClientConversation) ([]byte, error) {
	offered := false
	for _, name := range bytes.Split(body, []byte{0}) {
		offered = offered || string(name) == mechanism
	}
	if !offered || *proof != nil {
		return nil, refused("the server offers no " + mechanism)
	}
	*proof = x.scram.NewConversation()
	first, err := (*proof).Step("")
	if err != nil {
		return nil, refused("SCRAM: " + err.Error())
	}
	out := append([]byte(mechanism), 0)
	out = binary.BigEndian.AppendUint32(out, uint32(len(first)))
	return password(nil, append(out, first...)), nil
}

func hash(b []byte) string {
	sum := md5.Sum(b) //nolint:gosec // the protocol has it
	return hex.EncodeToString(sum[:])
}
