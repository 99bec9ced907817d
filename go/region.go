package shmipc

import (
	"errors"
	"io"
	"log/slog"
	"runtime"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/osregion"
	"github.com/libshmipc/libshmipc/go/internal/park"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// backing is the object that holds the memory and proves which peers are alive: the region's file, or its equivalent on
// a system without such files.
type backing interface {
	Locked(index uint32) bool // another process holds the lock of this peer index
	Linked() bool             // the region still has a name
	Trouble() string          // what was done to the file and should be logged, once; "": nothing
	// Waiting is how this peer sleeps on the memory's words, and wakes others.
	Waiting(v wire.View, g wire.Geometry, index uint32) park.System
	detacher
	Close() error // unmaps and gives up this guest's lock
}

// detacher is how a guest leaves while its goroutines still write to its mapping.
type detacher interface {
	// Detach turns the mapping, in place and at one instant, into memory of this process alone: later writes there are
	// invisible to other processes. Reads still show other processes' writes, except in bytes passed to Keep. Detach
	// returns a second mapping, through which the caller goes on as the same guest; nil: the system cannot do that now,
	// and nothing has changed.
	Detach() []byte
	// Keep makes bytes of a detached mapping keep their contents.
	Keep([]byte)
	// LetGo unmaps the mapping that Detach returned, and gives up this guest's lock. The private memory stays until
	// Close.
	LetGo([]byte)
}

// mapped is the mapping, with the private copy of its geometry.
type mapped struct {
	geometry wire.Geometry
	view     wire.View
}

func (m *mapped) peer(index uint32) *wire.PeerRecord { return m.view.Peer(index) }

func (m *mapped) answersOf(index uint32) eventcount {
	answers := &m.peer(index).Answers
	return eventcount{answers, &answers.Sleepers, wire.ArmedAt}
}

func (m *mapped) eventcount(number uint32) eventcount {
	line := m.view.Eventcount(number)
	return eventcount{&line.Eventcount, &line.Armed, 0}
}

// region is what this guest knows of the region that it has mapped. It never changes after join.
type region struct {
	mapped
	parking
	object backing

	index uint32 // this guest's
	epoch uint32 // of this attachment, as in the peer table
	me    wire.Owner
	bit   uint32 // this guest's bit in an eventcount's sleepers

	hostSlots  []slot
	guestSlots []slot
	hostEpoch  uint32
}

// settings is a Config with its defaults filled in.
type settings struct {
	rules     osregion.Rules
	callsOnly bool
	service   uint64
	spin      time.Duration
	timeout   time.Duration
	log       *slog.Logger
	names     *nameWatches // by which it waits for hosts
	netpoll   bool
}

// attachOnce attaches to the region if its host is there now; otherwise it returns ErrNotFound.
func attachOnce(name string, s settings) (*Guest, error) {
	return attachUnless(name, s, func(regionKey) bool { return false })
}

// regionKey tells a region from every other one: a file's identity may come again when the file is gone.
type regionKey struct{ device, inode, nonce uint64 }

// errKnown says that a guest is not to attach.
var errKnown = errors.New("the region is known")

// attachUnless is attachOnce, but returns errKnown if the region is known.
func attachUnless(name string, s settings, known func(regionKey) bool) (*Guest, error) {
	file, err := osregion.Open(name, s.rules)
	if err != nil {
		return nil, public(err)
	}
	r, err := enterFile(file, s, known)
	if err != nil {
		_ = file.Close()
		return nil, public(err)
	}
	g := newGuest(r, name, s)
	if s.netpoll {
		if ready, err := file.OpenReady(r.geometry.Nonce); err == nil {
			g.sleepInNetpoller(ready)
		} else {
			g.info("its goroutines occupy threads while they sleep", "reason", err)
		}
	}
	return g, nil
}

// enterFile validates the file, takes a guest index in it, and maps it.
func enterFile(file *osregion.Object, s settings, known func(regionKey) bool) (*region, error) {
	geometry, err := inspect(file, s)
	if err != nil {
		return nil, err
	}
	if sight := file.Sight(); known(regionKey{sight.Device, sight.Inode, geometry.Nonce}) {
		return nil, errKnown
	}
	index, err := takeIndex(file)
	if err != nil {
		return nil, err
	}
	if !file.Locked(wire.HostIndex) || !file.Linked() {
		return nil, failure(ErrNotFound, "its host is gone")
	}
	memory, err := file.MapMemory(geometry.Total)
	if err == nil {
		err = file.Try()
	}
	if err == nil {
		err = file.Settle()
	}
	if err != nil {
		return nil, err
	}
	r := newRegion(memory, geometry, file, index)
	if err := r.join(s); err != nil {
		return nil, err
	}
	return r, nil
}

// inspect checks the file and its header, and returns the private copy of the geometry.
func inspect(file *osregion.Object, s settings) (wire.Geometry, error) {
	size, err := file.Inspect(s.rules)
	if err != nil {
		return wire.Geometry{}, public(err)
	}
	var header [wire.HeaderSize]byte
	if err := file.Read(header[:]); err == io.ErrUnexpectedEOF {
		return wire.Geometry{}, truncated(size, wire.HeaderSize)
	} else if err != nil {
		return wire.Geometry{}, public(err)
	}
	g, err := wire.DecodeHeader(&header)
	if err != nil {
		return g, public(err)
	}
	if size < g.Total {
		return g, truncated(size, g.Total)
	}
	return g, nil
}

func truncated(size, limit uint64) error {
	return &Error{Kind: ErrTruncated, Value: size, Limit: limit, unit: "bytes"}
}

// takeIndex takes the lock of the first free guest index. A host briefly takes a dead guest's lock to clean up after
// it, so only several full rounds mean that the region is full.
func takeIndex(file *osregion.Object) (uint32, error) {
	for round := 0; round < 3; round++ {
		for index := uint32(1); index <= wire.GuestsMax; index++ {
			if ok, err := file.Lock(index); ok || err != nil {
				return index, err
			}
		}
		runtime.Gosched()
	}
	return 0, ErrFull
}

// newRegion overlays the types on the memory, which holds at least geometry.total bytes.
func newRegion(memory []byte, g wire.Geometry, b backing, index uint32) *region {
	r := &region{mapped: mapped{g, wire.NewView(memory)}, object: b, index: index}
	r.bit = 1 << index
	r.parking.system = b.Waiting(r.view, g, index)
	slots := make([]slot, g.Slots())
	for i := range slots {
		slots[i] = r.slotAt(uint32(i))
	}
	r.hostSlots, r.guestSlots = slots[:g.HostCount], slots[g.HostCount:]
	return r
}

func (r *region) slotAt(index uint32) slot {
	offset := r.geometry.SlotOffset(index)
	return slot{
		line:     r.view.Exchange(offset),
		request:  r.view.Bytes(offset+wire.RequestOffset, r.geometry.RequestCapacity),
		response: r.view.Bytes(offset+uint64(r.geometry.ResponseOffset), r.geometry.ResponseCapacity),
		index:    index,
	}
}

// join makes this guest a peer. It holds the lock of its index, so every word that names its index as owner belongs to
// a dead guest; join reclaims them before the new epoch tells others so.
func (r *region) join(s settings) (err error) {
	defer r.catchFault(&err)()
	if r.hostIsLeaving() {
		return failure(ErrNotFound, "its host is leaving")
	}
	r.silenceEventcounts()
	r.reclaim(func(o wire.Owner) bool { return o.Index() == r.index })
	line := r.peer(r.index)
	r.epoch = wire.NextEpoch(line.Epoch.Load())
	r.me, r.hostEpoch = wire.NewOwner(r.index, wire.EpochInWord(r.epoch)), r.peer(wire.HostIndex).Epoch.Load()
	if line.Status.Load() != wire.StatusVacant {
		line.Left.Store(0) // the last owner died
	}
	line.Status.Store(wire.StatusVacant)
	line.Epoch.Store(r.epoch)
	line.PID.Store(osregion.ProcessID())
	line.Origin.Store(osregion.ProcessOrigin())
	r.view.Services()[r.index].Store(s.service)
	r.show(Stats{})
	if s.callsOnly {
		line.Status.Store(wire.StatusCalling)
	} else {
		line.Status.Store(wire.StatusAttached)
	}
	r.notifyAll(r.eventcount(wire.EventcountMembership))
	return nil
}

// silenceEventcounts clears this index's bits: the holder of its lock neither sleeps nor polls on an eventcount any
// more. It, or its dead predecessor, may have polled, or been about to look after polling, so callers did not notify;
// sleepers are therefore woken to look.
func (r *region) silenceEventcounts() {
	for number := uint32(0); number < wire.Eventcounts; number++ {
		b := r.eventcount(number)
		b.unwant(r.bit | r.bit<<wire.PollersAt)
		b.disarm(r.index)
	}
	if b := r.eventcount(wire.EventcountHostRequest); b.wantsNotify() {
		r.notifyAll(b)
	}
	r.peer(r.index).Answers.Sleepers.Store(0)
}

// leave takes the guest out of the region. Nothing of this process may write there any more.
func (r *region) leave() {
	var fault error
	defer r.catchFault(&fault)()
	r.silenceEventcounts()
	line := r.peer(r.index)
	line.Left.Store(r.epoch)
	line.Status.Store(wire.StatusVacant)
	r.notifyAll(r.eventcount(wire.EventcountGuestFree)) // for slots released while this guest closed
	r.notifyAll(r.eventcount(wire.EventcountMembership))
}

// serveNoMore is for a guest that keeps its index while goroutines are inside: no call waits for it.
func (r *region) serveNoMore() {
	var fault error
	defer r.catchFault(&fault)()
	r.peer(r.index).Status.Store(wire.StatusLeaving)
	r.silenceEventcounts()
	r.notifyAll(r.eventcount(wire.EventcountMembership))
}

// disown gives up this guest's slots: the callers of its handlers learn that they had started, and the slots of its own
// calls become free.
func (r *region) disown() {
	var fault error
	defer r.catchFault(&fault)()
	r.reclaim(func(o wire.Owner) bool { return o.Index() == r.index })
}

// reclaim changes every word whose owner is dead. It calls dead after it has read the word, and each change is a swap
// of the whole word.
func (r *region) reclaim(dead func(wire.Owner) bool) {
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
func (r *region) reclaimHostSlot(s *slot, dead func(wire.Owner) bool) (done bool) {
	w := s.load()
	if !w.Owner().Named() || w.State() == wire.StateRequest || w.State() == wire.StateResponse || !dead(w.Owner()) {
		return true
	}
	now, changed := s.reclaimResponder(w)
	if changed && w.Parked() {
		r.wakeCaller(s.line, r.answersOf(wire.HostIndex))
	}
	if changed && now.State() == wire.StateFree {
		r.notifyIfWanted(r.eventcount(wire.EventcountHostFree))
	}
	return changed
}

func (r *region) reclaimGuestSlots(dead func(wire.Owner) bool) {
	for i := range r.guestSlots {
		s := &r.guestSlots[i]
		for n := reclaimTries; n > 0 && !r.reclaimGuestSlot(s, dead); n-- {
		}
	}
}

// reclaimGuestSlot returns false if the word has changed meanwhile.
func (r *region) reclaimGuestSlot(s *slot, dead func(wire.Owner) bool) (done bool) {
	w := s.load()
	if !w.Owner().Named() || w.State() == wire.StateCancelled || !dead(w.Owner()) {
		return true
	}
	now, changed := s.reclaimCaller(w)
	if changed && now.State() == wire.StateFree {
		r.notifyIfWanted(r.eventcount(wire.EventcountGuestFree))
	}
	return changed
}
