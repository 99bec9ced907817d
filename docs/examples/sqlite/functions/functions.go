// Package functions is what the extension's functions do in Go: bytes in, bytes out, whatever carries them.
package functions

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
)

var order = binary.LittleEndian

// The types of the requests.
const (
	TypeHash = 128 + iota
	TypeVariance
	TypeFactors
	TypeSleep
)

// Function writes its answer to response, which has room for the largest, and returns its length.
type Function func(request, response []byte) (int, error)

// ByType has the functions that need nothing but the request.
var ByType = map[uint32]Function{
	TypeHash:     hash,
	TypeVariance: variance,
	TypeFactors:  factors,
}

func hash(request, response []byte) (int, error) {
	h := fnv.New64a()
	h.Write(request)
	order.PutUint64(response, h.Sum64())
	return 8, nil
}

// variance adds a batch of numbers to the moments of those before.
func variance(request, response []byte) (int, error) {
	const head = 24
	if len(request) < head || len(request)%8 != 0 {
		return 0, fmt.Errorf("%d bytes are no batch of numbers", len(request))
	}
	count := order.Uint64(request)
	mean := math.Float64frombits(order.Uint64(request[8:]))
	squares := math.Float64frombits(order.Uint64(request[16:]))
	for at := head; at < len(request); at += 8 {
		value := math.Float64frombits(order.Uint64(request[at:]))
		count++
		distance := value - mean
		mean += distance / float64(count)
		squares += distance * (value - mean)
	}
	order.PutUint64(response, count)
	order.PutUint64(response[8:], math.Float64bits(mean))
	order.PutUint64(response[16:], math.Float64bits(squares))
	return head, nil
}

// factors answers the rows from the first number on that fit: number, length and text of each.
func factors(request, response []byte) (int, error) {
	if len(request) != 16 {
		return 0, fmt.Errorf("%d bytes are no range", len(request))
	}
	number, last := int64(order.Uint64(request)), int64(order.Uint64(request[8:]))
	if number < 1 {
		return 0, errors.New("only numbers from 1 on have prime factors")
	}
	const longest = 8 + 4 + 3*63 // a row: no number has more than 62 factors
	length := 0
	for ; number <= last && length+longest <= len(response); number++ {
		text := appendFactors(response[length+12:length+12], number)
		order.PutUint64(response[length:], uint64(number))
		order.PutUint32(response[length+8:], uint32(len(text)))
		length += 12 + len(text)
		if number == math.MaxInt64 {
			break
		}
	}
	return length, nil
}

func appendFactors(text []byte, number int64) []byte {
	for factor := int64(2); factor <= number/factor; {
		if number%factor == 0 {
			text = append(strconv.AppendInt(text, factor, 10), '*')
			number /= factor
		} else {
			factor++
		}
	}
	return strconv.AppendInt(text, number, 10)
}
