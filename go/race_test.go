//go:build race

package shmipc

const raceEnabled = true
