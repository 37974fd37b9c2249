//go:build !race

package ramp

const raced = false // by the race detector
