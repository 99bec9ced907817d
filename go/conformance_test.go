package shmipc

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// The test vectors of every implementation. They lie in the repository, outside this module.
const vectors = "../tests/conformance"

// eachLine calls f with the fields of each line, and fails if there is none.
func eachLine(t *testing.T, file string, f func(line string, fields []string)) {
	t.Helper()
	if _, err := os.Stat(vectors); os.IsNotExist(err) {
		t.Skip("the module is used outside its repository: " + vectors + " is not there")
	}
	text, err := os.Open(filepath.Join(vectors, file))
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	count := 0
	for lines := bufio.NewScanner(text); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if fields := strings.Fields(line); len(fields) > 0 {
			count++
			f(line, fields)
		}
	}
	if count == 0 {
		t.Fatal(file, " has no vectors")
	}
}

func number(t *testing.T, text string, base int) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(text, base, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// facts are this package's values for the layout, by kind and name in the golden file.
func facts() map[string]int64 {
	var p wire.PeerRecord
	var b wire.EventcountLine
	var e wire.ExchangeLine
	f := map[string]int64{
		"offset header": 0, "size header": wire.HeaderSize, "offset peers": wire.PeersOffset, "size peer": int64(unsafe.Sizeof(p)),
		"const peers": wire.PeersMax, "offset eventcounts": wire.EventcountsOffset, "size eventcount_line": wire.LineSize, "const eventcounts": wire.Eventcounts,
		"offset services": wire.ServicesOffset, "size services": wire.SlotsOffset - wire.ServicesOffset,
		"offset slots":      wire.SlotsOffset,
		"offset peer.epoch": int64(unsafe.Offsetof(p.Epoch)), "offset peer.status": int64(unsafe.Offsetof(p.Status)),
		"offset peer.pid": int64(unsafe.Offsetof(p.PID)), "offset peer.left": int64(unsafe.Offsetof(p.Left)),
		"offset peer.served": int64(unsafe.Offsetof(p.Served)), "offset peer.discarded": int64(unsafe.Offsetof(p.Discarded)),
		"offset peer.calls": int64(unsafe.Offsetof(p.Calls)), "offset peer.failed": int64(unsafe.Offsetof(p.Failed)),
		"offset peer.origin": int64(unsafe.Offsetof(p.Origin)), "offset peer.answers": int64(unsafe.Offsetof(p.Answers)),
		"size peer.answers": int64(unsafe.Sizeof(b.Eventcount)), "offset eventcount_line.armed": int64(unsafe.Offsetof(b.Armed)),
		"offset eventcount.generation": int64(unsafe.Offsetof(b.Generation)), "offset eventcount.sleepers": int64(unsafe.Offsetof(b.Sleepers)),
		"offset slot.state": int64(unsafe.Offsetof(e.State)), "offset slot.word": int64(unsafe.Offsetof(e.State)),
		"offset slot.length": int64(unsafe.Offsetof(e.Length)),
		"offset slot.type":   int64(unsafe.Offsetof(e.Kind)), "offset slot.payload": int64(unsafe.Offsetof(e.Payload)),
		"size slot.payload": Inline, "offset slot.request": wire.RequestOffset,
		"const magic": wire.Magic, "const version": wire.ProtocolVersion, "const ready": 1, "const inline": Inline,
		"const host": wire.HostIndex, "const guests_max": wire.GuestsMax, "const slots_max": wire.SlotsMax,
		"const capacity_max": wire.CapacityMax, "const epoch_max": wire.EpochMax, "const name_max": nameMax,
		"const tick_ns": tick, "const idle_tick_ns": idleTick, "const parked_tick_ns": parkedTick,
		"const lock_offset": wire.LockOffset,
		"state FREE":        int64(wire.StateFree), "state BUSY": int64(wire.StateBusy), "state REQUEST": int64(wire.StateRequest),
		"state WORKING": int64(wire.StateWorking), "state RESPONSE": int64(wire.StateResponse), "state CANCELLED": int64(wire.StateCancelled),
		"status vacant": wire.StatusVacant, "status attached": wire.StatusAttached, "status leaving": wire.StatusLeaving,
		"status calls_only": wire.StatusCalling, "const alignment": wire.LineSize,
		"eventcount host_request": wire.EventcountHostRequest, "eventcount guest_request": wire.EventcountGuestRequest, "eventcount host_free": wire.EventcountHostFree,
		"eventcount guest_free": wire.EventcountGuestFree, "eventcount members": wire.EventcountMembership,
		"type normal": int64(TypeNormal), "type heartbeat": int64(wire.TypeHeartbeat), "type heartbeat_reply": int64(wire.TypeHeartbeatReply),
		"type shutdown": 3, "type flatbuffer": int64(TypeFlatBuffer), "type guest_call": int64(TypeGuestCall),
		"type application":     int64(TypeApplication),
		"type error.too_large": int64(errorType(ErrTooLarge)), "type error.type": int64(errorType(ErrType)),
		"type error.shutdown": int64(errorType(ErrShutdown)), "type error.handler": int64(errorType(ErrHandler)),
		"mask state": int64(wire.StateMask), "mask parked": int64(wire.FlagParked), "mask error": int64(wire.FlagError),
		"mask reclaimed": int64(wire.FlagReclaimed), "mask align_end": int64(wire.FlagAlignEnd),
		"mask sequence_low": int64(wire.SequenceLowMask) << wire.SequenceLowAt, "mask owner_index": int64(wire.OwnerIndexMask) << wire.OwnerAt,
		"mask owner_epoch":   int64(0xfff) << (wire.OwnerAt + wire.OwnerEpochAt),
		"mask sequence_high": int64(int16(-1)) << wire.SequenceHighAt,
	}
	for name, code := range codesByName {
		f["error "+name] = int64(code)
	}
	return f
}

var codesByName = map[string]Code{
	"OK": 0, "INVALID": ErrInvalid, "NO_MEMORY": ErrNoMemory, "SYSTEM": ErrSystem, "NOT_SUPPORTED": ErrNotSupported,
	"NO_DESCRIPTORS": ErrNoDescriptors, "NO_SPACE": ErrNoSpace, "NAME": ErrName, "NAME_IN_USE": ErrNameInUse,
	"NOT_FOUND": ErrNotFound, "DENIED": ErrDenied, "FULL": ErrFull, "NOT_A_REGION": ErrNotARegion,
	"BYTE_ORDER": ErrByteOrder, "VERSION": ErrVersion, "NOT_READY": ErrNotReady, "TRUNCATED": ErrTruncated,
	"CORRUPT": ErrCorrupt, "TOO_LARGE": ErrTooLarge, "TYPE": ErrType, "TIMEOUT": ErrTimeout,
	"TIMEOUT_STARTED": ErrTimeoutStarted, "CANCELLED": ErrCancelled, "CANCELLED_STARTED": ErrCancelledStarted,
	"NO_PEER": ErrNoPeer, "PEER_DIED": ErrPeerDied, "CLOSED": ErrClosed, "CLOSED_STARTED": ErrClosedStarted,
	"SHUTDOWN": ErrShutdown, "HANDLER": ErrHandler, "STALE": ErrStale, "STATE": ErrState, "WOKEN": ErrWoken,
	"NAME_LOST": ErrNameLost,
}

// The layout's constants. The header has no Go structure, so its vectors test it; the sizes of fields follow from their
// types.
func TestConformanceOfTheLayout(t *testing.T) {
	mine := facts()
	eachLine(t, "layout.txt", func(line string, fields []string) {
		kind, name := fields[0], fields[1]
		elsewhere := strings.HasPrefix(name, "header.") || strings.HasSuffix(name, ".reserved") ||
			kind == "size" && strings.Contains(name, ".")
		value, known := mine[kind+" "+name]
		if !known && !elsewhere {
			t.Errorf("%q is not known here", line)
		}
		if known && fmt.Sprintf("%d", value) != fields[2] && fmt.Sprintf("0x%016x", uint64(value)) != fields[2] {
			t.Errorf("%q is %#x here", line, value)
		}
	})
}

func TestConformanceOfGeometries(t *testing.T) {
	eachLine(t, "geometry.txt", func(line string, f []string) {
		var n [4]uint32
		for i := range n {
			n[i] = uint32(number(t, f[i], 10))
		}
		g, ok := wire.NewGeometry(n[0], n[1], n[2], n[3])
		got := "invalid"
		if ok {
			got = fmt.Sprintf("%d %d %d %d %d", g.RequestCapacity, g.ResponseCapacity, g.ResponseOffset, g.Stride, g.Total)
		}
		if want := strings.Join(f[4:], " "); got != want {
			t.Errorf("%q: got %s", line, got)
		}
	})
}

func TestConformanceOfEpochs(t *testing.T) {
	eachLine(t, "epochs.txt", func(line string, f []string) {
		epoch := uint32(number(t, f[0], 10))
		if got := fmt.Sprint(wire.EpochInWord(epoch), wire.NextEpoch(epoch)); got != strings.Join(f[1:], " ") {
			t.Errorf("%q: got %s", line, got)
		}
	})
}

// checkFile returns what attach returns for a file of this size with this beginning.
func checkFile(size uint64, header [wire.HeaderSize]byte) error {
	if size < wire.HeaderSize {
		return truncated(size, wire.HeaderSize)
	}
	g, err := wire.DecodeHeader(&header)
	if err == nil && size < g.Total {
		err = truncated(size, g.Total)
	}
	return public(err)
}

func TestConformanceOfHeaders(t *testing.T) {
	eachLine(t, "attach.txt", func(line string, f []string) {
		bytes, err := hex.DecodeString(f[3])
		if err != nil || len(bytes) != wire.HeaderSize {
			t.Fatalf("%q: %v", line, err)
		}
		err = checkFile(number(t, f[1], 10), [wire.HeaderSize]byte(bytes))
		if f[2] == "OK" {
			if err != nil {
				t.Errorf("%s: %v", f[0], err)
			}
			return
		}
		code, ok := err.(interface{ Code() int })
		if !ok || Code(code.Code()) != codesByName[f[2]] {
			t.Errorf("%s: %v, want %s", f[0], err, f[2])
		}
	})
}

// transition is one line of the vectors.
type transition struct {
	name, direction string
	seen, argument  wire.Word
}

// outcome runs a transition on a slot, and returns its outcome in the vectors' words; false: the guest's role has no
// such transition.
func (c transition) outcome(s *slot) (string, bool) {
	guests := c.direction == "guest"
	switch c.name {
	case "claim":
		_, ok := s.claim(c.seen, c.argument.Owner())
		return choose(ok, "claimed", "refused"), guests
	case "publish":
		if !guests {
			return "", false
		}
		_, ok := s.send(c.seen, c.argument.Flags())
		return choose(ok, "published", "corrupt"), true
	case "take":
		_, ok := s.take(c.seen, c.argument.Owner())
		return choose(ok, "taken", "refused"), true
	case "respond":
		return respondOutcome(s, c.seen, c.argument.Flags()), true
	case "give-up":
		return giveUpOutcome(s, c.seen), guests
	case "park":
		_, ok := s.park(c.seen)
		return choose(ok, "parked", "refused"), true
	case "unpark":
		w := s.load()
		mine := w.Owner() == c.argument.Owner()
		return choose(mine && w.MayBeSlept() && s.unpark(w), "woken", "nothing"), guests
	case "release":
		return choose(s.release(c.seen), "freed", "corrupt"), guests
	case "reclaim":
		return reclaimOutcome(s, c.seen, guests), true
	case "course":
		return choose(validProgress(s.load(), c.seen), "yes", "no"), guests
	}
	return "unknown", true
}

func choose(ok bool, yes, no string) string {
	if ok {
		return yes
	}
	return no
}

func respondOutcome(s *slot, working, flags wire.Word) string {
	found, ok := s.answer(working, flags)
	switch {
	case ok:
		return choose(found.Parked(), "woken", "delivered")
	case found.State() == wire.StateCancelled && found.SameExchange(working):
		s.discard(found)
		return "discarded"
	}
	return "corrupt"
}

func giveUpOutcome(s *slot, sent wire.Word) string {
	w := s.load()
	switch {
	case !validProgress(w, sent):
		return "corrupt"
	case w.State() == wire.StateResponse:
		return "answered"
	case w.State() == wire.StateRequest && s.withdraw(w):
		return "never-started"
	case w.State() == wire.StateWorking && s.cancel(w):
		return "started"
	}
	return "unknown"
}

func reclaimOutcome(s *slot, seen wire.Word, guests bool) string {
	reclaim := s.reclaimResponder
	if guests {
		reclaim = s.reclaimCaller
	}
	now, changed := reclaim(seen)
	switch {
	case !changed:
		return "nothing"
	case now.State() == wire.StateFree:
		return "freed"
	case now.State() == wire.StateCancelled:
		return "cancelled"
	}
	return choose(seen.Parked(), "woken", "answered")
}

func TestConformanceOfTransitions(t *testing.T) {
	ran := map[string]int{}
	eachLine(t, "transitions.txt", func(line string, f []string) {
		c := transition{name: f[0], direction: f[1]}
		if f[2] != "-" {
			c.seen = wire.Word(number(t, f[2], 16))
		}
		if f[4] != "-" {
			c.argument = wire.Word(number(t, f[4], 16))
		}
		s := &slot{line: new(wire.ExchangeLine)}
		s.line.State.Store(number(t, f[3], 16))
		outcome, mine := c.outcome(s)
		if !mine {
			return
		}
		ran[c.name]++
		if after := fmt.Sprintf("%016x", uint64(s.load())); outcome != f[5] || after != f[6] {
			t.Errorf("%q: got %s %s", line, outcome, after)
		}
	})
	if len(ran) != 10 && !t.Failed() && !t.Skipped() {
		t.Errorf("of ten transitions these were tried: %v", ran)
	}
}

func TestConformanceOfNames(t *testing.T) {
	eachLine(t, "names.txt", func(line string, f []string) {
		name, err := hex.DecodeString(f[1])
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got := "OK"
		if err := checkName(string(name)); err != nil {
			wantError(t, err, ErrName)
			got = "NAME"
		}
		if got != f[2] {
			t.Errorf("%q: got %s", line, got)
		}
	})
}
