package wire

import "unsafe"

// copyPiece is how much is copied at once. From 1 MiB on, the runtime's copy on amd64 bypasses the caches
// (runtime/memmove_amd64.s), and the other side, which reads at once, would have to fetch everything from memory.
const copyPiece = 512 << 10

// CopyBytes is copy in pieces.
func CopyBytes(to, from []byte) {
	if len(from) > copyPiece {
		to, from = copyPieces(to, from)
	}
	copy(to, from)
}

// copyPieces copies all but the last piece, and returns the rest of both slices.
func copyPieces(to, from []byte) (restTo, rest []byte) {
	for len(from) > copyPiece && !beginsIn(to, from) {
		copy(to, from[:copyPiece])
		to, from = to[copyPiece:], from[copyPiece:]
	}
	return to, from
}

// beginsIn tells whether a forward copy would overwrite bytes not yet copied.
func beginsIn(to, from []byte) bool {
	ahead := uintptr(unsafe.Pointer(unsafe.SliceData(to))) - uintptr(unsafe.Pointer(unsafe.SliceData(from)))
	return ahead < uintptr(len(from))
}
