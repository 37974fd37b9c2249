package wire

import "time"

// Speak is what the tests of the connection layer speak. It is HTTP, set by the
// external half of the test, for this package imports no protocol.
var Speak Protocol

// continueWait is the protocol's.
const continueWait = time.Second
