//go:build !linux

package osregion

// These systems cannot replace a view by another at one instant: in between, the address would be unmapped.
func (*Object) Detach() []byte { return nil }
func (*Object) Keep([]byte)    {}
func (*Object) LetGo([]byte)   {}
