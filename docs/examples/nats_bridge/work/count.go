// Package work is what the host wants done, by a guest beside it or by a worker far away.
package work

import (
	"context"
	"encoding/binary"
	"fmt"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// Count counts the primes of a range: of two little-endian u64, the first number and the one behind the last.
func Count(ctx context.Context, request shmipc.Message) (shmipc.Message, error) {
	if len(request.Data) != 16 {
		return shmipc.Message{}, fmt.Errorf("%d bytes are no range", len(request.Data))
	}
	first, end := binary.LittleEndian.Uint64(request.Data), binary.LittleEndian.Uint64(request.Data[8:])
	var count uint64
	for n := first; n < end; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return shmipc.Message{}, ctx.Err()
		}
		if prime(n) {
			count++
		}
	}
	return shmipc.Message{Data: binary.LittleEndian.AppendUint64(nil, count)}, nil
}

func prime(n uint64) bool {
	for d := uint64(2); d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return n > 1
}
