// Command guest answers the benchmarks' calls: guest NAME SPIN_NS [WORKERS] (SPIN_NS 0: the library's
// choice; -1: none. WORKERS: as many goroutines serve as handlers need, whatever it says; with it handlers do
// jobs, too). It does what the guest in C does, see ../../calls/pair.h.
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
	"github.com/libshmipc/libshmipc/benchmarks/go/job"
	shmipc "github.com/libshmipc/libshmipc/go"
)

const (
	typeSleep = shmipc.TypeApplication + iota
	typeCount
	typeLength
	typeJob
)

type server struct {
	guest *shmipc.Guest
	rate  job.Rate
}

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
	case typeJob:
		if err := s.rate.Do(request.Data); err != nil {
			return err
		}
		return handler.Echo(request.Data, response)
	}
	return fmt.Errorf("unknown type %d", request.Type)
}

func run(name string, spin time.Duration, jobs bool) error {
	var s server
	if jobs {
		s.rate = job.Calibrate()
	}
	guest, err := shmipc.Attach(context.Background(), name, &shmipc.Config{Spin: spin})
	if err != nil {
		return err
	}
	defer guest.Close()
	s.guest = guest
	return guest.Serve(context.Background(), s.handle)
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: Go guest: ")
	if len(os.Args) != 3 && len(os.Args) != 4 {
		log.Fatal("usage: guest NAME SPIN_NS [WORKERS]")
	}
	spin, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	if err := run(os.Args[1], time.Duration(spin), len(os.Args) > 3); !errors.Is(err, shmipc.ErrShutdown) {
		log.Fatal(err)
	}
}
