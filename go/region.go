package shmipc

import (
	"io"
	"log/slog"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// backing is what holds the memory and proves who is alive: the region's file, or what stands for
// it on a system without such files.
type backing interface {
	locked(index uint32) bool // somebody else holds the lock of this peer index
	linked() bool             // the region still has a name
	trouble() string          // what somebody did to the file and people should know, once; "": nothing
	waiting(*region) parking  // how to sleep and wake in the memory
	detacher
	close() error // unmaps and gives up the own lock
}

// detacher is how a guest leaves while others still write to its mapping.
type detacher interface {
	// detach turns the mapping, where it lies, into memory of this process alone, at one instant: what
	// is written there from then on nobody else sees. Reads still show what others write, but for what
	// is kept. It returns a second mapping, in which the caller goes on as the guest that it is; nil: the
	// system cannot do that now, and nothing has changed.
	detach() []byte
	// keep has bytes of a detached mapping keep the contents they have.
	keep([]byte)
	// letGo unmaps what detach returned, and gives up the own lock. The private memory stays until close.
	letGo([]byte)
}

// region is the mapping with the private copy of its geometry.
type region struct {
	geometry
	view
	parking
	backing

	index uint32 // this guest's
	epoch uint32 // this attach's, as in the peer table
	me    owner
	bit   uint32 // this guest's in an eventcount's sleepers

	hostSlots  []slot
	guestSlots []slot
	hostEpoch  uint32
	unnamed    atomic.Int64 // when the file was first found without a name, of now(); 0: never
}

// settings is a Config with its defaults filled in.
type settings struct {
	mode      os.FileMode
	owner     int
	ownerSID  string
	global    bool
	callsOnly bool
	spin      time.Duration
	timeout   time.Duration
	log       *slog.Logger
}

// attachOnce attaches to the region if its host is there now; else ErrNotFound.
func attachOnce(name string, s settings) (*Guest, error) {
	file, err := openRegion(name, s)
	if err != nil {
		return nil, err
	}
	r, err := enterFile(file, s)
	if err != nil {
		_ = file.close()
		return nil, err
	}
	return newGuest(r, name, s), nil
}

// enterFile validates the file, takes a guest index in it, and maps it.
func enterFile(file *regionFile, s settings) (*region, error) {
	geometry, err := inspect(file, s)
	if err != nil {
		return nil, err
	}
	index, err := takeIndex(file)
	if err != nil {
		return nil, err
	}
	if !file.locked(hostIndex) || !file.linked() {
		return nil, failure(ErrNotFound, "its host is gone")
	}
	memory, err := file.mapMemory(geometry.total)
	if err == nil {
		err = file.try()
	}
	if err == nil {
		err = file.settle()
	}
	if err != nil {
		return nil, err
	}
	r := newRegion(memory, geometry, file, index)
	if err := r.join(s.callsOnly); err != nil {
		return nil, err
	}
	return r, nil
}

// inspect checks the file and its header, and returns the private copy of the geometry.
func inspect(file *regionFile, s settings) (geometry, error) {
	size, err := file.inspect(s)
	if err != nil {
		return geometry{}, err
	}
	var header [headerSize]byte
	if err := file.read(header[:]); err == io.ErrUnexpectedEOF {
		return geometry{}, truncated(size, headerSize)
	} else if err != nil {
		return geometry{}, err
	}
	g, err := decodeHeader(&header)
	if err == nil && size < g.total {
		err = truncated(size, g.total)
	}
	return g, err
}

func truncated(size, limit uint64) error {
	return &Error{Kind: ErrTruncated, Value: size, Limit: limit, unit: "bytes"}
}

// takeIndex takes the lock of the first free guest index. A host takes a dead guest's lock for a
// moment to clean up after it, so full means full several times.
func takeIndex(file *regionFile) (uint32, error) {
	for round := 0; round < 3; round++ {
		for index := uint32(1); index <= guestsMax; index++ {
			if ok, err := file.lock(index); ok || err != nil {
				return index, err
			}
		}
		runtime.Gosched()
	}
	return 0, ErrFull
}

// newRegion lays the types over the memory, which holds at least geometry.total bytes.
func newRegion(memory []byte, g geometry, b backing, index uint32) *region {
	r := &region{geometry: g, view: newView(memory), backing: b, index: index}
	r.bit = 1 << index
	r.parking = b.waiting(r)
	slots := make([]slot, g.slots())
	for i := range slots {
		slots[i] = r.slotAt(uint32(i))
	}
	r.hostSlots, r.guestSlots = slots[:g.hostCount], slots[g.hostCount:]
	return r
}

func (r *region) slotAt(index uint32) slot {
	offset := r.slotOffset(index)
	return slot{
		line:     r.exchange(offset),
		request:  r.bytes(offset+requestOffset, r.requestCapacity),
		response: r.bytes(offset+uint64(r.responseOffset), r.responseCapacity),
		index:    index,
	}
}

// join makes this guest a peer. Its lock is held, so everything that names its index as owner
// belongs to the dead, and is reclaimed before the next epoch tells others that it has been.
func (r *region) join(callsOnly bool) (err error) {
	defer r.catchFault(&err)()
	if r.peer(hostIndex).status.Load() != statusAttached {
		return failure(ErrNotFound, "its host is leaving")
	}
	r.silenceEventcounts()
	r.reclaim(func(o owner) bool { return o.index() == r.index })
	line := r.peer(r.index)
	r.epoch = nextEpoch(line.epoch.Load())
	r.me, r.hostEpoch = newOwner(r.index, epochInWord(r.epoch)), r.peer(hostIndex).epoch.Load()
	if line.status.Load() != statusVacant {
		line.left.Store(0) // the last owner died
	}
	line.status.Store(statusVacant)
	line.epoch.Store(r.epoch)
	line.pid.Store(processID())
	line.origin.Store(processOrigin())
	if callsOnly {
		line.status.Store(statusCalling)
	} else {
		line.status.Store(statusAttached)
	}
	r.notifyAll(r.eventcount(eventcountMembership))
	return nil
}

// silenceEventcounts is called by the holder of this index's lock: it neither sleeps nor polls on an eventcount any
// more. It may have polled, or been about to look after that, and callers did not notify: who sleeps looks, now that
// nobody does it for them.
func (r *region) silenceEventcounts() {
	for number := uint32(0); number < eventcountCount; number++ {
		r.eventcount(number).unwant(r.bit | r.bit<<pollersAt)
	}
	if b := r.eventcount(eventcountHostRequest); b.wantsNotify() {
		r.notifyAll(b)
	}
	r.peer(r.index).answers.sleepers.Store(0)
}

// leave takes the guest out of the region. Nothing of this process may write there any more.
func (r *region) leave() {
	var fault error
	defer r.catchFault(&fault)()
	r.silenceEventcounts()
	line := r.peer(r.index)
	line.left.Store(r.epoch)
	line.status.Store(statusVacant)
	r.notifyAll(r.eventcount(eventcountGuestFree)) // for slots given back while this guest closed
	r.notifyAll(r.eventcount(eventcountMembership))
}

// disown gives up the slots that the guest still has: whom its handlers worked for is told that they
// had started, what its own calls had becomes free.
func (r *region) disown() {
	var fault error
	defer r.catchFault(&fault)()
	r.reclaim(func(o owner) bool { return o.index() == r.index })
}

// reclaim changes every word whose owner is dead. dead is asked after the word was read, and each
// change is a swap of the whole word.
func (r *region) reclaim(dead func(owner) bool) {
	for i := range r.hostSlots {
		s := &r.hostSlots[i]
		for n := reclaimTries; n > 0 && !r.reclaimHostSlot(s, dead); n-- {
		}
	}
	r.reclaimGuestSlots(dead)
}

// reclaimTries: the other side may change a word whose owner is dead too, by an answer or by giving up, and
// does so at most once; what it leaves is reclaimed next.
const reclaimTries = 4

// reclaimHostSlot returns false if the word was changed meanwhile.
func (r *region) reclaimHostSlot(s *slot, dead func(owner) bool) (done bool) {
	w := s.load()
	if !w.owner().named() || w.state() == stateResponse || !dead(w.owner()) {
		return true
	}
	now, changed := s.reclaimResponder(w)
	if changed && w.parked() {
		r.wakeCaller(s.line, &r.peer(hostIndex).answers)
	}
	if changed && now.state() == stateFree {
		r.notifyIfWanted(r.eventcount(eventcountHostFree))
	}
	return changed
}

func (r *region) reclaimGuestSlots(dead func(owner) bool) {
	for i := range r.guestSlots {
		s := &r.guestSlots[i]
		for n := reclaimTries; n > 0 && !r.reclaimGuestSlot(s, dead); n-- {
		}
	}
}

// reclaimGuestSlot returns false if the word was changed meanwhile.
func (r *region) reclaimGuestSlot(s *slot, dead func(owner) bool) (done bool) {
	w := s.load()
	if !w.owner().named() || w.state() == stateCancelled || !dead(w.owner()) {
		return true
	}
	now, changed := s.reclaimCaller(w)
	if changed && now.state() == stateFree {
		r.notifyIfWanted(r.eventcount(eventcountGuestFree))
	}
	return changed
}
