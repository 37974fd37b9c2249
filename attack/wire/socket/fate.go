package socket

// Fate is what the peer did to a connection.
type Fate uint8

// The fates.
const (
	Alive  Fate = iota
	Finned      // FIN: the peer sends no more
	Reset       // RST
	Failed      // given up by this kernel: retransmission timeout, unreachable
)
