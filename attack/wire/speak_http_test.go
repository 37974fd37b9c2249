package wire_test

import (
	"github.com/rampload/rampload/attack/wire"
	"github.com/rampload/rampload/attack/wire/http"
)

func init() { wire.Speak = http.New }
