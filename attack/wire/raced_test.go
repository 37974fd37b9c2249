//go:build race

package wire

const raced = true // by the race detector
