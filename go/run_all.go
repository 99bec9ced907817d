package shmipc

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/libshmipc/libshmipc/go/internal/osregion"
	"github.com/libshmipc/libshmipc/go/internal/wire"
)

// RunAll serves every host whose region's name begins with prefix, as hosts come and go; "" means all names. For each
// region it runs serve once, in a goroutine of its own, with a Guest that it closes afterwards. Guest.Name, and in a
// handler Request.Guest, tell which host that is. A new host that takes the name of a dead one has another region: it
// is served at once, even if handlers for the one before still run.
//
// A host to which no guest can attach does not disturb the others. Config.Logger is told why, once; RunAll tries again
// when the file's owner or permissions change and, if the reason may pass by itself, every few seconds: ErrFull,
// ErrNotReady, ErrNoDescriptors, ErrNoMemory, ErrSystem.
//
// RunAll returns when all calls of serve have returned: with ctx.Err() when ctx is done; otherwise with the error of
// the first serve that ended for a reason other than its host's end, or with ErrName, ErrInvalid, ErrDenied (the
// directory of regions) or ErrNotSupported; the context of the others is done then.
//
// A waiting RunAll costs nothing: the system reports each new region, which is served well within a millisecond. If the
// system has no more watches for this user, RunAll lists the names 20 times a second. On Windows names cannot be
// listed, and the error is ErrNotSupported: call Run there, once for each name.
//
//	err := shmipc.RunAll(ctx, "myapp-", nil, func(ctx context.Context, g *shmipc.Guest) error {
//		return g.Serve(ctx, handler)
//	})
func RunAll(ctx context.Context, prefix string, config *Config, serve func(context.Context, *Guest) error) error {
	if err := checkPrefix(prefix); err != nil {
		return err
	}
	s := settingsOf(config)
	s.netpoll = true
	return runAllWith(ctx, prefix, s, serve)
}

func checkPrefix(prefix string) error {
	if !osregion.NamesAreListed {
		return failure(ErrNotSupported, "the names of regions cannot be listed")
	}
	if err := checkMachine(wire.LittleEndian(), strconv.IntSize); err != nil || prefix == "" {
		return err
	}
	return checkName(prefix)
}

func runAllWith(ctx context.Context, prefix string, s settings, serve func(context.Context, *Guest) error) error {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	a := newRunAll(prefix, s, serve, cancel)
	a.meetAll(within)
	return a.wait(ctx)
}

func newRunAll(prefix string, s settings, serve func(context.Context, *Guest) error, cancel func()) *runAll {
	return &runAll{
		run: run{serve: serve, cancel: cancel}, prefix: prefix, settings: s,
		regions: make(map[regionKey]*metRegion), files: make(map[string]*namedFile),
	}
}

// runAll is one RunAll. All but run is its own goroutine's.
type runAll struct {
	run
	prefix   string
	settings settings
	regions  map[regionKey]*metRegion // those that were met, as long as they might be met again
	files    map[string]*namedFile    // by name
	unlisted string                   // why the names could not be listed, as logged; "": they could
}

// metRegion is a region to which a guest was attached.
type metRegion struct {
	returned <-chan struct{} // closed when serve has returned
	named    bool            // a name means it
}

// namedFile is what the last look at a name has found.
type namedFile struct {
	seen    osregion.Sight
	region  *metRegion // nil: none that was met
	refused string     // why no guest could attach, as logged; "": one could, or its host is gone
	again   time.Time  // when to try again though the file has not changed; 0: never
}

// meetAll meets hosts until ctx is done. It looks at all names when the watch has begun, so none is missed.
func (a *runAll) meetAll(ctx context.Context) {
	wait := hostWait{watches: a.settings.names, matches: a.matches, isLong: true}
	defer wait.endWholly()
	var names []string
	for all, ok := true, true; ok; names, all, ok = wait.next(ctx) {
		if all {
			names = a.list()
		}
		for _, name := range names {
			a.look(ctx, name)
		}
	}
}

func (a *runAll) matches(name string) bool {
	return strings.HasPrefix(name, a.prefix) && checkName(name) == nil
}

// list returns the names that match, and forgets what is known of others.
func (a *runAll) list() (names []string) {
	found, err := osregion.List()
	if err = public(err); err != nil {
		a.cannotList(err)
		return nil
	}
	a.unlisted = ""
	for _, name := range found {
		if a.matches(name) {
			names = append(names, name)
		}
	}
	a.forgetOthers(names)
	return names
}

func (a *runAll) cannotList(err error) {
	if errors.Is(err, ErrDenied) || endsAll(err) {
		a.end(err)
		return
	}
	a.logOnce(&a.unlisted, a.prefix, "the names of regions cannot be listed", err)
}

// forgetOthers forgets the files of other names than these, and the regions that cannot be met again: they have no
// name, and their guests are closed. A region that keeps its name is not forgotten, whatever serve made of it.
func (a *runAll) forgetOthers(names []string) {
	known := a.files
	a.files = make(map[string]*namedFile, len(names))
	for _, region := range a.regions {
		region.named = false
	}
	for _, name := range names {
		if file := known[name]; file != nil {
			a.files[name] = file
			if file.region != nil {
				file.region.named = true
			}
		}
	}
	for key, region := range a.regions {
		if !region.named && region.hasEnded() {
			delete(a.regions, key)
		}
	}
}

func (r *metRegion) hasEnded() bool {
	select {
	case <-r.returned:
		return true
	default:
		return false
	}
}

// look looks at a name, and meets its host if the file is another one than before, or has changed.
func (a *runAll) look(ctx context.Context, name string) {
	seen, err := osregion.Look(name)
	if err != nil || ctx.Err() != nil {
		return // a name that is gone is forgotten with the next list
	}
	file := a.files[name]
	if file == nil {
		file = &namedFile{}
		a.files[name] = file
	} else if file.seen == seen && !file.isDue() {
		return
	}
	file.seen = seen
	a.meet(ctx, name, file)
}

func (f *namedFile) isDue() bool { return !f.again.IsZero() && !time.Now().Before(f.again) }

// meet attaches to the region of this name, unless it was met before, and serves it.
func (a *runAll) meet(ctx context.Context, name string, file *namedFile) {
	var key regionKey
	g, err := attachUnless(name, a.settings, func(found regionKey) bool {
		key, file.region = found, a.regions[found]
		return file.region != nil
	})
	file.again = time.Time{}
	switch {
	case err == nil:
		file.region = &metRegion{returned: a.start(ctx, g)}
		a.regions[key] = file.region
	case err != errKnown && !errors.Is(err, ErrNotFound):
		file.region = nil
		a.refuse(name, file, err)
		return
	}
	file.refused = ""
}

// refuse is for a file to which no guest can attach.
func (a *runAll) refuse(name string, file *namedFile, err error) {
	if endsAll(err) {
		a.end(err)
		return
	}
	if !isOfTheFile(err) {
		file.again = time.Now().Add(a.settings.names.tick / 2)
	}
	a.logOnce(&file.refused, name, "no guest can attach", err)
}

// logOnce logs an error, unless it is the one that was logged last.
func (a *runAll) logOnce(last *string, name, text string, err error) {
	if *last != err.Error() {
		*last = err.Error()
		logTo(a.settings.log, slog.LevelWarn, name, text, []any{"error", err})
	}
}

// endsAll tells whether an error is one of every host.
func endsAll(err error) bool { return errors.Is(err, ErrInvalid) || errors.Is(err, ErrNotSupported) }

// isOfTheFile tells whether an error lasts as long as the file stays as it is.
func isOfTheFile(err error) bool {
	for _, kind := range []Code{ErrDenied, ErrNotARegion, ErrByteOrder, ErrVersion, ErrTruncated, ErrCorrupt} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
