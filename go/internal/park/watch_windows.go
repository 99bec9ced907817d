//go:build amd64 || arm64

package park

import (
	"syscall"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// watched is the process of a guest, as its peer record shows it.
type watched struct {
	id      uint32
	started uint64
	process syscall.Handle // 0: ended, or cannot be watched
}

func (w *watched) drop() {
	CloseHandle(w.process)
	w.process = 0
}

// watchGuests adds the processes of the guests that may have a slot; gone: one of them has ended already.
func (s *Sleeper) watchGuests(set *waitSet) (gone bool) {
	for i := uint32(1); i <= wire.GuestsMax; i++ {
		line, w := s.view.Peer(i), &s.guests[i]
		id, started := line.PID.Load(), line.Origin.Load()
		if i == s.index || line.Status.Load() == wire.StatusVacant {
			id, started = 0, 0
		}
		if w.id != id || w.started != started {
			w.drop()
			process, ended := OpenProcess(id, started)
			*w, gone = watched{id, started, process}, gone || ended
		}
		set.add(w.process)
	}
	return gone
}

// tellEnd tells whether the signalled handle is a process, and forgets that process: its end is reported once.
func (s *Sleeper) tellEnd(q *queue, signalled syscall.Handle) bool {
	if signalled == 0 {
		return false
	}
	if signalled == s.host {
		q.told = true
		return true
	}
	for i := range s.guests {
		if s.guests[i].process == signalled {
			s.guests[i].drop()
			return true
		}
	}
	return false
}
