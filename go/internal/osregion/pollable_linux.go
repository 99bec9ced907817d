package osregion

import (
	"fmt"
	"syscall"

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
	fd, err := openDescriptor(fifoPath(nonce, peer), syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_NOFOLLOW|syscall.O_NOCTTY)
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
