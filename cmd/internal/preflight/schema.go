package preflight

import (
	"context"
	"errors"
	"fmt"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire/grpc"
	"github.com/rampload/rampload/cmd/internal/console"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/rules"
	"github.com/rampload/rampload/profiles/schema"
)

// Reflector asks gRPC targets for their schema while a profile is read: nil of one that does
// not answer at all, which the preflight tells better.
func Reflector(ctx context.Context) func(profiles.Target, profiles.Client) ([]byte, error) {
	return func(t profiles.Target, c profiles.Client) ([]byte, error) {
		set, err := reflectOn(ctx, t, c)
		var no *grpc.Unanswered
		if errors.As(err, &no) && no.Attempt.Fault != attack.Status {
			return nil, nil
		}
		return set, err
	}
}

// reflectOn asks one target.
func reflectOn(ctx context.Context, t profiles.Target, c profiles.Client) ([]byte, error) {
	c.Timeout, c.Connections, c.Retries = preflightTimeout, 1, profiles.Retries{}
	set, err := grpc.Reflect(ctx, attack.ClientConfig{Profile: t, Client: c})
	var no *grpc.Unanswered
	switch {
	case errors.Is(err, grpc.ErrNoReflection):
		return nil, errors.New("the server has no reflection: give protos: [orders.proto]")
	case errors.As(err, &no) && no.Attempt.Fault == attack.Status && no.Attempt.Detail == attack.GRPCCode(16):
		return nil, errors.New("reflection asks for credentials (grpc unauthenticated): give protos: [FILE.proto], or metadata with the first call")
	case errors.As(err, &no) && no.Attempt.Fault == attack.Status && no.Attempt.Detail.IsZero():
		return nil, fmt.Errorf("the server answers with HTTP status %d and no gRPC: check its url", no.Attempt.Status)
	case errors.As(err, &no) && no.Attempt.Fault == attack.Status:
		return nil, fmt.Errorf("reflection is refused (%s): give protos: [FILE.proto]", no.Attempt.Detail)
	}
	return set, err
}

// askGRPC finds out whether a target whose schema stands in files speaks gRPC: one that is
// asked for its schema has shown it.
func askGRPC(ctx context.Context, p profiles.Profile, cfg attack.ClientConfig) error {
	name := cfg.Profile.Name
	cfg.Client.Connections, cfg.Client.Retries = 1, profiles.Retries{}
	err := grpc.Speaks(ctx, cfg)
	var no *grpc.Unanswered
	switch {
	case err == nil || ctx.Err() != nil:
		return nil
	case !errors.As(err, &no):
		return console.Usage(fmt.Errorf("target %s: %w", name, err))
	}
	a := no.Attempt
	if what := Mistaken(ctx, cfg.Profile, a); what != "" {
		return console.NotRun(fmt.Errorf("target %s: %s", name, what))
	}
	if a.Fault == attack.Status {
		return console.NotRun(fmt.Errorf("target %s: %s answers with HTTP status %d and no gRPC; check its url", name, knockedAt(cfg.Profile.URL, a), a.Status))
	}
	return console.NotRun(fmt.Errorf("target %s: %s answers its connections, and fails a gRPC call with %s%s; check that gRPC is what its port speaks",
		name, knockedAt(cfg.Profile.URL, a), a.Fault, said(p, a)))
}

// ReadSchemas reads the schemas that the profile's gRPC targets still lack: of .proto
// files, or by reflection. Targets are changed in place. The error is for one that tells
// none, or does not have what the profile calls.
func ReadSchemas(ctx context.Context, p profiles.Profile) error {
	read := map[string][]byte{}
	changed := false
	for i := range p.Targets {
		t := &p.Targets[i]
		if t.Speaks() != profiles.SpeaksGRPC || len(t.GRPC.Schema) > 0 {
			continue
		}
		key := t.URL + " " + t.ConnectTo
		set, known := read[key]
		if !known {
			var err error
			if len(t.GRPC.Protos) > 0 {
				set, err = schema.Compile(t.GRPC.Protos, t.GRPC.ProtoPaths)
			} else {
				set, err = reflectOn(ctx, *t, p.Client)
			}
			if err != nil {
				return console.NotRun(fmt.Errorf("target %s: %w", t.Name, err))
			}
			read[key] = set
		}
		t.GRPC.Schema = set
		changed = true
		if t.Journey > 0 && t.Journey <= len(p.Journeys) {
			p.Journeys[t.Journey-1].GRPC.Schema = set
		}
	}
	if !changed {
		return nil
	}
	for _, problem := range rules.Profile(p, nil) {
		return console.Usage(errors.New(problem.String()))
	}
	return nil
}
