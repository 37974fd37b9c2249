// Package protocol chooses what is spoken to a target, by the scheme of its URL. It
// is the one place that knows every protocol.
package protocol

import (
	"context"
	"fmt"

	"github.com/rampload/rampload/attack"
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/grpc"
	"github.com/rampload/rampload/attack/wire/http"
	"github.com/rampload/rampload/attack/wire/postgres"
	"github.com/rampload/rampload/attack/wire/redis"
	"github.com/rampload/rampload/attack/wire/stream"
	"github.com/rampload/rampload/attack/wire/websocket"
	"github.com/rampload/rampload/profiles"
)

var _ attack.Opener = Open

// New is a [wire.Protocol]: that of the target's scheme.
func New(to wire.Target) (wire.Exchanger, error) {
	switch to.Profile.Speaks() {
	case profiles.SpeaksBytes:
		return stream.New(to)
	case profiles.SpeaksRedis:
		return redis.New(to)
	case profiles.SpeaksPostgres:
		return postgres.New(to)
	case profiles.SpeaksGRPC:
		return grpc.New(to)
	case profiles.SpeaksWebSocket:
		return websocket.New(to)
	case profiles.SpeaksHTTP:
		return http.New(to)
	default: // the route has refused schemes that are not known
		return nil, fmt.Errorf("choose protocol: nobody speaks %s here", to.Profile.Speaks())
	}
}

// Open is an [attack.Opener]: it makes the client of a target. It opens no
// connection; an error is one of the configuration.
func Open(cfg attack.ClientConfig) (attack.Client, error) { return wire.Open(New)(cfg) }

// Knock opens one connection as a client of the target would; see [wire.Knock].
func Knock(ctx context.Context, cfg attack.ClientConfig) (wire.Knocked, error) {
	return wire.Knock(ctx, cfg, New)
}
