// Command guest is the other side of the hosts in this directory's neighbours: PAIR says whose.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"

	shmipc "github.com/libshmipc/libshmipc/go"
)

var guests = map[string]func(name string){
	"send":       send,
	"connect":    connect,
	"flatbuffer": flatbuffer,
	"types":      types,
	"listener":   callHost,
	"server":     callHost,
	"long_job":   longJob,
	"direct":     direct,
	"waiting":    waiting,
	"bytes":      anyBytes,
	"workers":    workers,
	"timeouts":   timeouts,
	"reconnect":  reconnect,
	"death":      death,
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 || guests[os.Args[1]] == nil {
		log.Fatal("usage: guest PAIR NAME")
	}
	guests[os.Args[1]](os.Args[2])
}

// must returns the value, or ends the guest with the error.
func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// checkLeft ends the guest with an error unless Serve has ended because the host left gracefully.
func checkLeft(err error) {
	if !errors.Is(err, shmipc.ErrShutdown) {
		log.Fatal(err)
	}
	fmt.Println("the host has left")
}
