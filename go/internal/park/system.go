// Package park is how a system lets a thread sleep on a word of shared memory, wakes it, pauses, and tells the time.
package park

// System is how a wait sleeps on a word of the region, how a sleeper is woken, and how a wait yields its processor.
type System struct {
	// Wait sleeps while *word is the value, until the deadline of Now(); it may return at any time. home is the
	// sleeper's home, for WakeHome. ended: a peer's process has ended meanwhile, so the caller looks for dead peers.
	Wait func(word *uint32, value uint32, deadline int64, home int) (ended bool)
	Wake func(word *uint32, n int)
	// WakeOwn wakes one sleeper of this very peer.
	WakeOwn func(word *uint32)
	// WakeHome wakes one sleeper of this peer whose home is `home`; false: there is none, or the system cannot tell.
	// Legal to wake a sleeper whose home is elsewhere.
	WakeHome func(word *uint32, peer uint32, home int) bool
	// Signal makes a peer's descriptor readable; false: it has none, or this process cannot.
	Signal func(peer uint32) bool
	// YieldProcessor lets another process have this processor, one that was woken or has notified; Yield lets any other
	// run, after a spin in vain.
	YieldProcessor, Yield func()
}

// NoHome is the home of a sleeper that does not wait for requests.
const NoHome = -1
