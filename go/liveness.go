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

// host looks whether the host is there: it holds its lock, and its file has a name. Its peer record tells how it left:
// a host that leaves says so there before it removes the name, so without a name there is nothing to wait for.
func (r *region) host() hostState {
	line := r.peer(wire.HostIndex)
	if r.object.Locked(wire.HostIndex) && line.Epoch.Load() == r.hostEpoch && r.object.Linked() {
		if r.hostIsLeaving() {
			return hostLeaving
		}
		return hostAlive
	}
	if line.Left.Load() == r.hostEpoch {
		return hostLeft
	}
	return hostDied
}

// hostIsLeaving tells whether the host has announced that it leaves; also of one that has left.
func (r *region) hostIsLeaving() bool {
	return r.peer(wire.HostIndex).Status.Load() != wire.StatusAttached
}

// dead tells whether the guest that an owner names is proven dead: its lock is gone, or its index
// has another epoch already.
func (r *region) dead(o wire.Owner) bool {
	if o == r.me {
		return false
	}
	return wire.EpochInWord(r.peer(o.Index()).Epoch.Load()) != o.Epoch() || !r.object.Locked(o.Index())
}
