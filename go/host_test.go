//go:build linux || (windows && (amd64 || arm64))

package shmipc

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/osregion"
	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// The test's own host: it creates regions as docs/protocol.md says, and plays the host's part of
// the state machine with its own code.

type testHost struct {
	tb   testing.TB
	name string
	mapped
	parking
	memory []byte
	hostFile
	heap *heapBacking // instead of a file

	claimed []sync.Mutex // host slots
	stop    atomic.Bool
	served  sync.WaitGroup
}

// heapBacking replaces the file if both peers share memory of one process, so that the race detector sees it.
type heapBacking struct {
	hostDead  atomic.Bool
	unlinked  atomic.Bool
	guestDead [wire.PeersMax]atomic.Bool
	closed    atomic.Bool
}

func (b *heapBacking) Locked(index uint32) bool {
	if index == wire.HostIndex {
		return !b.hostDead.Load()
	}
	return !b.guestDead[index].Load()
}
func (b *heapBacking) Linked() bool    { return !b.unlinked.Load() }
func (b *heapBacking) Trouble() string { return "" }
func (b *heapBacking) Waiting(wire.View, wire.Geometry, uint32) park.System {
	return heapParking.system
}
func (b *heapBacking) Close() error   { b.closed.Store(true); return nil }
func (b *heapBacking) Detach() []byte { return nil }
func (b *heapBacking) Keep([]byte)    {}
func (b *heapBacking) LetGo([]byte)   {}

// namesOfThisRun is the common prefix of the region names in this process's tests.
var namesOfThisRun = fmt.Sprintf("gotest.%d.", os.Getpid())

// uniqueName is a name for a region; it is free again when the test has ended, even if a peer was killed.
func uniqueName(tb testing.TB) string {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		tb.Fatal(err)
	}
	name := namesOfThisRun + hex.EncodeToString(b[:])
	tb.Cleanup(func() { removeName(name) })
	return name
}

// TestMain fails a run whose tests leave regions behind.
func TestMain(m *testing.M) {
	status := m.Run()
	if left := namesLeft(namesOfThisRun); len(left) > 0 {
		fmt.Println("FAIL: the tests left these regions behind:", left)
		status = max(status, 1)
	}
	os.Exit(status)
}

func (h *testHost) setUp(memory []byte) {
	h.memory, h.view = memory, wire.NewView(memory)
	copy(memory, header(h.geometry))
	h.peer(wire.HostIndex).Epoch.Store(1)
	h.peer(wire.HostIndex).PID.Store(osregion.ProcessID())
	h.peer(wire.HostIndex).Origin.Store(osregion.ProcessOrigin())
	h.peer(wire.HostIndex).Status.Store(wire.StatusAttached)
	h.claimed = make([]sync.Mutex, h.geometry.HostCount)
}

// newHost creates a region in a file. Everything is gone when the test ends.
func newHost(tb testing.TB, s shape) *testHost {
	h := &testHost{tb: tb, name: uniqueName(tb), mapped: mapped{geometry: mustGeometry(tb, s)}}
	h.create()
	tb.Cleanup(h.die)
	return h
}

func (h *testHost) must(err error) {
	h.tb.Helper()
	if err != nil {
		h.tb.Fatal(err)
	}
}

// die drops the locks, as a kill does, and removes the name, as the next host does.
func (h *testHost) die() {
	h.unname()
	h.kill()
}

// kill drops the host's lock and mapping, and leaves the name.
func (h *testHost) kill() {
	h.stopServing()
	h.drop()
}

// leave leaves gracefully.
func (h *testHost) leave() {
	h.peer(wire.HostIndex).Status.Store(wire.StatusLeaving)
	h.notifyAll(h.eventcount(wire.EventcountHostRequest))
	h.notifyAll(h.eventcount(wire.EventcountMembership))
	h.stopServing()
	h.peer(wire.HostIndex).Left.Store(1)
	h.peer(wire.HostIndex).Status.Store(wire.StatusVacant)
	h.unname()
	h.notifyAll(h.eventcount(wire.EventcountMembership))
	h.kill()
}

// newHeapHost makes a region in the heap, and attach attaches guests to it.
func newHeapHost(tb testing.TB, s shape) *testHost {
	h := &testHost{tb: tb, name: "heap", mapped: mapped{geometry: mustGeometry(tb, s)}, heap: &heapBacking{}}
	memory := make([]byte, h.geometry.Total+127)
	skip := -int(uintptr(unsafe.Pointer(&memory[0]))) & 127
	h.parking = heapParking
	h.setUp(memory[skip : skip+int(h.geometry.Total)])
	tb.Cleanup(h.stopServing)
	return h
}

// attachHeap attaches a guest with an index to a heap region.
func (h *testHost) attachHeap(index uint32, config *Config) *Guest {
	h.tb.Helper()
	s, err := newSettings(h.name, config)
	h.must(err)
	r := newRegion(h.memory, h.geometry, h.heap, index)
	h.must(r.join(s))
	g := newGuest(r, h.name, s)
	h.tb.Cleanup(func() { _ = g.Close() })
	return g
}

// attach attaches a guest to a region in a file.
func (h *testHost) attach(config *Config) *Guest {
	h.tb.Helper()
	if h.heap != nil {
		return h.attachHeap(1, config)
	}
	g, err := Attach(deadline(h.tb), h.name, config)
	h.must(err)
	h.tb.Cleanup(func() { _ = g.Close() })
	return g
}

func (h *testHost) slot(index uint32) *wire.ExchangeLine {
	return h.view.Exchange(h.geometry.SlotOffset(index))
}

func (h *testHost) guestSlot(i uint32) *wire.ExchangeLine { return h.slot(h.geometry.HostCount + i) }

func (h *testHost) word(index uint32) wire.Word { return wire.Word(h.slot(index).State.Load()) }

// responseBuffer and requestBuffer are the buffers of a slot.
func (h *testHost) requestBuffer(index uint32) []byte {
	return h.view.Bytes(h.geometry.SlotOffset(index)+wire.RequestOffset, h.geometry.RequestCapacity)
}

func (h *testHost) responseBuffer(index uint32) []byte {
	return h.view.Bytes(h.geometry.SlotOffset(index)+uint64(h.geometry.ResponseOffset), h.geometry.ResponseCapacity)
}

// hostCall is one call on a host slot.
type hostCall struct {
	host  *testHost
	index uint32
	sent  wire.Word
}

// send publishes a request on a host slot, which the test must own.
func (h *testHost) send(index uint32, kind uint32, data []byte) hostCall {
	line := h.slot(index)
	old := wire.Word(line.State.Load())
	sent := old.Next(line.Put(data, h.requestBuffer(index), kind), 0)
	line.State.Store(uint64(sent))
	if b := h.eventcount(wire.EventcountHostRequest); b.wantsNotify() {
		h.notifyHome(b, old.Owner().Index(), int(index))
	}
	return hostCall{h, index, sent}
}

var errNoAnswer = errors.New("no answer")

// wait waits for the answer, parked as a host would.
func (c hostCall) wait(timeout time.Duration) (wire.Word, error) {
	line, end := c.host.slot(c.index), now()+int64(timeout)
	notified := false
	for i := 0; ; i++ {
		w := wire.Word(line.State.Load())
		if w.State() == wire.StateResponse {
			return w, nil
		}
		if w.State() != wire.StateRequest && w.State() != wire.StateWorking {
			return w, fmt.Errorf("state %d while waiting", w.State())
		}
		if now() >= end {
			return w, errNoAnswer
		}
		if i < 200 {
			continue
		}
		if i < 300 {
			runtime.Gosched()
			continue
		}
		if b := c.host.eventcount(wire.EventcountHostRequest); w.State() == wire.StateRequest && !notified && b.hasSleepers() {
			notified = true
			c.host.notify(b, 1)
		}
		if parked := w | wire.FlagParked; parked == w || line.State.CompareAndSwap(uint64(w), uint64(parked)) {
			c.host.wait(wire.LowHalf(&line.State), parked.Low(), min(end, now()+tick), park.NoHome)
		}
	}
}

// giveUp ends the call without its answer.
func (c hostCall) giveUp() (started bool) {
	line := c.host.slot(c.index)
	for {
		w := wire.Word(line.State.Load())
		switch w.State() {
		case wire.StateRequest:
			if line.State.CompareAndSwap(uint64(w), uint64(w.To(wire.StateFree, 0).Owned(0))) {
				return false
			}
		case wire.StateWorking:
			if line.State.CompareAndSwap(uint64(w), uint64(w.To(wire.StateCancelled, 0))) {
				return true
			}
		default:
			return true
		}
	}
}

// answer copies the answer of a call that has one.
func (c hostCall) answer(w wire.Word) Message {
	m, ok := messageIn(c.host.slot(c.index), c.host.responseBuffer(c.index), w.Flags(), c.host.geometry.ResponseCapacity)
	if !ok {
		c.host.tb.Fatal("the answer's length exceeds the capacity")
	}
	return Message{m.Type, append([]byte(nil), m.Data...)}
}

// call makes a whole call on a host slot.
func (h *testHost) call(index uint32, kind uint32, data []byte) (Message, error) {
	h.claimed[index].Lock()
	defer h.claimed[index].Unlock()
	c := h.send(index, kind, data)
	w, err := c.wait(watchdog)
	if err != nil {
		return Message{}, err
	}
	m := c.answer(w)
	if w.Flags()&wire.FlagError != 0 {
		err, _ = decodeError(m)
	}
	return m, err
}

// serve answers guest slots with a goroutine until the host stops.
func (h *testHost) serve(handler func(Message) Message) {
	h.served.Add(1)
	go func() {
		defer h.served.Done()
		h.serveLoop(handler)
	}()
}

func echo(m Message) Message { return m }

func (h *testHost) serveLoop(handler func(Message) Message) {
	b := h.eventcount(wire.EventcountGuestRequest)
	for idle := 0; !h.stop.Load(); idle++ {
		if h.serveAll(handler) {
			idle = 0
		}
		if idle > 300 {
			h.sleepOn(b, handler)
		} else if idle > 200 {
			runtime.Gosched()
		}
	}
}

// sleepOn sleeps until a guest notifies, or for a short time.
func (h *testHost) sleepOn(b eventcount, handler func(Message) Message) {
	seen := b.Generation.Load()
	b.want(1)
	if !h.serveAll(handler) {
		h.wait(eventcountWord(b), seen, now()+int64(10*time.Millisecond), park.NoHome)
	}
	b.unwant(1)
}

func (h *testHost) serveAll(handler func(Message) Message) (any bool) {
	for i := uint32(0); i < h.geometry.GuestCount; i++ {
		index := h.geometry.HostCount + i
		w := h.word(index)
		if w.State() != wire.StateRequest {
			continue
		}
		working := w.To(wire.StateWorking, w.Flags())
		if h.slot(index).State.CompareAndSwap(uint64(w), uint64(working)) {
			h.answer(index, working, handler)
			any = true
		}
	}
	return any
}

// answer runs the handler for a slot in state WORKING and publishes its answer.
func (h *testHost) answer(index uint32, working wire.Word, handler func(Message) Message) {
	line := h.slot(index)
	m, ok := messageIn(line, h.requestBuffer(index), working.Flags(), h.geometry.RequestCapacity)
	if !ok {
		panic("a request's length exceeds the capacity")
	}
	var flags wire.Word
	if m.Type == wire.TypeHeartbeat {
		line.Put(nil, nil, wire.TypeHeartbeatReply)
	} else {
		answer := handler(m)
		flags = line.Put(answer.Data, h.responseBuffer(index), answer.Type)
	}
	h.publish(index, working, flags)
}

// publish changes WORKING to the answer's state.
func (h *testHost) publish(index uint32, working, flags wire.Word) {
	line := h.slot(index)
	for {
		w := wire.Word(line.State.Load())
		if w.State() == wire.StateCancelled {
			line.State.Store(uint64(w.To(wire.StateFree, 0).Owned(0)))
			h.notifyIfWanted(h.eventcount(wire.EventcountGuestFree))
			return
		}
		if line.State.CompareAndSwap(uint64(w), uint64(w.To(wire.StateResponse, flags))) {
			if w.Parked() {
				h.wakeCaller(line, h.answersOf(w.Owner().Index()))
			}
			return
		}
	}
}

func (h *testHost) stopServing() {
	h.stop.Store(true)
	h.served.Wait()
	h.stop.Store(false)
}
