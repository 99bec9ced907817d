package main

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// What follows has the layout of ../ledger.h, which says what it means.

const (
	callUnused = iota
	callBegun
	callEnded
)

const (
	seenStarted     = 1
	seenFinished    = 2
	seenWrongAnswer = 4
)

const outcomeAbandoned = 1

type call struct {
	started, finished, server, phase atomic.Uint32
	outcome                          int32
	caller                           uint32
	process, way, wish, seen         uint8
	timeoutUs                        uint32
	began, ended                     uint64
	handlerBegan, handlerEnded       atomic.Uint64
}

const (
	posts           = 8
	desks           = 16
	noteMax         = 160
	incarnationsMax = 32768
)

const (
	orderNone = iota
	orderGather
	orderQuiet
	orderProve
	orderResume
	orderLeave
	orderEnd
)

type desk struct{ call, since atomic.Uint64 }

type post struct {
	order, obeyed, incarnation, guests, attached, faulty atomic.Uint32
	answered, served                                     atomic.Uint64
	stats                                                [6]atomic.Uint64
	holding                                              [3]atomic.Uint32
	reserved                                             [127]uint32
	note                                                 [noteMax]byte
	desks                                                [desks]desk
}

type header struct {
	callBytes, postBytes           uint32
	callsAt, capacity, began, seed uint64
	next, garbled                  atomic.Uint64
	incarnations                   atomic.Uint32
	reserved                       uint32
	region                         [64]byte
	killed                         [incarnationsMax]byte
	posts                          [posts]post
}

// ledger is the file in which every process enters its calls, as this one's number in it.
type ledger struct {
	*header
	calls  []call
	number uint32
	post   *post
}

func openLedger(path string, number int) (*ledger, error) {
	memory, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	h := (*header)(unsafe.Pointer(&memory[0]))
	if uintptr(h.callBytes) != unsafe.Sizeof(call{}) || uintptr(h.postBytes) != unsafe.Sizeof(post{}) ||
		uintptr(h.callsAt) != unsafe.Sizeof(header{}) {
		return nil, errors.New("the ledger has another layout")
	}
	calls := unsafe.Slice((*call)(unsafe.Pointer(&memory[h.callsAt])), h.capacity)
	return &ledger{header: h, calls: calls, number: uint32(number), post: &h.posts[number]}, nil
}

func (l *ledger) name() string {
	n := 0
	for l.region[n] != 0 {
		n++
	}
	return string(l.region[:n])
}

// hasRoom keeps calls from being numbered faster than the ledger has room for.
func (l *ledger) hasRoom() bool {
	const callsPerSecond = 10000
	return l.next.Load() < (now()-l.began)/1000*callsPerSecond/1000000
}

func (l *ledger) begin(a *attempt) {
	a.number = l.next.Add(1) - 1
	if a.number >= l.capacity {
		panic("the ledger is full")
	}
	c := &l.calls[a.number]
	c.caller = l.post.incarnation.Load()
	c.process, c.way, c.wish = uint8(l.number), a.way, uint8(a.wish)
	c.timeoutUs = uint32(a.timeout / time.Microsecond)
	c.began = now()
	c.phase.Store(callBegun)
}

func (l *ledger) end(number uint64, outcome int32, wrong bool) {
	c := &l.calls[number]
	if wrong {
		c.seen |= seenWrongAnswer
	}
	if c.started.Load() > 0 {
		c.seen |= seenStarted
	}
	if c.finished.Load() > 0 {
		c.seen |= seenFinished
	}
	c.outcome = outcome
	c.ended = now()
	c.phase.Store(callEnded)
	if isAnswer(outcome) {
		l.post.answered.Add(1)
	}
}

func (l *ledger) call(number uint64) *call {
	if number >= l.capacity || number >= l.next.Load() {
		return nil
	}
	return &l.calls[number]
}

func (l *ledger) start(c *call) {
	c.server.Store(l.post.incarnation.Load()) // first: a kill between the two leaves no handler of nobody
	c.started.Add(1)
	c.handlerBegan.Store(now())
}

func (l *ledger) finish(c *call) {
	c.handlerEnded.Store(now())
	l.post.served.Add(1)
	c.finished.Add(1)
}

// fault says what is wrong; the first note counts.
func (l *ledger) fault(format string, arguments ...any) {
	note := fmt.Sprintf(format, arguments...)
	fmt.Fprintln(os.Stderr, "go_guest:", note)
	if l.post.faulty.Load() == 0 {
		copy(l.post.note[:noteMax-1], note)
		l.post.faulty.Store(1)
	}
}

func isAnswer(outcome int32) bool {
	return outcome == 0 || outcome == int32(shmipc.ErrHandler)
}

func outcomeOf(err error) int32 {
	var coded interface{ Code() int }
	switch {
	case err == nil:
		return 0
	case errors.As(err, &coded):
		return int32(coded.Code())
	}
	return 2 // no outcome of a call
}
