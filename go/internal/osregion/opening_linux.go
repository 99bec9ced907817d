package osregion

import (
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/libshmipc/libshmipc/go/internal/base"
)

// opening is the descriptor of a region's file. The first opening takes this guest's lock and is mapped, then closed:
// so the mapping, which no child inherits, alone keeps the lock. A second opening of the same file serves to query the
// locks of others. If other code of this process closes that one, the file is opened again by its name.
type opening struct {
	path       string
	first      syscall.Stat_t // of the file when it was first opened
	fd         atomic.Int64   // written under mutex
	reopenings atomic.Uint32  // counted before each reopening
	pending    atomic.Uint32  // the trouble that was not logged yet

	mutex   sync.Mutex
	settled bool // the mapping alone keeps this guest's lock
	blind   bool // the descriptor was lost, and the file cannot be opened again
}

const openFlags = syscall.O_RDWR | syscall.O_NOFOLLOW | syscall.O_NONBLOCK | syscall.O_NOCTTY

// The values of pending: what became of a descriptor that other code of this process closed.
const (
	troubleNone uint32 = iota
	troubleReopened
	troubleBlind
)

// Descriptor is the number of the descriptor that means our file, as long as no other code has closed it; -1: none.
func (o *opening) Descriptor() int { return int(o.fd.Load()) }

func (o *opening) file() identity { return identityOf(&o.first) }

// openFirst opens the file and looks at it.
func (o *opening) openFirst() error {
	fd, err := openDescriptor(o.path, openFlags)
	switch err {
	case nil:
	case syscall.ELOOP, syscall.EISDIR, syscall.ENXIO, syscall.ENODEV:
		return &base.Failure{Kind: base.NotARegion, Message: o.path, Cause: err}
	default:
		return base.SystemFailure("open "+o.path, err)
	}
	if err := syscall.Fstat(fd, &o.first); err != nil {
		_ = syscall.Close(fd)
		return base.Needed("fstat", err)
	}
	o.fd.Store(int64(fd))
	return nil
}

// openAgain returns ENOENT if the name no longer means our file.
func (o *opening) openAgain() (int, error) {
	fd, err := openDescriptor(o.path, openFlags)
	if err != nil {
		return -1, err
	}
	now, err := identify(fd)
	if err == nil && now == o.file() {
		return fd, nil
	}
	if err == nil {
		err = syscall.ENOENT
	}
	_ = syscall.Close(fd)
	return -1, err
}

// Settle is called when the guest holds its lock and has the file mapped: from now on the mapping alone keeps the lock,
// and no child that inherits descriptors does. NotFound: the name means another file by now.
func (o *opening) Settle() error {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	fd, err := o.openAgain()
	if err != nil {
		return base.SystemFailure("second opening of "+o.path, err)
	}
	closeDescriptor(o.Descriptor(), o.file())
	o.fd.Store(int64(fd))
	o.settled = true
	return nil
}

// regain tells whether the descriptor means our file; if it does not, regain first opens the file again.
func (o *opening) regain() bool {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.settled && !descriptorIs(o.Descriptor(), o.file()) {
		o.replace()
	}
	return o.settled && !o.blind
}

func (o *opening) replace() {
	o.reopenings.Add(1)
	fd, err := o.openAgain()
	if err == nil {
		o.pending.Store(troubleReopened)
	} else if !o.blind {
		o.pending.Store(troubleBlind)
	}
	o.fd.Store(int64(fd))
	o.blind = err != nil
}

// Trouble returns, once, a message that should be logged; "": nothing.
func (o *opening) Trouble() string {
	if o.pending.Load() == troubleNone {
		return ""
	}
	switch o.pending.Swap(troubleNone) {
	case troubleReopened:
		return "somebody else closed the region's descriptor; it was opened again"
	case troubleBlind:
		return "somebody else closed the region's descriptor, and the region cannot be opened again by its " +
			"name: while that is so no death is noticed"
	}
	return ""
}

// shut closes the descriptor for good.
func (o *opening) shut() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	closeDescriptor(o.Descriptor(), o.file())
	o.settled = false
	o.fd.Store(-1)
}
