// Command guest runs the functions of the PostgreSQL module, for all backends of a server.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"log"
	"log/slog"
	"os/signal"
	"os/user"
	"strconv"
	"syscall"
	"unicode/utf8"

	"github.com/libshmipc/libshmipc/docs/examples/sleep"
	shmipc "github.com/libshmipc/libshmipc/go"
)

// The types of the requests.
const (
	typeUpper = 128 + iota
	typeSleep
)

func upper(text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("a text that is not UTF-8")
	}
	return bytes.ToUpper(text), nil
}

func handleUpper(request *shmipc.Request, response *shmipc.Response) error {
	text, err := upper(request.Data)
	if err == nil {
		_, err = response.Write(text)
	}
	return err
}

// configure says whose regions to trust: a server's that runs as another user are for this one's group too.
func configure(owner string) (*shmipc.Config, error) {
	if owner == "" {
		return &shmipc.Config{Logger: slog.Default()}, nil
	}
	account, err := user.Lookup(owner)
	if err != nil {
		return nil, err
	}
	id, err := strconv.Atoi(account.Uid)
	return &shmipc.Config{Owner: id, Mode: 0o660, Logger: slog.Default()}, err
}

func main() {
	log.SetFlags(0)
	prefix := flag.String("prefix", "postgres", "shmipc_go.prefix of the server")
	owner := flag.String("owner", "", "the server's user, if that is another one")
	socket := flag.String("socket", "", "where to listen for socket_upper")
	flag.Parse()
	config, err := configure(*owner)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if *socket != "" {
		go listen(*socket)
	}

	var mux shmipc.Mux
	mux.Handle(typeUpper, handleUpper)
	mux.Handle(typeSleep, sleep.Handle)
	err = shmipc.RunAll(ctx, *prefix+"-", config, func(ctx context.Context, guest *shmipc.Guest) error {
		return guest.Serve(ctx, mux.Dispatch)
	})
	if ctx.Err() == nil {
		log.Fatal(err)
	}
}
