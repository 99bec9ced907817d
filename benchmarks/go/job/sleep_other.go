//go:build !linux

package job

import "time"

func sleep(length time.Duration) { time.Sleep(length) }
