//go:build amd64 || arm64

package shmipc

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/park"
)

func TestAttachFindsANameBeyondASCII(t *testing.T) {
	h := &testHost{tb: t, name: uniqueName(t) + ".größe-数据-🐟", mapped: mapped{geometry: mustGeometry(t, smallShape)}}
	h.create()
	defer h.die()
	h.attach(nil)
}

// A name of all sessions is not one of this session.
func TestAttachLooksInOneNamespace(t *testing.T) {
	h := newHost(t, smallShape)
	_, err := Attach(short(t, 10*time.Millisecond), h.name, &Config{Global: true})
	wantError(t, err, ErrNotFound)
}

// orphan is a guest that keeps the region of its dead host alive while the next host has the name.
func orphan(t *testing.T) (old *Guest, next *testHost) {
	h := newHost(t, shape{1, 2, 64, 64})
	old = h.attach(nil)
	h.kill()
	next = &testHost{tb: t, name: h.name, mapped: mapped{geometry: mustGeometry(t, smallShape)}}
	next.createRegion()
	h.directory.nonce.Store(next.geometry.Nonce)
	t.Cleanup(func() { next.drop(); h.unname() })
	return old, next
}

func TestOrphanedGuestIsToldAndComesBack(t *testing.T) {
	old, next := orphan(t)
	_, err := old.Call(deadline(t), Message{}, nil)
	wantError(t, err, ErrNoPeer)
	wantError(t, old.Serve(context.Background(), echoHandler), ErrPeerDied)
	next.serve(echo)
	defer next.stopServing()
	g := next.attach(nil)
	if info, err := g.Info(); err != nil || info.Index != 1 || info.HostSlots != 4 {
		t.Fatalf("%+v, %v", info, err)
	}
	if _, err := g.Call(deadline(t), Message{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
}

// The directory moves on while the old host's lock is still held: its region has lost its name.
func TestRegionIsLostWhenItsNameMovesOn(t *testing.T) {
	h := newHost(t, shape{1, 1, 64, 64})
	g := h.attach(nil)
	serve := background(t, func() error { return g.Serve(context.Background(), echoHandler) })
	h.directory.nonce.Store(h.geometry.Nonce ^ 2)
	wantError(t, serve(), ErrPeerDied)
}

// Attach waits for a region that its directory names but that is gone, as for one that never existed.
func TestAttachWaitsForARegionThatIsGone(t *testing.T) {
	h := newHost(t, smallShape)
	h.kill()
	_, err := Attach(short(t, 10*time.Millisecond), h.name, nil)
	wantError(t, err, ErrNotFound)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func wantClash(t *testing.T, err error) {
	t.Helper()
	wantError(t, err, ErrNotARegion)
	if !strings.Contains(err.Error(), "another kind of object") {
		t.Fatal(err)
	}
}

func TestAttachRefusesAnotherKindOfObject(t *testing.T) {
	name := uniqueName(t)
	event, _, err := park.CreateEvent(directoryName(name), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer park.CloseHandle(event)
	_, err = Attach(deadline(t), name, nil)
	wantClash(t, err)
}

// A section with the name of a lock is taken neither for a held lock nor for a free one.
func TestAttachRefusesAnotherKindOfLock(t *testing.T) {
	h := newHost(t, smallShape)
	section, view := createSection(t, h.names.Of("lock", 1), directorySize)
	defer park.CloseHandle(section)
	defer unmapView(&view)
	_, err := Attach(deadline(t), h.name, nil)
	wantClash(t, err)
	if !h.lockedByOther(1) {
		t.Fatal("it counts as a proof of a death")
	}
}

// A foreign section with the name of a directory is not read as a directory.
func TestAttachRefusesAForeignDirectory(t *testing.T) {
	for content, want := range map[string]Code{
		"something else": ErrNotARegion, "\x00\x00\x00\x00\x00\x00\x00\x00\x01": ErrNotARegion,
		"SHMIPC\r\n": ErrNotARegion, "": ErrNotFound, "SHMIPCD\n": ErrNotFound,
	} {
		name := uniqueName(t)
		section, view := createSection(t, directoryName(name), directorySize)
		copy(unsafe.Slice((*byte)(view), directorySize), content)
		_, err := Attach(short(t, 10*time.Millisecond), name, nil)
		wantError(t, err, want)
		unmapView(&view)
		park.CloseHandle(section)
	}
}

// A region that another user made, under a name that this user's hosts use.
func TestAttachTrustsNobodyElsesObjects(t *testing.T) {
	const stranger = "S-1-5-21-1-2-3-4"
	access := accessOf(t, "O:"+stranger+"D:P(A;;GA;;;"+thisUser(t)+")")
	name := uniqueName(t)
	object, _ := syscall.UTF16PtrFromString(directoryName(name))
	section, err := syscall.CreateFileMapping(syscall.InvalidHandle, access, syscall.PAGE_READWRITE, 0, directorySize, object)
	if section == 0 {
		t.Skip("the system lets nobody make an object in another's name: ", err)
	}
	defer park.CloseHandle(section)
	_, err = Attach(deadline(t), name, nil)
	wantError(t, err, ErrDenied)
	if !strings.Contains(err.Error(), stranger) {
		t.Fatal(err)
	}
}

// A process that may read and write the region may wait for and set its events, including those that a guest created.
func TestEventsAreForThoseOfTheRegion(t *testing.T) {
	h := &testHost{tb: t, name: uniqueName(t), mapped: mapped{geometry: mustGeometry(t, smallShape)}}
	h.sddl = "D:P(A;;GA;;;SY)(A;;GRGW;;;WD)(A;;GR;;;LS)"
	h.create()
	defer h.die()
	g := h.attach(nil)
	event, err := park.OpenEvent(h.names.Of("lock", g.index), park.Synchronize|readControl)
	if err != nil {
		t.Fatal(err)
	}
	defer park.CloseHandle(event)
	const kernelObject, accessInformation = 6, 4 // SE_KERNEL_OBJECT, DACL_SECURITY_INFORMATION
	type entry struct {                          // ACCESS_ALLOWED_ACE
		_      uint16
		size   uint16
		rights uint32
	}
	var list *struct { // ACL
		_     [2]uint16
		count uint16
	}
	var descriptor syscall.Handle
	code, _, _ := syscall.SyscallN(advapi32.NewProc("GetSecurityInfo").Addr(), uintptr(event), kernelObject,
		accessInformation, 0, 0, uintptr(unsafe.Pointer(&list)), 0, uintptr(unsafe.Pointer(&descriptor)))
	if code != 0 || list == nil || list.count != 3 {
		t.Fatal(code, list)
	}
	defer syscall.LocalFree(descriptor)
	system := (*entry)(unsafe.Add(unsafe.Pointer(list), 8))
	everybody := (*entry)(unsafe.Add(unsafe.Pointer(system), uintptr(system.size)))
	if everybody.rights&^uint32(readControl) != park.Synchronize|park.EventModifyState {
		t.Fatalf("0x%x", everybody.rights)
	}
}

func TestAttachTrustsTheOwnerThatIsNamed(t *testing.T) {
	const stranger = "S-1-5-21-1-2-3-4"
	for _, owner := range []string{stranger, "SY"} {
		h := &testHost{tb: t, name: uniqueName(t), mapped: mapped{geometry: mustGeometry(t, smallShape)}}
		h.sddl = "O:" + owner + "D:P(A;;GA;;;WD)"
		h.create()
		for trusted, want := range map[string]Code{"": ErrDenied, "BA": ErrDenied, "nobody at all": ErrInvalid} {
			_, err := Attach(deadline(t), h.name, &Config{OwnerSID: trusted})
			wantError(t, err, want)
		}
		h.attach(&Config{OwnerSID: owner})
		h.die()
	}
}

// A lock that may not be opened counts as held, and does not prevent attaching.
func TestLockThatMayNotBeOpenedIsHeld(t *testing.T) {
	h := newHost(t, smallShape)
	event, _, err := park.CreateEvent(h.names.Of("lock", 1), accessOf(t, "D:P(D;;GA;;;WD)"))
	if err != nil {
		t.Fatal(err)
	}
	defer park.CloseHandle(event)
	if g := h.attach(nil); g.index != 2 {
		t.Fatal(g.index)
	}
}

// Memory that is only reserved faults when it is touched.
func TestReservedMemoryIsNotTouched(t *testing.T) {
	const reserve = 0x04000000 // SEC_RESERVE
	name := uniqueName(t)
	text, _ := syscall.UTF16PtrFromString(directoryName(name))
	section, err := syscall.CreateFileMapping(syscall.InvalidHandle, accessOf(t, "D:P(A;;GA;;;WD)"),
		syscall.PAGE_READWRITE|reserve, 0, directorySize, text)
	if section == 0 {
		t.Fatal(err)
	}
	defer park.CloseHandle(section)
	_, err = Attach(deadline(t), name, nil)
	wantError(t, err, ErrNotARegion)
}
