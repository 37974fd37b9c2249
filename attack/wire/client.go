package wire

import (
	"github.com/rampload/rampload/attack"
)

var _ attack.Client = (*Transport)(nil)

// Open is an [attack.Opener] for HTTP.
func Open(cfg attack.ClientConfig) (attack.Client, error) {
	t, err := New(Config{
		Target: cfg.Target, Profile: cfg.Profile, Client: cfg.Client, RunID: cfg.RunID,
		Clock: cfg.Clock, OnIdle: cfg.OnIdle, OnAddress: cfg.OnAddress,
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Slot implements [attack.Client].
func (t *Transport) Slot() attack.Slot { return t.Lease() }
