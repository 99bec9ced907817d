//go:build !shmipc_meddling

package shmipc

// How this side looks at and changes the words that others change too. With the tag shmipc_meddling the tests have
// functions of their own for it, in which somebody else changes a word just before.

// load reads the state word with acquire order: after RESPONSE and REQUEST it makes the message
// visible that its sender wrote before.
func (s *slot) load() word { return word(s.line.state.Load()) }

// swap changes the state word if it is what it was.
func (s *slot) swap(old, new word) bool {
	return s.line.state.CompareAndSwap(uint64(old), uint64(new))
}

// swapSets changes the sets of sleepers and pollers if they are what they were.
func (b *eventcount) swapSets(old, new uint32) bool { return b.sleepers.CompareAndSwap(old, new) }
