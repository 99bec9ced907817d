package osregion

import (
	"bytes"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

const (
	remapMayMove  = 1  // MREMAP_MAYMOVE
	remapFixed    = 2  // MREMAP_FIXED
	populateWrite = 23 // MADV_POPULATE_WRITE, since Linux 5.14; before, EINVAL
)

// Detach replaces the mapping by a private mapping of the same file. It shows the same bytes; a page that is written
// becomes this process's own.
func (f *Object) Detach() []byte {
	if !f.regain() {
		return nil
	}
	size := len(f.memory)
	view := remap(f.memory, 0, remapMayMove, nil) // a mapping of the same opening, so it keeps the lock
	if view == nil {
		return nil
	}
	private := f.mapPrivately(size)
	if private != nil && syscall.Madvise(view, dontFork) == nil {
		// The kernel replaces one mapping by the other while no thread can touch either.
		if remap(private, size, remapMayMove|remapFixed, f.memory) != nil {
			return view
		}
	}
	unmap(private)
	unmap(view)
	return nil
}

// mapPrivately maps the file privately. If the descriptor's number means another file by now, the headers differ.
func (f *Object) mapPrivately(size int) []byte {
	fd := f.Descriptor()
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil || st.Size < int64(size) {
		return nil
	}
	private, err := syscall.Mmap(fd, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	const same = wire.HeaderSize - 4 // all but the ready word, which others may still read
	if bytes.Equal(private[:same], f.memory[:same]) && syscall.Madvise(private, dontFork) == nil {
		return private
	}
	unmap(private)
	return nil
}

// remap is mremap from `size` bytes to the length of `memory`; size 0 makes a second mapping of the same pages. nil:
// the system refused.
func remap(memory []byte, size int, flags uintptr, to []byte) []byte {
	address, _, errno := syscall.Syscall6(syscall.SYS_MREMAP, uintptr(unsafe.Pointer(&memory[0])), uintptr(size),
		uintptr(len(memory)), flags, uintptr(unsafe.Pointer(unsafe.SliceData(to))), 0)
	if errno != 0 {
		return nil
	}
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&address)), len(memory)) // not Go's memory
}

// unmap unmaps memory, which may be nil.
func unmap(memory []byte) {
	if memory != nil {
		_, _, _ = syscall.Syscall(syscall.SYS_MUNMAP, uintptr(unsafe.Pointer(&memory[0])), uintptr(len(memory)), 0)
	}
}

// Keep makes bytes of a detached mapping keep their contents.
func (f *Object) Keep(b []byte) {
	page := uintptr(syscall.Getpagesize())
	start := uintptr(unsafe.Pointer(&b[0])) - uintptr(unsafe.Pointer(&f.memory[0]))
	pages := f.memory[start/page*page : start+uintptr(len(b))]
	if syscall.Madvise(pages, populateWrite) == syscall.EINVAL {
		touch(pages, int(page))
	}
}

// touch writes each page by atomically adding 0 to a word of it: a concurrent write of another thread is not lost.
func touch(pages []byte, page int) {
	for i := 0; i < len(pages); i += page {
		atomic.AddUint32((*uint32)(unsafe.Pointer(&pages[i])), 0)
	}
}

// LetGo unmaps the last mapping of the opening that has the lock.
func (f *Object) LetGo(view []byte) { unmap(view) }
