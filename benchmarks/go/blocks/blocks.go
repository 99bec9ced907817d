// Package blocks is the far end of ../../alternatives/remote.c: a program that makes round trips
// when it is told to, and keeps the time.
package blocks

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// timesMost is how many times of single round trips one block has at most.
const timesMost = 100_000

// Serve obeys commands from standard input until it ends. "loop NS" makes round trips for about so
// long and answers how long that took and how many they were; "times NS" answers how many they were
// and how long each took.
func Serve(call func() error) {
	commands := bufio.NewReader(os.Stdin)
	answers := bufio.NewWriter(os.Stdout)
	times := make([]uint32, 0, timesMost)
	for {
		var kind string
		var length time.Duration
		if _, err := fmt.Fscanln(commands, &kind, &length); err == io.EOF {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		if kind == "loop" {
			write(answers, loop(call, length))
		} else {
			times = timeEach(call, length, times[:0])
			write(answers, uint64(len(times)))
			write(answers, times)
		}
		if err := answers.Flush(); err != nil {
			log.Fatal(err)
		}
	}
}

func write(w io.Writer, data any) {
	if err := binary.Write(w, binary.LittleEndian, data); err != nil {
		log.Fatal(err)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// loop reads the clock some ten times.
func loop(call func() error, length time.Duration) [2]uint64 {
	begin := time.Now()
	calls, chunk := uint64(0), uint64(1)
	for time.Since(begin) < length {
		for i := uint64(0); i < chunk; i++ {
			must(call())
		}
		calls += chunk
		chunk = 1 + calls*uint64(length/10)/uint64(time.Since(begin)+1)
	}
	return [2]uint64{uint64(time.Since(begin)), calls}
}

func timeEach(call func() error, length time.Duration, times []uint32) []uint32 {
	begin := time.Now()
	for last := begin; last.Sub(begin) < length && len(times) < cap(times); {
		must(call())
		now := time.Now()
		times = append(times, uint32(min(int64(now.Sub(last)), math.MaxUint32)))
		last = now
	}
	return times
}

// Main is the main function of a program that is started twice: "PROGRAM serve SOCKET", and
// "PROGRAM call SOCKET BYTES", which gives Serve its calls.
func Main(serve func(socket string), call func(socket string, length int)) {
	log.SetFlags(0)
	log.SetPrefix("bench: " + filepath.Base(os.Args[0]) + ": ")
	switch {
	case len(os.Args) == 3 && os.Args[1] == "serve":
		serve(os.Args[2])
	case len(os.Args) == 4 && os.Args[1] == "call":
		length, err := strconv.Atoi(os.Args[3])
		must(err)
		call(os.Args[2], length)
	default:
		log.Fatal("usage: serve SOCKET | call SOCKET BYTES")
	}
}
