// Command netrpc makes calls by net/rpc over a Unix socket: netrpc serve SOCKET, and
// netrpc call SOCKET BYTES.
package main

import (
	"bytes"
	"log"
	"net"
	"net/rpc"
	"time"

	"github.com/libshmipc/libshmipc/benchmarks/go/blocks"
	"github.com/libshmipc/libshmipc/benchmarks/go/handler"
)

// Server answers the calls.
type Server struct{}

// Echo is the method that is called.
func (Server) Echo(request []byte, response *[]byte) error {
	var answer bytes.Buffer
	err := handler.Echo(request, &answer)
	*response = answer.Bytes()
	return err
}

func serve(socket string) {
	if err := rpc.Register(Server{}); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	rpc.Accept(listener)
}

// dial waits until the server listens.
func dial(socket string) *rpc.Client {
	for {
		client, err := rpc.Dial("unix", socket)
		if err == nil {
			return client
		}
		time.Sleep(time.Millisecond)
	}
}

func call(socket string, length int) {
	client := dial(socket)
	request := make([]byte, length)
	blocks.Serve(func() error {
		var response []byte
		return client.Call("Server.Echo", request, &response)
	})
}

func main() { blocks.Main(serve, call) }
