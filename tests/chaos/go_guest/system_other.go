//go:build !linux

package main

import "errors"

func mapFile(string) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

func now() uint64 { return 0 }
