//go:build !shmipc_meddling

package shmipc

import "github.com/libshmipc/libshmipc/go/internal/wire"

// How this side reads and changes the words that other processes change too. With the tag shmipc_meddling the tests
// replace these functions, so that another party changes a word just before.

// load reads the state word. Acquire: pairs with the change to REQUEST or RESPONSE, so the message is visible.
func (s *slot) load() wire.Word { return wire.Word(s.line.State.Load()) }

// swap changes the state word if it is still `old`.
func (s *slot) swap(old, new wire.Word) bool {
	return s.line.State.CompareAndSwap(uint64(old), uint64(new))
}

// swapSets changes the sets of sleepers and pollers if they are still `old`.
func (b eventcount) swapSets(old, new uint32) bool { return b.Sleepers.CompareAndSwap(old, new) }
