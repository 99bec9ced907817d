// Command plain serves the plain design, see ../../limits/plain.h: plain SLOTS. A goroutine for each slot
// sleeps in the system until there is a request. The slots lie in the file that is its standard input.
package main

import (
	"log"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/libshmipc/libshmipc/benchmarks/go/job"
)

const (
	futexWait = 0
	futexWake = 1
)

type slot struct {
	there, back atomic.Uint32
	_           [8]byte
	message     [48]byte
}

const slotSize = unsafe.Sizeof(slot{})

func wait(word *atomic.Uint32, value uint32) {
	for word.Load() == value {
		_, _, _ = syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWait, uintptr(value), 0, 0, 0)
	}
}

func set(word *atomic.Uint32, value uint32) {
	word.Store(value)
	_, _, _ = syscall.Syscall(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake, 1)
}

// serve answers the bytes of each request once it has done the job that they tell.
func serve(s *slot, rate job.Rate) {
	for n := uint32(0); ; n++ {
		wait(&s.there, n)
		request := s.message
		if err := rate.Do(request[:]); err != nil {
			log.Fatal(err)
		}
		s.message = request
		set(&s.back, n+1)
	}
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: plain: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: plain SLOTS")
	}
	count, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	memory, err := syscall.Mmap(syscall.Stdin, 0, count*int(slotSize), syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_SHARED)
	if err != nil {
		log.Fatal(err)
	}
	rate := job.Calibrate()
	for i := 0; i < count; i++ {
		go serve((*slot)(unsafe.Pointer(&memory[uintptr(i)*slotSize])), rate)
	}
	select {}
}
