// Command guest hashes and compresses the files that the demo's host sends, and tells the host how
// far it is.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"os"
	"sync"

	shmipc "github.com/libshmipc/libshmipc/go"
)

type server struct {
	guest *shmipc.Guest
	open  openFiles

	mu           sync.Mutex
	files, bytes uint64 // finished
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("demo: Go guest: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: guest NAME")
	}
	if err := run(os.Args[1]); !errors.Is(err, shmipc.ErrShutdown) {
		log.Fatal(err)
	}
}

func run(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), shmipc.DefaultTimeout)
	defer cancel()
	guest, err := shmipc.Attach(ctx, name, nil)
	if err != nil {
		return err
	}
	defer guest.Close()
	s := &server{guest: guest, open: openFiles{byID: map[uint64]*file{}}}
	return guest.Serve(context.Background(), s.handle)
}

func (s *server) handle(request *shmipc.Request, response *shmipc.Response) error {
	if request.Type == messageEcho {
		_, err := response.Write(request.Data)
		return err
	}
	id, piece, err := splitHeader(request.Data)
	if err != nil {
		return err
	}
	switch request.Type {
	case messageFile:
		return s.finish(newFile(), piece, response)
	case messageBegin:
		return s.open.begin(id)
	case messagePiece:
		f, err := s.open.find(id)
		if err != nil {
			return err
		}
		return f.add(piece)
	case messageEnd:
		f, err := s.open.end(id)
		if err != nil {
			return err
		}
		return s.finish(f, nil, response)
	default:
		return fmt.Errorf("unknown message type %d", request.Type)
	}
}

// finish adds the last piece, reports to the host and answers.
func (s *server) finish(f *file, last []byte, response *shmipc.Response) error {
	if err := f.add(last); err != nil {
		return err
	}
	digest, err := f.digest()
	if err != nil {
		return err
	}
	if err := s.report(f.bytes); err != nil {
		return err
	}
	_, err = response.Write(digest)
	return err
}

// report calls the host, while the host waits for this guest's answer.
func (s *server) report(bytes uint64) error {
	s.mu.Lock()
	s.files++
	s.bytes += bytes
	progress := binary.LittleEndian.AppendUint64(nil, s.files)
	progress = binary.LittleEndian.AppendUint64(progress, s.bytes)
	s.mu.Unlock()
	_, err := s.guest.Call(context.Background(), shmipc.Message{Type: messageProgress, Data: progress}, nil)
	return err
}
