package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	shmipc "github.com/libshmipc/libshmipc/go"
	shmipcfb "github.com/libshmipc/libshmipc/go/flatbuffers"
)

const (
	smallMessage   = 20
	spilledMessage = 1 << 20 // more than any capacity of the tests
)

// misuse makes each mistake with a slot of its own, and says of which the error is another one.
func (g guest) misuse(_ *shmipc.Request, response *shmipc.Response) error {
	for _, mistake := range []struct {
		name string
		make func(slot shmipc.Slot, b *shmipcfb.RequestBuilder) error
		want error
	}{
		{"sent twice", sendTwice, shmipc.ErrState},
		{"not finished", sendUnfinished, shmipc.ErrInvalid},
		{"a reserved type", sendReserved, shmipc.ErrType},
		{"too large", sendTooLarge, shmipc.ErrTooLarge},
		{"begun in a slot under way", beginUnderWay, shmipc.ErrState},
		{"begun in a stale slot", beginStale, shmipc.ErrStale},
		{"sent in a stale slot", sendStale, shmipc.ErrStale},
		{"sent behind the builder's back", sendBehind, shmipc.ErrState},
		{"finished after it was sent", finishSent, nil},
	} {
		err := g.mistake(mistake.make)
		if !errors.Is(err, mistake.want) {
			return fmt.Errorf("%s: %v", mistake.name, err)
		}
	}
	return misuseResponse(response)
}

// mistake makes one, and then a call that must succeed with the same builder.
func (g guest) mistake(make func(slot shmipc.Slot, b *shmipcfb.RequestBuilder) error) error {
	slot, err := g.Claim(context.Background())
	if err != nil {
		return err
	}
	var b shmipcfb.RequestBuilder
	result := make(slot, &b)
	_ = slot.Release()
	if slot, err = g.Claim(context.Background()); err != nil {
		return err
	}
	defer slot.Release()
	if _, err := call(slot, &b, smallMessage); err != nil {
		return fmt.Errorf("the next call: %w", err)
	}
	return result
}

func begin(slot shmipc.Slot, b *shmipcfb.RequestBuilder, id uint64) error {
	if err := b.Begin(slot); err != nil {
		return err
	}
	build(&b.Builder, id)
	return nil
}

func sendTwice(slot shmipc.Slot, b *shmipcfb.RequestBuilder) error {
	if _, err := call(slot, b, smallMessage); err != nil {
		return err
	}
	return b.Send(fbHostEcho)
}

func sendUnfinished(slot shmipc.Slot, b *shmipcfb.RequestBuilder) error {
	if err := b.Begin(slot); err != nil {
		return err
	}
	b.CreateString("unfinished")
	return b.Send(fbHostEcho)
}

// sendReserved: an error that is not about the buffer leaves the message where it is, to be sent.
func sendReserved(slot shmipc.Slot, b *shmipcfb.RequestBuilder) error {
	if err := begin(slot, b, smallMessage); err != nil {
		return err
	}
	result := b.Send(3)
	if err := b.Send(fbHostEcho); err != nil {
		return fmt.Errorf("sent again: %w", err)
	}
	answer, err := slot.Receive(context.Background())
	if err != nil || !bytes.Equal(answer.Data, built(smallMessage)) {
		return fmt.Errorf("sent again: %w, or another message", err)
	}
	return result
}

func sendTooLarge(slot shmipc.Slot, b *shmipcfb.RequestBuilder) error {
	if err := begin(slot, b, spilledMessage); err != nil {
		return err
	}
	if !b.Spilled() {
		return errors.New("it has not spilled")
	}
	err := b.Send(fbHostEcho)
	var e *shmipc.Error
	size, capacity := len(b.FinishedBytes()), len(slot.Buffer())
	if errors.As(err, &e) && (e.Value != uint64(size) || e.Limit != uint64(capacity)) {
		return fmt.Errorf("%d bytes, capacity %d: %v", size, capacity, err)
	}
	return err
}

func beginUnderWay(slot shmipc.Slot, b *shmipcfb.RequestBuilder) error {
	if err := begin(slot, b, smallMessage); err != nil {
		return err
	}
	if err := b.Send(fbHostEcho); err != nil {
		return err
	}
	return b.Begin(slot)
}

func beginStale(slot shmipc.Slot, b *shmipcfb.RequestBuilder) error {
	_ = slot.Release()
	return b.Begin(slot)
}

func sendStale(slot shmipc.Slot, b *shmipcfb.RequestBuilder) error {
	if err := begin(slot, b, smallMessage); err != nil {
		return err
	}
	_ = slot.Release()
	return sendInVain(b)
}

// sendBehind sends the slot otherwise; the spilled message may not be copied over what is under way.
func sendBehind(slot shmipc.Slot, b *shmipcfb.RequestBuilder) error {
	buffer := slot.Buffer()
	largest := uint64(len(buffer)) // that fits, but for the room that the builder asks for
	for len(built(largest)) > len(buffer) {
		largest--
	}
	if err := begin(slot, b, largest); err != nil {
		return err
	}
	if !b.Spilled() {
		return errors.New("it has not spilled")
	}
	n := copy(buffer, built(smallMessage))
	before := bytes.Clone(buffer)
	if err := slot.Send(fbHostEcho, n, 0); err != nil {
		return err
	}
	err := sendInVain(b)
	if !bytes.Equal(before, buffer) {
		return errors.New("what is under way was written over")
	}
	return err
}

// finishSent: what is written to a builder after Send goes nowhere near the slot.
func finishSent(slot shmipc.Slot, b *shmipcfb.RequestBuilder) error {
	buffer := slot.Buffer()
	if err := begin(slot, b, smallMessage); err != nil {
		return err
	}
	if err := b.Send(fbHostEcho); err != nil {
		return err
	}
	before := bytes.Clone(buffer)
	build(&b.Builder, smallMessage+1)
	if !bytes.Equal(before, buffer) {
		return errors.New("what is under way was written over")
	}
	return nil
}

// sendInVain sends what has no buffer any more; the builder is then empty.
func sendInVain(b *shmipcfb.RequestBuilder) error {
	err := b.Send(fbHostEcho)
	if b.Spilled() || b.Offset() != 0 || len(b.Bytes) != 0 {
		return fmt.Errorf("the builder still holds %d bytes", len(b.Bytes))
	}
	return err
}

// misuseResponse answers, after mistakes, with a small message.
func misuseResponse(response *shmipc.Response) error {
	var b shmipcfb.ResponseBuilder
	b.Begin(response)
	b.StartObject(1)
	if err := b.Respond(shmipc.TypeFlatBuffer); !errors.Is(err, shmipc.ErrInvalid) {
		return fmt.Errorf("an answer that is not finished: %v", err)
	}
	b.Begin(response)
	build(&b.Builder, spilledMessage)
	if err := b.Respond(shmipc.TypeFlatBuffer); !errors.Is(err, shmipc.ErrTooLarge) {
		return fmt.Errorf("an answer that is too large: %v", err)
	}
	b.Begin(response)
	build(&b.Builder, smallMessage)
	if err := b.Respond(shmipc.TypeFlatBuffer); err != nil {
		return err
	}
	before := bytes.Clone(response.Buffer())
	build(&b.Builder, smallMessage+1)
	if err := b.Respond(shmipc.TypeFlatBuffer); !errors.Is(err, shmipc.ErrState) {
		return fmt.Errorf("a second answer: %v", err)
	}
	if !bytes.Equal(before, response.Buffer()) {
		return errors.New("the answer was written over")
	}
	return nil
}
