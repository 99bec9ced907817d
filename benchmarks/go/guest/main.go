// Command guest answers the benchmarks' calls: guest NAME SPIN_NS (0: the library's choice; -1:
// none). It does what the guest in C does, see ../../calls/pair.h.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/libshmipc/libshmipc/benchmarks/go/handler"
	shmipc "github.com/libshmipc/libshmipc/go"
)

const (
	typeSleep = shmipc.TypeApplication + iota
	typeCount
	typeLength
)

type server struct{ guest *shmipc.Guest }

func (s server) handle(request *shmipc.Request, response *shmipc.Response) error {
	switch request.Type {
	case shmipc.TypeNormal:
		return handler.Echo(request.Data, response)
	case typeSleep:
		if len(request.Data) != 4 {
			return fmt.Errorf("a request of %d bytes", len(request.Data))
		}
		time.Sleep(time.Duration(binary.LittleEndian.Uint32(request.Data)) * time.Millisecond)
		return nil
	case typeCount:
		stats := s.guest.Stats()
		return binary.Write(response, binary.LittleEndian, stats.Parks+stats.Wakes)
	case typeLength:
		response.SetLength(len(request.Data))
		return nil
	}
	return fmt.Errorf("unknown type %d", request.Type)
}

func run(name string, spin time.Duration) error {
	guest, err := shmipc.Attach(context.Background(), name, &shmipc.Config{Spin: spin})
	if err != nil {
		return err
	}
	defer guest.Close()
	return guest.Serve(context.Background(), server{guest}.handle)
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: Go guest: ")
	if len(os.Args) != 3 {
		log.Fatal("usage: guest NAME SPIN_NS")
	}
	spin, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	if err := run(os.Args[1], time.Duration(spin)); !errors.Is(err, shmipc.ErrShutdown) {
		log.Fatal(err)
	}
}
