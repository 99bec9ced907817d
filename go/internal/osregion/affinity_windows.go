package osregion

import (
	"syscall"

	"github.com/libshmipc/libshmipc/go/internal/base"
)

var setProcessAffinityMask = syscall.NewLazyDLL("kernel32.dll").NewProc("SetProcessAffinityMask")

// PinProcess binds every thread of this process, within its processor group: one Windows mask covers one group.
func PinProcess(mask []uintptr) error {
	for _, more := range mask[1:] {
		if more != 0 {
			return base.Fail(base.Invalid, "a processor beyond those that one mask can name")
		}
	}
	process, err := syscall.GetCurrentProcess()
	if err != nil {
		return &base.Failure{Kind: base.System, Message: "GetCurrentProcess", Cause: err}
	}
	if ok, _, err := setProcessAffinityMask.Call(uintptr(process), mask[0]); ok == 0 {
		return &base.Failure{Kind: base.Invalid, Message: "this process may not use all of these processors", Cause: err}
	}
	return nil
}
