// A guest in Go that does what ../script.h says, until its host leaves gracefully. With a second
// argument it attaches again when the host is gone; with "crowd <first> <count>" it only calls, see ../crowd.h.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
)

const (
	scriptEcho = shmipc.TypeApplication + iota
	scriptPattern
	scriptAtEnd
	scriptFail
	scriptWrongType
	scriptCallHost
	scriptProvoke
	scriptPing
	scriptHang
	scriptAwaitAbandoned
)

const (
	provokeNothing = iota
	provokeType
	provokeTooLarge
	provokeHandler
	provokeAnswer
	provokeTimeout
	provokeStale
	provokeState
	provokeCancelled
)

const (
	hostEcho = shmipc.TypeApplication + iota
	hostFail
	hostTooMuch
	hostHang
	hostCount
)

type guest struct{ *shmipc.Guest }

func (g guest) act(request *shmipc.Request, response *shmipc.Response) error {
	switch request.Type {
	case scriptEcho:
		response.Type = scriptEcho
		_, err := response.Write(request.Data)
		return err
	case scriptPattern:
		return pattern(request, response, false)
	case scriptAtEnd:
		return pattern(request, response, true)
	case scriptFail:
		panic(string(request.Data))
	case scriptWrongType:
		response.Type = 7
		return nil
	case scriptCallHost:
		answer, err := g.Call(context.Background(), shmipc.Message{Type: hostEcho, Data: request.Data}, nil)
		if err != nil {
			return err
		}
		_, err = response.Write(answer.Data)
		return err
	case scriptProvoke:
		code := codeOf(g.provoke(binary.LittleEndian.Uint32(request.Data)))
		return binary.Write(response, binary.LittleEndian, code)
	case scriptPing:
		rtt, err := g.Ping(context.Background())
		if err != nil {
			return err
		}
		return binary.Write(response, binary.LittleEndian, int64(rtt))
	case scriptHang:
		select {}
	case scriptAwaitAbandoned:
		for !request.Abandoned() {
			time.Sleep(100 * time.Microsecond) // nothing tells a handler: it asks
		}
		return nil
	}
	return fmt.Errorf("unknown type %d", request.Type)
}

func pattern(request *shmipc.Request, response *shmipc.Response, atEnd bool) error {
	length := int(binary.LittleEndian.Uint32(request.Data))
	buffer := response.Buffer()
	response.SetLength(length)
	if length > len(buffer) {
		return nil
	}
	if atEnd {
		response.Flags = shmipc.AlignEnd
		buffer = buffer[len(buffer)-length:]
	}
	for i := range buffer[:length] {
		buffer[i] = byte(i*7 + length)
	}
	return nil
}

func codeOf(err error) int32 {
	var coded interface{ Code() int }
	switch {
	case err == nil:
		return 0
	case errors.As(err, &coded):
		return int32(coded.Code())
	}
	return 1
}

func (g guest) provoke(provocation uint32) error {
	ctx := context.Background()
	switch provocation {
	case provokeNothing:
		return g.call(ctx, hostEcho, 0)
	case provokeType:
		return g.call(ctx, 3, 0)
	case provokeTooLarge:
		info, err := g.Info()
		if err != nil {
			return err
		}
		return g.call(ctx, hostEcho, int(info.RequestCapacity)+1)
	case provokeHandler:
		return g.call(ctx, hostFail, 0)
	case provokeAnswer:
		return g.call(ctx, hostTooMuch, 0)
	case provokeTimeout:
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		return g.call(short, hostHang, 0)
	}
	return g.misuseSlot(ctx, provocation)
}

func (g guest) call(ctx context.Context, kind uint32, length int) error {
	_, err := g.Call(ctx, shmipc.Message{Type: kind, Data: make([]byte, length)}, nil)
	return err
}

func (g guest) misuseSlot(ctx context.Context, provocation uint32) error {
	slot, err := g.Claim(ctx)
	if err != nil {
		return err
	}
	if provocation == provokeCancelled {
		if err := slot.Send(hostHang, 0, 0); err != nil {
			return err
		}
		if err := slot.Cancel(); err != nil {
			return err
		}
		_, err := slot.Receive(ctx)
		return err
	}
	if provocation == provokeState {
		_, err = slot.Receive(ctx)
	}
	if released := slot.Release(); released != nil {
		return released
	}
	if provocation == provokeStale {
		err = slot.Release()
	}
	return err
}

func attachAndServe(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), shmipc.DefaultTimeout)
	defer cancel()
	attached, err := shmipc.Attach(ctx, name, nil)
	if err != nil {
		return err
	}
	defer attached.Close()
	return attached.Serve(context.Background(), guest{attached}.act)
}

func main() {
	if len(os.Args) == 5 && os.Args[2] == "crowd" {
		exitOn(callInCrowd(os.Args[1], number(os.Args[3]), number(os.Args[4])))
		return
	}
	err := attachAndServe(os.Args[1])
	for len(os.Args) > 2 && errors.Is(err, shmipc.ErrPeerDied) {
		err = attachAndServe(os.Args[1])
	}
	if !errors.Is(err, shmipc.ErrShutdown) {
		exitOn(err)
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		os.Exit(1)
	}
}

func number(argument string) int {
	n, err := strconv.Atoi(argument)
	exitOn(err)
	return n
}
