package osregion

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/libshmipc/libshmipc/go/internal/base"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// A peer's descriptor for event loops is readable once a byte was written to the FIFO beside the region that bears the
// peer's index. Its owner makes it; a peer that signals opens it anew each time, so no descriptor is kept for each peer.

func fifoPath(nonce uint64, peer uint32) string {
	return fmt.Sprintf("/dev/shm/shmipc-%016x-ready-%d", nonce, peer)
}

// signal makes the descriptor of a peer readable, if it has one and this process may. The FIFO is opened for reading
// too, since one that nobody else has open any more would raise SIGPIPE. A FIFO that is full is readable already.
func signal(nonce uint64, peer uint32) bool {
	fd, err := openDescriptor(fifoPath(nonce, peer), openFlags)
	if err != nil {
		return false
	}
	defer syscall.Close(fd)
	if !isFIFO(fd) {
		return false
	}
	_, err = syscall.Write(fd, []byte{0})
	return err == nil || err == syscall.EAGAIN
}

// removeFIFOs removes what is named after the region for its peers. A file that is no region, or of another version, has
// no such names.
func (f *Object) removeFIFOs() {
	var header [wire.HeaderSize]byte
	if f.Read(header[:]) != nil {
		return
	}
	if g, err := wire.DecodeHeader(&header); err == nil {
		for peer := uint32(0); peer < wire.PeersMax; peer++ {
			_ = syscall.Unlink(fifoPath(g.Nonce, peer))
		}
	}
}

// isFIFO tells whether this is a FIFO with one name. A process that may open the region could have put another file
// there, or another name of a FIFO that means something else, which must not be written to.
func isFIFO(fd int) bool {
	var st syscall.Stat_t
	return syscall.Fstat(fd, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFIFO && st.Nlink == 1
}

// Ready is this peer's own FIFO, for which Go's poller waits.
type Ready struct {
	polled
	path    string
	fifo    identity
	stopped atomic.Bool
	buffer  []byte
}

// OpenReady makes the FIFO of the index whose lock was taken last.
func (f *Object) OpenReady(nonce uint64) (*Ready, error) {
	r := &Ready{path: fifoPath(nonce, f.self), buffer: make([]byte, 4096)}
	fd, err := r.open(&f.first)
	if err != nil {
		return nil, err
	}
	if r.polled, err = newPolled(fd, r.path); err != nil {
		r.removeName()
		return nil, base.SystemFailure("poll "+r.path, err)
	}
	return r, nil
}

// open makes the FIFO and opens it. The index's former owner may have died and left one; another user's cannot be
// removed, but serves as well.
func (r *Ready) open(region *syscall.Stat_t) (fd int, err error) {
	_ = syscall.Unlink(r.path)
	made := syscall.Mkfifo(r.path, 0o600)
	if made != nil && made != syscall.EEXIST {
		return -1, base.Needed("mkfifo "+r.path, made)
	}
	fd, err = r.openName()
	switch {
	case made != nil:
	case err != nil:
		_ = syscall.Unlink(r.path)
	default:
		shareAs(fd, region)
	}
	return fd, err
}

func (r *Ready) openName() (fd int, err error) {
	if fd, err = openDescriptor(r.path, openFlags); err != nil {
		return -1, base.SystemFailure("open "+r.path, err)
	}
	r.fifo, err = identify(fd)
	if err != nil || !isFIFO(fd) {
		_ = syscall.Close(fd)
		return -1, base.Fail(base.Denied, r.path+" is no FIFO")
	}
	return fd, nil
}

// shareAs gives the FIFO the region's owner, group and mode, as far as this process may: a process that may open the
// region may signal. A group that may not be given has no rights.
func shareAs(fd int, region *syscall.Stat_t) {
	mode := region.Mode & 0o777
	if syscall.Fchown(fd, int(region.Uid), int(region.Gid)) != nil && syscall.Fchown(fd, -1, int(region.Gid)) != nil {
		mode &^= 0o070
	}
	_ = syscall.Fchmod(fd, mode)
}

// Wait waits until this peer is signalled. An error says that it will not be any more. Wait is for one goroutine.
func (r *Ready) Wait() error {
	var failed error
	err := r.raw.Read(func(fd uintptr) bool {
		if !r.isOurs(int(fd)) {
			failed = base.Fail(base.System, "somebody else closed the descriptor of "+r.path)
			return true
		}
		_, err := syscall.Read(int(fd), r.buffer)
		return err != syscall.EAGAIN && err != syscall.EINTR
	})
	switch {
	case r.stopped.Load():
		return os.ErrClosed
	case err != nil:
		return err
	}
	return failed
}

func (r *Ready) isOurs(fd int) bool { return descriptorIs(fd, r.fifo) }

// IsIntact tells whether this peer can be signalled: one name means the FIFO, and the number the descriptor.
func (r *Ready) IsIntact() bool { return r.hasName() && r.is(r.isOurs) }

func (r *Ready) hasName() bool {
	var st syscall.Stat_t
	return syscall.Lstat(r.path, &st) == nil && identityOf(&st) == r.fifo && st.Nlink == 1
}

func (r *Ready) removeName() {
	if r.hasName() {
		_ = syscall.Unlink(r.path)
	}
}

// Stop makes Wait return an error. It may be called by any goroutine.
func (r *Ready) Stop() {
	r.stopped.Store(true)
	r.interrupt()
}

// Close removes the FIFO. No Wait may be under way.
func (r *Ready) Close() {
	r.removeName()
	r.closeIf(r.isOurs)
}
