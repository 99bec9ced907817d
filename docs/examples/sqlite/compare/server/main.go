// Command server runs the functions of the extension for those who ask through a Unix socket.
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"github.com/libshmipc/libshmipc/docs/examples/sqlite/functions"
)

const capacity = 65536

// answer reads a request and writes its answer. A function that fails ends the connection.
func answer(client net.Conn, request, response []byte) error {
	var head [8]byte
	if _, err := io.ReadFull(client, head[:]); err != nil {
		return err
	}
	length, kind := binary.LittleEndian.Uint32(head[:]), binary.LittleEndian.Uint32(head[4:])
	function := functions.ByType[kind]
	if length > capacity || function == nil {
		return fmt.Errorf("a request of type %d and %d bytes", kind, length)
	}
	if _, err := io.ReadFull(client, request[:length]); err != nil {
		return err
	}
	n, err := function(request[:length], response[4:])
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(response, uint32(n))
	_, err = client.Write(response[:4+n])
	return err
}

func serve(client net.Conn) {
	defer client.Close()
	request, response := make([]byte, capacity), make([]byte, 4+capacity)
	for {
		if err := answer(client, request, response); err != nil {
			if err != io.EOF {
				log.Print(err)
			}
			return
		}
	}
}

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(client)
	}
}
