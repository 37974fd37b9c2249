package grpc

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/profiles"
)

// healthCheck is the method that servers have for being asked how they are
// (grpc/health/v1/health.proto).
const healthCheck = "/grpc.health.v1.Health/Check"

// Unanswered is the error of a target that answers a question with a failure, or not at
// all.
type Unanswered struct{ Attempt attack.Attempt }

func (e *Unanswered) Error() string {
	if !e.Attempt.Detail.IsZero() {
		return fmt.Sprintf("ask a gRPC server: %s", e.Attempt.Detail)
	}
	return fmt.Sprintf("ask a gRPC server: %s in %s", e.Attempt.Fault, e.Attempt.Phase)
}

// Speaks asks a target for its health, and returns nil where it answers as gRPC does: with
// any status, since a server need not have that service. Else the error is *Unanswered, or
// that of a client that cannot be made. It makes a connection of its own, and takes no
// longer than ctx and the client's timeout.
func Speaks(ctx context.Context, cfg attack.ClientConfig) error {
	q, err := newQuestioner(cfg)
	if err != nil {
		return err
	}
	defer q.via.Close()
	defer context.AfterFunc(ctx, q.via.Abort)()
	_, err = q.ask(healthCheck, nil)
	var no *Unanswered
	if errors.As(err, &no) && no.Attempt.Detail.Kind == attack.GRPCDetail {
		return nil
	}
	return err
}

// questioner asks one server what is no part of the load.
type questioner struct {
	via      *wire.Transport
	x        *exchanger
	metadata []profiles.Header // of the first request, for servers that ask for credentials
}

func newQuestioner(cfg attack.ClientConfig) (*questioner, error) {
	q := &questioner{}
	var err error
	q.via, err = wire.New(wire.ConfigOf(cfg, func(to wire.Target) (wire.Exchanger, error) {
		var err error
		q.x, err = newExchanger(to)
		return q.x, err
	}))
	if err != nil {
		return nil, err
	}
	if len(cfg.Profile.Requests) > 0 && !cfg.Profile.Requests[0].Filled {
		q.metadata = cfg.Profile.Requests[0].Headers
	}
	return q, nil
}

// ask calls a method with one message, and returns the answer's.
func (q *questioner) ask(path string, message []byte) ([]byte, error) {
	req := &Request{fixed: appendMessage(nil, []part{{literal: message}}, nil), isFixed: true}
	if err := req.encodeHead(q.x.target, profiles.Request{Path: path, Headers: q.metadata}, q.x.scope()); err != nil {
		return nil, err
	}
	a := attack.Attempt{Reply: &attack.Reply{Limit: maxKept}}
	q.via.Do(req, &a)
	switch {
	case a.Fault != attack.None:
		return nil, &Unanswered{a}
	case a.Reply.Length > int64(len(a.Reply.Body)):
		return nil, fmt.Errorf("an answer of more than %d MiB: give protos: [FILE.proto]", maxKept>>20)
	}
	return slices.Clone(a.Reply.Body), nil
}
