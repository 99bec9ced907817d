package shmipc

import (
	"io"
	"log/slog"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// backing holds the memory and proves which peers are alive: the region's file, or its equivalent on a system without
// such files.
type backing interface {
	locked(index uint32) bool // another process holds the lock of this peer index
	linked() bool             // the region still has a name
	trouble() string          // what was done to the file and should be logged, once; "": nothing
	waiting(*region) parking  // how to sleep and wake on the memory's words
	detacher
	close() error // unmaps and gives up this guest's lock
}

// detacher is how a guest leaves while its goroutines still write to its mapping.
type detacher interface {
	// detach turns the mapping, in place and at one instant, into memory of this process alone: later writes there are
	// invisible to other processes. Reads still show other processes' writes, except in bytes passed to keep. detach
	// returns a second mapping, through which the caller goes on as the same guest; nil: the system cannot do that now,
	// and nothing has changed.
	detach() []byte
	// keep makes bytes of a detached mapping keep their contents.
	keep([]byte)
	// letGo unmaps the mapping that detach returned, and gives up this guest's lock. The private memory stays until
	// close.
	letGo([]byte)
}

// region is the mapping with the private copy of its geometry.
type region struct {
	geometry
	view
	parking
	backing

	index uint32 // this guest's
	epoch uint32 // of this attachment, as in the peer table
	me    owner
	bit   uint32 // this guest's bit in an eventcount's sleepers

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

// attachOnce attaches to the region if its host is there now; otherwise it returns ErrNotFound.
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

// takeIndex takes the lock of the first free guest index. A host briefly takes a dead guest's lock to clean up after
// it, so only several full rounds mean that the region is full.
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

// newRegion overlays the types on the memory, which holds at least geometry.total bytes.
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

// join makes this guest a peer. It holds the lock of its index, so every word that names its index as owner belongs to
// a dead guest; join reclaims them before the new epoch tells others so.
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

// silenceEventcounts clears this index's bits: the holder of its lock neither sleeps nor polls on an eventcount any
// more. It, or its dead predecessor, may have polled, or been about to look after polling, so callers did not notify;
// sleepers are therefore woken to look.
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
	r.notifyAll(r.eventcount(eventcountGuestFree)) // for slots released while this guest closed
	r.notifyAll(r.eventcount(eventcountMembership))
}

// disown gives up this guest's slots: the callers of its handlers learn that they had started, and the slots of its own
// calls become free.
func (r *region) disown() {
	var fault error
	defer r.catchFault(&fault)()
	r.reclaim(func(o owner) bool { return o.index() == r.index })
}

// reclaim changes every word whose owner is dead. It calls dead after it has read the word, and each change is a swap
// of the whole word.
func (r *region) reclaim(dead func(owner) bool) {
	for i := range r.hostSlots {
		s := &r.hostSlots[i]
		for n := reclaimTries; n > 0 && !r.reclaimHostSlot(s, dead); n-- {
		}
	}
	r.reclaimGuestSlots(dead)
}

// reclaimTries: the other side may also change a word whose owner is dead, by an answer or by giving up, and does so at
// most once; the next try reclaims what it leaves.
const reclaimTries = 4

// reclaimHostSlot returns false if the word has changed meanwhile.
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

// reclaimGuestSlot returns false if the word has changed meanwhile.
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
