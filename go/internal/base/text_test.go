package base

import "testing"

// The same vectors as in tests/unit/text_test.c.
func TestPrintableIsOneLine(t *testing.T) {
	for _, c := range []struct{ from, to string }{
		{"", ""},
		{`no such key: "fish" \n`, `no such key: "fish" \n`},
		{"a\nb\r\nc\td", `a\nb\r\nc\td`},
		{"\x01\x1b[31m\x7f", `\x01\x1b[31m\x7f`},
		{"caf\u00e9 \u65e5 \U0001f41f", "caf\u00e9 \u65e5 \U0001f41f"},
		{"\u0085\u009f\u00a0", `\xc2\x85\xc2\x9f` + "\u00a0"},
		{"\u2027\u2028\u2029\u202f", "\u2027" + `\xe2\x80\xa8\xe2\x80\xa9` + "\u202f"},
		{"\u061c\u200e\u202e\u2069", `\xd8\x9c\xe2\x80\x8e\xe2\x80\xae\xe2\x81\xa9`},
		{"\xff\xc3(\xe2\x82", `\xff\xc3(\xe2\x82`},
		{"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80", `\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80`},
		{"a\x00b\ufffd", `a\x00b` + "\ufffd"},
	} {
		if got := Printable(c.from); got != c.to {
			t.Errorf("%q is shown as %q, not as %q", c.from, got, c.to)
		}
	}
}
