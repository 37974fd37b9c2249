// Package path holds the causes between a client and the first host, or between two hosts: things
// that forget connections, or filter, drop or lose packets. One file each, as in package causes.
package path

import "github.com/rampload/rampload/report/diagnose/inquiry"

// Catalogue returns the causes of the path, each from its own file.
func Catalogue() []inquiry.Rule {
	return []inquiry.Rule{
		pathIdleExpiry(),
		silentFirewall(),
		reversePathFilter(),
		pathReset(),
		pathRateLimit(),
		pathConnectionLimit(),
		hostFirewall(),
		rstInjection(),
		conntrackTable(),
		natPorts(),
		conntrackInvalid(),
		packetLoss(),
		pathDelay(),
		networkOutage(),
		mtuBlackHole(),
		failover(),
		dns(),
		addressUnreachable(),
		addressConflict(),
	}
}
