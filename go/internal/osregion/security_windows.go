//go:build amd64 || arm64

package osregion

import (
	"sync"
	"syscall"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/base"
	"github.com/libshmipc/libshmipc/go/internal/park"
)

// Permissions for the objects that this process creates, and the owners whose objects it trusts.

var (
	advapi32        = syscall.NewLazyDLL("advapi32.dll")
	getSecurityInfo = advapi32.NewProc("GetSecurityInfo")
)

const (
	kernelObject      = 6  // SE_KERNEL_OBJECT
	ownerInformation  = 1  // OWNER_SECURITY_INFORMATION
	accessInformation = 4  // DACL_SECURITY_INFORMATION
	labelInformation  = 16 // LABEL_SECURITY_INFORMATION
	tokenOwner        = 4  // TokenOwner

	standardRights = 0x001f0000 // STANDARD_RIGHTS_ALL
	genericRead    = 0x80000000 // GENERIC_READ
	genericWrite   = 0x40000000 // GENERIC_WRITE
	genericAll     = 0x10000000 // GENERIC_ALL
)

// identity is this process's user and the owner of its objects.
type identity struct {
	user  string // the user's SID
	owner string // owner of the objects it creates: its user, or the Administrators if it is elevated
}

// trusts tells whether objects of this owner are trusted like this process's own.
func (i identity) trusts(owner string) bool {
	return owner == i.user || owner == i.owner
}

var self = sync.OnceValues(func() (identity, error) {
	token, err := syscall.OpenCurrentProcessToken()
	if err != nil {
		return identity{}, base.SystemFailure("OpenProcessToken", err)
	}
	defer token.Close()
	user, err := token.GetTokenUser()
	if err != nil {
		return identity{}, base.SystemFailure("GetTokenInformation", err)
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
		return "", base.SystemFailure("ConvertSidToStringSid", err)
	}
	return text, nil
}

// defaultOwner is the SID that owns the objects this process creates.
func defaultOwner(token syscall.Token) (string, error) {
	var info struct {
		owner *syscall.SID
		sid   [68]byte // SECURITY_MAX_SID_SIZE
	}
	size := uint32(unsafe.Sizeof(info))
	err := syscall.GetTokenInformation(token, tokenOwner, (*byte)(unsafe.Pointer(&info)), size, &size)
	if err != nil {
		return "", base.SystemFailure("GetTokenInformation", err)
	}
	return textOf(info.owner)
}

// accessForEvents derives the permissions of a region's events from those of its section: a right to read it becomes
// the right to sleep on the events, a right to write it the right to set them. The section's handle needs READ_CONTROL.
// The caller frees the result.
func accessForEvents(section syscall.Handle) (*syscall.SecurityAttributes, error) {
	var list *accessList
	access := &syscall.SecurityAttributes{}
	access.Length = uint32(unsafe.Sizeof(*access))
	code, _, _ := syscall.SyscallN(getSecurityInfo.Addr(), uintptr(section), kernelObject,
		accessInformation|labelOf(section), 0, 0, uintptr(unsafe.Pointer(&list)), 0,
		uintptr(unsafe.Pointer(&access.SecurityDescriptor)))
	if code != 0 {
		return nil, base.SystemFailure("GetSecurityInfo", syscall.Errno(code))
	}
	list.translate()
	return access, nil
}

func freeAccess(access *syscall.SecurityAttributes) {
	if access != nil {
		_, _ = syscall.LocalFree(syscall.Handle(access.SecurityDescriptor))
	}
}

// labelOf is labelInformation if the object has an integrity label. Otherwise no label is copied: an empty list of
// labels could be taken for an audit list, which needs a privilege.
func labelOf(object syscall.Handle) uintptr {
	var labels *accessList
	var descriptor syscall.Handle
	code, _, _ := syscall.SyscallN(getSecurityInfo.Addr(), uintptr(object), kernelObject, labelInformation,
		0, 0, 0, uintptr(unsafe.Pointer(&labels)), uintptr(unsafe.Pointer(&descriptor)))
	defer syscall.LocalFree(descriptor)
	if code != 0 || labels == nil || labels.count == 0 {
		return 0
	}
	return labelInformation
}

// accessList is ACL: the entries follow it.
type accessList struct {
	_     uint16
	size  uint16
	count uint16
	_     uint16
}

// accessEntry is the common header of all kinds of entries.
type accessEntry struct {
	kind, flags uint8
	size        uint16
	rights      uint32
}

// translate turns a section's permissions into an event's.
func (l *accessList) translate() {
	if l == nil {
		return
	}
	next := unsafe.Add(unsafe.Pointer(l), unsafe.Sizeof(*l))
	for i := uint16(0); i < l.count; i++ {
		entry := (*accessEntry)(next)
		entry.rights = eventRights(entry.rights)
		next = unsafe.Add(next, uintptr(entry.size))
	}
}

// eventRights derives an event's rights from a section's: reading becomes sleeping, writing becomes waking. The
// standard rights stay the same.
func eventRights(section uint32) uint32 {
	rights := section & (standardRights | genericAll)
	if section&(mapRead|genericRead) != 0 {
		rights |= park.Synchronize
	}
	if section&(mapWrite|genericWrite) != 0 {
		rights |= park.EventModifyState
	}
	return rights
}

// parseOwner returns the text of a SID, given that text or a two-letter abbreviation; "" for "".
func parseOwner(owner string) (string, error) {
	if owner == "" {
		return "", nil
	}
	sid, err := syscall.StringToSid(owner)
	if err != nil {
		return "", &base.Failure{Kind: base.Invalid, Message: "Config.OwnerSID: " + owner, Cause: err}
	}
	return textOf(sid)
}

// checkOwner refuses an object that does not belong to the trusted SID; "": this user. The handle needs READ_CONTROL.
func checkOwner(object syscall.Handle, trusted string) error {
	me, err := self()
	if err != nil {
		return err
	}
	owner, err := ownerOf(object)
	if err != nil {
		return err
	}
	if trusted == owner || trusted == "" && me.trusts(owner) {
		return nil
	}
	if trusted == "" {
		trusted = me.user
	}
	return base.Fail(base.Denied, "its owner is "+owner+", not "+trusted)
}

// ownerOf returns the SID of an object's owner.
func ownerOf(object syscall.Handle) (string, error) {
	var owner *syscall.SID
	var descriptor syscall.Handle
	code, _, _ := syscall.SyscallN(getSecurityInfo.Addr(), uintptr(object), kernelObject, ownerInformation,
		uintptr(unsafe.Pointer(&owner)), 0, 0, 0, uintptr(unsafe.Pointer(&descriptor)))
	if code != 0 {
		return "", base.SystemFailure("GetSecurityInfo", syscall.Errno(code))
	}
	defer syscall.LocalFree(descriptor)
	if owner == nil {
		return "nobody", nil
	}
	return textOf(owner)
}
