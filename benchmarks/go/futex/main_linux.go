// Command futex answers a word by another, as ../../limits/futex.c does: it sleeps on the one, and wakes
// who sleeps on the other. Both lie in the file that is its standard input, a line each.
package main

import (
	"log"
	"math"
	"sync/atomic"
	"syscall"
	"unsafe"
)

const (
	line        = 64
	futexWait   = 0
	futexWakeUp = 1
)

func wait(word *atomic.Uint32, value uint32) {
	for word.Load() == value {
		_, _, _ = syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWait, uintptr(value), 0, 0, 0)
	}
}

func set(word *atomic.Uint32, value uint32) {
	word.Store(value)
	_, _, _ = syscall.Syscall(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWakeUp, math.MaxInt32)
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: futex: ")
	memory, err := syscall.Mmap(syscall.Stdin, 0, 2*line, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		log.Fatal(err)
	}
	there := (*atomic.Uint32)(unsafe.Pointer(&memory[0]))
	back := (*atomic.Uint32)(unsafe.Pointer(&memory[line]))
	for n := uint32(0); ; n++ {
		wait(there, n)
		set(back, n+1)
	}
}
