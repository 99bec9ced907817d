package osregion

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/base"
)

// NamesAreListed tells whether List returns the names of hosts that live.
const NamesAreListed = true

// Sight is what is seen of a name's file without opening it. Two sights that differ are of two files, or of one that was
// changed in between. (What is written through a mapping changes nothing here.)
type Sight struct {
	Device, Inode uint64
	size, changed int64
	mode, owner   uint32
}

// Look looks at the file that a name means. Only a regular file may be a region, so another one is not found.
func Look(name string) (Sight, error) {
	var st syscall.Stat_t
	if err := syscall.Lstat(regionPrefix+name, &st); err != nil {
		return Sight{}, base.SystemFailure("lstat "+regionPrefix+name, err)
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return Sight{}, base.Fail(base.NotFound, "it is not a regular file")
	}
	return sightOf(&st), nil
}

func sightOf(st *syscall.Stat_t) Sight {
	file := identityOf(st)
	return Sight{file.device, file.inode, st.Size, st.Ctim.Nano(), st.Mode, st.Uid}
}

// Sight is what was seen of the file when it was opened.
func (f *Object) Sight() Sight { return sightOf(&f.first) }

// NameWatch reports names in the directory of regions: those that have come to mean a file, and those whose file has
// got another owner or other permissions. It costs nothing until then: it is an inotify descriptor. A host links a
// complete file, so what is reported may be opened at once.
type NameWatch struct {
	polled
	self      identity // of the descriptor
	directory identity
	shown     string // what /proc shows of this descriptor and of no other; "": nothing
	stopped   atomic.Bool
	buffer    []byte
}

const reported = syscall.IN_CREATE | syscall.IN_MOVED_TO | syscall.IN_ATTRIB

// WatchNames begins a watch. It fails if the system has no more watches for this user, or knows none.
func WatchNames() (*NameWatch, error) {
	fd, err := aboveStandard(func() (int, error) {
		return syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	})
	if err != nil {
		return nil, base.SystemFailure("inotify_init1", err)
	}
	w := &NameWatch{buffer: make([]byte, 8192)}
	if err := w.setUp(fd); err != nil {
		_ = syscall.Close(fd)
		return nil, base.SystemFailure("inotify_add_watch", err)
	}
	if w.polled, err = newPolled(fd, "inotify"); err != nil {
		return nil, base.SystemFailure("inotify", err)
	}
	return w, nil
}

func (w *NameWatch) setUp(fd int) (err error) {
	if w.self, err = identify(fd); err != nil {
		return err
	}
	if w.directory, err = findDirectory(); err != nil {
		return err
	}
	number, err := syscall.InotifyAddWatch(fd, filepath.Dir(regionPrefix), reported|syscall.IN_ONLYDIR)
	shown := fmt.Sprintf("inotify wd:%x ino:%x ", number, w.directory.inode)
	if strings.Contains(descriptorInfo(fd), shown) {
		w.shown = shown
	}
	return err
}

func descriptorInfo(fd int) string { return readFile("/proc/self/fdinfo", strconv.Itoa(fd)) }

func findDirectory() (identity, error) {
	var st syscall.Stat_t
	err := syscall.Stat(filepath.Dir(regionPrefix), &st)
	return identityOf(&st), err
}

// errWatchLost says that a watch reports nothing any more.
var errWatchLost = errors.New("the watch on names is lost")

// Wait returns the names that are reported, some perhaps twice; when this time has come, it returns none, and looks
// whether the watch still reports. incomplete: the system has dropped some. An error says that the watch is over. Wait
// is for one goroutine.
func (w *NameWatch) Wait(until time.Time) (names []string, incomplete bool, err error) {
	_ = w.file.SetReadDeadline(until)
	if w.stopped.Load() {
		return nil, false, os.ErrClosed
	}
	var news news
	err = w.raw.Read(func(fd uintptr) bool { return w.read(int(fd), &news) })
	switch {
	case w.stopped.Load():
		err = os.ErrClosed
	case err == nil:
		err = news.err
	case errors.Is(err, os.ErrDeadlineExceeded) && w.isIntact():
		err = nil
	}
	return news.names, news.incomplete, err
}

// Stop makes Wait return an error. It may be called by any goroutine.
func (w *NameWatch) Stop() {
	w.stopped.Store(true)
	w.interrupt()
}

// Close ends the watch; it may take the system some 20 ms. No Wait may be under way.
func (w *NameWatch) Close() { w.closeIf(w.isOurs) }

// news is what one Wait has read.
type news struct {
	names      []string
	incomplete bool
	err        error
}

// read reads once, and tells whether there is anything to report.
func (w *NameWatch) read(fd int, n *news) (done bool) {
	if !descriptorIs(fd, w.self) {
		n.err = errWatchLost
		return true
	}
	switch size, err := syscall.Read(fd, w.buffer); err {
	case nil:
		n.decode(w.buffer[:size])
	case syscall.EAGAIN, syscall.EINTR:
	default:
		n.err = err
	}
	return len(n.names) > 0 || n.incomplete || n.err != nil
}

// decode takes what the system has written: for each event a watch, a mask, a cookie, and a name with its length before
// it and zeros behind it.
func (n *news) decode(b []byte) {
	prefix := []byte(filepath.Base(regionPrefix))
	for len(b) >= syscall.SizeofInotifyEvent {
		mask, length := binary.NativeEndian.Uint32(b[4:]), binary.NativeEndian.Uint32(b[12:])
		name := b[syscall.SizeofInotifyEvent:][:length]
		b = b[syscall.SizeofInotifyEvent+length:]
		switch {
		case mask&syscall.IN_Q_OVERFLOW != 0:
			n.incomplete = true
		case mask&(syscall.IN_IGNORED|syscall.IN_UNMOUNT) != 0:
			n.err = errWatchLost
		case bytes.HasPrefix(name, prefix):
			n.names = append(n.names, string(bytes.TrimRight(name[len(prefix):], "\x00")))
		}
	}
}

// isIntact tells whether the watch still reports: other code may have closed the descriptor, and another directory may
// have been mounted in the place of this one.
func (w *NameWatch) isIntact() bool {
	found, err := findDirectory()
	return err == nil && found == w.directory && w.is(w.isOurs)
}

// isOurs tells whether the number means this watch. Descriptors of several kinds share one inode, so /proc is asked too,
// if it has shown what this one watches, and can be read now.
func (w *NameWatch) isOurs(fd int) bool {
	if !descriptorIs(fd, w.self) {
		return false
	}
	info := descriptorInfo(fd)
	return info == "" || strings.Contains(info, w.shown)
}
