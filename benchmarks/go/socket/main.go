// Command socket answers messages of so many bytes on a Unix socket, its standard input: socket BYTES.
package main

import (
	"io"
	"log"
	"net"
	"os"
	"strconv"

	"github.com/libshmipc/libshmipc/benchmarks/go/handler"
)

// serve answers until the other side closes.
func serve(connection net.Conn, message []byte) error {
	for {
		if _, err := io.ReadFull(connection, message); err != nil {
			return err
		}
		if err := handler.Echo(message, connection); err != nil {
			return err
		}
	}
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: socket: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: socket BYTES")
	}
	bytes, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	connection, err := net.FileConn(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	if err := serve(connection, make([]byte, bytes)); err != io.EOF {
		log.Fatal(err)
	}
}
