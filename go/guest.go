package shmipc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/libshmipc/libshmipc/go/internal/osregion"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// Version is the version of this package.
const Version = "0.1.0"

// DefaultTimeout applies to operations whose context has no deadline.
const DefaultTimeout = 10 * time.Second

// OwnerRoot is the Config.Owner for a region that user 0 must own.
const OwnerRoot = -1

// nameMax is the longest name in bytes.
const nameMax = 200

// Config says how to attach. The zero value, and nil, mean all defaults.
type Config struct {
	// Mode is the permission bits that the region may have; others are ErrDenied. 0: 0600. Ignored on Windows.
	Mode os.FileMode
	// Owner is the user id that must own the region. 0: this process's user; OwnerRoot: user 0.
	// Windows has no such ids: there it must be 0.
	Owner int
	// OwnerSID is the SID that must own the region on Windows, such as "S-1-5-18", or an abbreviation
	// such as "SY". "": this user's; an elevated process also trusts the Administrators'. On other
	// systems it must be "".
	OwnerSID string
	// Global looks for the name among those of all sessions of a Windows machine, where a host must have put it,
	// instead of this session's. Ignored on other systems.
	Global bool
	// CallsOnly says that this guest only calls. Serve is refused with ErrInvalid, and a host's call does not wait for
	// this guest: if only such guests are attached, the call ends with ErrNoPeer at once instead of by its time-out.
	CallsOnly bool
	// Service is what this guest serves: a number of the application's, or eight characters in one. A host finds the
	// guest by it (shmipc_find_guest), and may call this guest alone. 0: nothing in particular.
	Service uint64
	// SleepInNetpoller makes goroutines that wait for requests or events sleep in Go's netpoller, where they occupy no
	// thread: so a process with many guests needs few. To be woken takes some tens of microseconds longer, and each guest
	// has one descriptor more. RunAll always does so. Ignored where the system cannot do it, as on Windows.
	SleepInNetpoller bool
	// Spin is how long a wait spins before it sleeps, at most 100 microseconds; a wait may overrun its deadline by that
	// time. 0: 50 microseconds, up to 100 if messages may be large, and none on a single processor; negative: never.
	Spin time.Duration
	// Timeout applies to operations whose context has no deadline. 0: DefaultTimeout; negative:
	// for ever.
	Timeout time.Duration
	// Logger receives messages for people; a successful call logs nothing. nil: no log.
	Logger *slog.Logger
}

// Guest is one attachment to a region. All its methods may be called from any goroutine at any time.
type Guest struct {
	// Never change after attaching; only the bytes of the region do.
	*region
	name       string
	timeout    time.Duration
	log        *slog.Logger
	callsOnly  bool // Config.CallsOnly
	processors int  // how many this process may use

	life       life
	calling    calling
	serving    serving
	membership membership
	sleepers   *sleepers // nil: its goroutines sleep in the system; set when attaching
	stats      counters  // waits and wakes that belong to no slot; by each goroutine that has one
}

// Attach attaches to the region `name` as a guest and waits for its host to appear until ctx is done; if ctx has no
// deadline, Config.Timeout applies. Then it returns ErrNotFound, which also matches the cause. `config` nil means all
// defaults. The caller owns the Guest and must Close it.
//
// Errors: ErrName, ErrInvalid, ErrNotFound, ErrDenied, ErrFull, ErrNotARegion, ErrByteOrder, ErrVersion, ErrNotReady,
// ErrTruncated, ErrCorrupt, ErrNoDescriptors, ErrNoMemory, ErrNotSupported, ErrSystem.
func Attach(ctx context.Context, name string, config *Config) (*Guest, error) {
	s, err := newSettings(name, config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := withDefaultTimeout(ctx, s.timeout)
	defer cancel()
	return attach(ctx, name, s)
}

// Name is the name of the region, as Attach or Run was given it, or as RunAll has found it.
func (g *Guest) Name() string { return g.name }

// withDefaultTimeout gives a context without a deadline this time-out, which has the meaning of Config.Timeout.
func withDefaultTimeout(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	if _, ok := ctx.Deadline(); ok || timeout < 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}

// attach waits for a host until ctx is done.
func attach(ctx context.Context, name string, s settings) (*Guest, error) {
	wait := hostWait{watches: s.names, matches: func(found string) bool { return found == name }, began: time.Now()}
	defer wait.end()
	for {
		g, err := attachOnce(name, s)
		if !errors.Is(err, ErrNotFound) {
			return g, err
		}
		if _, _, ok := wait.next(ctx); !ok {
			return nil, &Error{Kind: ErrNotFound, Message: name, Cause: context.Cause(ctx)}
		}
	}
}

// checkMachine refuses machines with another byte order, or with offsets too short for the locks.
func checkMachine(littleEndian bool, bits int) error {
	if !littleEndian {
		return failure(ErrNotSupported, "the machine is big-endian")
	}
	if bits != 64 {
		return failure(ErrNotSupported, fmt.Sprintf("this program has %d bits, a region needs 64", bits))
	}
	return nil
}

func newSettings(name string, config *Config) (settings, error) {
	if err := checkMachine(wire.LittleEndian(), strconv.IntSize); err != nil {
		return settings{}, err
	}
	if err := checkName(name); err != nil {
		return settings{}, err
	}
	return settingsOf(config), nil
}

func settingsOf(config *Config) settings {
	if config == nil {
		config = &Config{}
	}
	s := settings{
		rules:     osregion.Rules{Mode: config.Mode, Owner: config.Owner, OwnerSID: config.OwnerSID, Global: config.Global},
		callsOnly: config.CallsOnly, service: config.Service,
		spin: config.Spin, timeout: config.Timeout, log: config.Logger, names: &sharedNames,
		netpoll: config.SleepInNetpoller,
	}
	s.fill()
	return s
}

func (s *settings) fill() {
	if s.rules.Mode == 0 {
		s.rules.Mode = 0o600
	}
	if s.timeout == 0 {
		s.timeout = DefaultTimeout
	}
}

// checkName returns an error unless a name has 1 to 200 bytes of well-formed UTF-8, whose ASCII characters are of
// [A-Za-z0-9_.-].
func checkName(name string) error {
	if len(name) == 0 || len(name) > nameMax {
		return &Error{Kind: ErrName, Value: uint64(len(name)), Limit: nameMax, unit: "bytes"}
	}
	if !utf8.ValidString(name) {
		return failure(ErrName, "it is not well-formed UTF-8")
	}
	for _, c := range name {
		if c < utf8.RuneSelf && !nameByte(byte(c)) {
			return failure(ErrName, fmt.Sprintf("the character %q is not of [A-Za-z0-9_.-]", c))
		}
	}
	return nil
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '_' || c == '.' || c == '-'
}

func newGuest(r *region, name string, s settings) *Guest {
	g := &Guest{
		region: r, name: name, timeout: s.timeout, log: s.log, callsOnly: s.callsOnly, processors: processors(),
	}
	g.life.setUp()
	spin := spinTime(s.spin, uint64(r.geometry.RequestCapacity)+uint64(r.geometry.ResponseCapacity))
	g.calling.setUp(g, spin)
	g.serving.setUp(g, spin)
	g.membership.events.setUp()
	g.info("attached", "guest", r.index)
	return g
}

// Info describes a region and this guest's place in it.
type Info struct {
	HostSlots, GuestSlots             uint32
	RequestCapacity, ResponseCapacity uint32 // bytes: multiples of 64
	Index                             uint32 // of this guest, 1 to 15
	Guests                            uint32 // guests attached and alive now
	Serving                           uint32 // of these, without Config.CallsOnly and not leaving
	RegionSize                        uint64 // bytes of shared memory
}

// Info returns the region's numbers. Errors: ErrClosed, ErrCorrupt.
func (g *Guest) Info() (info Info, err error) {
	if err := g.enter(); err != nil {
		return Info{}, err
	}
	defer g.exit(&err)()
	guests, serving := g.countGuests()
	return Info{
		HostSlots: g.geometry.HostCount, GuestSlots: g.geometry.GuestCount,
		RequestCapacity: g.geometry.RequestCapacity, ResponseCapacity: g.geometry.ResponseCapacity,
		Index: g.index, Guests: guests, Serving: serving, RegionSize: g.geometry.Total,
	}, nil
}

func (g *Guest) countGuests() (all, serving uint32) {
	for index := uint32(1); index <= wire.GuestsMax; index++ {
		status := g.peer(index).Status.Load()
		if status == wire.StatusVacant || index != g.index && !g.object.Locked(index) {
			continue
		}
		all++
		if status == wire.StatusAttached {
			serving++
		}
	}
	return all, serving
}
