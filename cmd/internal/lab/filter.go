package lab

import (
	"fmt"
	"strings"
)

// ResetInvalid resets what connection tracking of a router takes for part of no connection,
// on its way to the server.
const ResetInvalid = "iifname to-client tcp dport 8080 ct state invalid tcp flags & rst == 0 counter name harm reject with tcp reset"

// Filter is a packet filter for NFT: one chain at a hook ("forward", "input") with rules.
// What they do by their counter "harm" is part of the truth.
func Filter(hook string, rules ...string) string {
	return fmt.Sprintf("table ip lab {\n\tcounter harm {}\n\tchain c {\n\t\ttype filter hook %s priority 0;\n\t\t%s\n\t}\n}\n", hook, strings.Join(rules, "\n\t\t"))
}

// Forgetful has connection tracking of a namespace forget connections after so many
// seconds without a packet, and take none up in the middle.
func Forgetful(b *Bench, netns string, seconds int) error {
	for name, value := range map[string]string{
		"nf_conntrack_tcp_timeout_established": fmt.Sprint(seconds),
		"nf_conntrack_tcp_loose":               "0",
	} {
		if err := b.Sysctl(netns, "net/netfilter/"+name, value); err != nil {
			return err
		}
	}
	return nil
}
