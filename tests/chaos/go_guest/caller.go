package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
)

// The ways of ../caller.h.
const (
	byCopy = iota
	inHeldSlot
	inPlace
	once
	polled
	late
	cancelled
	abandoned
	together
	calledBack
	proof
)

const (
	patient     = time.Minute
	togetherMax = 3
)

// caller is one goroutine that calls. A held slot is kept from call to call.
type caller struct {
	*life
	desk    *desk
	chance  chance
	slot    shmipc.Slot
	holding bool
}

// attempt is one call, whatever its way.
type attempt struct {
	question
	way     uint8
	began   time.Time
	timeout time.Duration
	length  int
}

func (c *caller) someLength(least uint32) uint32 {
	most := [...]uint32{48, 112, messageMax}
	return least + c.chance.draw(most[c.chance.draw(3)]-least+1)
}

func (c *caller) someTimeout() time.Duration {
	timeouts := [...]time.Duration{0, 200 * time.Microsecond, 2 * time.Millisecond, 20 * time.Millisecond, patient, patient}
	return timeouts[c.chance.draw(uint32(len(timeouts)))]
}

func (c *caller) wish(q *question) {
	if c.chance.draw(2) != 0 {
		q.wish = c.chance.draw(wishes)
	}
	most := uint32(300)
	if q.wish == wishSleep {
		most = 12000
	}
	q.timeUs = c.chance.draw(most)
	q.answerLength = c.someLength(answerMin)
}

func (c *caller) begin(way uint8, timeout time.Duration) *attempt {
	a := &attempt{way: way, timeout: timeout, length: int(c.someLength(questionMin))}
	c.wish(&a.question)
	c.number(a)
	return a
}

func (c *caller) number(a *attempt) {
	c.ledger.begin(a)
	a.began = time.Now()
	c.sit(a)
}

// sit tells the director which call is waited for.
func (c *caller) sit(a *attempt) {
	if c.desk != nil {
		c.desk.since.Store(now())
		c.desk.call.Store(a.question.number + 1)
	}
}

func (c *caller) end(a *attempt, answer shmipc.Message, err error) {
	outcome := outcomeOf(err)
	wrong := outcome == 0 && !a.isAnswer(answer.Type, answer.Data)
	if failure := (*shmipc.Error)(nil); errors.As(err, &failure) && failure.Kind == shmipc.ErrHandler {
		wrong = !a.isFailure(failure.Message)
	}
	c.over(a, outcome, wrong)
}

func (c *caller) over(a *attempt, outcome int32, wrong bool) {
	c.ledger.end(a.question.number, outcome, wrong)
	if c.desk != nil {
		c.desk.call.Store(0)
	}
	switch shmipc.Code(outcome) {
	case shmipc.ErrNoPeer, shmipc.ErrShutdown, shmipc.ErrClosed:
		time.Sleep(time.Millisecond) // it would be refused again and again
	}
}

func (a *attempt) context() (context.Context, context.CancelFunc) {
	return context.WithDeadline(context.Background(), a.began.Add(a.timeout))
}

func (c *caller) hold(ctx context.Context) (err error) {
	if !c.holding {
		c.slot, err = c.guest.Claim(ctx)
		c.holding = err == nil
	}
	return err
}

// giveBack also after the guest was closed, when the slot is stale.
func (c *caller) giveBack() {
	if c.holding {
		_ = c.slot.Release()
	}
	c.holding = false
}

func sendIn(slot shmipc.Slot, a *attempt) error {
	a.write(slot.Buffer()[:a.length])
	return slot.Send(questionType, a.length, 0)
}

// sendHeld reports whether the attempt goes on.
func (c *caller) sendHeld(ctx context.Context, a *attempt) bool {
	err := c.hold(ctx)
	if c.chance.draw(4) == 0 {
		time.Sleep(c.chance.duration(time.Millisecond)) // as if writing took long
	}
	if err == nil {
		err = sendIn(c.slot, a)
	}
	if err == nil {
		return true
	}
	c.giveBack()
	c.end(a, shmipc.Message{}, err)
	return false
}

func (c *caller) receiveHeld(ctx context.Context, a *attempt) {
	answer, err := c.slot.Receive(ctx)
	c.end(a, answer, err)
	c.holding = isAnswer(outcomeOf(err))
}

func (c *caller) callCopying(way uint8, timeout time.Duration) {
	a := c.begin(way, timeout)
	ctx, cancel := a.context()
	defer cancel()
	data := make([]byte, a.length)
	a.write(data)
	request := shmipc.Message{Type: questionType, Data: data}
	var answer shmipc.Message
	var err error
	if way != inHeldSlot {
		answer, err = c.guest.Call(ctx, request, nil)
	} else if err = c.hold(ctx); err == nil {
		answer, err = c.slot.Call(ctx, request, nil)
		c.holding = isAnswer(outcomeOf(err))
	}
	c.end(a, answer, err)
}

func (c *caller) callInPlace(way uint8) {
	a := c.begin(way, c.someTimeout())
	ctx, cancel := a.context()
	defer cancel()
	if !c.sendHeld(ctx, a) {
		return
	}
	for way == polled && ctx.Err() == nil {
		if ready, err := c.slot.Ready(); ready || err != nil {
			break
		}
		time.Sleep(50 * time.Microsecond)
	}
	if way == late {
		time.Sleep(c.chance.duration(15 * time.Millisecond))
	}
	c.receiveHeld(ctx, a)
	if way == once {
		c.giveBack()
	}
}

// callToBeCancelled has its slot cancelled by another goroutine, or its context.
func (c *caller) callToBeCancelled() {
	a := c.begin(cancelled, patient)
	ctx, cancel := a.context()
	defer cancel()
	if !c.sendHeld(ctx, a) {
		return
	}
	slot := c.slot
	end := cancel
	if c.chance.draw(2) == 0 {
		end = func() { _ = slot.Cancel() } // ErrStale: too late
	}
	timer := time.AfterFunc(c.chance.duration(3*time.Millisecond), end)
	c.receiveHeld(ctx, a)
	timer.Stop()
}

func (c *caller) callAndAbandon() {
	a := c.begin(abandoned, c.someTimeout())
	ctx, cancel := a.context()
	defer cancel()
	if !c.sendHeld(ctx, a) {
		return
	}
	time.Sleep(c.chance.duration(2 * time.Millisecond))
	c.giveBack()
	c.over(a, outcomeAbandoned, false)
}

// claimSeveral waits for the first slot, and not for the others.
func (c *caller) claimSeveral() (slots []shmipc.Slot) {
	timeout := 20 * time.Millisecond
	for len(slots) < togetherMax {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		slot, err := c.guest.Claim(ctx)
		cancel()
		if err != nil {
			break
		}
		slots = append(slots, slot)
		timeout = 0
	}
	return slots
}

// callTogether has several calls in flight. Where none ends in time, the first is received all the
// same, which gives it up.
func (c *caller) callTogether() {
	var attempts []*attempt
	var slots []shmipc.Slot
	timeout := c.someTimeout()
	for _, slot := range c.claimSeveral() {
		a := c.begin(together, timeout)
		if err := sendIn(slot, a); err != nil {
			_ = slot.Release()
			c.end(a, shmipc.Message{}, err)
			continue
		}
		slots, attempts = append(slots, slot), append(attempts, a)
	}
	for from := 0; len(slots) > 0; {
		c.sit(attempts[0])
		ctx, cancel := attempts[0].context()
		which, err := c.guest.WaitAny(ctx, slots, from)
		cancel()
		if err != nil {
			which = 0
		}
		c.receiveOfSeveral(slots[which], attempts[which], err == nil)
		slots = append(slots[:which], slots[which+1:]...)
		attempts = append(attempts[:which], attempts[which+1:]...)
		from = which
	}
}

func (c *caller) receiveOfSeveral(slot shmipc.Slot, a *attempt, ended bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	if !ended {
		cancel()
		ctx, cancel = a.context()
	}
	defer cancel()
	answer, err := slot.Receive(ctx)
	c.end(a, answer, err)
	if isAnswer(outcomeOf(err)) {
		_ = slot.Release()
	}
}

// callOnce calls in some way. Nobody waits for a slot while holding one.
func (c *caller) callOnce() {
	way := uint8(c.chance.draw(calledBack))
	if way == byCopy || way == together {
		c.giveBack()
	}
	switch way {
	case byCopy, inHeldSlot:
		c.callCopying(way, c.someTimeout())
	case cancelled:
		c.callToBeCancelled()
	case abandoned:
		c.callAndAbandon()
	case together:
		c.callTogether()
	default:
		c.callInPlace(way)
	}
}

// calling is what the callers of a life are told, and tell.
type calling struct {
	quiet, over atomic.Bool
	idle        atomic.Int32 // callers that know that it is quiet, and hold nothing
}

func (c *caller) run() {
	for !c.calling.over.Load() {
		switch {
		case c.calling.quiet.Load():
			c.giveBack()
			c.calling.idle.Add(1)
			for c.calling.quiet.Load() && !c.calling.over.Load() {
				time.Sleep(100 * time.Microsecond)
			}
			c.calling.idle.Add(-1)
		case c.ledger.hasRoom():
			c.callOnce()
		default:
			time.Sleep(50 * time.Microsecond)
		}
	}
	c.giveBack()
}

// proveAllSlots claims every slot, makes a call through each, and gives them back.
func (c *caller) proveAllSlots() {
	info, err := c.guest.Info()
	if err != nil {
		c.ledger.fault("info: %v", err)
		return
	}
	var slots []shmipc.Slot
	for len(slots) < int(info.GuestSlots) {
		slot, err := c.guest.Claim(context.Background())
		if err != nil {
			c.ledger.fault("quiet, %d of %d slots: %v", len(slots), info.GuestSlots, err)
			break
		}
		slots = append(slots, slot)
	}
	for _, slot := range slots {
		c.proveSlot(slot)
		_ = slot.Release()
	}
}

func (c *caller) proveSlot(slot shmipc.Slot) {
	a := &attempt{question: question{answerLength: answerMin}, way: proof, timeout: shmipc.DefaultTimeout, length: questionMin}
	c.number(a)
	err := sendIn(slot, a)
	var answer shmipc.Message
	if err == nil {
		answer, err = slot.Receive(context.Background())
	}
	c.end(a, answer, err)
	if err != nil {
		c.ledger.fault("quiet, a call in a slot fails: %v", err)
	}
}
