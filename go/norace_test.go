//go:build !race

package shmipc

const raceEnabled = false
