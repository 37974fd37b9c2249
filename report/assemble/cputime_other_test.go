//go:build !unix

package assemble_test

import "time"

func processorTime() time.Duration { return 0 }
