package main

import (
	"encoding/binary"
	"fmt"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// What the demo's host and guests say to each other; ../messages.h says the same in C.
const (
	messageFile     = shmipc.TypeApplication + iota // header, a whole file: answered by digest
	messageBegin                                    // header: a file in pieces begins
	messagePiece                                    // header, the next bytes of that file
	messageEnd                                      // header: answered by digest
	messageEcho                                     // any bytes: answered by the same bytes
	messageProgress                                 // guest to host: files, bytes
)

// splitHeader takes the file's id from the beginning of a message.
func splitHeader(data []byte) (id uint64, rest []byte, err error) {
	if len(data) < 8 {
		return 0, nil, fmt.Errorf("a message of %d bytes has no file id", len(data))
	}
	return binary.LittleEndian.Uint64(data), data[8:], nil
}
