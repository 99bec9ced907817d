// Command responder answers the round trips of ../pause_go.c: responder FILE. A byte on standard
// input begins a block: so many pauses between two looks.
package main

import (
	"bufio"
	"log"
	"math"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// pauses executes PAUSE n times.
//
//go:noescape
func pauses(n uint64)

// patience is how many looks there are between two times that others may run.
const patience = 1000

const stop = math.MaxUint64

func await(word *uint64, old, n uint64) uint64 {
	for looks := 1; ; looks++ {
		found := atomic.LoadUint64(word)
		if found != old {
			return found
		}
		if n > 0 {
			pauses(n)
		}
		if looks%patience == 0 {
			runtime.Gosched()
		}
	}
}

func answer(word *uint64, n uint64) {
	found := await(word, 0, n)
	for found != stop {
		atomic.StoreUint64(word, found+1)
		found = await(word, found+1, n)
	}
	atomic.StoreUint64(word, 0)
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: responder FILE")
	}
	file, err := os.OpenFile(os.Args[1], os.O_RDWR, 0)
	if err != nil {
		log.Fatal(err)
	}
	memory, err := syscall.Mmap(int(file.Fd()), 0, os.Getpagesize(),
		syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		log.Fatal(err)
	}
	word := (*uint64)(unsafe.Pointer(&memory[0]))
	for commands := bufio.NewReader(os.Stdin); ; {
		n, err := commands.ReadByte()
		if err != nil {
			return
		}
		answer(word, uint64(n))
	}
}
