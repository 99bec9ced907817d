//go:build !linux

package shmipc

import "math"

func cpuQuota(string) float64 { return math.Inf(1) }
