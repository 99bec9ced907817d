package wire

import "sync/atomic"

// How a message is written beside a slot's state, or into its buffer, and found there.

// Put writes a message from other memory: inline if it fits, otherwise at the buffer's beginning. The caller has
// checked its size. Put returns the word's flags for it.
func (l *ExchangeLine) Put(data, buffer []byte, kind uint32) (flags Word) {
	l.Length, l.Kind = uint32(len(data)), kind
	if len(data) > InlineSize {
		CopyBytes(buffer, data)
		return 0
	}
	return l.putInline(data, belongsAtEnd(len(data)))
}

// PutInPlace announces the first n bytes of buffer, or if atEnd the last, and returns the word's flags for them. A short
// message moves into the line.
func (l *ExchangeLine) PutInPlace(buffer []byte, n int, kind uint32, atEnd bool) Word {
	data := buffer[:n]
	if atEnd {
		data = buffer[len(buffer)-n:]
	}
	l.Length, l.Kind = uint32(n), kind
	if n <= InlineSize {
		return l.putInline(data, atEnd || belongsAtEnd(n))
	}
	if atEnd {
		return FlagAlignEnd
	}
	return 0
}

// inlineOffset is where an inline message begins in the payload. A message at the end ends with the first line if it
// fits there, otherwise with the second: so its end is aligned to 64, as in a buffer. The beginning of the payload is
// aligned to 16.
func inlineOffset(size int, atEnd bool) int {
	switch {
	case !atEnd:
		return 0
	case size > FirstLineSize:
		return InlineSize - size
	}
	return FirstLineSize - size
}

// belongsAtEnd tells whether an inline message is placed at the end even if its sender did not ask for that, to align it
// to 32 or 64, as an object of its size may need.
func belongsAtEnd(size int) bool { return size%32 == 0 && size != 0 }

// putInline copies up to InlineSize bytes, and returns the word's flags for them. The second line is written first: the
// other side polls the first line, and would take it away between a store to it and the change of the word.
func (l *ExchangeLine) putInline(data []byte, atEnd bool) (flags Word) {
	offset := inlineOffset(len(data), atEnd)
	if atEnd {
		flags = FlagAlignEnd
	}
	if room := max(FirstLineSize-offset, 0); len(data) > room {
		copy(l.Payload[offset+room:], data[room:])
		data = data[:room]
	}
	copy(l.Payload[offset:], data)
	return flags
}

// Get finds a message in place. The length is read once: the other side could change it. false: the length exceeds the
// limit.
func (l *ExchangeLine) Get(buffer []byte, flags Word, limit uint32) (kind uint32, data []byte, ok bool) {
	length := atomic.LoadUint32(&l.Length)
	kind = atomic.LoadUint32(&l.Kind)
	switch {
	case length > limit:
		return 0, nil, false
	case length <= InlineSize:
		at := uint32(inlineOffset(int(length), flags&FlagAlignEnd != 0))
		return kind, l.Payload[at : at+length : at+length], true
	case flags&FlagAlignEnd != 0:
		return kind, buffer[uint32(len(buffer))-length:], true
	}
	return kind, buffer[:length:length], true
}
