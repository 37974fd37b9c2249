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

// LastLook returns what the peer did to a connection whose opening was called off: it
// may have ended it before. Else it returns the error.
func (socket *Socket) LastLook(err error) error {
	if what, met := socket.Fate(); what != Alive && met != nil {
		return met
	}
	return err
}
