package base

import (
	"strings"
	"unicode/utf8"
)

// Printable turns text from others into one line. Line feed, return and tab become \n, \r and \t. Every byte of another
// control character (C0, DEL, C1), of a line or paragraph separator, of a character that changes the direction of
// writing, and of invalid UTF-8 becomes \xNN. A backslash stays as it is: the result is for reading, not for decoding.
func Printable(s string) string {
	if !needsEscape(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if piece := s[i : i+size]; disruptive(r, size) {
			escape(&b, piece)
		} else {
			b.WriteString(piece)
		}
		i += size
	}
	return b.String()
}

func needsEscape(s string) bool {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if disruptive(r, size) {
			return true
		}
		i += size
	}
	return false
}

// disruptive tells whether a character may not stand in a line: a control character, a line separator, a change of the
// direction of writing, or a byte of invalid UTF-8.
func disruptive(r rune, size int) bool {
	switch {
	case r < 0x20, r >= 0x7f && r <= 0x9f, r == 0x61c, r == 0x200e, r == 0x200f,
		r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return r == utf8.RuneError && size == 1
}

func escape(b *strings.Builder, piece string) {
	const digits = "0123456789abcdef"
	switch piece {
	case "\n":
		b.WriteString(`\n`)
		return
	case "\r":
		b.WriteString(`\r`)
		return
	case "\t":
		b.WriteString(`\t`)
		return
	}
	for i := 0; i < len(piece); i++ {
		b.WriteString(`\x`)
		b.WriteByte(digits[piece[i]>>4])
		b.WriteByte(digits[piece[i]&0xf])
	}
}
