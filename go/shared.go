//go:build !shmipc_meddling

package shmipc

// How this side reads and changes the words that other processes change too. With the tag shmipc_meddling the tests
// replace these functions, so that another party changes a word just before.

// load reads the state word. Acquire: pairs with the change to REQUEST or RESPONSE, so the message is visible.
func (s *slot) load() word { return word(s.line.state.Load()) }

// swap changes the state word if it is still `old`.
func (s *slot) swap(old, new word) bool {
	return s.line.state.CompareAndSwap(uint64(old), uint64(new))
}

// swapSets changes the sets of sleepers and pollers if they are still `old`.
func (b *eventcount) swapSets(old, new uint32) bool { return b.sleepers.CompareAndSwap(old, new) }
