package shmipc

import (
	"os"
	"syscall"
)

// Descriptors in a process that others share: none of ours is a standard one, and a number that was ours
// is believed to be so only after a look.

// standardDescriptors are standard input, output and error: 0, 1 and 2.
const standardDescriptors = 3

func isStandard(fd int) bool { return fd >= 0 && fd < standardDescriptors }

// standIns take up the free standard descriptors meanwhile. They can be neither read nor written: who uses
// one gets EBADF, as before.
type standIns struct {
	fds  []int
	file identity
}

func openStandIn() (int, error) {
	const path = 0x200000 // O_PATH
	return syscall.Open("/", path|syscall.O_CLOEXEC, 0)
}

func takeUpStandard() (s standIns) {
	fd, err := openStandIn()
	for err == nil && isStandard(fd) {
		s.fds = append(s.fds, fd)
		if s.file, err = identify(fd); err != nil {
			return s
		}
		fd, err = openStandIn()
	}
	if err == nil {
		_ = syscall.Close(fd)
	}
	return s
}

// giveBack leaves those that somebody has put a file of his own over.
func (s *standIns) giveBack() {
	for _, fd := range s.fds {
		closeDescriptor(fd, s.file)
	}
}

// aboveStandard returns what open does, but never 0, 1 or 2: where these are closed, what the process
// prints would be written into the file. It opens again if somebody has closed a standard descriptor in
// between.
func aboveStandard(open func() (int, error)) (int, error) {
	for {
		s := takeUpStandard()
		fd, err := open()
		s.giveBack()
		if err != nil || !isStandard(fd) {
			return fd, err
		}
		_ = syscall.Close(fd)
	}
}

func openDescriptor(path string, flags int) (int, error) {
	return aboveStandard(func() (int, error) {
		for {
			fd, err := syscall.Open(path, flags|syscall.O_CLOEXEC, 0)
			if err != syscall.EINTR {
				return fd, err
			}
		}
	})
}

// openStream opens a file to be read.
func openStream(path string) (*os.File, error) {
	fd, err := openDescriptor(path, syscall.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// readDirectory returns what a directory holds, in no particular order.
func readDirectory(path string) ([]os.DirEntry, error) {
	directory, err := openStream(path)
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	return directory.ReadDir(-1)
}

// identity tells a file from every other one as long as somebody has it open or mapped.
type identity struct{ device, inode uint64 }

func identityOf(st *syscall.Stat_t) identity { return identity{uint64(st.Dev), uint64(st.Ino)} }

func identify(fd int) (identity, error) {
	var st syscall.Stat_t
	err := syscall.Fstat(fd, &st)
	return identityOf(&st), err
}

// descriptorIs tells whether the number means that file now. Anybody in the process may close it, and a
// file that is opened next gets the number.
func descriptorIs(fd int, file identity) bool {
	now, err := identify(fd)
	return err == nil && now == file
}

// closeDescriptor closes the descriptor, unless it means something else by now. An open one can be looked
// at: an error but EBADF says nothing about whose it is.
func closeDescriptor(fd int, file identity) {
	now, err := identify(fd)
	if err == nil && now == file || err != nil && err != syscall.EBADF {
		_ = syscall.Close(fd)
	}
}
