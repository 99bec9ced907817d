package osregion

import (
	"os"
	"syscall"
)

// Descriptors in a process that other code shares: none of ours is a standard one, and a number that was ours is
// checked before it is trusted.

// standardDescriptors are standard input, output and error: 0, 1 and 2.
const standardDescriptors = 3

func isStandard(fd int) bool { return fd >= 0 && fd < standardDescriptors }

// standIns occupy the free standard descriptors for a while. They can be neither read nor written: code that uses one
// gets EBADF, as before.
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

// giveBack closes the stand-ins, except a number that other code has reused for another file.
func (s *standIns) giveBack() {
	for _, fd := range s.fds {
		closeDescriptor(fd, s.file)
	}
}

// aboveStandard returns the descriptor that open returns, but never 0, 1 or 2: if these were closed, the process's
// output would be written into the file. It opens again if a standard descriptor was closed in between.
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

// readDirectory returns the entries of a directory, in no particular order.
func readDirectory(path string) ([]os.DirEntry, error) {
	directory, err := openStream(path)
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	return directory.ReadDir(-1)
}

// identity distinguishes a file from every other one as long as it is open or mapped anywhere.
type identity struct{ device, inode uint64 }

func identityOf(st *syscall.Stat_t) identity { return identity{uint64(st.Dev), uint64(st.Ino)} }

func identify(fd int) (identity, error) {
	var st syscall.Stat_t
	err := syscall.Fstat(fd, &st)
	return identityOf(&st), err
}

// descriptorIs tells whether the number means that file now. Any code in the process may close it; the next file that
// is opened then gets the number.
func descriptorIs(fd int, file identity) bool {
	now, err := identify(fd)
	return err == nil && now == file
}

// closeDescriptor closes the descriptor, unless it means another file by now. An error of fstat other than EBADF says
// nothing about the file, so the descriptor is then closed.
func closeDescriptor(fd int, file identity) {
	now, err := identify(fd)
	if err == nil && now == file || err != nil && err != syscall.EBADF {
		_ = syscall.Close(fd)
	}
}
