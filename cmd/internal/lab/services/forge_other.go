//go:build !linux

package services

import (
	"context"
	"flag"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// forge needs packet sockets.
func forge(*flag.FlagSet) func(context.Context, *host) error {
	return func(context.Context, *host) error { return lab.ErrLinuxOnly }
}

// delay needs TUN devices.
func delay(*flag.FlagSet) func(context.Context, *host) error {
	return func(context.Context, *host) error { return lab.ErrLinuxOnly }
}
