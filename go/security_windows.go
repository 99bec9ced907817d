//go:build amd64 || arm64

package shmipc

import (
	"sync"
	"syscall"
	"unsafe"
)

// Who may use what this process creates, and whose objects it trusts.

var (
	advapi32        = syscall.NewLazyDLL("advapi32.dll")
	getSecurityInfo = advapi32.NewProc("GetSecurityInfo")
	descriptorOf    = advapi32.NewProc("ConvertStringSecurityDescriptorToSecurityDescriptorW")
)

const (
	kernelObject       = 6 // SE_KERNEL_OBJECT
	ownerInformation   = 1 // OWNER_SECURITY_INFORMATION
	tokenOwner         = 4 // TokenOwner
	descriptorRevision = 1 // SDDL_REVISION_1
)

// identity is who this process is.
type identity struct {
	user  string // its SID
	owner string // of what it creates: its user, or the Administrators if it is elevated
}

// trusts tells whether objects of this owner are as good as this process's own.
func (i identity) trusts(owner string) bool {
	return owner == i.user || owner == i.owner
}

var self = sync.OnceValues(func() (identity, error) {
	token, err := syscall.OpenCurrentProcessToken()
	if err != nil {
		return identity{}, systemError("OpenProcessToken", err)
	}
	defer token.Close()
	user, err := token.GetTokenUser()
	if err != nil {
		return identity{}, systemError("GetTokenInformation", err)
	}
	text, err := textOf(user.User.Sid)
	if err != nil {
		return identity{}, err
	}
	owner, err := defaultOwner(token)
	return identity{text, owner}, err
})

func textOf(sid *syscall.SID) (string, error) {
	text, err := sid.String()
	if err != nil {
		return "", systemError("ConvertSidToStringSid", err)
	}
	return text, nil
}

// defaultOwner is the SID that owns what the process creates.
func defaultOwner(token syscall.Token) (string, error) {
	var info struct {
		owner *syscall.SID
		sid   [68]byte // SECURITY_MAX_SID_SIZE
	}
	size := uint32(unsafe.Sizeof(info))
	err := syscall.GetTokenInformation(token, tokenOwner, (*byte)(unsafe.Pointer(&info)), size, &size)
	if err != nil {
		return "", systemError("GetTokenInformation", err)
	}
	return textOf(info.owner)
}

// ownAccess gives an object to this user alone. What it returns stays for the life of the process.
var ownAccess = sync.OnceValues(func() (*syscall.SecurityAttributes, error) {
	me, err := self()
	if err != nil {
		return nil, err
	}
	text, err := syscall.UTF16PtrFromString("D:P(A;;GA;;;" + me.user + ")")
	if err != nil {
		return nil, systemError("SDDL", err)
	}
	access := &syscall.SecurityAttributes{}
	access.Length = uint32(unsafe.Sizeof(*access))
	r, _, code := syscall.SyscallN(descriptorOf.Addr(), uintptr(unsafe.Pointer(text)), descriptorRevision,
		uintptr(unsafe.Pointer(&access.SecurityDescriptor)), 0)
	if r == 0 {
		return nil, systemError("ConvertStringSecurityDescriptorToSecurityDescriptor", code)
	}
	return access, nil
})

// checkOwner refuses an object that somebody else made. The handle needs READ_CONTROL.
func checkOwner(object syscall.Handle) error {
	me, err := self()
	if err != nil {
		return err
	}
	owner, err := ownerOf(object)
	if err != nil {
		return err
	}
	if me.trusts(owner) {
		return nil
	}
	return failure(ErrDenied, "its owner is "+owner+", not "+me.user)
}

// ownerOf returns the SID of an object's owner.
func ownerOf(object syscall.Handle) (string, error) {
	var owner *syscall.SID
	var descriptor syscall.Handle
	code, _, _ := syscall.SyscallN(getSecurityInfo.Addr(), uintptr(object), kernelObject, ownerInformation,
		uintptr(unsafe.Pointer(&owner)), 0, 0, 0, uintptr(unsafe.Pointer(&descriptor)))
	if code != 0 {
		return "", systemError("GetSecurityInfo", syscall.Errno(code))
	}
	defer syscall.LocalFree(descriptor)
	if owner == nil {
		return "nobody", nil
	}
	return textOf(owner)
}
