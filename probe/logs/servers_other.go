//go:build !linux

package logs

// balancerConfigs finds none: processes of others are looked at on Linux alone.
func balancerConfigs(string) func() []string { return func() []string { return nil } }
