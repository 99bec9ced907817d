package shmipc

import "github.com/libshmipc/libshmipc/go/internal/wire"

// hostState is the state of the host, as far as a guest can know.
type hostState uint8

const (
	hostAlive   hostState = iota
	hostLeaving           // it began to leave gracefully
	hostLeft              // it left gracefully
	hostDied              // it is gone and did not leave, or its file has no name any more
)

// host looks whether the host is there. Its lock is the proof; its peer record tells how it left.
func (r *region) host() hostState {
	line := r.peer(wire.HostIndex)
	if r.object.Locked(wire.HostIndex) && line.Epoch.Load() == r.hostEpoch && !r.nameIsLost() {
		if line.Status.Load() != wire.StatusAttached {
			return hostLeaving
		}
		return hostAlive
	}
	if line.Left.Load() == r.hostEpoch {
		return hostLeft
	}
	return hostDied
}

// nameIsLost tells whether the file has had no name for a while. Not at once: a host that leaves unlinks the name
// before its peer record says so, and a process that replaces a dead host briefly holds the dead host's lock while it
// unlinks.
func (r *region) nameIsLost() bool {
	if r.object.Linked() {
		return false
	}
	r.unnamed.CompareAndSwap(0, now())
	return now()-r.unnamed.Load() >= tick/2
}

// dead tells whether the guest that an owner names is proven dead: its lock is gone, or its index
// has another epoch already.
func (r *region) dead(o wire.Owner) bool {
	if o == r.me {
		return false
	}
	return wire.EpochInWord(r.peer(o.Index()).Epoch.Load()) != o.Epoch() || !r.object.Locked(o.Index())
}
