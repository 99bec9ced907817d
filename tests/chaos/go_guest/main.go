// A guest in Go for ../chaos_test.c, as ../peer.c is one in C: it calls, serves, and does what the
// director orders. Its arguments are the ledger's path and its number in it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
)

const callers = 3

// life is one attachment, and its goroutines.
type life struct {
	ledger  *ledger
	chance  *chance
	guest   *shmipc.Guest
	calling calling
	running sync.WaitGroup
	served  chan error
}

func (l *life) attach() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	config := &shmipc.Config{}
	if l.chance.draw(2) == 0 {
		config.Spin = -1
	}
	guest, err := shmipc.Attach(ctx, l.ledger.name(), config)
	l.guest = guest
	return err
}

func (l *life) start() {
	l.served = make(chan error, 1)
	go func() { l.served <- l.guest.Serve(context.Background(), l.handle) }()
	for i := 0; i < callers; i++ {
		c := &caller{life: l, desk: &l.ledger.post.desks[i], chance: chanceOf(l.chance.state, uint64(i))}
		l.running.Add(1)
		go func() {
			defer l.running.Done()
			c.run()
		}()
	}
	l.ledger.post.attached.Store(1)
}

// leave ends the guest in some way, while callers and handlers are in the midst of it.
func (l *life) leave() {
	timeouts := [...]time.Duration{0, 2 * time.Millisecond, time.Second}
	manner := l.chance.draw(uint32(len(timeouts)) + 1)
	if manner == uint32(len(timeouts)) {
		_ = l.guest.Close()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeouts[manner])
	defer cancel()
	if err := l.guest.Shutdown(ctx); err != nil && !errors.Is(err, shmipc.ErrTimeout) {
		l.ledger.fault("leaving: %v", err)
	}
}

// end leaves, and waits for everybody; `served` is what Serve returned if it has.
func (l *life) end(served error) {
	l.ledger.post.attached.Store(0)
	l.leave()
	l.calling.over.Store(true)
	l.running.Wait()
	if served == nil {
		served = <-l.served
	}
	if !errors.Is(served, shmipc.ErrShutdown) && !errors.Is(served, shmipc.ErrClosed) && !errors.Is(served, shmipc.ErrPeerDied) {
		l.ledger.fault("Serve came to %v", served)
	}
	_ = l.guest.Close()
}

// obey does what is ordered of a guest that goes on living.
func (l *life) obey(order uint32) {
	switch order % 256 {
	case orderQuiet:
		l.calling.quiet.Store(true)
		for l.calling.idle.Load() != callers {
			time.Sleep(100 * time.Microsecond)
		}
	case orderProve:
		(&caller{life: l, desk: &l.ledger.post.desks[desks-1]}).proveAllSlots()
	default:
		l.calling.quiet.Store(false)
	}
	l.ledger.post.obeyed.Store(order)
}

func (l *life) publishStats() {
	s := l.guest.Stats()
	for i, n := range []uint64{s.Calls, s.Failed, s.Served, s.Discarded, s.Parks, s.Wakes} {
		l.ledger.post.stats[i].Store(n)
	}
}

func (l *ledger) newOrder() uint32 {
	order := l.post.order.Load()
	if order == l.post.obeyed.Load() {
		return orderNone
	}
	return order
}

// live goes on until the host is gone, or the guest is to leave: the order is then not yet carried
// out.
func (l *life) live() (order uint32, served error) {
	for {
		order = l.ledger.newOrder()
		if order%256 == orderLeave || order%256 == orderEnd {
			return order, nil
		}
		select {
		case served = <-l.served:
			return order, served
		default:
		}
		if order != orderNone {
			l.obey(order)
		}
		l.publishStats()
		time.Sleep(200 * time.Microsecond)
	}
}

func run(path, number string) error {
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	ledger, err := openLedger(path, n)
	if err != nil {
		return err
	}
	chance := chanceOf(ledger.seed, uint64(ledger.post.incarnation.Load()))
	var first holding
	for ledger.newOrder()%256 != orderEnd {
		l := &life{ledger: ledger, chance: &chance}
		if err := l.attach(); err != nil {
			if !errors.Is(err, shmipc.ErrNotFound) {
				ledger.fault("no guest: %v", err)
			}
			continue
		}
		l.start()
		order, served := l.live()
		l.end(served)
		first.check(ledger)
		if order%256 == orderLeave {
			ledger.post.obeyed.Store(order)
		}
	}
	return nil
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go_guest LEDGER NUMBER; chaos_test.c starts it")
		os.Exit(1)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "go_guest:", err)
		os.Exit(1)
	}
}
