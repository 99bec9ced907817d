//go:build amd64 || arm64

package park

import (
	"math"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

var (
	waitForMultipleObjects = kernel32.NewProc("WaitForMultipleObjects")
	createWaitableTimerEx  = kernel32.NewProc("CreateWaitableTimerExW")
	openWaitableTimer      = kernel32.NewProc("OpenWaitableTimerW")
	setWaitableTimer       = kernel32.NewProc("SetWaitableTimer")
)

const (
	highResolution   = 2          // CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
	timerAccess      = 0x001f0003 // TIMER_ALL_ACCESS
	timerModifyState = 0x0002     // TIMER_MODIFY_STATE

	// nearDeadline is the shortest time for which a time-out in milliseconds is precise enough: its clock may tick once
	// in 15.6 ms.
	nearDeadline = int64(20 * time.Millisecond)
)

// waitSet is the set of handles that one sleep waits for.
type waitSet struct {
	handles [2 + wire.PeersMax]syscall.Handle
	count   uint32
	timer   syscall.Handle // kept for the next sleep; 0: not made yet
	due     int64          // in units of 100 ns; negative: from now
}

// begin resets the set to an event and a process; either may be 0.
func (w *waitSet) begin(event, process syscall.Handle) {
	w.count = 0
	w.add(event)
	w.add(process)
}

// add refuses a handle when the set is full, so no peer's record can overflow it.
func (w *waitSet) add(h syscall.Handle) (added bool) {
	if h == 0 || w.count == uint32(len(w.handles)) {
		return false
	}
	w.handles[w.count] = h
	w.count++
	return true
}

// sleep waits until a handle of the set is signalled, and returns that handle, or 0.
func (w *waitSet) sleep(word *uint32, value uint32, deadline int64) syscall.Handle {
	left := deadline - Now()
	if left <= 0 || atomic.LoadUint32(word) != value {
		return 0
	}
	timeout := uint32(min((left-1)/int64(time.Millisecond)+1, math.MaxInt32))
	if left < nearDeadline && w.prepare(left) {
		timeout = syscall.INFINITE
	}
	if w.count == 0 {
		time.Sleep(time.Duration(left))
		return 0
	}
	return w.waitForAny(timeout)
}

func (w *waitSet) waitForAny(timeout uint32) syscall.Handle {
	r := call(waitForMultipleObjects, uintptr(w.count),
		uintptr(unsafe.Pointer(&w.handles[0])), 0, uintptr(timeout))
	switch {
	case r < uintptr(w.count):
		return w.handles[r]
	case r != syscall.WAIT_TIMEOUT:
		time.Sleep(time.Millisecond) // do not spin on an invalid handle
	}
	return 0
}

// prepare adds a timer that is finer than the system's tick.
func (w *waitSet) prepare(left int64) bool {
	if w.timer == 0 {
		w.timer = newTimer()
	}
	w.due = -(left + 99) / 100
	if call(setWaitableTimer, uintptr(w.timer), uintptr(unsafe.Pointer(&w.due)), 0, 0, 0, 0) == 0 {
		return false
	}
	return w.add(w.timer)
}

// newTimer makes a timer of high resolution; a plain one if the system has none.
func newTimer() syscall.Handle {
	for _, flags := range [2]uintptr{highResolution, 0} {
		if r, _, _ := syscall.SyscallN(createWaitableTimerEx.Addr(), 0, 0, flags, timerAccess); r != 0 {
			return syscall.Handle(r)
		}
	}
	return 0
}
