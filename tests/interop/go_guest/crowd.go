package main

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	shmipc "github.com/libshmipc/libshmipc/go"
)

const (
	crowdHolds    = 200 * time.Microsecond
	crowdPatience = 2 * time.Second
)

// callInCrowd is a guest of count callers, which are numbered from first on; see ../crowd.h.
func callInCrowd(name string, first, count int) error {
	g, err := shmipc.Attach(context.Background(), name, &shmipc.Config{Timeout: crowdPatience})
	if err != nil {
		return err
	}
	defer g.Close()
	var callers sync.WaitGroup
	errs := make([]error, count)
	for i := range errs {
		callers.Add(1)
		go func(i int) {
			defer callers.Done()
			errs[i] = callUntilAllHave(g, uint32(first+i))
		}(i)
	}
	callers.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func holdAndCall(g *shmipc.Guest, request shmipc.Message, buffer []byte) (answer shmipc.Message, err error) {
	slot, err := g.Claim(context.Background())
	if err != nil {
		return answer, err
	}
	for begin := time.Now(); time.Since(begin) < crowdHolds; {
	}
	answer, err = slot.Call(context.Background(), request, buffer)
	if err == nil {
		err = slot.Release()
	}
	return answer, err
}

func callUntilAllHave(g *shmipc.Guest, number uint32) error {
	request := shmipc.Message{Type: hostCount, Data: binary.LittleEndian.AppendUint32(nil, number)}
	buffer := make([]byte, 1)
	for {
		answer, err := holdAndCall(g, request, buffer)
		if err != nil || answer.Data[0] != 0 {
			return err
		}
	}
}
