//go:build race

package ramp

const raced = true // by the race detector
