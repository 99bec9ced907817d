package main

import (
	"bytes"
	"fmt"
	"strconv"
	"unsafe"

	flatbuffers "github.com/google/flatbuffers/go"
	"github.com/libshmipc/libshmipc/tests/interop/go_flatbuffers_guest/wire"
)

// content is what a message's id says is in it: see ../flatbuffers_script.h.
type content struct {
	id        uint64
	payload   int
	blocks    int
	alignment int // of the payload
	text      bool
}

func contentOf(id uint64) content {
	return content{id, int(uint32(id)), int(id >> 32 & 0xffff), int(id >> 48 & 0xff), id>>56&1 != 0}
}

func payloadByte(i, length int) byte { return byte(i*7 + length) }

// build builds the message of this id and finishes it.
func build(b *flatbuffers.Builder, id uint64) {
	c := contentOf(id)
	var text, payload, blocks flatbuffers.UOffsetT
	if c.text {
		var digits [20]byte
		text = b.CreateByteString(strconv.AppendUint(digits[:0], id, 10))
	}
	if c.payload > 0 {
		b.StartVector(1, c.payload, max(c.alignment, 1))
		for i := c.payload - 1; i >= 0; i-- {
			b.PlaceByte(payloadByte(i, c.payload))
		}
		payload = b.EndVector(c.payload)
	}
	if c.blocks > 0 {
		wire.MessageStartBlocksVector(b, c.blocks)
		for i := c.blocks - 1; i >= 0; i-- {
			check := id ^ uint64(i)
			wire.CreateBlock(b, uint64(i), check, check, check)
		}
		blocks = b.EndVector(c.blocks)
	}
	wire.MessageStart(b)
	wire.MessageAddId(b, id)
	wire.MessageAddText(b, text)
	wire.MessageAddPayload(b, payload)
	wire.MessageAddBlocks(b, blocks)
	b.Finish(wire.MessageEnd(b))
}

// built is the message of this id, built in memory of Go's.
func built(id uint64) []byte {
	b := flatbuffers.NewBuilder(1024)
	build(b, id)
	return b.FinishedBytes()
}

// check tells whether a message holds what its id says, aligned as it should be, and returns the id.
func check(data []byte) (id uint64, err error) {
	var m wire.Message
	m.Init(data, flatbuffers.GetUOffsetT(data))
	c := contentOf(m.Id())
	if err := c.checkText(m.Text()); err != nil {
		return c.id, err
	}
	if err := c.checkPayload(m.PayloadBytes()); err != nil {
		return c.id, err
	}
	return c.id, c.checkBlocks(&m)
}

func (c content) checkText(text []byte) error {
	var digits [20]byte
	want := digits[:0]
	if c.text {
		want = strconv.AppendUint(want, c.id, 10)
	}
	if !bytes.Equal(text, want) {
		return fmt.Errorf("message %#x has the text %q", c.id, text)
	}
	return nil
}

func (c content) checkPayload(payload []byte) error {
	if len(payload) != c.payload {
		return fmt.Errorf("message %#x has %d bytes of payload", c.id, len(payload))
	}
	for i, got := range payload {
		if got != payloadByte(i, c.payload) {
			return fmt.Errorf("message %#x has %#x in byte %d of its payload", c.id, got, i)
		}
	}
	if c.payload > 0 && c.alignment > 0 {
		return c.checkAlignment("the payload", &payload[0], c.alignment)
	}
	return nil
}

func (c content) checkBlocks(m *wire.Message) error {
	if m.BlocksLength() != c.blocks {
		return fmt.Errorf("message %#x has %d blocks", c.id, m.BlocksLength())
	}
	var block wire.Block
	for i := 0; i < c.blocks; i++ {
		m.Blocks(&block, i)
		if block.Number() != uint64(i) || block.Check() != c.id^uint64(i) || block.CheckAtLast() != block.Check() {
			return fmt.Errorf("message %#x has %d and %#x in block %d", c.id, block.Number(), block.Check(), i)
		}
		table := block.Table()
		if err := c.checkAlignment("a block", &table.Bytes[table.Pos], 32); err != nil {
			return err
		}
	}
	return nil
}

func (c content) checkAlignment(what string, at *byte, alignment int) error {
	if address := uintptr(unsafe.Pointer(at)); address%uintptr(alignment) != 0 {
		return fmt.Errorf("in message %#x %s is at %#x, not aligned to %d", c.id, what, address, alignment)
	}
	return nil
}
