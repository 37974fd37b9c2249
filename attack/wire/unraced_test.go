//go:build !race

package wire

const raced = false // by the race detector
