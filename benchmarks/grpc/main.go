// Command grpc makes calls by gRPC over a Unix socket: grpc serve SOCKET, and
// grpc call SOCKET BYTES.
package main

import (
	"bytes"
	"context"
	"log"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/libshmipc/libshmipc/benchmarks/go/blocks"
	"github.com/libshmipc/libshmipc/benchmarks/go/handler"
)

// The message of both ways is one of protobuf's own, so nothing need be generated.
const method = "/bench.Bench/Echo"

func echo(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var request wrapperspb.BytesValue
	if err := decode(&request); err != nil {
		return nil, err
	}
	var answer bytes.Buffer
	err := handler.Echo(request.GetValue(), &answer)
	return wrapperspb.Bytes(answer.Bytes()), err
}

func serve(socket string) {
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Bench",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Echo", Handler: echo}},
	}, nil)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.Serve(listener))
}

// call waits until the server listens.
func call(socket string, length int) {
	client, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		log.Fatal(err)
	}
	request := wrapperspb.Bytes(make([]byte, length))
	blocks.Serve(func() error {
		var response wrapperspb.BytesValue
		return client.Invoke(context.Background(), method, request, &response)
	})
}

func main() { blocks.Main(serve, call) }
