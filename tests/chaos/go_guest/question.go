package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// As in ../question.h.
const (
	questionType = 200
	answerType   = 201
	messageMax   = 1024
	answerMin    = 8
	questionMin  = 24
)

const (
	wishAtOnce = iota
	wishCompute
	wishSleep
	wishFail
	wishCallBack
	wishes
)

type question struct {
	number       uint64
	wish         uint32
	timeUs       uint32
	answerLength uint32
}

// patternFill writes bytes that depend on the seed and on their position, as the fixture in C does.
func patternFill(data []byte, seed uint64) {
	for i := range data {
		data[i] = patternByte(seed, i)
	}
}

func patternByte(seed uint64, position int) byte {
	mixed := (seed + uint64(position/8) + 1) * 0x9e3779b97f4a7c15
	return byte(mixed >> (position % 8 * 8))
}

func patternHolds(data []byte, seed uint64) bool {
	for i := range data {
		if data[i] != patternByte(seed, i) {
			return false
		}
	}
	return true
}

// write fills data, at least questionMin bytes.
func (q *question) write(data []byte) {
	binary.LittleEndian.PutUint64(data, q.number)
	binary.LittleEndian.PutUint32(data[8:], q.wish)
	binary.LittleEndian.PutUint32(data[12:], q.timeUs)
	binary.LittleEndian.PutUint32(data[16:], q.answerLength)
	binary.LittleEndian.PutUint32(data[20:], 0)
	patternFill(data[questionMin:], q.number)
}

func readQuestion(data []byte) (q question, ok bool) {
	if len(data) < questionMin {
		return q, false
	}
	q.number = binary.LittleEndian.Uint64(data)
	q.wish = binary.LittleEndian.Uint32(data[8:])
	q.timeUs = binary.LittleEndian.Uint32(data[12:])
	q.answerLength = binary.LittleEndian.Uint32(data[16:])
	ok = q.wish < wishes && q.answerLength >= answerMin && q.answerLength <= messageMax
	return q, ok && patternHolds(data[questionMin:], q.number)
}

func (q *question) writeAnswer(data []byte) {
	binary.LittleEndian.PutUint64(data, q.number)
	patternFill(data[answerMin:q.answerLength], ^q.number)
}

func (q *question) failure() string {
	return fmt.Sprintf("call %d was to fail", q.number)
}

func (q *question) isAnswer(kind uint32, data []byte) bool {
	return kind == answerType && len(data) == int(q.answerLength) &&
		binary.LittleEndian.Uint64(data) == q.number && patternHolds(data[answerMin:], ^q.number)
}

func (q *question) isFailure(message string) bool {
	return bytes.Contains([]byte(message), []byte(q.failure()))
}
