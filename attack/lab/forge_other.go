//go:build !linux

package lab

import (
	"context"
	"flag"
)

// forge needs packet sockets.
func forge(*flag.FlagSet) func(context.Context, *host) error {
	return func(context.Context, *host) error { return errLinuxOnly }
}

// delay needs TUN devices.
func delay(*flag.FlagSet) func(context.Context, *host) error {
	return func(context.Context, *host) error { return errLinuxOnly }
}
